//! What goes into a node and comes out of it.

use flow::{EventKind, Expectation, Flow};

use super::{CacheName, Restored};
use crate::Sequence;
use crate::wire::{DatagramLimit, DecodeError, TooLong};

/// Number of a dedicated link.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct LinkId(pub u8);

/// Whether changes of the kernel's table go through a cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InternalCache {
    /// They do.
    Kept,
    /// They are sent at once (`DisableInternalCache`).
    Bypassed,
}

/// Where the flows of the peer go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExternalCache {
    /// Into a cache, until a commit.
    Kept,
    /// Into the kernel's table (`DisableExternalCache`).
    Injected,
}

/// Mode, with what only this mode has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ModeConfig {
    /// FTFW.
    Ftfw {
        /// `ACKWindowSize`.
        ack_window: u32,
        /// `ResendQueueSize`.
        resend_queue: usize,
    },
    /// NOTRACK.
    Notrack {
        /// `DisableInternalCache`.
        internal: InternalCache,
    },
    /// ALARM.
    Alarm {
        /// `RefreshTime` in seconds.
        refresh_s: u32,
        /// `CacheTimeout` in seconds.
        cache_timeout_s: u32,
    },
}

impl ModeConfig {
    pub(super) fn has_internal_cache(self) -> bool {
        !matches!(self, Self::Notrack { internal: InternalCache::Bypassed })
    }
}

/// Configuration of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Mode.
    pub mode: ModeConfig,
    /// `DisableExternalCache`.
    pub external: ExternalCache,
    /// `HashLimit`: entries a cache.
    pub hash_limit: usize,
    /// `CommitTimeout` in seconds. With it timeouts are not sent.
    pub commit_timeout_s: Option<u32>,
    /// `PurgeTimeout` in seconds.
    pub purge_timeout_s: u32,
    /// `TCPWindowTracking`.
    pub window_tracking: bool,
    /// `StartupResync`.
    pub startup_resync: bool,
    /// Longest datagram of the links.
    pub limit: DatagramLimit,
    /// Number of the first message: seconds since 1970.
    pub sequence: Sequence,
    /// A random number from the operating system, another one at each start and never shown: strangers choose the keys of the
    /// caches, and whoever knows this number can make them collide.
    pub seed: u64,
}

impl Config {
    /// Upstream's defaults.
    pub fn new(mode: ModeConfig, limit: DatagramLimit, sequence: Sequence, seed: u64) -> Self {
        Self {
            mode,
            external: ExternalCache::Kept,
            hash_limit: 262_144,
            commit_timeout_s: None,
            purge_timeout_s: 60,
            window_tracking: false,
            startup_resync: false,
            limit,
            sequence,
            seed,
        }
    }
}

/// Who caused a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Traffic, or a tool: the peer is told.
    Others,
    /// A commit or flush of this node, or the first dump: the peer is not told.
    Own,
}

/// What changed.
#[derive(Debug)]
pub enum Subject<'a, F = Flow> {
    /// A flow.
    Flow(&'a F),
    /// An expectation.
    Expectation(&'a Expectation),
}

impl<F> Clone for Subject<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Subject<'_, F> {}

/// A change of the kernel's table.
#[derive(Debug)]
pub struct Event<'a, F = Flow> {
    /// What happened.
    pub kind: EventKind,
    /// Who caused it.
    pub origin: Origin,
    /// To what.
    pub subject: Subject<'a, F>,
}

/// Flows, expectations or both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// Flows (`ct`).
    Flows,
    /// Expectations (`expect`).
    Expectations,
    /// Both.
    All,
}

/// What the control commands ask of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// `-n`: ask the peer for everything.
    Resync,
    /// `-B`: send everything.
    Bulk,
    /// `-c`: put the external cache into the kernel's table.
    Commit(Which),
    /// `-f`.
    Flush,
    /// `-f internal`.
    FlushInternal,
    /// `-f external`.
    FlushExternal,
    /// `-F`: empty the kernel's table.
    FlushKernel(Which),
    /// `-t`: empty the kernel's table after `PurgeTimeout`.
    PurgeKernel,
    /// The dump for a bulk ([`KernelRequest::DumpForBulk`]) is over, or failed.
    BulkDumped,
    /// A dump of the kernel's table begins; what it shows comes by
    /// [`on_dumped_flow`](super::Node::on_dumped_flow) and [`on_dumped_expectation`](super::Node::on_dumped_expectation).
    DumpBegins(Which),
    /// A part of the dump was received, and its flows come next: the kernel filled it when the part before was received.
    DumpPart,
    /// It ended: what was not in it is gone. [`Origin::Own`] does not tell the peer (`-R`).
    DumpEnds(Origin),
    /// It broke off: what was not in it stays.
    DumpFailed,
}

/// Whether datagrams are handed out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sending {
    /// They are.
    Open,
    /// They wait in the queues.
    Held,
}

/// A request to the kernel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KernelRequest {
    /// Make a flow; if there is one, delete it first.
    Commit(Restored),
    /// The same for an expectation.
    CommitExpectation(Expectation),
    /// Make, change or delete a flow of the peer.
    Inject(EventKind, Restored),
    /// The same for an expectation.
    InjectExpectation(EventKind, Expectation),
    /// Dump the flows, handing them to [`on_dumped_flow`](super::Node::on_dumped_flow) while there is
    /// [room](super::Node::has_room), and then [`Request::BulkDumped`]. There is only one at a time.
    DumpForBulk,
    /// Empty the table of what passes the filter. What the kernel says of it has [`Origin::Own`].
    Flush(Which),
}

/// Something to log, count or test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// `resync requested`.
    ResyncRequested,
    /// `resync requested by other node`.
    ResyncRequestedByPeer,
    /// `sending bulk update`.
    BulkStarted,
    /// Messages were refused: so many since the last notice of this kind ([`DecodeError::counter`]).
    BadMessages {
        /// The first of them.
        first: DecodeError,
        /// How many.
        count: u32,
    },
    /// The peer has started, and knows nothing of what was sent before (FTFW). Nothing is done about it: its flows in the
    /// external cache may be all that is left of them.
    PeerStarted,
    /// A cache is full (`HashLimit`): what was new did not get in. Until a resync, or a change of the same flow, it is not
    /// asked for again.
    CacheFull {
        /// Which cache.
        cache: CacheName,
        /// How many entries.
        count: u32,
    },
    /// Messages fit into no datagram: the MTU is too small. What they tell of is sent when it is larger; without internal
    /// cache it is lost.
    TooLong {
        /// The first of them.
        first: TooLong,
        /// How many.
        count: u32,
    },
    /// `committing … cache`.
    CommitStarted(Which),
    /// There is no external cache: nothing is to be logged.
    NothingToCommit,
    /// All flows of a commit were handed out.
    FlowsCommitted,
    /// All of a commit was handed out.
    CommitFinished(Which),
    /// `commit already in progress, skipping`.
    CommitInProgress,
    /// `ignoring flush command, commit still in progress`.
    FlushIgnored,
    /// `flushing caches`.
    FlushingAll,
    /// `flushing internal cache`.
    FlushingInternal,
    /// `flushing external cache`.
    FlushingExternal,
    /// `flushing kernel conntrack table`, `flushing kernel expect table`.
    FlushingKernel(Which),
    /// `flushing conntrack table in N secs`.
    PurgeScheduled,
    /// `flushing kernel conntrack table (scheduled)`.
    PurgeBegins,
}

/// What is to be done.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are flows; a box each would be an allocation each"
)]
pub enum Output<'a> {
    /// Send this datagram, or write it to the stream.
    Send(&'a [u8]),
    /// Send over this link from now on: the peer does.
    UseLink(LinkId),
    /// Ask the kernel.
    Kernel(KernelRequest),
    /// Log it.
    Notice(Notice),
}
