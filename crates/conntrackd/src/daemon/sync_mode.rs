//! Sync mode: a node between the kernel, the dedicated links and the operator.

mod commit;
mod dumps;
mod figures;
mod inject;
mod requests;
mod settings;

use ctnetlink::{FlowView, Table};
use ctsync::time::Instant;
use ctsync::{
    Event, KernelRequest, LinkId, Node, Notice, Output, Sending, Sequence, Subject, Which,
};
use flow::EventKind;

use super::context::Context;
use super::words::{self, Line};
use crate::config::{self, ExpectationSync};
use crate::kernel::{Entry, EventCause, FlowKey, Job, Purpose};
use crate::link::{self, Links, Received, Sent, SocketReady};
use commit::CommitRun;

use inject::Injection;
pub(super) use settings::{switched_off, to_usize};

/// Datagrams that a turn sends. What is left of a bulk waits for the next turn, so that events are read in between and the
/// peer's buffer is not overrun.
const SENT_A_TURN: usize = 128;

/// The mode.
#[derive(Debug)]
pub(crate) struct SyncMode {
    config: config::Sync,
    node: Node,
    links: Links,
    work: KernelWork,
    /// Notices, and the link that the peer uses, that came while a link was read.
    notices: Vec<Notice>,
    next_link: Option<LinkId>,
    /// The last turn ended before the node had nothing more to say.
    has_more: bool,
    now: Instant,
    /// Events that found no room on their way to the link, without internal cache: how many were seen to be, and whether a
    /// bulk is still to tell the peer what they did not.
    unsent: u64,
    owes_bulk: bool,
}

/// What the node asks of the kernel and was not done yet.
#[derive(Debug, Default)]
struct KernelWork {
    commit: CommitRun,
    injection: Injection,
    /// Flows that a flush has found.
    flushed: Vec<FlowKey>,
}

impl KernelWork {
    /// Takes a request. Changes are made when enough of them wait, and by [`KernelWork::apply`].
    fn take(&mut self, context: &mut Context, request: KernelRequest) {
        match request {
            KernelRequest::Commit(flow) => self.commit.entries.push(Entry::Flow(flow)),
            KernelRequest::CommitExpectation(expectation) => {
                self.commit.entries.push(Entry::Expectation(expectation));
            }
            KernelRequest::Inject(kind, flow) => self.injection.push(kind, Entry::Flow(flow)),
            KernelRequest::InjectExpectation(kind, expectation) => {
                self.injection.push(kind, Entry::Expectation(expectation));
            }
            KernelRequest::DumpForBulk => {
                context.ask_dump(Job { purpose: Purpose::Bulk, table: Table::Flows });
            }
            KernelRequest::Flush(which) => context.flush_kernel(which),
        }
        if self.commit.entries.len().max(self.injection.len()) >= context.kernel.changes_a_call() {
            self.apply(context);
        }
    }

    fn apply(&mut self, context: &mut Context) {
        self.commit.apply(context);
        self.injection.apply(context);
    }
}

impl SyncMode {
    /// A mode over links that are open.
    pub(crate) fn new(
        now: Instant,
        config: config::Sync,
        general: &config::General,
        links: Links,
        sequence: Sequence,
        seed: u64,
    ) -> Self {
        let settings = settings::of_node(&config, general, links.limit(), sequence, seed);
        let node = Node::new(now, settings);
        let work = KernelWork::default();
        Self {
            config,
            node,
            links,
            work,
            notices: Vec::new(),
            next_link: None,
            has_more: false,
            now,
            unsent: 0,
            owes_bulk: false,
        }
    }

    /// Whether expectations go to the peer too.
    pub(crate) fn synchronizes_expectations(&self) -> bool {
        self.config.expectations != ExpectationSync::Off
    }

    /// A change of the kernel's table.
    pub(crate) fn on_event(
        &mut self,
        now: Instant,
        kind: EventKind,
        cause: EventCause,
        subject: Subject<'_, FlowView<'_>>,
    ) {
        let Some(origin) = cause.origin() else { return };
        if let Subject::Expectation(expectation) = subject
            && !self.config.expectations.admits(expectation.helper.as_deref().unwrap_or(""))
        {
            return;
        }
        self.node.on_event(now, &Event { kind, origin, subject });
    }

    /// A socket of a link is ready.
    pub(crate) fn on_link(&mut self, context: &mut Context, ready: SocketReady) {
        let (poller, now) = (context.poller, context.now);
        let Self { node, links, work, notices, next_link, .. } = self;
        // What a datagram asks of the kernel is taken before the next one is read: that is the bound of the node. Nothing
        // is sent in between, so that what answers several datagrams goes into one, and a commit does not go on, since
        // the events of it have to find room.
        links.on_ready(poller, now, ready, &mut |link: LinkId, received: Received<'_>| {
            match received {
                Received::Datagram(bytes) => node.on_datagram(now, link, bytes),
                Received::Frame(frame) => node.on_frame(now, link, frame),
            }
            while let Some(output) = node.next_effect() {
                match output {
                    Output::Kernel(request) => work.take(context, request),
                    Output::Notice(notice) => notices.push(notice),
                    Output::UseLink(link) => *next_link = Some(link),
                    Output::Send(_) => {}
                }
            }
        });
    }

    /// Devices have changed.
    pub(crate) fn on_devices(&mut self, context: &mut Context) {
        self.links.on_devices(context.poller, context.now);
    }

    /// Lets datagrams out, if the link takes some.
    fn release(&mut self) {
        let sending = if self.links.is_held() { Sending::Held } else { Sending::Open };
        self.node.hold_sending(sending);
    }

    /// The time of [`next_deadline`](Self::next_deadline) may have come.
    pub(crate) fn on_deadline(&mut self, context: &mut Context) {
        let now = context.now;
        if self.links.next_deadline().is_some_and(|due| now >= due) {
            self.links.on_deadline(context.poller, now);
        }
        self.release();
        if self.node.next_deadline().is_some_and(|due| now >= due) {
            self.node.on_deadline(now);
        }
    }

    /// When something is to be done next without any input.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let is_unfinished = self.has_more || !self.work.flushed.is_empty();
        let at_once = is_unfinished.then_some(self.now);
        let others = [self.node.next_deadline(), self.links.next_deadline()];
        others.into_iter().flatten().chain(at_once).min()
    }

    /// Does what the node wants done, until it wants nothing more in this turn.
    pub(crate) fn drain(&mut self, context: &mut Context) {
        let (poller, now) = (context.poller, context.now);
        self.now = now;
        for notice in std::mem::take(&mut self.notices) {
            self.on_notice(context, notice);
        }
        if let Some(link) = self.next_link.take() {
            self.links.use_link(poller, now, link);
        }
        self.release();
        self.make_up_for_unsent(context);
        // What has to wait for room waits in the node, which says that it has more to do.
        let mut left = SENT_A_TURN;
        while left > 0
            && context.kernel.has_event_room()
            && let Some(output) = self.node.next_output()
        {
            match output {
                Output::Send(datagram) => {
                    left = left.saturating_sub(1);
                    if self.links.send(poller, now, datagram) == Sent::Held {
                        self.node.hold_sending(Sending::Held);
                    }
                }
                Output::UseLink(link) => self.links.use_link(poller, now, link),
                Output::Kernel(request) => self.work.take(context, request),
                Output::Notice(notice) => self.on_notice(context, notice),
            }
        }
        self.has_more = left == 0;
        self.work.apply(context);
        context.delete(&mut self.work.flushed);
        while let Some(notice) = self.links.next_notice() {
            if let link::Notice::LimitChanged(limit) = notice {
                self.node.set_datagram_limit(limit);
            }
            if let Some(line) = words::of_link(&notice, &self.links) {
                context.say(&line);
            }
        }
    }

    /// Without internal cache, what finds no room on its way to the link is lost. It is said, and when there is room again all
    /// is told anew.
    fn make_up_for_unsent(&mut self, context: &mut Context) {
        let unsent = self.node.statistics().direct_dropped;
        if unsent != self.unsent {
            let text =
                format!("the link is too slow: {} events were not sent", unsent - self.unsent);
            context.say(&Line::warning(text).limited("reports of events that were not sent"));
            (self.unsent, self.owes_bulk) = (unsent, true);
        } else if self.owes_bulk && self.node.has_room() && !self.links.is_held() {
            self.owes_bulk = false;
            self.node.on_request(context.now, ctsync::Request::Bulk);
        }
    }

    /// The daemon ends: what is under way is brought to its end and told.
    pub(crate) fn end(&mut self, context: &mut Context) {
        self.work.commit.end(context);
    }

    fn on_notice(&mut self, context: &mut Context, notice: Notice) {
        if let Some(line) = words::of_node(&notice, &self.config) {
            context.say(&line);
        }
        match notice {
            Notice::CommitStarted(_) => self.work.commit.begin(context.now),
            Notice::FlowsCommitted => self.work.commit.report(context, Table::Flows),
            Notice::CommitFinished(which) => {
                if which != Which::Flows && self.synchronizes_expectations() {
                    self.work.commit.report(context, Table::Expectations);
                }
                self.work.commit.finish(context);
                self.work.commit.release_clients(context);
            }
            Notice::NothingToCommit => self.work.commit.release_clients(context),
            _ => {}
        }
    }
}
