//! Reading flow messages in the receive buffer.
//!
//! [`FlowAttributes`] is any message of the subsystem: a request may name just a tuple, or none. [`FlowView`] is an entry
//! as the kernel describes it in lists and events: both tuples are there and whole.

use flow::PerDirection;
use flow::{
    Counters, DccpInfo, DccpRole, DccpState, Direction, Family, Flow, FlowId, FlowRead, Labels,
    Mark, PartialTuple, ProtoInfo, SctpInfo, SctpState, SequenceAdjustment, Status, Synproxy,
    TcpFlags, TcpFlagsMasked, TcpInfo, TcpState, TimeNs, Tuple, Zone,
};

use super::encode::NatRange;
use super::table::{self, slot};
use super::tuple::TupleReader;
use crate::DecodeError;
use crate::fields::{Fields, without_nul};

/// The attributes of a message about a flow, every length checked.
#[derive(Clone, Debug)]
pub struct FlowAttributes<'a>(Fields<'a, { slot::COUNT }>);

impl<'a> FlowAttributes<'a> {
    /// Checks the body of a message: `struct nfgenmsg` and attributes.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body, &table::FLOW)?;
        let attributes = Self(fields);
        attributes.check_groups()?;
        Ok(attributes)
    }

    fn check_groups(&self) -> Result<(), DecodeError> {
        use slot::{sequence, synproxy};
        for (name, base) in
            [("CTA_SEQ_ADJ_ORIG", slot::SEQ_ADJ_ORIG), ("CTA_SEQ_ADJ_REPLY", slot::SEQ_ADJ_REPLY)]
        {
            self.0.all_or_none(
                name,
                &[
                    (base + sequence::CORRECTION_POS, "CTA_SEQADJ_CORRECTION_POS"),
                    (base + sequence::OFFSET_BEFORE, "CTA_SEQADJ_OFFSET_BEFORE"),
                    (base + sequence::OFFSET_AFTER, "CTA_SEQADJ_OFFSET_AFTER"),
                ],
            )?;
        }
        self.0.all_or_none(
            "CTA_SYNPROXY",
            &[
                (slot::SYNPROXY + synproxy::ISN, "CTA_SYNPROXY_ISN"),
                (slot::SYNPROXY + synproxy::ITS, "CTA_SYNPROXY_ITS"),
                (slot::SYNPROXY + synproxy::TSOFF, "CTA_SYNPROXY_TSOFF"),
            ],
        )
    }

    /// Family of the netfilter header; `None` if it names all or an unknown one.
    pub fn family(&self) -> Option<Family> {
        Family::from_number(self.0.family())
    }

    fn tuple_reader(&self, direction: Direction) -> TupleReader<'_, 'a, { slot::COUNT }> {
        let base = match direction {
            Direction::Original => slot::ORIGINAL,
            Direction::Reply => slot::REPLY,
        };
        TupleReader { fields: &self.0, base }
    }

    /// What is given of a tuple; `None` if its attribute is absent.
    pub fn partial_tuple(&self, direction: Direction) -> Option<PartialTuple> {
        let here = match direction {
            Direction::Original => slot::HAS_ORIGINAL,
            Direction::Reply => slot::HAS_REPLY,
        };
        self.0.has(here).then(|| self.tuple_reader(direction).partial())
    }

    /// What is given of the master's tuple; `None` if its attribute is absent.
    pub fn partial_master(&self) -> Option<PartialTuple> {
        let reader = TupleReader { fields: &self.0, base: slot::MASTER };
        self.0.has(slot::HAS_MASTER).then(|| reader.partial())
    }

    /// `CTA_TUPLE_ZONE` of a tuple.
    pub fn tuple_zone(&self, direction: Direction) -> Option<Zone> {
        self.tuple_reader(direction).zone()
    }

    /// `CTA_ZONE`.
    pub fn zone(&self) -> Option<Zone> {
        self.0.be16(slot::ZONE).map(Zone)
    }

    /// `CTA_STATUS`.
    pub fn status(&self) -> Option<Status> {
        self.0.be32(slot::STATUS).map(Status::from_bits_retain)
    }

    /// `CTA_STATUS_MASK`, of filters.
    pub fn status_mask(&self) -> Option<Status> {
        self.0.be32(slot::STATUS_MASK).map(Status::from_bits_retain)
    }

    /// `CTA_TIMEOUT`, seconds.
    pub fn timeout_s(&self) -> Option<u32> {
        self.0.be32(slot::TIMEOUT)
    }

    /// `CTA_MARK`.
    pub fn mark(&self) -> Option<Mark> {
        self.0.be32(slot::MARK).map(Mark)
    }

    /// `CTA_MARK_MASK`, of filters and changes.
    pub fn mark_mask(&self) -> Option<u32> {
        self.0.be32(slot::MARK_MASK)
    }

    /// `CTA_SECMARK`.
    pub fn secmark(&self) -> Option<u32> {
        self.0.be32(slot::SECMARK)
    }

    /// `CTA_SECCTX_NAME`, without its NUL.
    pub fn secctx(&self) -> Option<&'a [u8]> {
        self.0.bytes(slot::SECCTX_NAME).map(without_nul)
    }

    /// `CTA_USE`.
    pub fn use_count(&self) -> Option<u32> {
        self.0.be32(slot::USE)
    }

    /// `CTA_ID`.
    pub fn id(&self) -> Option<FlowId> {
        self.0.be32(slot::ID).map(FlowId)
    }

    /// `CTA_LABELS`.
    pub fn labels(&self) -> Option<Labels> {
        self.0.bytes(slot::LABELS).and_then(Labels::from_bytes)
    }

    /// `CTA_LABELS_MASK`, of changes.
    pub fn labels_mask(&self) -> Option<Labels> {
        self.0.bytes(slot::LABELS_MASK).and_then(Labels::from_bytes)
    }

    /// `CTA_HELP_NAME`.
    pub fn helper(&self) -> Option<&'a str> {
        self.0.text(slot::HELP_NAME)
    }

    /// `CTA_HELP_INFO`.
    pub fn helper_info(&self) -> Option<&'a [u8]> {
        self.0.bytes(slot::HELP_INFO)
    }

    /// `CTA_COUNTERS_*`, also in the 32 bit form of kernels before 2.6.30.
    pub fn counters(&self, direction: Direction) -> Option<Counters> {
        use slot::counters::{BYTES, BYTES32, PACKETS, PACKETS32};
        let base = match direction {
            Direction::Original => slot::COUNTERS_ORIG,
            Direction::Reply => slot::COUNTERS_REPLY,
        };
        let number = |wide, narrow| {
            let wide = self.0.be64(base + wide);
            wide.or_else(|| self.0.be32(base + narrow).map(u64::from))
        };
        Some(Counters { packets: number(PACKETS, PACKETS32)?, bytes: number(BYTES, BYTES32)? })
    }

    /// `CTA_TIMESTAMP_START`.
    pub fn start(&self) -> Option<TimeNs> {
        self.0.be64(slot::TIMESTAMP_START).map(TimeNs)
    }

    /// `CTA_TIMESTAMP_STOP`.
    pub fn stop(&self) -> Option<TimeNs> {
        self.0.be64(slot::TIMESTAMP_STOP).map(TimeNs)
    }

    /// `CTA_TIMESTAMP_EVENT`.
    pub fn event_time(&self) -> Option<TimeNs> {
        self.0.be64(slot::TIMESTAMP_EVENT).map(TimeNs)
    }

    /// `CTA_SEQ_ADJ_*`.
    pub fn sequence_adjustment(&self, direction: Direction) -> Option<SequenceAdjustment> {
        use slot::sequence::{CORRECTION_POS, OFFSET_AFTER, OFFSET_BEFORE};
        let base = match direction {
            Direction::Original => slot::SEQ_ADJ_ORIG,
            Direction::Reply => slot::SEQ_ADJ_REPLY,
        };
        Some(SequenceAdjustment {
            correction_position: self.0.be32(base + CORRECTION_POS)?,
            offset_before: self.0.be32(base + OFFSET_BEFORE)?.cast_signed(),
            offset_after: self.0.be32(base + OFFSET_AFTER)?.cast_signed(),
        })
    }

    /// `CTA_SYNPROXY`.
    pub fn synproxy(&self) -> Option<Synproxy> {
        use slot::synproxy::{ISN, ITS, TSOFF};
        Some(Synproxy {
            initial_sequence: self.0.be32(slot::SYNPROXY + ISN)?,
            initial_timestamp: self.0.be32(slot::SYNPROXY + ITS)?,
            timestamp_offset: self.0.be32(slot::SYNPROXY + TSOFF)?,
        })
    }

    /// `CTA_PROTOINFO`.
    pub fn protoinfo(&self) -> Option<ProtoInfo> {
        use slot::protoinfo as part;
        let at = |part| slot::PROTOINFO + part;
        if self.0.has(at(part::TCP)) {
            let flags = |part| {
                self.0.two_bytes(at(part)).map(|[flags, mask]| TcpFlagsMasked {
                    flags: TcpFlags::from_bits_retain(flags),
                    mask: TcpFlags::from_bits_retain(mask),
                })
            };
            return Some(ProtoInfo::Tcp(TcpInfo {
                state: self.0.u8(at(part::TCP_STATE)).map(TcpState),
                window_scale: PerDirection {
                    original: self.0.u8(at(part::TCP_WSCALE_ORIGINAL)),
                    reply: self.0.u8(at(part::TCP_WSCALE_REPLY)),
                },
                flags: PerDirection {
                    original: flags(part::TCP_FLAGS_ORIGINAL),
                    reply: flags(part::TCP_FLAGS_REPLY),
                },
            }));
        }
        if self.0.has(at(part::SCTP)) {
            return Some(ProtoInfo::Sctp(SctpInfo {
                state: self.0.u8(at(part::SCTP_STATE)).map(SctpState),
                vtags: PerDirection {
                    original: self.0.be32(at(part::SCTP_VTAG_ORIGINAL)),
                    reply: self.0.be32(at(part::SCTP_VTAG_REPLY)),
                },
            }));
        }
        self.0.has(at(part::DCCP)).then(|| {
            ProtoInfo::Dccp(DccpInfo {
                state: self.0.u8(at(part::DCCP_STATE)).map(DccpState),
                role: self.0.u8(at(part::DCCP_ROLE)).map(DccpRole),
                handshake_sequence: self.0.be64(at(part::DCCP_HANDSHAKE_SEQ)),
            })
        })
    }

    /// `CTA_NAT_SRC`, of requests.
    pub fn nat_src(&self) -> Option<NatRange> {
        self.nat(slot::NAT_SRC)
    }

    /// `CTA_NAT_DST`, of requests.
    pub fn nat_dst(&self) -> Option<NatRange> {
        self.nat(slot::NAT_DST)
    }

    fn nat(&self, base: usize) -> Option<NatRange> {
        use slot::nat;
        let address = |v4, v6| {
            let v4 = self.0.v4(base + v4).map(std::net::IpAddr::from);
            v4.or_else(|| self.0.v6(base + v6).map(std::net::IpAddr::from))
        };
        self.0.has(base + nat::HERE).then(|| NatRange {
            first: address(nat::V4_MINIP, nat::V6_MINIP),
            last: address(nat::V4_MAXIP, nat::V6_MAXIP),
            first_port: self.0.be16(base + nat::PORT_MIN),
            last_port: self.0.be16(base + nat::PORT_MAX),
        })
    }

    /// `CTA_FILTER_ORIG_FLAGS` and `CTA_FILTER_REPLY_FLAGS`, of dump requests.
    pub fn filter_flags(&self) -> PerDirection<Option<u32>> {
        PerDirection {
            original: self.0.host32(slot::FILTER_ORIG_FLAGS),
            reply: self.0.host32(slot::FILTER_REPLY_FLAGS),
        }
    }
}

/// An entry of the table in the receive buffer.
///
/// ```
/// # use ctnetlink::FlowView;
/// assert!(FlowView::parse(&[2, 0, 0, 0]).is_err(), "no tuple is there");
/// ```
#[derive(Clone, Debug)]
pub struct FlowView<'a> {
    attributes: FlowAttributes<'a>,
    tuples: PerDirection<Tuple>,
    master: Option<Tuple>,
    /// References that do not count.
    passing_uses: u32,
}

impl<'a> FlowView<'a> {
    /// Checks the body of a message: `struct nfgenmsg` and attributes. After it no access fails.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let attributes = FlowAttributes::parse(body)?;
        let tuples = PerDirection {
            original: attributes.tuple_reader(Direction::Original).whole("CTA_TUPLE_ORIG")?,
            reply: attributes.tuple_reader(Direction::Reply).whole("CTA_TUPLE_REPLY")?,
        };
        if tuples.original.addresses.family() != tuples.reply.addresses.family() {
            return Err(DecodeError::MixedFamilies);
        }
        let master = if attributes.0.has(slot::HAS_MASTER) {
            let reader = TupleReader { fields: &attributes.0, base: slot::MASTER };
            Some(reader.whole("CTA_TUPLE_MASTER")?)
        } else {
            None
        };
        Ok(Self { attributes, tuples, master, passing_uses: 0 })
    }

    /// The same with one reference less: the answer to a get counts the one that the kernel holds while it answers, a list
    /// does not.
    #[must_use]
    pub fn without_one_use(self) -> Self {
        Self { passing_uses: 1, ..self }
    }

    /// The one step that copies.
    pub fn to_flow(&self) -> Flow {
        Flow::copied_from(self)
    }
}

impl FlowRead for FlowView<'_> {
    fn tuple(&self, direction: Direction) -> Tuple {
        self.tuples[direction]
    }
    fn tuple_zone(&self, direction: Direction) -> Option<Zone> {
        self.attributes.tuple_zone(direction)
    }
    fn zone(&self) -> Option<Zone> {
        self.attributes.zone()
    }
    fn status(&self) -> Option<Status> {
        self.attributes.status()
    }
    fn timeout_s(&self) -> Option<u32> {
        self.attributes.timeout_s()
    }
    fn mark(&self) -> Option<Mark> {
        self.attributes.mark()
    }
    fn protoinfo(&self) -> Option<ProtoInfo> {
        self.attributes.protoinfo()
    }
    fn counters(&self, direction: Direction) -> Option<Counters> {
        self.attributes.counters(direction)
    }
    fn start(&self) -> Option<TimeNs> {
        self.attributes.start()
    }
    fn stop(&self) -> Option<TimeNs> {
        self.attributes.stop()
    }
    fn event_time(&self) -> Option<TimeNs> {
        self.attributes.event_time()
    }
    fn helper(&self) -> Option<&str> {
        self.attributes.helper()
    }
    fn helper_info(&self) -> Option<&[u8]> {
        self.attributes.helper_info()
    }
    fn use_count(&self) -> Option<u32> {
        self.attributes.use_count().map(|uses| uses.saturating_sub(self.passing_uses))
    }
    fn id(&self) -> Option<FlowId> {
        self.attributes.id()
    }
    fn labels(&self) -> Option<Labels> {
        self.attributes.labels()
    }
    fn master(&self) -> Option<Tuple> {
        self.master
    }
    fn sequence_adjustment(&self, direction: Direction) -> Option<SequenceAdjustment> {
        self.attributes.sequence_adjustment(direction)
    }
    fn synproxy(&self) -> Option<Synproxy> {
        self.attributes.synproxy()
    }
    fn secmark(&self) -> Option<u32> {
        self.attributes.secmark()
    }
    fn secctx(&self) -> Option<&[u8]> {
        self.attributes.secctx()
    }
}
