//! What the kernel is asked to look at, so that it sends little more than what a command means.
//!
//! Every question is wide enough: no flow of the selection is left out by it. So only conditions go to the kernel that it
//! checks right (docs/ctnetlink.md, "Filters of dumps, and where they fail"), and each of them is checked again here. A
//! kernel that does not know a condition passes over it and sends more, or refuses the question; then a wider one is put.

use std::net::IpAddr;

use ctnetlink::{DumpFilter, FlowRequest, TupleFields};
use flow::{Direction, Family, PartialTuple, PerDirection, Protocol, Zone};

use super::Selection;

const BOTH: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Questions to the kernel, each with those to put when it is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Questions {
    /// Their answers together have all flows of the selection, and none twice.
    pub narrow: Vec<DumpFilter>,
    /// What upstream asks: family, mark, status.
    pub plain: DumpFilter,
}

impl Selection {
    /// How to ask for the flows of this selection.
    ///
    /// Parts of a tuple can only be named within a family. Without one there are two questions.
    pub fn questions(&self) -> Questions {
        let plain = self.kernel_filter();
        let family = self.family.or_else(|| self.family_of_addresses());
        let named = self.with_tuples(Family::Ipv4).tuples != PerDirection::default();
        let narrow = match family {
            Some(family) => vec![self.with_tuples(family)],
            None if named => BOTH.map(|family| self.with_tuples(family)).to_vec(),
            None => vec![DumpFilter { zone: self.kernel_zone(), ..plain }],
        };
        Questions { narrow, plain }
    }

    /// The one flow that this selection can mean, asked for by its hash.
    ///
    /// The original tuple must be whole, and its zone must be one that no other flow of this tuple can have. Without a
    /// zone the selection means the flows of all zones, of which the kernel would look up that of the default zone.
    pub fn single_flow(&self) -> Option<FlowRequest> {
        let original = self.tuples.original.complete()?;
        let tuple = PartialTuple::from(original);
        let of_direction = self.direction_zones.original;
        let (zone, of_tuple) = match (self.zone, of_direction) {
            (Some(zone), _) if zone != Zone(0) => (Some(zone), None),
            (_, Some(zone)) if zone != Zone(0) => (None, Some(zone)),
            // Zone 0 alone may also mean a flow that has another zone in one direction.
            (Some(_), Some(_)) => (None, None),
            _ => return None,
        };
        Some(FlowRequest {
            family: Some(original.addresses.family()),
            tuples: PerDirection { original: tuple, reply: PartialTuple::default() },
            zone,
            tuple_zones: PerDirection { original: of_tuple, reply: None },
            ..FlowRequest::default()
        })
    }

    /// The only family in which a flow can have the wanted addresses.
    fn family_of_addresses(&self) -> Option<Family> {
        let PerDirection { original, reply } = self.tuples;
        let address = original.src.or(original.dst).or(reply.src).or(reply.dst)?;
        Some(match address {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        })
    }

    /// The kernel's zone 0 leaves out flows with a zone of one direction, which have zone 0 here.
    fn kernel_zone(&self) -> Option<Zone> {
        self.zone.filter(|zone| *zone != Zone(0))
    }

    fn with_tuples(&self, family: Family) -> DumpFilter {
        let tuples = PerDirection::from_fn(|direction| self.compared(direction, family));
        let plain = self.kernel_filter();
        DumpFilter { family: Some(family), zone: self.kernel_zone(), tuples, ..plain }
    }

    /// The parts of a tuple that the kernel compares right: IPv4 addresses, the protocol, ports of TCP and UDP.
    fn compared(&self, direction: Direction, family: Family) -> (PartialTuple, TupleFields) {
        let wanted = &self.tuples[direction];
        // Both tuples of a flow have the same protocol.
        let protocol = wanted.protocol.or(self.tuples.original.protocol);
        let (mut tuple, mut fields) = (PartialTuple::default(), TupleFields::empty());
        if family == Family::Ipv4 {
            tuple.src = wanted.src.filter(IpAddr::is_ipv4);
            tuple.dst = wanted.dst.filter(IpAddr::is_ipv4);
            fields.set(TupleFields::IP_SRC, tuple.src.is_some());
            fields.set(TupleFields::IP_DST, tuple.dst.is_some());
        }
        if matches!(protocol, Some(Protocol::Tcp | Protocol::Udp)) {
            tuple.src_port = wanted.src_port;
            tuple.dst_port = wanted.dst_port;
            fields.set(TupleFields::PROTO_SRC_PORT, tuple.src_port.is_some());
            fields.set(TupleFields::PROTO_DST_PORT, tuple.dst_port.is_some());
        }
        let has_port = tuple.src_port.is_some() || tuple.dst_port.is_some();
        if has_port || wanted.protocol.is_some() {
            tuple.protocol = protocol;
            fields.insert(TupleFields::PROTO_NUM);
        }
        (tuple, fields)
    }
}
