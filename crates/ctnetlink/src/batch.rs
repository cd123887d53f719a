//! Several changes in one datagram, without I/O.
//!
//! The kernel works a datagram off before its `sendmsg` returns, in order, and a refused request does not stop those behind
//! it. Only the last one asks for an acknowledgement; the others are answered if they are refused. So the answer to the last
//! one says that all others were answered. Waiting for an acknowledgement of each one costs three to four times as much.

use crate::Request;
use crate::wire::{MessageFlags, Messages, Refusal, Sequence, control};

/// Where the flags stand in a message.
const FLAGS_AT: usize = 6;

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Nothing is known of it yet.
    None,
    /// Done.
    Done,
    /// Refused, with this errno.
    Refused(i32),
}

/// Requests that travel in one datagram, and the answers to them.
///
/// ```
/// use ctnetlink::{Answer, Batch, Request, wire::Sequence};
///
/// let mut batch = Batch::new(Sequence(7));
/// batch.push(&Request::FlushExpectations(None));
/// assert_eq!(batch.datagram().len(), 20);
/// assert_eq!(batch.answers(), [Answer::None]);
/// ```
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each message begins.
    starts: Vec<usize>,
    answers: Vec<Answer>,
    first: Sequence,
}

impl Batch {
    /// An empty batch. Its requests are numbered from `first` on.
    pub fn new(first: Sequence) -> Self {
        Self { bytes: Vec::new(), starts: Vec::new(), answers: Vec::new(), first }
    }

    /// Begins the next batch. Numbers go on, so that late answers to this one are not taken for those of the next.
    pub fn clear(&mut self) {
        let len = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        self.first = Sequence(self.first.0.wrapping_add(len));
        self.bytes.clear();
        self.starts.clear();
        self.answers.clear();
    }

    /// Appends a request that changes something.
    pub fn push(&mut self, request: &Request<'_>) {
        let number = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        self.starts.push(self.bytes.len());
        self.answers.push(Answer::None);
        request.encode_silent(Sequence(self.first.0.wrapping_add(number)), &mut self.bytes);
    }

    /// How many requests.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Length of the datagram.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The datagram of all requests.
    pub fn datagram(&mut self) -> &[u8] {
        if let Some(last) = self.len().checked_sub(1) {
            self.acknowledge(last);
        }
        &self.bytes
    }

    /// The datagram of one request alone.
    pub fn single(&mut self, index: usize) -> &[u8] {
        self.acknowledge(index);
        let Some(start) = self.starts.get(index) else { return &[] };
        let end = self.starts.get(index.saturating_add(1)).copied();
        self.bytes.get(*start..end.unwrap_or(self.bytes.len())).unwrap_or_default()
    }

    fn acknowledge(&mut self, index: usize) {
        let at = self.starts.get(index).map(|start| start.saturating_add(FLAGS_AT));
        let flags = at.and_then(|at| self.bytes.get_mut(at..)?.first_chunk_mut::<2>());
        if let Some(flags) = flags {
            *flags = (u16::from_ne_bytes(*flags) | MessageFlags::ACK.bits()).to_ne_bytes();
        }
    }

    /// Takes the answers in a datagram of the kernel. What is no answer to a request of this batch is passed over.
    pub fn take(&mut self, datagram: &[u8]) {
        for message in Messages::new(datagram).map_while(Result::ok) {
            if message.header.kind != control::ERROR {
                continue;
            }
            let index = message.header.sequence.0.wrapping_sub(self.first.0);
            let answer = usize::try_from(index).ok().and_then(|index| self.answers.get_mut(index));
            if let (Some(answer), Ok(refusal)) = (answer, Refusal::parse(&message)) {
                *answer = match refusal.code {
                    0 => Answer::Done,
                    code => Answer::Refused(code.checked_neg().unwrap_or(i32::MAX)),
                };
            }
        }
    }

    /// Whether the last request is answered, and with it all.
    pub fn is_answered(&self) -> bool {
        self.answers.last().is_none_or(|last| *last != Answer::None)
    }

    /// No answer was lost: requests without one are done.
    pub fn conclude(&mut self) {
        for answer in self.answers.iter_mut().filter(|answer| **answer == Answer::None) {
            *answer = Answer::Done;
        }
    }

    /// Notes what became of a request.
    pub fn answer(&mut self, index: usize, new: Answer) {
        if let Some(answer) = self.answers.get_mut(index) {
            *answer = new;
        }
    }

    /// What became of each request.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Batch};
    use crate::Request;
    use crate::wire::{MessageFlags, Messages, Sequence};

    fn batch(first: u32, len: usize) -> Batch {
        let mut batch = Batch::new(Sequence(first));
        for _ in 0..len {
            batch.push(&Request::FlushExpectations(None));
        }
        batch
    }

    fn answer(sequence: u32, errno: i32) -> Vec<u8> {
        let mut out = 36_u32.to_ne_bytes().to_vec();
        for half in [2_u16, 0x100] {
            out.extend_from_slice(&half.to_ne_bytes());
        }
        for word in [sequence, 0, (-errno).cast_unsigned(), 20, 0, 0, 0] {
            out.extend_from_slice(&word.to_ne_bytes());
        }
        out
    }

    #[test]
    fn the_last_request_alone_asks_for_an_acknowledgement() {
        let mut batch = batch(u32::MAX, 3);
        let sent: Vec<_> = Messages::new(batch.datagram())
            .map(|message| message.unwrap().header)
            .map(|header| (header.sequence.0, header.flags.contains(MessageFlags::ACK)))
            .collect();
        assert_eq!(sent, [(u32::MAX, false), (0, false), (1, true)]);
        let single = Messages::new(batch.single(1)).map(|message| message.unwrap().header);
        let single: Vec<_> = single.collect();
        assert_eq!(single.len(), 1);
        assert!(single[0].flags.contains(MessageFlags::ACK) && single[0].sequence.0 == 0);
    }

    #[test]
    fn refusals_find_their_requests_and_the_rest_is_done() {
        let mut batch = batch(u32::MAX, 3);
        batch.take(&answer(5, 1));
        batch.take(&answer(u32::MAX - 1, 1));
        batch.take(&answer(0, 17));
        assert!(!batch.is_answered());
        batch.take(&answer(1, 0));
        assert!(batch.is_answered());
        assert_eq!(batch.answers(), [Answer::None, Answer::Refused(17), Answer::Done]);
        batch.conclude();
        assert_eq!(batch.answers(), [Answer::Done, Answer::Refused(17), Answer::Done]);
    }

    #[test]
    fn answers_to_an_earlier_batch_do_not_count() {
        let mut batch = batch(10, 2);
        batch.clear();
        assert!(batch.is_answered(), "an empty batch waits for nothing");
        batch.push(&Request::FlushExpectations(None));
        batch.take(&answer(11, 2));
        assert!(!batch.is_answered());
        batch.take(&[7; 50]);
        batch.take(&answer(12, 0));
        assert_eq!(batch.answers(), [Answer::Done]);
    }
}
