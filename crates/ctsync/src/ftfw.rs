//! FTFW mode: what is sent is acknowledged, and sent again when it is lost.
//!
//! On the wire this is upstream's mode. What upstream leaves broken is repaired by rules that its nodes do not notice;
//! docs/sync-protocol.md, "FTFW", has them with their reasons. Bound: the resend queue, and no node beyond the entries of the
//! caches and a few control messages.

use crate::cache::Life;
use crate::outbound::Outbound;
use crate::queue::{Item, List};
use crate::time::{Duration, Instant};
use crate::wire::{Content, Control, DecodeError, Flags, Message, Mode};
use crate::{Sequence, SequenceRange};

/// Silence after which a sign of life or an acknowledgement is sent.
pub(crate) const ALIVE_AFTER: Duration = Duration::from_secs(1);
/// What is not acknowledged after this is sent again. An acknowledgement takes one second as a rule.
const RESEND_AFTER: Duration = Duration::from_secs(3);
/// An acknowledgement is not put off for longer than this by our own sending.
const ACK_AT_LATEST: Duration = Duration::from_secs(2);
/// Longest time between two repetitions of the same thing.
const RESEND_AT_MOST: Duration = Duration::from_secs(40);
/// Ended flows that are kept for a full resend queue, or the size of that if it is larger.
pub(crate) const DEAD_AT_LEAST: usize = 4096;
/// A resend queue so small that acknowledgements fill it must not keep back what was pushed out.
const ROOM_AT_LEAST: usize = 8;
/// How much is sent again at once, and the pause after it.
const RESEND_BURST: usize = 2000;
const RESEND_PAUSE: Duration = Duration::from_millis(100);
/// A peer that was not heard for so long gets no repetitions.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// No message is under way for longer than this.
const SETTLE: Duration = Duration::from_secs(1);
/// When only old numbers came for so long, the peer has begun to count anew.
const ADOPT_AFTER: Duration = Duration::from_secs(3);
/// And at least so many of them, one after the other.
const ADOPT_RUN: u32 = 3;
/// An acknowledgement of something in the middle of the resend queue is searched for from the queue's beginning. A peer, whose
/// acknowledgements are of the beginning, is given so many steps over elements that are not meant, and one more after each such
/// time; an acknowledgement beyond that is not heeded, and what it was about is sent again.
const MOST_STEPS: u64 = 1 << 20;
const STEP_TIME: Duration = Duration(100);
/// Messages of a peer that greets are told apart from those of a restarted one within so many numbers.
const GREETING_SPAN: u32 = 1024;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Greeting {
    Silent,
    Said,
    Answered,
}

/// Messages that were refused since the last that was accepted.
#[derive(Clone, Copy, Debug)]
struct Refused {
    first: Sequence,
    last: Sequence,
    run: u32,
}

/// State of the mode.
#[derive(Debug)]
pub(crate) struct Ftfw {
    greeting: Greeting,
    answered_at: Option<Instant>,
    say_hello_back: bool,
    ack_window: u32,
    resend_limit: usize,
    /// Messages left until an acknowledgement is due.
    window: u32,
    /// First number, and time, of those not acknowledged yet.
    unacknowledged: Option<(Sequence, Instant)>,
    last: Option<Sequence>,
    /// When the last message with a HELLO was accepted.
    greeted_at: Option<Instant>,
    accepted_at: Instant,
    /// When the peer was last heard, or this node started.
    heard_at: Instant,
    refused: Option<Refused>,
    sent_at: Instant,
    resend_after: Duration,
    resend_not_before: Instant,
    /// Steps over elements of the resend queue that are left. See [`MOST_STEPS`].
    steps: u64,
    /// Elements that the resend queue had no room for (`not enough space errors`).
    pub(crate) no_space: u64,
    /// What the sequence numbers told.
    pub(crate) lost: u64,
    pub(crate) before: u64,
    /// The peer has started since this was last looked at.
    pub(crate) peer_started: bool,
}

/// What to do with a message.
#[derive(Debug)]
pub(crate) enum Verdict<'a> {
    Take(Content<'a>),
    Drop,
}

impl Ftfw {
    pub(crate) fn new(now: Instant, ack_window: u32, resend_limit: usize) -> Self {
        Self {
            greeting: Greeting::Silent,
            answered_at: None,
            say_hello_back: false,
            ack_window,
            resend_limit,
            window: ack_window,
            unacknowledged: None,
            last: None,
            greeted_at: None,
            accepted_at: now,
            heard_at: now,
            refused: None,
            sent_at: now,
            resend_after: RESEND_AFTER,
            resend_not_before: now,
            steps: MOST_STEPS,
            no_space: 0,
            lost: 0,
            before: 0,
            peer_started: false,
        }
    }

    /// Takes note of a message.
    pub(crate) fn receive<'a>(
        &mut self,
        now: Instant,
        out: &mut Outbound,
        message: &Message<'a>,
    ) -> Result<Verdict<'a>, DecodeError> {
        let earned = now.since(self.heard_at).0 / STEP_TIME.0;
        self.steps = self.steps.saturating_add(earned).min(MOST_STEPS);
        self.heard_at = now;
        let hello = message.flags.contains(Flags::HELLO);
        if message.flags.contains(Flags::HELLO_BACK) && self.greeting == Greeting::Said {
            self.greeting = Greeting::Answered;
            self.answered_at = Some(now);
        }
        let sequence = message.sequence;
        let started = hello && !self.is_same_greeting(now, sequence);
        let expected = self.last.map(Sequence::next);
        let in_order = started || expected.is_none_or(|expected| expected == sequence);
        let adopted = !in_order && self.adopts(now, sequence);
        let is_old = !in_order && expected.is_some_and(|expected| !sequence.is_after(expected));
        if is_old && !adopted {
            self.before += 1;
            return Ok(Verdict::Drop);
        }
        // Whoever starts anew so soon that its HELLO seems old goes on greeting until that is understood: an answer now would
        // let it take acknowledgements of its former numbers for those of the new ones.
        self.say_hello_back |= hello;
        let content = message.content(Mode::Ftfw)?;
        if started {
            self.begin(out);
        }
        if let Content::Control(control) = content {
            self.obey(now, out, control);
        }
        if !in_order {
            let first = match (self.refused, expected) {
                (Some(refused), _) if adopted => refused.first,
                (_, Some(expected)) => expected,
                (_, None) => sequence,
            };
            self.close_gap(now, out, first, sequence);
        }
        self.accept(now, out, sequence, matches!(content, Content::Control(_)));
        self.last = Some(sequence);
        (self.accepted_at, self.refused) = (now, None);
        if hello {
            self.greeted_at = Some(now);
        }
        Ok(Verdict::Take(content))
    }

    /// A HELLO soon after another one, with a number near to it. Any other one is that of a peer that has started: a restart
    /// takes longer than a message is under way.
    fn is_same_greeting(&self, now: Instant, sequence: Sequence) -> bool {
        let lately = self.greeted_at.is_some_and(|at| now < at.after(SETTLE.doubled()));
        lately
            && self.last.is_some_and(|last| {
                sequence.since(last) <= GREETING_SPAN || last.since(sequence) <= GREETING_SPAN
            })
    }

    /// The peer has started: what it numbered before means nothing any more.
    fn begin(&mut self, out: &mut Outbound) {
        self.peer_started = true;
        self.unacknowledged = None;
        for list in [List::Transmit, List::Resend, List::Parked] {
            let mut next = out.queues.head(list);
            while let Some(node) = next {
                next = out.queues.next(node);
                let item = out.queues.node(node).map(|node| node.item);
                if matches!(item, Some(Item::Control(Control::Received(_) | Control::Missed(_)))) {
                    out.release(node);
                }
            }
        }
    }

    /// Whether a number that seems old is the peer's new one.
    fn adopts(&mut self, now: Instant, sequence: Sequence) -> bool {
        let refused = match self.refused {
            Some(refused) if sequence == refused.last.next() => {
                Refused { last: sequence, run: refused.run.saturating_add(1), ..refused }
            }
            _ => Refused { first: sequence, last: sequence, run: 1 },
        };
        self.refused = Some(refused);
        refused.run >= ADOPT_RUN && now >= self.accepted_at.after(ADOPT_AFTER)
    }

    /// Some numbers did not come: says so.
    fn close_gap(&mut self, now: Instant, out: &mut Outbound, first: Sequence, sequence: Sequence) {
        if let Some(last) = self.last {
            // Upstream counts two more than were lost, and so does a drop-in.
            self.lost += u64::from(sequence.since(last)) + 1;
        }
        self.acknowledge(out);
        if let Some(missed) = SequenceRange::new(first, sequence.previous())
            && !out.queues.is_crowded()
        {
            out.transmit(Item::Control(Control::Missed(missed)));
        }
        self.window = self.ack_window;
        self.unacknowledged = Some((sequence, now));
    }

    fn accept(&mut self, now: Instant, out: &mut Outbound, sequence: Sequence, is_control: bool) {
        self.unacknowledged.get_or_insert((sequence, now));
        self.last = Some(sequence);
        self.window = self.window.saturating_sub(1);
        // Two nodes with a window of one would answer acknowledgements with acknowledgements for ever.
        if self.window == 0 && !is_control {
            self.acknowledge(out);
        }
    }

    /// Says what has come. While too many control messages wait to be sent, this waits too and says more later.
    fn acknowledge(&mut self, out: &mut Outbound) {
        self.window = self.ack_window;
        if out.queues.is_crowded() {
            return;
        }
        if let (Some((from, _)), Some(last)) = (self.unacknowledged.take(), self.last)
            && let Some(range) = SequenceRange::new(from, last)
        {
            out.transmit(Item::Control(Control::Received(range)));
        }
    }

    fn obey(&mut self, now: Instant, out: &mut Outbound, control: Control) {
        let (range, received) = match control {
            Control::Received(range) => (range, true),
            Control::Missed(range) => (range, false),
            Control::Resync | Control::Alive => return,
        };
        // Numbers that were never given belong to another life of this node, or to an attacker.
        if !range.to().is_before(out.sequence) {
            return;
        }
        // What was pushed out may still be answered.
        for list in [List::Parked, List::Resend] {
            self.answered(out, list, range, received);
        }
        self.unpark(now, out);
    }

    fn answered(&mut self, out: &mut Outbound, list: List, range: SequenceRange, received: bool) {
        let mut next = out.queues.head(list);
        while let Some(number) = next {
            next = out.queues.next(number);
            let Some(node) = out.queues.node(number) else { break };
            let sequence = node.sequence;
            if sequence.is_after(range.to()) {
                break;
            }
            if sequence.is_before(range.from()) {
                let Some(left) = self.steps.checked_sub(1) else { break };
                self.steps = left;
                continue;
            }
            let certain = !node.with_hello || sequence == range.from() || sequence == range.to();
            if !received {
                out.queues.shift(number, List::Transmit);
            } else if certain {
                out.release(number);
                self.resend_after = RESEND_AFTER;
            }
        }
    }

    /// The flags for the next message.
    pub(crate) fn greet(&mut self) -> Flags {
        let mut flags = Flags::empty();
        if self.greeting != Greeting::Answered {
            self.greeting = Greeting::Said;
            flags |= Flags::HELLO;
        }
        if std::mem::take(&mut self.say_hello_back) {
            flags |= Flags::HELLO_BACK;
        }
        flags
    }

    /// An element was sent with this number.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        out: &mut Outbound,
        number: u32,
        sequence: Sequence,
    ) {
        let with_hello = self.greeting != Greeting::Answered;
        let Some(node) = out.queues.node_mut(number) else { return };
        (node.sequence, node.sent, node.with_hello) = (sequence, now, with_hello);
        if node.item == Item::Control(Control::Alive) {
            out.release(number);
            return;
        }
        out.queues.shift(number, List::Resend);
        if out.queues.len(List::Resend) > self.resend_limit
            && let Some(oldest) = out.queues.head(List::Resend)
        {
            self.no_space += 1;
            self.push_out(now, out, oldest);
        }
    }

    /// The resend queue is full. The end of a flow cannot be kept for a peer that is not there.
    fn push_out(&self, now: Instant, out: &mut Outbound, oldest: u32) {
        let Some(item) = out.queues.node(oldest).map(|node| node.item) else { return };
        let dead = out.flows.len().saturating_sub(out.flows.alive());
        let keeps = match out.entry(item).map(|entry| entry.life) {
            Some(Life::Dead) => self.hears(now) && dead <= self.resend_limit.max(DEAD_AT_LEAST),
            Some(_) => true,
            None => item == Item::Control(Control::Resync),
        };
        if keeps {
            out.queues.shift(oldest, List::Parked);
        } else {
            out.release(oldest);
        }
    }

    fn hears(&self, now: Instant) -> bool {
        now < self.heard_at.after(SILENT_AFTER)
    }

    fn unpark(&self, now: Instant, out: &mut Outbound) {
        let room = self.resend_limit.div_ceil(2).max(ROOM_AT_LEAST);
        while self.hears(now)
            && out.queues.len(List::Resend).saturating_add(out.queues.len(List::Transmit)) < room
            && let Some(parked) = out.queues.head(List::Parked)
        {
            out.queues.shift(parked, List::Transmit);
        }
    }

    pub(crate) fn resend_limit(&self) -> usize {
        self.resend_limit
    }

    /// Messages left.
    pub(crate) fn ran(&mut self, now: Instant) {
        self.sent_at = now;
    }

    pub(crate) fn next_deadline(&self, out: &Outbound) -> Instant {
        let mut due = self.sent_at.after(ALIVE_AFTER);
        if let Some((_, since)) = self.unacknowledged {
            due = due.min(since.after(ACK_AT_LATEST));
        }
        if let Some(answered) = self.answered_at {
            due = due.min(answered.after(SETTLE));
        }
        if let Some(resend) = self.resend_due(out)
            && self.hears(resend)
        {
            due = due.min(resend);
        }
        due
    }

    fn resend_due(&self, out: &Outbound) -> Option<Instant> {
        let oldest = out.queues.node(out.queues.head(List::Resend)?)?;
        Some(oldest.sent.after(self.resend_after).max(self.resend_not_before))
    }

    pub(crate) fn on_deadline(&mut self, now: Instant, out: &mut Outbound) {
        if self.answered_at.is_some_and(|answered| now >= answered.after(SETTLE)) {
            self.answered_at = None;
            repeat(out, usize::MAX, |node| node.with_hello);
        }
        let due = self.resend_due(out).is_some_and(|due| now >= due);
        if due && !self.hears(now) {
            // Whoever was late, or held back, would find it due for ever.
            self.resend_not_before = now;
        } else if due {
            let after = self.resend_after;
            repeat(out, RESEND_BURST, |node| now >= node.sent.after(after));
            self.resend_not_before = now.after(RESEND_PAUSE);
            if self.resend_due(out).is_none_or(|due| now < due) {
                self.resend_after = after.doubled().min(RESEND_AT_MOST);
            }
        }
        self.unpark(now, out);
        let acknowledges =
            self.unacknowledged.is_some_and(|(_, at)| now >= at.after(ACK_AT_LATEST));
        if now >= self.sent_at.after(ALIVE_AFTER) || acknowledges {
            if self.unacknowledged.is_some() {
                self.acknowledge(out);
            } else if out.queues.len(List::Transmit) == 0 {
                out.transmit(Item::Control(Control::Alive));
            }
        }
    }
}

/// Sends again what the condition names, at most so many, from the oldest on.
fn repeat(out: &mut Outbound, most: usize, wanted: impl Fn(&crate::queue::Node) -> bool) {
    let mut next = out.queues.head(List::Resend);
    for _ in 0..most.min(out.queues.len(List::Resend)) {
        let Some(number) = next else { break };
        next = out.queues.next(number);
        if out.queues.node(number).is_some_and(&wanted) {
            out.queues.shift(number, List::Transmit);
        }
    }
}
