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
//! Bounds: `HashLimit` entries a cache; a queue element for each entry and [`CONTROLS`](crate::queue::CONTROLS)
//! acknowledgements; `BULK_STEP` flows of a bulk and `COMMIT_STEP` of a commit a turn; what is sent without internal cache
//! waits in at most `DIRECT_LIMIT` bytes. Outputs that wait are a few notices, of bad messages one for each kind, and the
//! requests that one datagram makes without external cache: 2,340 at most, as a message about a flow has 28 bytes at least.
//! Whoever drives such a node therefore takes its outputs after each datagram. Behaviour: docs/sync-protocol.md,
//! "Behaviour".

use std::collections::VecDeque;

use flow::{EventKind, Expectation, FlowRead};

use crate::alarm::Alarm;
use crate::cache::Cache;
use crate::ftfw::Ftfw;
use crate::notrack::Notrack;
use crate::outbound::Outbound;
use crate::queue::Queues;
use crate::time::{Duration, Instant};
use crate::wire::{
    Counter, DatagramLimit, DecodeError, Frame, Frames, Mode, Restored, SentParts, TooLong,
};
use dump::Dump;
use internal::Written;
use sending::Asker;

mod commit;
mod dump;
mod internal;
mod reading;
mod receiving;
mod sending;
mod statistics;
mod tail;
mod values;

pub use reading::{
    CacheCursor, CacheFigures, CacheName, CachedExpectation, CachedFlow, KnownFlow, ResendCursor,
};
pub use statistics::Statistics;
pub use values::{
    Config, Event, ExternalCache, InternalCache, KernelRequest, LinkId, ModeConfig, Notice, Origin,
    Output, Request, Sending, Subject, Which,
};

/// Flows of a bulk that one turn queues.
const BULK_STEP: u32 = 4096;
/// Flows of a commit that one turn hands out.
const COMMIT_STEP: u32 = 1024;
/// Bytes that wait to be sent without internal cache.
const DIRECT_LIMIT: usize = 1 << 20;
/// The peer gets one bulk in this time.
const BULK_PAUSE: Duration = Duration::from_secs(1);

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
    /// Bad messages since the last output: the first of each kind, and how many.
    bad: [Option<(DecodeError, u32)>; Counter::ALL.len()],
    too_long: Option<(TooLong, u32)>,
    /// Entries that found no room since the last output: in the internal caches, in the external ones.
    without_room: [u32; 2],
    sending: Sending,
    datagram: Vec<u8>,
    scratch: Vec<u8>,
    written: Written,
    direct: Vec<u8>,
    direct_at: usize,
    link: Option<LinkId>,
    new_link: Option<LinkId>,
    bulk: Option<Cursor>,
    /// A dump of the kernel's table for a bulk was asked for and is not over.
    bulk_dump: bool,
    bulk_began: Option<Instant>,
    bulk_again: bool,
    commit: Option<Cursor>,
    purge_at: Option<Instant>,
    dump: Dump,
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
            bad: Default::default(),
            too_long: None,
            without_room: [0; 2],
            sending: Sending::Open,
            datagram: Vec::new(),
            scratch: Vec::new(),
            written: Written::default(),
            direct: Vec::new(),
            direct_at: 0,
            link: None,
            new_link: None,
            bulk: None,
            bulk_dump: false,
            bulk_began: None,
            bulk_again: false,
            commit: None,
            purge_at: None,
            dump: Dump::default(),
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
                Subject::Flow(flow) => self.flow_event(event.kind, event.origin, flow),
                Subject::Expectation(expectation) => {
                    self.expectation_event(event.kind, event.origin, expectation);
                }
            }
        } else if let (Origin::Others, Subject::Flow(flow)) = (event.origin, event.subject) {
            self.send_directly(event.kind, flow);
        }
    }

    /// A dump of the kernel's table shows a flow. It is older than events that were handled since the last boundary but one
    /// ([`Request::DumpPart`]), so of those flows it tells nothing new. The peer is told of it if it was not known or has
    /// changed, and the origin is [`Origin::Others`].
    ///
    /// Without internal cache, where only a bulk needs a dump, it is sent.
    pub fn on_dumped_flow(&mut self, now: Instant, flow: &impl FlowRead, origin: Origin) {
        self.begin_turn(now);
        if self.config.mode.has_internal_cache() {
            self.merge_flow(flow, origin);
        } else {
            self.send_directly(EventKind::New, flow);
        }
    }

    /// A dump shows a flow that the filter does not want, by a state that it has now. If it did once, its entry stays as it
    /// was: the flow has not ended.
    pub fn on_dumped_unwanted(&mut self, now: Instant, flow: &impl FlowRead) {
        self.begin_turn(now);
        self.merge_unwanted(flow);
    }

    /// [`on_dumped_flow`](Self::on_dumped_flow) for an expectation. Without internal cache expectations are not sent.
    pub fn on_dumped_expectation(
        &mut self,
        now: Instant,
        expectation: &Expectation,
        origin: Origin,
    ) {
        self.begin_turn(now);
        if self.config.mode.has_internal_cache() {
            self.merge_expectation(expectation, origin);
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
            Request::Bulk => self.ask_bulk(Asker::Operator),
            Request::BulkDumped => self.bulk_dump = false,
            Request::Commit(which) => self.begin_commit(which),
            Request::FlushInternal => {
                self.notice(Notice::FlushingInternal);
                self.flush_internal(Which::Flows);
            }
            Request::Flush | Request::FlushExternal if self.commit.is_some() => {
                self.notice(Notice::FlushIgnored);
            }
            Request::FlushExternal if self.config.external == ExternalCache::Injected => {}
            Request::FlushExternal => {
                self.notice(Notice::FlushingExternal);
                self.flush_external(Which::Flows);
            }
            Request::Flush => {
                self.notice(Notice::FlushingAll);
                self.flush_internal(Which::All);
                self.flush_external(Which::All);
            }
            Request::FlushKernel(which) => {
                self.notice(Notice::FlushingKernel(which));
                self.push(Output::Kernel(KernelRequest::Flush(which)));
            }
            Request::PurgeKernel if self.purge_at.is_none() => {
                let after = Duration::from_secs(self.config.purge_timeout_s);
                self.purge_at = Some(now.after(after));
                self.notice(Notice::PurgeScheduled);
            }
            Request::PurgeKernel => {}
            Request::DumpBegins(which) => self.dump.begin(which),
            Request::DumpPart => self.dump.memory.boundary(),
            Request::DumpEnds(origin) => self.end_dump(origin),
            Request::DumpFailed => {
                self.dump.end();
            }
        }
    }

    /// The time of [`next_deadline`](Self::next_deadline) has come.
    pub fn on_deadline(&mut self, now: Instant) {
        self.begin_turn(now);
        if self.purge_at.is_some_and(|at| now >= at) {
            self.notice(Notice::PurgeBegins);
            self.push(Output::Kernel(KernelRequest::Flush(Which::Flows)));
            self.flush_internal(Which::All);
        }
        self.bulk_deadline();
        let open = self.sending == Sending::Open;
        match &mut self.replication {
            Replication::Ftfw(ftfw) if open => ftfw.on_deadline(now, &mut self.out),
            Replication::Notrack(notrack) if open => notrack.on_deadline(now, &mut self.out),
            Replication::Ftfw(_) | Replication::Notrack(_) => {}
            Replication::Alarm(alarm) => {
                alarm.on_deadline(now, &mut self.out, &mut self.external);
            }
        }
    }

    /// When something is to be done next without any input. What needs sending is not due while that is held.
    pub fn next_deadline(&self) -> Option<Instant> {
        let open = self.sending == Sending::Open;
        if self.commit.is_some() || (self.bulk.is_some() && open) {
            return Some(self.now);
        }
        let of_mode = match &self.replication {
            Replication::Ftfw(ftfw) => open.then(|| ftfw.next_deadline(&self.out)),
            Replication::Notrack(notrack) => open.then(|| notrack.next_deadline()),
            Replication::Alarm(alarm) => alarm.next_deadline(),
        };
        of_mode.into_iter().chain(self.purge_at).chain(self.bulk_due()).min()
    }

    /// What is to be done, in order.
    pub fn next_output(&mut self) -> Option<Output<'_>> {
        if let Some(output) = self.next_pending() {
            return Some(output);
        }
        if self.sending == Sending::Held {
            return None;
        }
        self.bulk_step();
        self.fill_datagram();
        if self.datagram.is_empty() {
            let (first, count) = self.too_long.take()?;
            return Some(Output::Notice(Notice::TooLong { first, count }));
        }
        self.statistics.sent_datagrams += 1;
        Some(Output::Send(&self.datagram))
    }

    /// Whether datagrams are handed out. While they are held, what is to be sent waits in the queues: for a link that takes
    /// nothing just now.
    pub fn hold_sending(&mut self, sending: Sending) {
        self.sending = sending;
    }

    /// Datagrams are shorter than this from now on: that of the link that is used.
    pub fn set_datagram_limit(&mut self, limit: DatagramLimit) {
        self.change_limit(limit);
    }

    /// Whether more of a dump for a bulk may come: without internal cache what is sent waits in a buffer of bounded length.
    /// Events may come in any case.
    pub fn has_room(&self) -> bool {
        self.direct.len().saturating_sub(self.direct_at) < DIRECT_LIMIT / 2
    }

    fn next_pending(&mut self) -> Option<Output<'static>> {
        if self.new_link.is_none() && self.pending.is_empty() {
            self.commit_step();
        }
        self.next_effect()
    }

    /// What the input so far has led to by itself, in order: nothing to send, and no more of a commit. So it can be taken
    /// where there may be no room for these.
    pub fn next_effect(&mut self) -> Option<Output<'static>> {
        if let Some(link) = self.new_link.take() {
            return Some(Output::UseLink(link));
        }
        self.pending.pop_front().or_else(|| self.next_notice().map(Output::Notice))
    }

    /// Notices that a peer may cause as often as it likes: one for all of a kind.
    fn next_notice(&mut self) -> Option<Notice> {
        if let Replication::Ftfw(ftfw) = &mut self.replication
            && std::mem::take(&mut ftfw.peer_started)
        {
            return Some(Notice::PeerStarted);
        }
        if let Some((first, count)) = self.bad.iter_mut().find_map(Option::take) {
            return Some(Notice::BadMessages { first, count });
        }
        let counts =
            [CacheName::Internal, CacheName::External].into_iter().zip(&mut self.without_room);
        let (cache, count) = counts
            .map(|(cache, count)| (cache, std::mem::take(count)))
            .find(|(_, count)| *count > 0)?;
        Some(Notice::CacheFull { cache, count })
    }

    fn begin_turn(&mut self, now: Instant) {
        self.now = self.now.max(now);
        (self.bulk_budget, self.commit_budget) = (BULK_STEP, COMMIT_STEP);
    }

    /// A cache had no room for an entry.
    fn found_no_room(&mut self, cache: CacheName) {
        let [internal, external] = &mut self.without_room;
        let count = match cache {
            CacheName::Internal => internal,
            CacheName::External => external,
        };
        *count = count.saturating_add(1);
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
