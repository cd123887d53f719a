//! A flow: one entry of the connection tracking table.
//!
//! [`Flow`] is an owned one. [`FlowRead`] is what an owned flow and a view over a received message have in common, so
//! that filters and renderings serve both and a listed flow need not be copied first.

use arrayvec::{ArrayString, ArrayVec};

use crate::{Direction, Labels, Mark, PerDirection, ProtoInfo, Status, Tuple, Zone};

/// Name of a helper: at most 15 bytes (`NF_CT_HELPER_NAME_LEN` less the NUL).
pub type HelperName = ArrayString<15>;
/// Private data of a user-space helper (`CTA_HELP_INFO`), at most 32 bytes.
pub type HelperInfo = ArrayVec<u8, 32>;

/// Id of a flow (`CTA_ID`): opaque, valid until the kernel restarts, printed as a big endian number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct FlowId(pub u32);

/// Nanoseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Ord, PartialOrd)]
pub struct TimeNs(pub u64);

impl TimeNs {
    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }
}

/// Packets and bytes of one direction (`CTA_COUNTERS_*`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes, layer 3 headers included.
    pub bytes: u64,
}

/// Adjustment of TCP sequence numbers of one direction (`CTA_SEQ_ADJ_*`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct SequenceAdjustment {
    /// Sequence number from which on the second offset counts.
    pub correction_position: u32,
    /// Offset before it.
    pub offset_before: i32,
    /// Offset after it.
    pub offset_after: i32,
}

/// State of a flow that was opened behind a SYN proxy (`CTA_SYNPROXY`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Synproxy {
    /// Initial sequence number of the proxy.
    pub initial_sequence: u32,
    /// Initial timestamp option value.
    pub initial_timestamp: u32,
    /// Timestamp offset.
    pub timestamp_offset: u32,
}

/// One entry of the connection tracking table. What the kernel did not send is `None`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flow {
    /// What identifies it (`CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`).
    pub tuples: PerDirection<Tuple>,
    /// Zone of one direction only (`CTA_TUPLE_ZONE`).
    pub tuple_zones: PerDirection<Option<Zone>>,
    /// Zone of both directions (`CTA_ZONE`).
    pub zone: Option<Zone>,
    /// `CTA_STATUS`.
    pub status: Option<Status>,
    /// Rest of its life in seconds (`CTA_TIMEOUT`).
    pub timeout_s: Option<u32>,
    /// `CTA_MARK`.
    pub mark: Option<Mark>,
    /// `CTA_PROTOINFO`.
    pub protoinfo: Option<ProtoInfo>,
    /// `CTA_COUNTERS_ORIG`, `CTA_COUNTERS_REPLY`.
    pub counters: PerDirection<Option<Counters>>,
    /// Creation time (`CTA_TIMESTAMP_START`).
    pub start: Option<TimeNs>,
    /// End (`CTA_TIMESTAMP_STOP`), in DESTROY events.
    pub stop: Option<TimeNs>,
    /// Time of the event (`CTA_TIMESTAMP_EVENT`, Linux 6.14 and later).
    pub event_time: Option<TimeNs>,
    /// Attached helper (`CTA_HELP_NAME`).
    pub helper: Option<HelperName>,
    /// Private data of the helper (`CTA_HELP_INFO`).
    pub helper_info: Option<HelperInfo>,
    /// References in the kernel (`CTA_USE`).
    pub use_count: Option<u32>,
    /// `CTA_ID`.
    pub id: Option<FlowId>,
    /// `CTA_LABELS`.
    pub labels: Option<Labels>,
    /// Original tuple of the flow that foretold this one (`CTA_TUPLE_MASTER`).
    pub master: Option<Tuple>,
    /// `CTA_SEQ_ADJ_ORIG`, `CTA_SEQ_ADJ_REPLY`.
    pub sequence_adjustment: PerDirection<Option<SequenceAdjustment>>,
    /// `CTA_SYNPROXY`.
    pub synproxy: Option<Synproxy>,
    /// `CTA_SECMARK`, of old kernels.
    pub secmark: Option<u32>,
    /// Security context (`CTA_SECCTX_NAME`). Rare, hence on the heap.
    pub secctx: Option<Box<[u8]>>,
}

impl Flow {
    /// A flow of which only the tuples are known.
    pub fn new(tuples: PerDirection<Tuple>) -> Self {
        Self {
            tuples,
            tuple_zones: PerDirection::default(),
            zone: None,
            status: None,
            timeout_s: None,
            mark: None,
            protoinfo: None,
            counters: PerDirection::default(),
            start: None,
            stop: None,
            event_time: None,
            helper: None,
            helper_info: None,
            use_count: None,
            id: None,
            labels: None,
            master: None,
            sequence_adjustment: PerDirection::default(),
            synproxy: None,
            secmark: None,
            secctx: None,
        }
    }

    /// An owned copy of any readable flow.
    pub fn copied_from(flow: &impl FlowRead) -> Self {
        Self {
            tuples: PerDirection::from_fn(|direction| flow.tuple(direction)),
            tuple_zones: PerDirection::from_fn(|direction| flow.tuple_zone(direction)),
            zone: flow.zone(),
            status: flow.status(),
            timeout_s: flow.timeout_s(),
            mark: flow.mark(),
            protoinfo: flow.protoinfo(),
            counters: PerDirection::from_fn(|direction| flow.counters(direction)),
            start: flow.start(),
            stop: flow.stop(),
            event_time: flow.event_time(),
            helper: flow.helper().and_then(|name| HelperName::from(name).ok()),
            helper_info: flow.helper_info().and_then(|info| info.try_into().ok()),
            use_count: flow.use_count(),
            id: flow.id(),
            labels: flow.labels(),
            master: flow.master(),
            sequence_adjustment: PerDirection::from_fn(|d| flow.sequence_adjustment(d)),
            synproxy: flow.synproxy(),
            secmark: flow.secmark(),
            secctx: flow.secctx().map(Box::from),
        }
    }
}

/// Reading access to a flow, owned or still in the receive buffer.
///
/// The fields are those of [`Flow`]. Implementations do not fail: a view checks its bytes when it is made.
pub trait FlowRead {
    /// See [`Flow::tuples`].
    fn tuple(&self, direction: Direction) -> Tuple;
    /// See [`Flow::tuple_zones`].
    fn tuple_zone(&self, direction: Direction) -> Option<Zone>;
    /// See [`Flow::zone`].
    fn zone(&self) -> Option<Zone>;
    /// See [`Flow::status`].
    fn status(&self) -> Option<Status>;
    /// See [`Flow::timeout_s`].
    fn timeout_s(&self) -> Option<u32>;
    /// See [`Flow::mark`].
    fn mark(&self) -> Option<Mark>;
    /// See [`Flow::protoinfo`].
    fn protoinfo(&self) -> Option<ProtoInfo>;
    /// See [`Flow::counters`].
    fn counters(&self, direction: Direction) -> Option<Counters>;
    /// See [`Flow::start`].
    fn start(&self) -> Option<TimeNs>;
    /// See [`Flow::stop`].
    fn stop(&self) -> Option<TimeNs>;
    /// See [`Flow::event_time`].
    fn event_time(&self) -> Option<TimeNs>;
    /// See [`Flow::helper`].
    fn helper(&self) -> Option<&str>;
    /// See [`Flow::helper_info`].
    fn helper_info(&self) -> Option<&[u8]>;
    /// See [`Flow::use_count`].
    fn use_count(&self) -> Option<u32>;
    /// See [`Flow::id`].
    fn id(&self) -> Option<FlowId>;
    /// See [`Flow::labels`].
    fn labels(&self) -> Option<Labels>;
    /// See [`Flow::master`].
    fn master(&self) -> Option<Tuple>;
    /// See [`Flow::sequence_adjustment`].
    fn sequence_adjustment(&self, direction: Direction) -> Option<SequenceAdjustment>;
    /// See [`Flow::synproxy`].
    fn synproxy(&self) -> Option<Synproxy>;
    /// See [`Flow::secmark`].
    fn secmark(&self) -> Option<u32>;
    /// See [`Flow::secctx`].
    fn secctx(&self) -> Option<&[u8]>;
}

impl FlowRead for Flow {
    fn tuple(&self, direction: Direction) -> Tuple {
        self.tuples[direction]
    }
    fn tuple_zone(&self, direction: Direction) -> Option<Zone> {
        self.tuple_zones[direction]
    }
    fn zone(&self) -> Option<Zone> {
        self.zone
    }
    fn status(&self) -> Option<Status> {
        self.status
    }
    fn timeout_s(&self) -> Option<u32> {
        self.timeout_s
    }
    fn mark(&self) -> Option<Mark> {
        self.mark
    }
    fn protoinfo(&self) -> Option<ProtoInfo> {
        self.protoinfo
    }
    fn counters(&self, direction: Direction) -> Option<Counters> {
        self.counters[direction]
    }
    fn start(&self) -> Option<TimeNs> {
        self.start
    }
    fn stop(&self) -> Option<TimeNs> {
        self.stop
    }
    fn event_time(&self) -> Option<TimeNs> {
        self.event_time
    }
    fn helper(&self) -> Option<&str> {
        self.helper.as_deref()
    }
    fn helper_info(&self) -> Option<&[u8]> {
        self.helper_info.as_deref()
    }
    fn use_count(&self) -> Option<u32> {
        self.use_count
    }
    fn id(&self) -> Option<FlowId> {
        self.id
    }
    fn labels(&self) -> Option<Labels> {
        self.labels.clone()
    }
    fn master(&self) -> Option<Tuple> {
        self.master
    }
    fn sequence_adjustment(&self, direction: Direction) -> Option<SequenceAdjustment> {
        self.sequence_adjustment[direction]
    }
    fn synproxy(&self) -> Option<Synproxy> {
        self.synproxy
    }
    fn secmark(&self) -> Option<u32> {
        self.secmark
    }
    fn secctx(&self) -> Option<&[u8]> {
        self.secctx.as_deref()
    }
}
