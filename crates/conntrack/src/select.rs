//! Which flows a command means: every condition of the command line, checked in the program.
//!
//! The kernel checks some of them as well ([`Selection::questions`]). An old kernel ignores what it does not know
//! and sends more, so nothing is left to it alone.

mod kernel;

use std::net::IpAddr;

use ctnetlink::{DumpFilter, StatusFilter};
use flow::{
    Direction, Family, FlowId, FlowRead, MaskedMark, PartialTuple, PerDirection, ProtoInfo, Status,
    Translation, Tuple, Zone,
};

pub use self::kernel::Questions;
use crate::options::{Options, ProtocolState};
use crate::values::{NatFilter, Network, StatusList};

/// Conditions that a flow must meet. What is `None` or empty matches everything.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Layer 3 protocol.
    pub family: Option<Family>,
    /// Parts of the tuples.
    pub tuples: PerDirection<PartialTuple>,
    /// Networks of the original source and destination address.
    pub networks: [Option<Network>; 2],
    /// Translations of the source, of the destination, of either.
    pub nat: NatSelection,
    /// Mark, with a mask.
    pub mark: Option<MaskedMark>,
    /// Status bits that must be set, and clear.
    pub status: Option<StatusList>,
    /// State of the tracker.
    pub state: Option<ProtocolState>,
    /// Exact rest of the timeout, in seconds.
    pub timeout_s: Option<u32>,
    /// Security mark. Absent counts as 0.
    pub secmark: Option<u32>,
    /// Id.
    pub id: Option<FlowId>,
    /// Zone of both directions. Absent counts as 0.
    pub zone: Option<Zone>,
    /// Zones of one direction. Absent counts as 0.
    pub direction_zones: PerDirection<Option<Zone>>,
    /// Numbers of labels that must all be set.
    pub labels: Option<Vec<u32>>,
}

/// The conditions of `-n`, `-g` and `-j`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NatSelection {
    /// `-n`.
    pub src: Option<NatFilter>,
    /// `-g`.
    pub dst: Option<NatFilter>,
    /// `-j`.
    pub any: Option<NatFilter>,
}

impl Selection {
    /// All conditions that the options state, with the labels looked up.
    pub fn from_options(options: &Options, labels: Option<Vec<u32>>) -> Self {
        let networks = [options.src_network(), options.dst_network()];
        let mut original = options.original;
        let [src_network, dst_network] = networks;
        // With a network, the address is that of the network and not of the flow.
        original.src = original.src.filter(|_| src_network.is_none());
        original.dst = original.dst.filter(|_| dst_network.is_none());
        Self {
            family: options.family,
            tuples: PerDirection { original, reply: options.reply },
            networks,
            nat: NatSelection { src: options.src_nat, dst: options.dst_nat, any: options.any_nat },
            mark: options.mark,
            status: options.status,
            state: options.state,
            timeout_s: options.timeout_s,
            secmark: options.secmark,
            id: options.id,
            zone: options.zone,
            direction_zones: options.direction_zones,
            labels,
        }
    }

    /// The same without the conditions that an update takes as new values.
    #[must_use]
    pub fn for_update(self) -> Self {
        Self { mark: None, status: None, state: None, timeout_s: None, secmark: None, ..self }
    }

    /// What upstream asks the kernel to check.
    pub fn kernel_filter(&self) -> DumpFilter {
        let status = self.status.and_then(|StatusList { set, clear }| {
            let mask = set | clear;
            // The kernel refuses a mask without a bit.
            (!mask.is_empty()).then_some(StatusFilter { value: set, mask: Some(mask) })
        });
        DumpFilter { family: self.family, mark: self.mark, status, ..DumpFilter::default() }
    }

    /// Whether the flow meets all conditions.
    pub fn matches(&self, flow: &impl FlowRead) -> bool {
        let original = flow.tuple(Direction::Original);
        let reply = flow.tuple(Direction::Reply);
        self.tuples.original.matches(&original)
            && self.tuples.reply.matches(&reply)
            && self.family.is_none_or(|family| original.addresses.family() == family)
            && self.matches_networks(&original)
            && self.nat.matches(flow.status(), &original, &reply)
            && self.matches_numbers(flow)
            && self.matches_status(flow.status())
            && self.state.is_none_or(|state| has_state(flow.protoinfo(), state))
            && self.matches_zones(flow)
            && self.labels.as_ref().is_none_or(|wanted| {
                flow.labels().is_some_and(|set| wanted.iter().all(|bit| set.has(*bit)))
            })
    }

    fn matches_networks(&self, original: &Tuple) -> bool {
        let contains = |network: Option<Network>, address: IpAddr| {
            network.is_none_or(|network| network.contains(address))
        };
        let [src, dst] = self.networks;
        contains(src, original.addresses.src()) && contains(dst, original.addresses.dst())
    }

    fn matches_numbers(&self, flow: &impl FlowRead) -> bool {
        self.mark.is_none_or(|mark| mark.matches(flow.mark().unwrap_or_default()))
            && self.id.is_none_or(|id| flow.id() == Some(id))
            && self.secmark.is_none_or(|secmark| flow.secmark().unwrap_or(0) == secmark)
            && self.timeout_s.is_none_or(|timeout_s| flow.timeout_s() == Some(timeout_s))
    }

    fn matches_status(&self, status: Option<Status>) -> bool {
        self.status.is_none_or(|StatusList { set, clear }| {
            status.is_some_and(|status| status.contains(set) && !status.intersects(clear))
        })
    }

    fn matches_zones(&self, flow: &impl FlowRead) -> bool {
        let same = |wanted: Option<Zone>, zone: Option<Zone>| {
            wanted.is_none_or(|wanted| zone.unwrap_or_default() == wanted)
        };
        same(self.zone, flow.zone())
            && Direction::BOTH.iter().all(|direction| {
                same(self.direction_zones[*direction], flow.tuple_zone(*direction))
            })
    }
}

impl NatSelection {
    fn matches(&self, status: Option<Status>, original: &Tuple, reply: &Tuple) -> bool {
        if self.src.is_none() && self.dst.is_none() && self.any.is_none() {
            return true;
        }
        let status = status.unwrap_or_default();
        let src = Translation::of_source(status, original, reply);
        let dst = Translation::of_destination(status, original, reply);
        self.src.is_none_or(|wanted| translates(&src, wanted))
            && self.dst.is_none_or(|wanted| translates(&dst, wanted))
            && self.any.is_none_or(|wanted| translates(&src, wanted) || translates(&dst, wanted))
    }
}

/// Whether the end is translated to what is wanted. A port is looked at only together with the address.
fn translates(end: &Translation, wanted: NatFilter) -> bool {
    let matches = match (wanted.address, wanted.port) {
        (None, _) => end.changes_address() || end.changes_key(),
        (Some(address), None) => end.changes_address() && end.after.address == address,
        (Some(address), Some(port)) => {
            end.changes_address()
                && end.after.address == address
                && end.changes_key()
                && end.after.key == Some(port)
        }
    };
    end.decided && matches
}

fn has_state(protoinfo: Option<ProtoInfo>, wanted: ProtocolState) -> bool {
    match (protoinfo, wanted) {
        (Some(ProtoInfo::Tcp(tcp)), ProtocolState::Tcp(state)) => tcp.state == Some(state),
        (Some(ProtoInfo::Sctp(sctp)), ProtocolState::Sctp(state)) => sctp.state == Some(state),
        (Some(ProtoInfo::Dccp(dccp)), ProtocolState::Dccp(state)) => dccp.state == Some(state),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
