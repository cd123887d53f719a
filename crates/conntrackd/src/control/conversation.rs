//! One client of the control socket, without I/O: the bytes of its request go in, those of the answer come out.
//!
//! A request is four bytes and may come in pieces; what follows them is not read. The answer is a bounded buffer that
//! is filled while it is sent. Bounds: [`REQUEST_TIME`], [`STALL_TIME`], [`HURRY_TIME`], [`FULL_BYTES`] and one more
//! text.

use ctsync::time::{Duration, Instant};

/// A request is complete this long after the client came, or never.
pub const REQUEST_TIME: Duration = Duration::from_secs(10);

/// A client takes something of its answer in this time, or is given up.
pub const STALL_TIME: Duration = Duration::from_secs(60);

/// The same while others wait for the end of its answer.
pub const HURRY_TIME: Duration = Duration::from_secs(2);

/// From here on a buffer takes no further text.
pub const FULL_BYTES: usize = 256 * 1024;

/// With less than this a buffer can be filled again.
pub const HUNGRY_BYTES: usize = 64 * 1024;

/// What a client has sent so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received {
    /// Not all of its request.
    Partly,
    /// The request with this code.
    Request(i32),
}

#[derive(Debug)]
enum State {
    /// The request is awaited since then.
    Asking { code: [u8; 4], len: usize, since: Instant },
    /// The answer is made and sent.
    Answering { answer: Answer, is_finished: bool },
}

/// What is to be sent.
#[derive(Debug, Default)]
struct Answer {
    bytes: Vec<u8>,
    /// So many of them are sent.
    sent: usize,
    /// When the client took something for the last time. Set while something waits to be sent.
    since: Option<Instant>,
}

/// A client between its connection and its end.
#[derive(Debug)]
pub struct Conversation {
    state: State,
    is_hurried: bool,
}

impl Conversation {
    /// A client that has come now.
    pub fn new(now: Instant) -> Self {
        Self { state: State::Asking { code: [0; 4], len: 0, since: now }, is_hurried: false }
    }

    /// Where the next bytes of the request are to be put; empty when it is complete. [`Self::received`] follows.
    pub fn missing(&mut self) -> &mut [u8] {
        match &mut self.state {
            State::Asking { code, len, .. } => code.get_mut(*len..).unwrap_or_default(),
            State::Answering { .. } => &mut [],
        }
    }

    /// So many bytes were put into [`Self::missing`].
    pub fn received(&mut self, count: usize) -> Received {
        let State::Asking { code, len, .. } = &mut self.state else { return Received::Partly };
        *len = len.saturating_add(count).min(code.len());
        if *len < code.len() {
            return Received::Partly;
        }
        let code = i32::from_ne_bytes(*code);
        self.state = State::Answering { answer: Answer::default(), is_finished: false };
        Received::Request(code)
    }

    /// Whether the request is not complete.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking { .. })
    }

    /// The end of the answer, to write text to. `None` when there is no room, or no more text is expected.
    pub fn writer(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.state {
            State::Answering { answer, is_finished: false } if answer.pending() < FULL_BYTES => {
                answer.make_room();
                Some(&mut answer.bytes)
            }
            _ => None,
        }
    }

    /// How many more bytes can be written. A text that begins within them is taken whole.
    pub fn room(&self) -> usize {
        match &self.state {
            State::Answering { answer, is_finished: false } => {
                FULL_BYTES.saturating_sub(answer.pending())
            }
            _ => 0,
        }
    }

    /// Whether more of the answer is wanted now.
    pub fn is_hungry(&self) -> bool {
        matches!(&self.state, State::Answering { answer, is_finished: false }
            if answer.pending() < HUNGRY_BYTES)
    }

    /// The answer is complete.
    pub fn finish(&mut self) {
        if let State::Answering { is_finished, .. } = &mut self.state {
            *is_finished = true;
        }
    }

    /// What is to be sent. [`Self::sent`] follows.
    pub fn pending(&self) -> &[u8] {
        match &self.state {
            State::Asking { .. } => &[],
            State::Answering { answer, .. } => answer.bytes.get(answer.sent..).unwrap_or_default(),
        }
    }

    /// So many bytes of [`Self::pending`] were taken by the client; 0 when it takes none now.
    pub fn sent(&mut self, now: Instant, count: usize) {
        let State::Answering { answer, .. } = &mut self.state else { return };
        answer.sent = answer.sent.saturating_add(count).min(answer.bytes.len());
        if answer.pending() == 0 {
            answer.bytes.clear();
            answer.sent = 0;
            answer.since = None;
        } else if count > 0 || answer.since.is_none() {
            answer.since = Some(now);
        }
    }

    /// Whether all is said.
    pub fn is_over(&self) -> bool {
        matches!(&self.state, State::Answering { answer, is_finished: true }
            if answer.pending() == 0)
    }

    /// Others wait for the end of the answer: from now on the client has less time to take something of it.
    pub fn hurry(&mut self) {
        self.is_hurried = true;
    }

    /// Since when the client is waited for. `None` while it waits.
    pub fn idle_since(&self) -> Option<Instant> {
        match &self.state {
            State::Asking { since, .. } => Some(*since),
            State::Answering { answer, .. } => answer.since,
        }
    }

    /// When the client is given up, if nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        let time = match &self.state {
            State::Asking { .. } => REQUEST_TIME,
            State::Answering { .. } if self.is_hurried => HURRY_TIME,
            State::Answering { .. } => STALL_TIME,
        };
        Some(self.idle_since()?.after(time))
    }
}

impl Answer {
    fn pending(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    /// Moves what waits to the front when that is less work than what was saved.
    fn make_room(&mut self) {
        if self.sent >= self.pending() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant(5);

    fn give(conversation: &mut Conversation, bytes: &[u8]) -> Received {
        let place = conversation.missing();
        let count = bytes.len().min(place.len());
        place[..count].copy_from_slice(&bytes[..count]);
        conversation.received(count)
    }

    fn asked() -> Conversation {
        let mut conversation = Conversation::new(START);
        assert_eq!(give(&mut conversation, &21i32.to_ne_bytes()), Received::Request(21));
        conversation
    }

    #[test]
    fn a_request_may_come_in_pieces() {
        let code = (-7i32).to_ne_bytes();
        let mut conversation = Conversation::new(START);
        for byte in &code[..3] {
            assert_eq!(give(&mut conversation, &[*byte]), Received::Partly);
            assert!(conversation.is_asking() && !conversation.is_hungry());
            assert!(conversation.writer().is_none());
        }
        assert_eq!(give(&mut conversation, &code[3..]), Received::Request(-7));
        assert!(!conversation.is_asking() && conversation.is_hungry());
        assert!(conversation.missing().is_empty());
        assert_eq!(give(&mut conversation, b"more"), Received::Partly);
    }

    #[test]
    fn a_request_has_its_time() {
        let conversation = Conversation::new(START);
        assert_eq!(conversation.deadline(), Some(START.after(REQUEST_TIME)));
        // The answer may take as long as it needs.
        assert_eq!(asked().deadline(), None);
    }

    #[test]
    fn an_answer_is_over_when_it_is_finished_and_sent() {
        let mut conversation = asked();
        conversation.writer().unwrap().extend_from_slice(b"text");
        assert_eq!(conversation.pending(), b"text");
        conversation.finish();
        assert!(conversation.writer().is_none() && !conversation.is_hungry());
        conversation.sent(START, 3);
        assert_eq!(conversation.pending(), b"t");
        assert!(!conversation.is_over());
        conversation.sent(START, 1);
        assert!(conversation.is_over());
        let mut empty = asked();
        assert!(!empty.is_over());
        empty.finish();
        assert!(empty.is_over());
    }

    #[test]
    fn a_client_that_takes_nothing_is_given_up_and_one_that_takes_a_little_is_not() {
        let mut conversation = asked();
        conversation.writer().unwrap().extend_from_slice(b"text");
        conversation.sent(START, 0);
        let first = START.after(STALL_TIME);
        assert_eq!(conversation.deadline(), Some(first));
        // It stays when more is written, or is tried.
        conversation.writer().unwrap().extend_from_slice(b"text");
        conversation.sent(first, 0);
        assert_eq!(conversation.deadline(), Some(first));
        conversation.sent(first, 1);
        assert_eq!(conversation.deadline(), Some(first.after(STALL_TIME)));
        conversation.sent(first, 7);
        assert_eq!(conversation.deadline(), None);
    }

    #[test]
    fn a_client_for_which_others_wait_is_given_up_sooner() {
        let mut conversation = asked();
        conversation.writer().unwrap().extend_from_slice(b"text");
        conversation.sent(START, 0);
        conversation.hurry();
        let first = START.after(HURRY_TIME);
        assert_eq!(conversation.deadline(), Some(first));
        conversation.sent(first, 1);
        assert_eq!(conversation.deadline(), Some(first.after(HURRY_TIME)));
        conversation.sent(first, 3);
        assert_eq!((conversation.deadline(), conversation.idle_since()), (None, None));
    }

    #[test]
    fn a_buffer_is_full_at_its_bound_and_hungry_below_the_lower_one() {
        let mut conversation = asked();
        assert_eq!(conversation.room(), FULL_BYTES);
        let text = vec![b'x'; FULL_BYTES - 1];
        conversation.writer().unwrap().extend_from_slice(&text);
        assert_eq!(conversation.room(), 1);
        assert!(!conversation.is_hungry());
        conversation.writer().unwrap().extend_from_slice(b"a whole line\n");
        assert_eq!(conversation.room(), 0);
        assert!(conversation.writer().is_none());
        let mut taken = 0;
        while !conversation.is_hungry() {
            conversation.sent(START, 1000);
            taken += 1000;
        }
        assert_eq!(conversation.pending().len(), FULL_BYTES - 1 + 13 - taken);
        assert!(conversation.pending().len() < HUNGRY_BYTES);
    }

    #[test]
    fn memory_does_not_grow_with_the_answer() {
        let mut conversation = asked();
        for _ in 0..10_000 {
            let writer = conversation.writer().unwrap();
            writer.extend_from_slice(&[b'x'; 1000]);
            assert!(writer.len() < 2 * FULL_BYTES, "{}", writer.len());
            let count = conversation.pending().len().saturating_sub(HUNGRY_BYTES);
            conversation.sent(START, count);
        }
    }
}
