//! Which flows a dump returns, as far as the kernel can tell.
//!
//! A kernel too old for an attribute ignores it and returns more, so every condition must be checked again in what
//! comes back. Two defects of Linux (seen on 6.18) make parts of the tuple filter unusable: IPv6 addresses are compared
//! the wrong way round, and ports are compared for TCP and UDP only. See docs/ctnetlink.md.

use flow::{Direction, Family, MaskedMark, PartialTuple, PerDirection, Status, Zone};

use super::{number, tuple};
use crate::wire::MessageWriter;

bitflags::bitflags! {
    /// Parts of a tuple that must be equal (`CTA_FILTER_F_CTA_*`).
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct TupleFields: u32 {
        /// Source address. Do not use it with IPv6.
        const IP_SRC = 1;
        /// Destination address. Do not use it with IPv6.
        const IP_DST = 1 << 1;
        /// Zone of the tuple.
        const TUPLE_ZONE = 1 << 2;
        /// Protocol.
        const PROTO_NUM = 1 << 3;
        /// Source port, of TCP and UDP.
        const PROTO_SRC_PORT = 1 << 4;
        /// Destination port, of TCP and UDP.
        const PROTO_DST_PORT = 1 << 5;
        /// ICMP type.
        const ICMP_TYPE = 1 << 6;
        /// ICMP code.
        const ICMP_CODE = 1 << 7;
        /// ICMP identifier.
        const ICMP_ID = 1 << 8;
        /// ICMPv6 type.
        const ICMPV6_TYPE = 1 << 9;
        /// ICMPv6 code.
        const ICMPV6_CODE = 1 << 10;
        /// ICMPv6 identifier.
        const ICMPV6_ID = 1 << 11;

        const _ = !0;
    }
}

/// Wanted status bits: `status & mask == value`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StatusFilter {
    /// The bits that must be set.
    pub value: Status,
    /// The bits that count. `None` leaves it to the kernel, which takes the value as the mask. The kernel refuses a
    /// mask of 0.
    pub mask: Option<Status>,
}

/// Conditions that the kernel checks before it sends an entry. All must hold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DumpFilter {
    /// Address family. A filter by tuple needs it.
    pub family: Option<Family>,
    /// Mark. Since Linux 3.4.
    pub mark: Option<MaskedMark>,
    /// Status. Since about Linux 5.15.
    pub status: Option<StatusFilter>,
    /// Zone of both directions. Since about Linux 6.8.
    pub zone: Option<Zone>,
    /// Tuples and which of their parts are compared. Since Linux 5.8.
    pub tuples: PerDirection<(PartialTuple, TupleFields)>,
}

/// Writes the attributes of a dump request.
pub(crate) fn write(out: &mut MessageWriter<'_>, filter: &DumpFilter) {
    if let Some(mark) = filter.mark {
        out.be32(number::MARK, mark.value.0);
        out.be32(number::MARK_MASK, mark.mask);
    }
    if let Some(status) = filter.status {
        out.be32(number::STATUS, status.value.bits());
        if let Some(mask) = status.mask {
            out.be32(number::STATUS_MASK, mask.bits());
        }
    }
    if let Some(zone) = filter.zone {
        out.be16(number::ZONE, zone.0);
    }
    for (direction, kind) in
        [(Direction::Original, number::TUPLE_ORIG), (Direction::Reply, number::TUPLE_REPLY)]
    {
        let (wanted, fields) = &filter.tuples[direction];
        if !fields.is_empty() {
            tuple::write(out, kind, wanted, None);
        }
    }
    let flags = filter.tuples.map(|(_, fields)| fields.bits());
    if flags != PerDirection::default() {
        out.nest(number::FILTER, |out| {
            out.host32(number::filter::ORIG_FLAGS, flags.original);
            out.host32(number::filter::REPLY_FLAGS, flags.reply);
        });
    }
}
