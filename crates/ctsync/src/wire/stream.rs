//! Cutting a byte stream into messages.
//!
//! A stream has no frames of its own: only the length in each header tells where the next message begins. Each
//! connection therefore has a buffer of its own, which is cleared when the connection ends, and a length that cannot be
//! breaks the stream for good. At most [`StreamBuffer::CAPACITY`] bytes are held.

use super::{DecodeError, Frame, Header};

/// The bytes of one connection that are not read yet.
///
/// The rule: read from the connection into [`spare`](Self::spare), say how much it was, and take messages until there are
/// none. After an error close the connection.
///
/// ```
/// use ctsync::wire::StreamBuffer;
///
/// let mut stream = StreamBuffer::new();
/// for byte in [0x1a, 0x10, 0, 8, 0, 0, 0, 1] {
///     assert!(stream.next_frame().is_none());
///     stream.spare()[0] = byte;
///     stream.received(1);
/// }
/// assert!(stream.next_frame().unwrap().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct StreamBuffer {
    bytes: Box<[u8]>,
    /// First byte that no message was made of.
    start: usize,
    /// End of what was received.
    end: usize,
    broken: bool,
}

impl StreamBuffer {
    /// Size of the buffer: every message fits, as its length has 16 bits.
    pub const CAPACITY: usize = 1 << 16;

    /// An empty buffer.
    pub fn new() -> Self {
        Self { bytes: vec![0; Self::CAPACITY].into(), start: 0, end: 0, broken: false }
    }

    /// Where the next bytes are to go. Never empty when all messages were taken before.
    pub fn spare(&mut self) -> &mut [u8] {
        // What is left of a message moves to the front: less than a message at each read.
        self.bytes.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes of [`spare`](Self::spare) were filled.
    pub fn received(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(Self::CAPACITY);
    }

    /// The next whole message, `None` if more bytes must come first or the stream is broken.
    pub fn next_frame(&mut self) -> Option<Result<Frame<'_>, DecodeError>> {
        if self.broken {
            return None;
        }
        let rest = self.bytes.get(self.start..self.end)?;
        let available = rest.len();
        let (header, claimed) = Header::read(rest)?;
        let (len, least) = (usize::from(claimed), header.least_len());
        if len < least {
            self.broken = true;
            return Some(Err(DecodeError::Size { len: claimed, least, available }));
        }
        let message = rest.get(..len)?;
        self.start = self.start.saturating_add(len);
        Frame::whole(message).map(Ok)
    }

    /// Whether a length was wrong: what follows cannot be told apart any more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// How many bytes wait for the rest of their message.
    pub fn pending(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Forgets everything: for the next connection.
    pub fn clear(&mut self) {
        (self.start, self.end, self.broken) = (0, 0, false);
    }
}

impl Default for StreamBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::StreamBuffer;
    use crate::wire::{Counter, DecodeError, Header};

    /// Feeds the bytes in pieces, and returns the lengths of the bodies of the messages, or the error.
    fn fed(stream: &mut StreamBuffer, bytes: &[u8], piece: usize) -> Vec<Result<usize, Counter>> {
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut left = piece;
            while !left.is_empty() {
                let spare = stream.spare();
                assert!(!spare.is_empty());
                let len = spare.len().min(left.len());
                spare[..len].copy_from_slice(&left[..len]);
                stream.received(len);
                left = &left[len..];
                while let Some(frame) = stream.next_frame() {
                    found.push(frame.map(|f| f.body.len()).map_err(DecodeError::counter));
                }
                if stream.is_broken() {
                    return found;
                }
            }
        }
        found
    }

    fn message(len: u16) -> Vec<u8> {
        let mut bytes = vec![0x1a, 0x10, 0, 0, 0, 0, 0, 1];
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
        bytes.resize(usize::from(len).max(Header::LEN), b'x');
        bytes
    }

    #[test]
    fn pieces_of_any_size_give_the_same_messages() {
        let bytes = [message(8), message(13), message(300), message(u16::MAX), message(9)].concat();
        for piece in [1, 3, 7, 8, 9, 4096, bytes.len()] {
            let mut stream = StreamBuffer::new();
            let found = fed(&mut stream, &bytes, piece);
            assert_eq!(found, [Ok(0), Ok(5), Ok(292), Ok(65527), Ok(1)], "{piece}");
            assert_eq!(stream.pending(), 0);
        }
    }

    #[test]
    fn a_wrong_length_breaks_the_stream_until_it_is_cleared() {
        for len in [0, 1, 7] {
            let mut stream = StreamBuffer::new();
            let bytes = [message(8), message(len), message(8)].concat();
            assert_eq!(fed(&mut stream, &bytes, 5), [Ok(0), Err(Counter::Size)]);
            assert!(stream.next_frame().is_none());
            stream.clear();
            assert_eq!(fed(&mut stream, &message(8), 3), [Ok(0)]);
        }
        // A range that is too short is known to be so before it has come whole.
        let mut stream = StreamBuffer::new();
        assert_eq!(fed(&mut stream, &[0x1a, 8, 0, 8, 0, 0, 0, 1], 8), [Err(Counter::Size)]);
    }

    #[test]
    fn the_fragment_of_a_dead_peer_does_not_stay() {
        let mut stream = StreamBuffer::new();
        assert_eq!(fed(&mut stream, &message(20)[..15], 15), []);
        assert_eq!(stream.pending(), 15);
        stream.clear();
        assert_eq!(fed(&mut stream, &message(9), 9), [Ok(1)]);
    }
}
