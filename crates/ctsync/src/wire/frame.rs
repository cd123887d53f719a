//! Cutting a datagram into messages.
//!
//! Messages follow each other without padding; one of an odd length makes the next begin at an odd offset. The order of
//! the checks decides which counter a bad message adds to, so it is that of upstream. Facts: docs/sync-protocol.md,
//! "Framing".

use super::{DecodeError, Header, Message, VERSION};
use crate::Sequence;

/// One message, its length checked, everything else not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// Its header.
    pub header: Header,
    /// First and last number of the range that some control messages carry.
    pub range: Option<(Sequence, Sequence)>,
    /// What follows header and range.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a whole message.
    ///
    /// `None` if it is shorter than its header or the header claims another length.
    pub fn whole(bytes: &'a [u8]) -> Option<Self> {
        let (header, len) = Header::read(bytes)?;
        if usize::from(len) != bytes.len() {
            return None;
        }
        let rest = bytes.get(Header::LEN..)?;
        if !header.is_ranged() {
            return Some(Self { header, range: None, body: rest });
        }
        let (from, rest) = rest.split_first_chunk()?;
        let (to, body) = rest.split_first_chunk()?;
        let number = |bytes: &[u8; 4]| Sequence(u32::from_be_bytes(*bytes));
        Some(Self { header, range: Some((number(from), number(to))), body })
    }

    /// The message, if it is one of our version of the protocol.
    pub fn message(&self) -> Result<Message<'a>, DecodeError> {
        let Header { version, kind, flags, sequence } = self.header;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        Ok(Message { kind, flags, sequence, range: self.range, body: self.body })
    }
}

/// Iterator over the messages of a datagram. After an error it ends: where the next message begins is not known.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// The messages of this datagram.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = match frame_len(self.rest) {
            Ok(len) => {
                let (bytes, rest) = self.rest.split_at_checked(len)?;
                self.rest = rest;
                Ok(Frame::whole(bytes)?)
            }
            Err(error) => {
                self.rest = &[];
                Err(error)
            }
        };
        Some(frame)
    }
}

/// Length of the message that begins here, header and range included and all of it there.
fn frame_len(rest: &[u8]) -> Result<usize, DecodeError> {
    let available = rest.len();
    let truncated = |least| DecodeError::Truncated { available, least };
    let Some((header, claimed)) = Header::read(rest) else {
        return Err(truncated(Header::LEN));
    };
    let (len, least) = (usize::from(claimed), header.least_len());
    let size = DecodeError::Size { len: claimed, least, available };
    if len == 0 || len > available {
        Err(size)
    } else if available < least {
        Err(truncated(least))
    } else if len < least {
        Err(size)
    } else {
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::Frames;
    use crate::wire::{Counter, DecodeError};

    fn counters(datagram: &[u8]) -> Vec<Result<usize, Counter>> {
        let frames = Frames::new(datagram);
        frames.map(|f| f.map(|f| f.body.len()).map_err(DecodeError::counter)).collect()
    }

    /// `ALIVE` with a body of `extra` bytes, of a length field of `len`.
    fn alive(len: u8, extra: usize) -> Vec<u8> {
        [vec![0x1a, 0x10, 0, len, 0, 0, 0, 1], vec![b'x'; extra]].concat()
    }

    #[test]
    fn messages_follow_each_other_without_padding() {
        assert_eq!(counters(&[]), []);
        let datagram = [alive(9, 1), alive(8, 0), alive(11, 3)].concat();
        assert_eq!(counters(&datagram), [Ok(1), Ok(0), Ok(3)]);
    }

    #[test]
    fn a_bad_length_ends_the_datagram() {
        for len in [0, 1, 7, 17] {
            let datagram = [alive(8, 0), alive(len, 0), alive(8, 0)].concat();
            assert_eq!(counters(&datagram), [Ok(0), Err(Counter::Size)], "{len}");
        }
        for left in 1..8 {
            let datagram = [alive(8, 0), alive(8, 0)[..left].to_vec()].concat();
            assert_eq!(counters(&datagram), [Ok(0), Err(Counter::Truncated)], "{left}");
        }
    }

    #[test]
    fn a_range_must_be_there_whole() {
        let ack = |len, total| {
            let mut bytes = vec![0x1a, 0x08, 0, len, 0, 0, 0, 1];
            bytes.resize(total, 0);
            counters(&bytes)
        };
        assert_eq!(ack(16, 16), [Ok(0)]);
        assert_eq!(ack(24, 24), [Ok(8)]);
        assert_eq!(ack(8, 8), [Err(Counter::Truncated)]);
        assert_eq!(ack(15, 15), [Err(Counter::Truncated)]);
        assert_eq!(ack(16, 12), [Err(Counter::Size)]);
        assert_eq!(ack(15, 16), [Err(Counter::Size)]);
        assert_eq!(ack(0, 16), [Err(Counter::Size)]);
    }
}
