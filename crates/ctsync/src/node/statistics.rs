//! Counters of a node.

use crate::wire::Counter;

/// What `-s`, `-s network` and `-s queue` show.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Messages received.
    pub received_messages: u64,
    /// Of these: refused for any reason (`Malformed messages`).
    pub malformed: u64,
    /// `Wrong protocol version`.
    pub version: u64,
    /// `Malformed header`.
    pub header: u64,
    /// `Malformed payload`.
    pub payload: u64,
    /// `Bad message type`.
    pub kind: u64,
    /// `Truncated message`.
    pub truncated: u64,
    /// `Bad message size`.
    pub size: u64,
    /// `Packets lost`: two more at each gap than were lost, as upstream has it.
    pub lost: u64,
    /// `Packets before`.
    pub before: u64,
    /// Flows that a dump told of, or told to be gone, where events should have.
    pub repaired: u64,
    /// Datagrams sent.
    pub sent_datagrams: u64,
    /// Messages sent.
    pub sent_messages: u64,
    /// Elements of the transmit queue. All three queues together are the `allocated queue nodes`.
    pub transmit_len: usize,
    /// Elements of the resend queue.
    pub resend_len: usize,
    /// Elements that wait for room in the resend queue, or for larger datagrams.
    pub parked_len: usize,
    /// Most elements of the resend queue (`ResendQueueSize`).
    pub resend_limit: usize,
    /// `not enough space errors` of the resend queue. The transmit queue never has any.
    pub resend_no_space: u64,
    /// `internal bypass: connections new`.
    pub direct_new: u64,
    /// `connections updated` there.
    pub direct_updated: u64,
    /// `connections destroyed` there.
    pub direct_destroyed: u64,
    /// Events that could not be sent, as too many wait.
    pub direct_dropped: u64,
}

impl Statistics {
    pub(super) fn count(&mut self, counter: Counter) {
        self.malformed += 1;
        *match counter {
            Counter::Version => &mut self.version,
            Counter::Header => &mut self.header,
            Counter::Payload => &mut self.payload,
            Counter::Kind => &mut self.kind,
            Counter::Truncated => &mut self.truncated,
            Counter::Size => &mut self.size,
        } += 1;
    }
}
