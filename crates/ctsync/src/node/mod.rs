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

use flow::{FlowId, FlowRead};

use crate::Sequence;
use crate::alarm::Alarm;
use crate::cache::{Cache, CacheCounters, Life};
use crate::ftfw::Ftfw;
use crate::notrack::Notrack;
use crate::outbound::Outbound;
use crate::queue::{Item, List, Queues};
use crate::time::{Duration, Instant};
use crate::wire::{Control, DecodeError, Flags, Frame, Frames, Mode, Record, Restored, SentParts};

mod commit;
mod receiving;
mod sending;
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

#[derive(Debug)]
enum Replication {
    Ftfw(Box<Ftfw>),
    Notrack(Notrack),
    Alarm(Box<Alarm>),
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
            ModeConfig::Notrack { .. } => (Mode::Notrack, Replication::Notrack(Notrack::new(now))),
            ModeConfig::Alarm { refresh_s, cache_timeout_s } => {
                let alarm = Alarm::new(refresh_s, cache_timeout_s, config.seed);
                (Mode::Alarm, Replication::Alarm(Box::new(alarm)))
            }
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
            Replication::Notrack(notrack) => notrack.on_deadline(now, &mut self.out),
            Replication::Alarm(alarm) => {
                alarm.on_deadline(now, &mut self.out, &mut self.external);
            }
        }
    }

    /// When something is to be done next without any input.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.bulk.is_some() || self.commit.is_some() {
            return Some(self.now);
        }
        let of_mode = match &self.replication {
            Replication::Ftfw(ftfw) => Some(ftfw.next_deadline(&self.out)),
            Replication::Notrack(notrack) => Some(notrack.next_deadline()),
            Replication::Alarm(alarm) => alarm.next_deadline(),
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

#[cfg(test)]
mod tests;
