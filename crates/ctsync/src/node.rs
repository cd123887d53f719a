//! A node: internal cache, mode and external cache; the whole daemon without I/O.
//!
//! ```text
//! kernel events ─ on_event ─► internal cache ─► transmit queue ─► mode ─► next_output: Send
//! datagrams ─ on_datagram ─► frames ─► mode (numbers, acknowledgements) ─► external cache
//!                                                                      └─► next_output: Kernel (no external cache)
//! operator ─ on_request ─► commit, flush, resync, bulk ─► next_output: Kernel, Notice
//! ```
//!
//! The rule: after each `on_*`, or after a batch of events, take [`Node::next_output`] until there is none, and call
//! [`Node::on_deadline`] at [`Node::next_deadline`]. What waits for that moment is packed into as few datagrams as possible,
//! and changes of one flow in between are one message.
//!
//! One entry a key, one place in one queue an entry: the end of a flow stays an entry until the mode lets it go, and a flow
//! that is opened again in the meantime takes the same entry. So nothing that is sent again can undo something newer.
//!
//! Bounds: `HashLimit` entries a cache; a queue element for each entry and a few for control messages; `BULK_STEP` flows of
//! a bulk and `COMMIT_STEP` of a commit a turn; what is sent without internal cache waits in at most `DIRECT_LIMIT`
//! bytes. Behaviour: docs/sync-protocol.md, "Behaviour".

use std::collections::VecDeque;

use flow::{EventKind, Expectation, FlowId, FlowRead};

use crate::Sequence;
use crate::cache::{Cache, CacheCounters, Key, Life, Slot};
use crate::ftfw::{ALIVE_AFTER, Ftfw, Verdict};
use crate::outbound::Outbound;
use crate::queue::{Item, List, Queues};
use crate::time::{Duration, Instant};
use crate::timers::Timers;
use crate::wire::{
    Content, Control, DecodeError, ExpectationRecord, Flags, Frame, Frames, Header, Message, Mode,
    Record, RestoreOptions, Restored, Room, SentParts, Stamp,
};

mod statistics;
mod values;

pub use statistics::Statistics;
pub use values::{
    Config, Event, ExternalCache, InternalCache, KernelRequest, LinkId, ModeConfig, Notice, Origin,
    Output, Request, Subject, Which,
};

/// Flows of a bulk that one turn queues.
const BULK_STEP: u32 = 4096;
/// Flows of a commit that one turn hands out.
const COMMIT_STEP: u32 = 1024;
/// Bytes that wait to be sent without internal cache.
const DIRECT_LIMIT: usize = 1 << 20;
/// What a commit gives a flow whose time would be over.
const COMMIT_TIMEOUT_S: u32 = 60;
/// Steps of the fraction of a second that ALARM adds.
const REFRESH_STEP: Duration = Duration::from_millis(200);

#[derive(Debug)]
enum Replication {
    Ftfw(Box<Ftfw>),
    Notrack(Notrack),
    Alarm(Box<Alarm>),
}

/// NOTRACK: numbers are only counted.
#[derive(Debug)]
struct Notrack {
    last: Option<Sequence>,
    lost: u64,
    before: u64,
    sent_at: Instant,
}

/// ALARM: everything is sent again and again, and forgotten when it is not heard of any more.
#[derive(Debug)]
struct Alarm {
    refresh_s: u32,
    lifetime: Duration,
    random: u64,
    refresh: [Timers; 2],
    expiry: [Timers; 2],
}

impl Alarm {
    /// Between 1.2 seconds and the refresh time and one second.
    fn next_refresh(&mut self, now: Instant) -> Instant {
        // xorshift64: only to spread the load.
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            let x = self.random;
            self.random ^= if left { x << by } else { x >> by };
        }
        let whole = u32::try_from(self.random % u64::from(self.refresh_s.max(1))).unwrap_or(0);
        let steps = self.random >> 40;
        let fraction = Duration((steps % 5).saturating_add(1).saturating_mul(REFRESH_STEP.0));
        now.after(Duration::from_secs(whole.saturating_add(1))).after(fraction)
    }
}

/// A walk over a cache in bounded steps.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    pass: u8,
    next: u32,
    which: Which,
}

/// A node. See the module for its rule.
#[derive(Debug)]
pub struct Node {
    config: Config,
    mode: Mode,
    replication: Replication,
    out: Outbound,
    external: [Cache; 2],
    pending: VecDeque<Output<'static>>,
    datagram: Vec<u8>,
    scratch: Vec<u8>,
    direct: Vec<u8>,
    direct_at: usize,
    link: Option<LinkId>,
    bulk: Option<Cursor>,
    commit: Option<Cursor>,
    purge_at: Option<Instant>,
    dump: u8,
    bulk_budget: u32,
    commit_budget: u32,
    now: Instant,
    statistics: Statistics,
}

impl Node {
    /// A node that starts now.
    pub fn new(now: Instant, config: Config) -> Self {
        let (mode, replication) = match config.mode {
            ModeConfig::Ftfw { ack_window, resend_queue } => {
                (Mode::Ftfw, Replication::Ftfw(Box::new(Ftfw::new(now, ack_window, resend_queue))))
            }
            ModeConfig::Notrack { .. } => (
                Mode::Notrack,
                Replication::Notrack(Notrack { last: None, lost: 0, before: 0, sent_at: now }),
            ),
            ModeConfig::Alarm { refresh_s, cache_timeout_s } => (
                Mode::Alarm,
                Replication::Alarm(Box::new(Alarm {
                    refresh_s,
                    lifetime: Duration::from_secs(cache_timeout_s),
                    random: config.seed | 1,
                    refresh: Default::default(),
                    expiry: Default::default(),
                })),
            ),
        };
        let cache = |number: u64| Cache::new(config.hash_limit, config.seed.wrapping_add(number));
        let mut node = Self {
            mode,
            replication,
            out: Outbound {
                flows: cache(0),
                expectations: cache(1),
                queues: Queues::new(),
                sequence: config.sequence,
            },
            external: [cache(2), cache(3)],
            pending: VecDeque::new(),
            datagram: Vec::new(),
            scratch: Vec::new(),
            direct: Vec::new(),
            direct_at: 0,
            link: None,
            bulk: None,
            commit: None,
            purge_at: None,
            dump: 0,
            bulk_budget: BULK_STEP,
            commit_budget: COMMIT_STEP,
            now,
            statistics: Statistics::default(),
            config,
        };
        if node.config.startup_resync {
            node.ask_resync();
        }
        node
    }

    /// The kernel reports a change.
    pub fn on_event<F: FlowRead>(&mut self, now: Instant, event: &Event<'_, F>) {
        self.begin_turn(now);
        if self.config.mode.has_internal_cache() {
            match event.subject {
                Subject::Flow(flow) => self.cache_flow(event.kind, event.origin, flow),
                Subject::Expectation(expectation) => {
                    self.cache_expectation(event.kind, event.origin, expectation);
                }
            }
        } else if let (Origin::Others, Subject::Flow(flow)) = (event.origin, event.subject) {
            self.send_directly(event.kind, flow);
        }
    }

    /// A datagram has come.
    pub fn on_datagram(&mut self, now: Instant, from: LinkId, bytes: &[u8]) {
        self.begin_turn(now);
        for frame in Frames::new(bytes) {
            self.frame(from, frame);
        }
    }

    /// A message of a stream has come, or an error that ends the stream.
    pub fn on_frame(&mut self, now: Instant, from: LinkId, frame: Result<Frame<'_>, DecodeError>) {
        self.begin_turn(now);
        self.frame(from, frame);
    }

    /// The operator, or the shell, asks for something.
    pub fn on_request(&mut self, now: Instant, request: Request) {
        self.begin_turn(now);
        match request {
            Request::Resync => self.ask_resync(),
            Request::Bulk => self.begin_bulk(),
            Request::Commit(which) => {
                if self.commit.is_some() {
                    self.notice(Notice::CommitInProgress);
                } else if self.config.external == ExternalCache::Kept {
                    self.purge_at = None;
                    self.commit = Some(Cursor { pass: 0, next: 0, which });
                    self.notice(Notice::CommitStarted(which));
                }
            }
            Request::FlushInternal => self.flush_internal(false),
            Request::FlushExternal => self.flush_external(false),
            Request::Flush => {
                self.flush_internal(true);
                self.flush_external(true);
            }
            Request::PurgeKernel => {
                let after = Duration::from_secs(self.config.purge_timeout_s);
                self.purge_at.get_or_insert(now.after(after));
                self.notice(Notice::PurgeScheduled);
            }
            Request::DumpBegins => self.dump = self.dump.wrapping_add(1).max(1),
            Request::DumpEnds(origin) => self.end_dump(origin),
        }
    }

    /// The time of [`next_deadline`](Self::next_deadline) has come.
    pub fn on_deadline(&mut self, now: Instant) {
        self.begin_turn(now);
        if self.purge_at.is_some_and(|at| now >= at) {
            self.purge_at = None;
            self.push(Output::Kernel(KernelRequest::Flush));
            self.flush_internal(true);
        }
        match &mut self.replication {
            Replication::Ftfw(ftfw) => ftfw.on_deadline(now, &mut self.out),
            Replication::Notrack(notrack) => {
                if now >= notrack.sent_at.after(ALIVE_AFTER) {
                    self.out.transmit(Item::Control(Control::Alive));
                }
            }
            Replication::Alarm(_) => self.alarm_deadline(now),
        }
    }

    /// When something is to be done next without any input.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.bulk.is_some() || self.commit.is_some() {
            return Some(self.now);
        }
        let of_mode = match &self.replication {
            Replication::Ftfw(ftfw) => Some(ftfw.next_deadline(&self.out)),
            Replication::Notrack(notrack) => Some(notrack.sent_at.after(ALIVE_AFTER)),
            Replication::Alarm(alarm) => {
                alarm.refresh.iter().chain(&alarm.expiry).filter_map(Timers::next).min()
            }
        };
        of_mode.into_iter().chain(self.purge_at).min()
    }

    /// What is to be done, in order.
    pub fn next_output(&mut self) -> Option<Output<'_>> {
        if self.pending.is_empty() {
            self.commit_step();
        }
        if let Some(output) = self.pending.pop_front() {
            return Some(output);
        }
        self.bulk_step();
        self.fill_datagram();
        if let Some(output) = self.pending.pop_front() {
            // A notice of something that could not be sent. What could waits for the next call.
            if self.datagram.is_empty() {
                return Some(output);
            }
            self.pending.push_front(output);
        }
        if self.datagram.is_empty() {
            return None;
        }
        self.statistics.sent_datagrams += 1;
        Some(Output::Send(&self.datagram))
    }

    /// The counters.
    pub fn statistics(&self) -> Statistics {
        let mut all = self.statistics;
        (all.lost, all.before, all.resend_no_space) = match &self.replication {
            Replication::Ftfw(ftfw) => (ftfw.lost, ftfw.before, ftfw.no_space),
            Replication::Notrack(notrack) => (notrack.lost, notrack.before, 0),
            Replication::Alarm(_) => (0, 0, 0),
        };
        all.transmit_len = self.out.queues.len(List::Transmit);
        all.resend_len = self.out.queues.len(List::Resend);
        all.parked_len = self.out.queues.len(List::Parked);
        all
    }

    /// Counters of the flow caches: internal, external.
    pub fn cache_counters(&self) -> [CacheCounters; 2] {
        let [external, _] = &self.external;
        [self.out.flows.counters, external.counters]
    }

    /// How many living flows the caches have: internal, external.
    pub fn flow_counts(&self) -> [usize; 2] {
        let [external, _] = &self.external;
        [self.out.flows.alive(), external.alive()]
    }

    /// Bytes of memory of the internal and the external flow cache.
    pub fn cache_memory(&self) -> [usize; 2] {
        let [external, _] = &self.external;
        [self.out.flows.memory(), external.memory()]
    }

    /// The flows of the internal cache, as they are told to the peer, their ids, and their age in seconds.
    pub fn internal_flows(&self) -> impl Iterator<Item = (Record, Option<FlowId>, u32)> + '_ {
        let flows = &self.out.flows;
        flows.slots().filter_map(|slot| {
            let entry = flows.entry(slot).filter(|entry| entry.life != Life::Dead)?;
            let id = flows.tail(slot).first_chunk().map(|id| FlowId(u32::from_be_bytes(*id)));
            let age = self.now.seconds().saturating_sub(entry.created_s);
            Some((Record::decode(flows.body(slot)).ok()?, id, age))
        })
    }

    /// The flows of the external cache and their age in seconds.
    pub fn external_flows(&self) -> impl Iterator<Item = (Record, u32)> + '_ {
        let [flows, _] = &self.external;
        flows.slots().filter_map(|slot| {
            let age = self.now.seconds().saturating_sub(flows.entry(slot)?.created_s);
            Some((Record::decode(flows.body(slot)).ok()?, age))
        })
    }

    /// Elements of the resend queue, oldest first: number, and flags of a control message.
    pub fn resend_queue(&self) -> impl Iterator<Item = (Sequence, Option<Flags>)> + '_ {
        let mut next = self.out.queues.head(List::Resend);
        std::iter::from_fn(move || {
            let number = next?;
            next = self.out.queues.next(number);
            let node = self.out.queues.node(number)?;
            let flags = match node.item {
                Item::Flow(_) | Item::Expectation(_) => None,
                Item::Control(Control::Received(_)) => Some(Flags::ACK),
                Item::Control(Control::Missed(_)) => Some(Flags::NACK),
                Item::Control(Control::Resync) => Some(Flags::RESYNC),
                Item::Control(Control::Alive) => Some(Flags::ALIVE),
            };
            Some((node.sequence, flags))
        })
    }

    fn begin_turn(&mut self, now: Instant) {
        self.now = self.now.max(now);
        (self.bulk_budget, self.commit_budget) = (BULK_STEP, COMMIT_STEP);
    }

    fn push(&mut self, output: Output<'static>) {
        self.pending.push_back(output);
    }

    fn notice(&mut self, notice: Notice) {
        self.push(Output::Notice(notice));
    }

    fn parts(&self) -> SentParts {
        SentParts {
            timeout: self.config.commit_timeout_s.is_none(),
            window_scale: self.config.window_tracking,
        }
    }
}

/// The sending half.
impl Node {
    fn cache_flow(&mut self, kind: EventKind, origin: Origin, flow: &impl FlowRead) {
        let key = Key::of_flow(flow);
        let found = self.out.flows.find(&key);
        if kind == EventKind::Destroy {
            if let Some(slot) = found {
                self.end_entry(Item::Flow(slot), origin);
            }
            return;
        }
        let mut record = Record::from_flow(flow, self.parts());
        let alive = found.filter(|slot| {
            self.out.flows.entry(*slot).is_some_and(|entry| entry.life != Life::Dead)
        });
        if let (EventKind::Update, Some(slot)) = (kind, alive)
            && let Ok(mut known) = Record::decode(self.out.flows.body(slot))
        {
            if flow.labels().is_some_and(|labels| labels.is_empty()) {
                known.labels = None;
            }
            known.update(&record);
            record = known;
        }
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut body);
        let id = flow.id().map(|FlowId(id)| id.to_be_bytes());
        let tail = id.as_ref().map_or(&[][..], |id| &id[..]);
        let life =
            if alive.is_some() && kind == EventKind::Update { Life::Updated } else { Life::New };
        let bytes = body.get(Header::LEN..).unwrap_or_default();
        let slot = Self::keep(&mut self.out.flows, self.now, (&key, found), life, bytes, tail);
        self.scratch = body;
        if let Some(slot) = slot {
            self.entry_changed(Item::Flow(slot), origin);
        }
    }

    fn cache_expectation(&mut self, kind: EventKind, origin: Origin, expectation: &Expectation) {
        let record = ExpectationRecord::from_expectation(expectation, self.parts());
        let key = Key::of_expectation(&record);
        let found = self.out.expectations.find(&key);
        if kind == EventKind::Destroy {
            if let Some(slot) = found {
                self.end_entry(Item::Expectation(slot), origin);
            }
            return;
        }
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut body);
        let life =
            if found.is_some() && kind == EventKind::Update { Life::Updated } else { Life::New };
        let bytes = body.get(Header::LEN..).unwrap_or_default();
        let slot =
            Self::keep(&mut self.out.expectations, self.now, (&key, found), life, bytes, &[]);
        self.scratch = body;
        if let Some(slot) = slot {
            self.entry_changed(Item::Expectation(slot), origin);
        }
    }

    fn keep(
        cache: &mut Cache,
        now: Instant,
        (key, found): (&Key, Option<Slot>),
        life: Life,
        body: &[u8],
        tail: &[u8],
    ) -> Option<Slot> {
        let Some(slot) = found else { return cache.insert(now, key, body, tail) };
        cache.replace(now, slot, life, body, tail);
        Some(slot)
    }

    fn entry_changed(&mut self, item: Item, origin: Origin) {
        let dump = self.dump;
        let entry = match item {
            Item::Flow(slot) => self.out.flows.entry_mut(slot),
            Item::Expectation(slot) => self.out.expectations.entry_mut(slot),
            Item::Control(_) => None,
        };
        if let Some(entry) = entry {
            entry.dump = dump;
        }
        if origin == Origin::Others {
            self.out.transmit(item);
        }
        self.arm_refresh(item);
    }

    fn end_entry(&mut self, item: Item, origin: Origin) {
        if let (Replication::Alarm(alarm), Some((cache, slot))) =
            (&mut self.replication, cached(item))
        {
            let [flows, expectations] = &mut alarm.refresh;
            if cache == 0 { flows.disarm(slot) } else { expectations.disarm(slot) }
        }
        if origin == Origin::Own {
            self.out.forget(item);
            return;
        }
        match item {
            Item::Flow(slot) => self.out.flows.kill(slot),
            Item::Expectation(slot) => self.out.expectations.kill(slot),
            Item::Control(_) => {}
        }
        self.out.transmit(item);
    }

    fn arm_refresh(&mut self, item: Item) {
        let now = self.now;
        if let (Replication::Alarm(alarm), Some((cache, slot))) =
            (&mut self.replication, cached(item))
        {
            let due = alarm.next_refresh(now);
            let [flows, expectations] = &mut alarm.refresh;
            if cache == 0 { flows.arm(slot, due) } else { expectations.arm(slot, due) }
        }
    }

    fn alarm_deadline(&mut self, now: Instant) {
        loop {
            let Replication::Alarm(alarm) = &mut self.replication else { return };
            let [flows, expectations] = &mut alarm.refresh;
            let due = flows.pop(now).map(Item::Flow);
            let Some(item) = due.or_else(|| expectations.pop(now).map(Item::Expectation)) else {
                break;
            };
            if self.out.entry(item).is_some_and(|entry| entry.life != Life::Dead) {
                self.out.transmit(item);
                self.arm_refresh(item);
            }
        }
        let Replication::Alarm(alarm) = &mut self.replication else { return };
        for (timers, cache) in alarm.expiry.iter_mut().zip(&mut self.external) {
            while let Some(slot) = timers.pop(now) {
                cache.remove(slot);
            }
        }
    }

    /// Without internal cache a message says what the event says.
    fn send_directly(&mut self, kind: EventKind, flow: &impl FlowRead) {
        if self.direct.len() >= DIRECT_LIMIT {
            self.statistics.direct_dropped += 1;
            return;
        }
        let stamp = Stamp::plain(self.out.sequence);
        self.out.sequence = self.out.sequence.next();
        Record::from_flow(flow, self.parts()).encode(kind, stamp, &mut self.direct);
        match kind {
            EventKind::New => self.statistics.direct_new += 1,
            EventKind::Update => self.statistics.direct_updated += 1,
            EventKind::Destroy => self.statistics.direct_destroyed += 1,
        }
    }

    fn fill_datagram(&mut self) {
        self.datagram.clear();
        while let Some(rest) = self.direct.get(self.direct_at..).filter(|rest| !rest.is_empty()) {
            let len = Header::read(rest).map_or(rest.len(), |(_, len)| usize::from(len));
            match self.config.limit.room(self.datagram.len(), len) {
                Ok(Room::Begins) => return,
                Ok(Room::Joins) => {
                    self.datagram.extend_from_slice(rest.get(..len).unwrap_or_default());
                }
                Err(error) => self.pending.push_back(Output::Notice(Notice::TooLong(error))),
            }
            self.direct_at = self.direct_at.saturating_add(len.max(1));
        }
        self.direct.clear();
        self.direct_at = 0;
        while let Some(number) = self.out.queues.head(List::Transmit) {
            let Some(item) = self.out.queues.node(number).map(|node| node.item) else { return };
            let len = self.out.message_len(item);
            match self.config.limit.room(self.datagram.len(), len) {
                Ok(Room::Begins) => break,
                Ok(Room::Joins) => {}
                Err(error) => {
                    self.out.release(number);
                    self.pending.push_back(Output::Notice(Notice::TooLong(error)));
                    continue;
                }
            }
            let greeting = match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.greet(),
                Replication::Notrack(_) | Replication::Alarm(_) => Flags::empty(),
            };
            let sequence = self.out.encode(item, greeting, &mut self.datagram);
            self.statistics.sent_messages += 1;
            match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.sent(self.now, &mut self.out, number, sequence),
                Replication::Notrack(_) | Replication::Alarm(_) => self.out.release(number),
            }
        }
        if !self.datagram.is_empty() {
            match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.ran(self.now),
                Replication::Notrack(notrack) => notrack.sent_at = self.now,
                Replication::Alarm(_) => {}
            }
        }
    }

    fn ask_resync(&mut self) {
        if self.mode != Mode::Alarm {
            self.notice(Notice::ResyncRequested);
            self.out.transmit(Item::Control(Control::Resync));
        }
    }

    fn begin_bulk(&mut self) {
        if self.mode == Mode::Alarm {
            return;
        }
        self.notice(Notice::BulkStarted);
        if self.config.mode.has_internal_cache() {
            self.bulk = Some(Cursor { pass: 0, next: 0, which: Which::All });
        } else {
            self.push(Output::Kernel(KernelRequest::DumpForBulk));
        }
    }

    fn bulk_step(&mut self) {
        while let Some(cursor) = &mut self.bulk
            && self.bulk_budget > 0
        {
            let (cache, item): (_, fn(Slot) -> Item) = match cursor.pass {
                0 => (&self.out.flows, Item::Flow),
                _ => (&self.out.expectations, Item::Expectation),
            };
            if let Some(slot) = cache.next_slot(cursor.next) {
                cursor.next = slot.0.saturating_add(1);
                self.bulk_budget -= 1;
                self.out.transmit(item(slot));
            } else if cursor.pass == 0 {
                (cursor.pass, cursor.next) = (1, 0);
            } else {
                self.bulk = None;
            }
        }
    }

    fn end_dump(&mut self, origin: Origin) {
        let mut next = 0;
        while let Some(slot) = self.out.flows.next_slot(next) {
            next = slot.0.saturating_add(1);
            let gone = self
                .out
                .flows
                .entry(slot)
                .is_some_and(|entry| entry.dump != self.dump && entry.life != Life::Dead);
            if gone {
                self.end_entry(Item::Flow(slot), origin);
            }
        }
    }

    fn flush_internal(&mut self, both: bool) {
        self.purge_at = None;
        self.notice(Notice::FlushingInternal);
        let mut next = 0;
        while let Some(slot) = self.out.flows.next_slot(next) {
            next = slot.0.saturating_add(1);
            self.end_entry(Item::Flow(slot), Origin::Own);
        }
        let mut next = 0;
        while let Some(slot) = self.out.expectations.next_slot(next).filter(|_| both) {
            next = slot.0.saturating_add(1);
            self.end_entry(Item::Expectation(slot), Origin::Own);
        }
    }
}

/// The receiving half.
impl Node {
    fn frame(&mut self, from: LinkId, frame: Result<Frame<'_>, DecodeError>) {
        let taken = frame
            .and_then(|frame| frame.message())
            .and_then(|message| self.message(from, &message));
        if let Err(error) = taken {
            self.statistics.count(error.counter());
            self.notice(Notice::BadMessage(error));
        }
    }

    fn message(&mut self, from: LinkId, message: &Message<'_>) -> Result<(), DecodeError> {
        self.statistics.received_messages += 1;
        let content = match &mut self.replication {
            Replication::Ftfw(ftfw) => {
                let verdict = ftfw.receive(self.now, &mut self.out, message)?;
                if std::mem::take(&mut ftfw.peer_started) {
                    self.notice(Notice::PeerStarted);
                }
                match verdict {
                    Verdict::Take(content) => content,
                    Verdict::Drop => return Ok(()),
                }
            }
            Replication::Notrack(notrack) => {
                notrack.count(message.sequence);
                let content = message.content(Mode::Notrack)?;
                notrack.last = Some(message.sequence);
                content
            }
            Replication::Alarm(_) => message.content(Mode::Alarm)?,
        };
        if self.link != Some(from) {
            self.link = Some(from);
            self.push(Output::UseLink(from));
        }
        match content {
            Content::Flow(event, body) => self.take_flow(event, body),
            Content::Expectation(event, body) => self.take_expectation(event, body),
            Content::Control(Control::Resync) => {
                self.notice(Notice::ResyncRequestedByPeer);
                self.begin_bulk();
                Ok(())
            }
            Content::Control(_) | Content::Ignored => Ok(()),
        }
    }

    fn take_flow(&mut self, event: EventKind, body: &[u8]) -> Result<(), DecodeError> {
        let mut record = Record::decode(body)?;
        if self.config.external == ExternalCache::Injected {
            let options = self.restore_options(record.timeout_s);
            self.push(Output::Kernel(KernelRequest::Inject(event, record.restore(options))));
            return Ok(());
        }
        let key = Key::of_record(&record);
        let [cache, _] = &mut self.external;
        let found = cache.find(&key);
        if let (EventKind::Update, Some(slot), Mode::Notrack) = (event, found, self.mode)
            && let Ok(mut known) = Record::decode(cache.body(slot))
        {
            // Without internal cache a sender tells only what has changed. The other senders tell everything.
            known.update(&record);
            record = known;
        }
        self.scratch.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut self.scratch);
        self.take(0, event, &key, found);
        Ok(())
    }

    fn take_expectation(&mut self, event: EventKind, body: &[u8]) -> Result<(), DecodeError> {
        let record = ExpectationRecord::decode(body)?;
        if self.config.external == ExternalCache::Injected {
            let expectation = record.restore(record.timeout_s);
            self.push(Output::Kernel(KernelRequest::InjectExpectation(event, expectation)));
            return Ok(());
        }
        let key = Key::of_expectation(&record);
        let [_, cache] = &mut self.external;
        let found = cache.find(&key);
        self.scratch.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut self.scratch);
        self.take(1, event, &key, found);
        Ok(())
    }

    fn take(&mut self, which: usize, event: EventKind, key: &Key, found: Option<Slot>) {
        let Some(cache) = self.external.get_mut(which) else { return };
        let mut expiry = match &mut self.replication {
            Replication::Alarm(alarm) => {
                let due = self.now.after(alarm.lifetime);
                alarm.expiry.get_mut(which).map(|timers| (timers, due))
            }
            Replication::Ftfw(_) | Replication::Notrack(_) => None,
        };
        if event == EventKind::Destroy {
            if let Some(slot) = found {
                cache.remove(slot);
                if let Some((timers, _)) = &mut expiry {
                    timers.disarm(slot);
                }
            }
            return;
        }
        let life = if event == EventKind::New { Life::New } else { Life::Updated };
        let body = self.scratch.get(Header::LEN..).unwrap_or_default();
        let slot = Self::keep(cache, self.now, (key, found), life, body, &[]);
        if let (Some(slot), Some((timers, due))) = (slot, expiry) {
            timers.arm(slot, due);
        }
    }

    fn restore_options(&self, timeout_s: Option<u32>) -> RestoreOptions {
        RestoreOptions {
            timeout_s: Some(timeout_s.unwrap_or(COMMIT_TIMEOUT_S)),
            window_tracking: self.config.window_tracking,
        }
    }

    /// Hands out the next flow of a commit: those without a master, those with one, expectations.
    fn commit_step(&mut self) {
        const PASSES: u8 = 3;
        while let Some(mut cursor) = self.commit
            && self.commit_budget > 0
        {
            let skipped = (cursor.pass < 2 && cursor.which == Which::Expectations)
                || (cursor.pass == 2 && cursor.which == Which::Flows);
            let [flows, expectations] = &self.external;
            let cache = if cursor.pass < 2 { flows } else { expectations };
            let Some(slot) = cache.next_slot(cursor.next).filter(|_| !skipped) else {
                cursor = Cursor { pass: cursor.pass + 1, next: 0, ..cursor };
                self.commit = (cursor.pass < PASSES).then_some(cursor);
                if self.commit.is_none() {
                    self.notice(Notice::CommitFinished(cursor.which));
                }
                continue;
            };
            cursor.next = slot.0.saturating_add(1);
            self.commit = Some(cursor);
            self.commit_budget -= 1;
            let age =
                cache.entry(slot).map_or(0, |e| self.now.seconds().saturating_sub(e.updated_s));
            let left = |timeout_s: Option<u32>| {
                let left = timeout_s.map(|timeout| match timeout.checked_sub(age) {
                    Some(0) => timeout,
                    Some(left) => left,
                    None => COMMIT_TIMEOUT_S,
                });
                self.config.commit_timeout_s.or(left)
            };
            let request = if cursor.pass < 2 {
                let record = Record::decode(cache.body(slot)).ok();
                record.filter(|record| record.master.is_some() == (cursor.pass == 1)).map(
                    |record| {
                        let options = self.restore_options(left(record.timeout_s));
                        KernelRequest::Commit(record.restore(options))
                    },
                )
            } else {
                let record = ExpectationRecord::decode(cache.body(slot)).ok();
                record.map(|record| {
                    let timeout_s = left(record.timeout_s);
                    KernelRequest::CommitExpectation(record.restore(timeout_s))
                })
            };
            if let Some(request) = request {
                self.push(Output::Kernel(request));
                return;
            }
        }
    }

    fn flush_external(&mut self, both: bool) {
        if self.commit.is_some() {
            self.notice(Notice::FlushIgnored);
            return;
        }
        self.purge_at = None;
        self.notice(Notice::FlushingExternal);
        let count = if both { 2 } else { 1 };
        for (number, cache) in self.external.iter_mut().enumerate().take(count) {
            let mut next = 0;
            while let Some(slot) = cache.next_slot(next) {
                next = slot.0.saturating_add(1);
                cache.remove(slot);
                if let Replication::Alarm(alarm) = &mut self.replication
                    && let Some(timers) = alarm.expiry.get_mut(number)
                {
                    timers.disarm(slot);
                }
            }
        }
    }
}

impl Notrack {
    fn count(&mut self, sequence: Sequence) {
        let Some(last) = self.last.filter(|last| sequence != last.next()) else { return };
        if sequence.is_after(last) {
            // Upstream counts two more than were lost, and so does a drop-in.
            self.lost += u64::from(sequence.since(last)) + 1;
        } else {
            self.before += 1;
        }
    }
}

/// Cache and slot of an element.
fn cached(item: Item) -> Option<(usize, Slot)> {
    match item {
        Item::Flow(slot) => Some((0, slot)),
        Item::Expectation(slot) => Some((1, slot)),
        Item::Control(_) => None,
    }
}

#[cfg(test)]
mod tests;
