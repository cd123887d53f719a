//! Which flows are wanted: one value, asked here for each flow and compiled for the kernel in `ctnetlink::bpf`.
//!
//! A filter has up to three lists, and a flow is wanted when each list that is given agrees. A list of policy
//! [`Policy::Accept`] agrees with its members alone, one of policy [`Policy::Ignore`] with all but its members.
//! Meaning: upstream's filter in user space, see docs/differences.md.
//!
//! ```
//! use flow::filter::{AddressSet, EventFilter, Policy, Rule};
//!
//! let own = AddressSet::from_networks([("192.0.2.0".parse()?, 24)]);
//! let filter = EventFilter {
//!     addresses: Some(Rule { policy: Policy::Ignore, members: own }),
//!     ..EventFilter::default()
//! };
//! assert!(!filter.wants_all());
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod address_set;
mod number_set;

pub use address_set::{AddressRange, AddressSet};
pub use number_set::NumberSet;

use crate::{Direction, EventKind, FlowRead, ProtoInfo};

/// What becomes of the members of a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Policy {
    /// They alone are wanted.
    Accept,
    /// They are not wanted.
    Ignore,
}

impl Policy {
    /// Whether something is wanted that is, or is not, a member.
    pub fn wants(self, is_member: bool) -> bool {
        match self {
            Self::Accept => is_member,
            Self::Ignore => !is_member,
        }
    }
}

/// A set and what becomes of its members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule<S> {
    /// Whether the members are wanted.
    pub policy: Policy,
    /// The members. An empty set with [`Policy::Accept`] wants nothing of what it is asked.
    pub members: S,
}

/// Which flows are wanted. The default wants all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventFilter {
    /// By layer 4 protocol number.
    pub protocols: Option<Rule<NumberSet>>,
    /// By source: a flow is a member if the source of its original or of its reply tuple is. The latter is who really
    /// answers, behind a translation of the destination.
    pub addresses: Option<Rule<AddressSet>>,
    /// By TCP state number ([`crate::TcpState`]). A flow without a TCP state is wanted.
    pub tcp_states: Option<Rule<NumberSet>>,
}

impl EventFilter {
    /// Whether there is no list at all.
    pub fn wants_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a flow of the table is wanted.
    pub fn wants(&self, flow: &impl FlowRead) -> bool {
        self.wants_tuples(flow) && self.wants_state(flow)
    }

    /// Whether an event is wanted. The end of a flow is told whatever its state: who has heard of the flow must hear
    /// that it is gone, and to everyone else it means nothing. Older kernels do not even tell the state then.
    pub fn wants_event(&self, kind: EventKind, flow: &impl FlowRead) -> bool {
        self.wants_tuples(flow) && (kind == EventKind::Destroy || self.wants_state(flow))
    }

    fn wants_tuples(&self, flow: &impl FlowRead) -> bool {
        if self.protocols.is_none() && self.addresses.is_none() {
            return true;
        }
        let original = flow.tuple(Direction::Original);
        let by_protocol = self.protocols.as_ref().is_none_or(|rule| {
            rule.policy.wants(rule.members.contains(original.protocol.number()))
        });
        by_protocol
            && self.addresses.as_ref().is_none_or(|rule| {
                let reply = flow.tuple(Direction::Reply);
                let is_member = rule.members.contains(original.addresses.src())
                    || rule.members.contains(reply.addresses.src());
                rule.policy.wants(is_member)
            })
    }

    fn wants_state(&self, flow: &impl FlowRead) -> bool {
        let Some(rule) = &self.tcp_states else { return true };
        match flow.protoinfo() {
            Some(ProtoInfo::Tcp(tcp)) => {
                tcp.state.is_none_or(|state| rule.policy.wants(rule.members.contains(state.0)))
            }
            Some(ProtoInfo::Sctp(_) | ProtoInfo::Dccp(_)) | None => true,
        }
    }
}

#[cfg(test)]
mod tests;
