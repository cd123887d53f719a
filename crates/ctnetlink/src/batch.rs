//! Several changes in one datagram, without I/O.
//!
//! The kernel works a datagram off before its `sendmsg` returns, in order, and a refused request does not stop those behind
//! it. Only the last one asks for an acknowledgement; the others are answered if they are refused. So the answer to the last
//! one says that all others were answered. Waiting for an acknowledgement of each one costs three to four times as much.
//! A get is answered by what was asked for, or refused: it needs no acknowledgement.

use crate::wire::{
    MessageFlags, MessageKind, Messages, RawMessage, Refusal, Sequence, Subsystem, control,
};
use crate::{CreateMode, Request};

/// Where the flags stand in a message.
const FLAGS_AT: usize = 6;
/// Where the sequence number stands.
const SEQUENCE_AT: usize = 8;
/// `IPCTNL_MSG_CT_GET`.
const GET: u8 = 1;

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

/// A creation or change of a flow that is written down until its turn comes: a fifth of the memory of its values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WrittenRequest<'a>(&'a [u8]);

impl<'a> WrittenRequest<'a> {
    /// Appends a request of this kind to a buffer; what is appended is what [`WrittenRequest::new`] wants.
    pub fn write(request: &crate::FlowRequest, mode: CreateMode, out: &mut Vec<u8>) {
        Request::PutFlow(request, mode).encode_silent(Sequence(0), out);
    }

    /// The bytes of one request.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The request as a message.
    pub fn message(&self) -> Option<RawMessage<'a>> {
        Messages::new(self.0).next()?.ok()
    }
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

    /// Appends a request that changes something, or the get of a flow.
    pub fn push(&mut self, request: &Request<'_>) {
        let sequence = self.begin();
        request.encode_silent(sequence, &mut self.bytes);
    }

    /// Appends a creation or change that was written down, to be done in this mode.
    pub fn push_written(&mut self, request: WrittenRequest<'_>, mode: CreateMode) {
        let (sequence, start) = (self.begin(), self.bytes.len());
        self.bytes.extend_from_slice(request.0);
        let flags = mode.flags() | MessageFlags::REQUEST;
        self.put(start.saturating_add(FLAGS_AT), flags.bits().to_ne_bytes());
        self.put(start.saturating_add(SEQUENCE_AT), sequence.0.to_ne_bytes());
    }

    /// Notes that a request begins here, and returns its number.
    fn begin(&mut self) -> Sequence {
        let number = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        self.starts.push(self.bytes.len());
        self.answers.push(Answer::None);
        Sequence(self.first.0.wrapping_add(number))
    }

    fn put<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *place = value;
        }
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

    /// Asks for an acknowledgement, unless the request is a get.
    fn acknowledge(&mut self, index: usize) {
        let message = self.starts.get(index).and_then(|start| self.bytes.get(*start..));
        let Some(Ok(message)) = message.and_then(|message| Messages::new(message).next()) else {
            return;
        };
        let get = MessageKind { subsystem: Subsystem::CONNTRACK, message: GET };
        if message.header.kind != get.number() {
            let flags = message.header.flags | MessageFlags::ACK;
            let at =
                self.starts.get(index).map_or(usize::MAX, |start| start.saturating_add(FLAGS_AT));
            self.put(at, flags.bits().to_ne_bytes());
        }
    }

    /// Takes the answers in a datagram of the kernel; `each` gets those that gets have brought, with the numbers of these.
    /// What is no answer to a request of this batch is passed over.
    pub fn take(&mut self, datagram: &[u8], mut each: impl FnMut(usize, &RawMessage<'_>)) {
        for message in Messages::new(datagram).map_while(Result::ok) {
            let number = message.header.sequence.0.wrapping_sub(self.first.0);
            let Ok(index) = usize::try_from(number) else { continue };
            let Some(answer) = self.answers.get_mut(index) else { continue };
            if message.header.kind == control::ERROR {
                if let Ok(refusal) = Refusal::parse(&message) {
                    *answer = match refusal.code {
                        0 => Answer::Done,
                        code => Answer::Refused(code.checked_neg().unwrap_or(i32::MAX)),
                    };
                }
            } else if MessageKind::from(message.header.kind).subsystem == Subsystem::CONNTRACK {
                *answer = Answer::Done;
                each(index, &message);
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
    use super::{Answer, Batch, WrittenRequest};
    use crate::wire::{MessageFlags, Messages, RawMessage, Sequence};
    use crate::{CreateMode, FlowRequest, Request};

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
        batch.take(&answer(5, 1), |_, _| ());
        batch.take(&answer(u32::MAX - 1, 1), |_, _| ());
        batch.take(&answer(0, 17), |_, _| ());
        assert!(!batch.is_answered());
        batch.take(&answer(1, 0), |_, _| ());
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
        batch.take(&answer(11, 2), |_, _| ());
        assert!(!batch.is_answered());
        batch.take(&[7; 50], |_, _| ());
        batch.take(&answer(12, 0), |_, _| ());
        assert_eq!(batch.answers(), [Answer::Done]);
    }

    #[test]
    fn a_get_is_answered_by_the_flow_and_asks_for_no_acknowledgement() {
        let request = FlowRequest::default();
        let mut batch = Batch::new(Sequence(3));
        batch.push(&Request::PutFlow(&request, CreateMode::UpdateOnly));
        batch.push(&Request::GetFlow(&request));
        let asks = |message: Result<RawMessage<'_>, _>| {
            message.unwrap().header.flags.contains(MessageFlags::ACK)
        };
        assert!(!Messages::new(batch.datagram()).any(asks));
        let mut flow = answer(4, 0);
        flow[4..6].copy_from_slice(&0x0100_u16.to_ne_bytes());
        let mut found = Vec::new();
        batch.take(&flow, |number, message| found.push((number, message.body.len())));
        assert_eq!(found, [(1, 20)]);
        assert_eq!(batch.answers(), [Answer::None, Answer::Done]);
    }

    #[test]
    fn a_written_request_is_the_same_in_its_mode_and_place() {
        let request = FlowRequest { timeout_s: Some(7), ..FlowRequest::default() };
        let mut written = Vec::new();
        WrittenRequest::write(&request, CreateMode::CreateOnly, &mut written);
        for mode in [CreateMode::CreateOnly, CreateMode::CreateOrUpdate, CreateMode::UpdateOnly] {
            let (mut direct, mut copied) = (Batch::new(Sequence(9)), Batch::new(Sequence(9)));
            for _ in 0..2 {
                direct.push(&Request::PutFlow(&request, mode));
                copied.push_written(WrittenRequest::new(&written), mode);
            }
            assert_eq!(direct.datagram(), copied.datagram(), "{mode:?}");
        }
        assert_eq!(WrittenRequest::new(&written).message().unwrap().body.len(), 12);
    }
}
