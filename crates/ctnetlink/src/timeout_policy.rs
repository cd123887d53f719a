//! Subsystem 8: timeout policies (`CTA_TIMEOUT_*`, `linux/netfilter/nfnetlink_cttimeout.h`).

use flow::{Family, Protocol};

use crate::DecodeError;
use crate::fields::{Field, Fields, Form, field, numbers, without_nul};
use crate::wire::{MessageFlags, MessageWriter};

/// Message numbers (`enum ctnl_timeout_msg_types`).
mod message {
    pub(super) const NEW: u8 = 0;
    pub(super) const GET: u8 = 1;
    pub(super) const DELETE: u8 = 2;
    pub(super) const DEFAULT_SET: u8 = 3;
    pub(super) const DEFAULT_GET: u8 = 4;
}

/// Attribute numbers in `CTA_TIMEOUT_DATA` are below this for every protocol.
const MAX_TIMEOUTS: usize = 16;

mod number {
    pub(super) const NAME: u16 = 1;
    pub(super) const L3PROTO: u16 = 2;
    pub(super) const L4PROTO: u16 = 3;
    pub(super) const DATA: u16 = 4;
}

mod slot {
    pub(super) const NAME: usize = super::MAX_TIMEOUTS;
    pub(super) const L3PROTO: usize = NAME + 1;
    pub(super) const L4PROTO: usize = NAME + 2;
    pub(super) const DATA: usize = NAME + 3;
    pub(super) const USE: usize = NAME + 4;
    pub(super) const COUNT: usize = NAME + 5;
}

static DATA: [Option<Field>; MAX_TIMEOUTS] = numbers("CTA_TIMEOUT_DATA");

static POLICY: [Option<Field>; 6] = [
    None,
    field("CTA_TIMEOUT_NAME", slot::NAME, Form::Terminated(31)),
    field("CTA_TIMEOUT_L3PROTO", slot::L3PROTO, Form::Be16),
    field("CTA_TIMEOUT_L4PROTO", slot::L4PROTO, Form::U8),
    field("CTA_TIMEOUT_DATA", slot::DATA, Form::Nest(&DATA, 0)),
    field("CTA_TIMEOUT_USE", slot::USE, Form::Be32),
];

/// A timeout policy in the receive buffer.
#[derive(Clone, Debug)]
pub struct TimeoutPolicyAttributes<'a>(Fields<'a, { slot::COUNT }>);

impl<'a> TimeoutPolicyAttributes<'a> {
    /// Checks the body of a message: `struct nfgenmsg` and attributes.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self(Fields::parse(body, &POLICY)?))
    }

    /// `CTA_TIMEOUT_NAME` without its NUL. Any bytes, as its maker chose. The defaults have none.
    pub fn name(&self) -> Option<&'a [u8]> {
        self.0.bytes(slot::NAME).map(without_nul)
    }

    /// `CTA_TIMEOUT_L3PROTO`. The kernel does not check that it is a family.
    pub fn layer3(&self) -> Option<u16> {
        self.0.be16(slot::L3PROTO)
    }

    /// `CTA_TIMEOUT_L4PROTO`. 255 is the generic tracker.
    pub fn protocol(&self) -> Option<Protocol> {
        self.0.u8(slot::L4PROTO).map(Protocol::from)
    }

    /// `CTA_TIMEOUT_USE`: references, 1 for an unused policy.
    pub fn use_count(&self) -> Option<u32> {
        self.0.be32(slot::USE)
    }

    /// The timeouts in seconds, by the attribute number that the protocol gives each state.
    pub fn timeouts_s(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
        (1..).zip(1..MAX_TIMEOUTS).filter_map(|(number, slot)| Some((number, self.0.be32(slot)?)))
    }
}

/// What a policy or the defaults of a protocol say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimeoutValues {
    /// Family whose flows it is for. The defaults are the same for both.
    pub family: Family,
    /// Protocol whose flows it is for. 255 is the generic tracker.
    pub protocol: Protocol,
    /// Timeouts in seconds by attribute number, ascending. Those that a policy leaves out take the defaults of the
    /// namespace; a default that is left out stays as it is.
    pub timeouts_s: Vec<(u16, u32)>,
}

/// A request to this subsystem. Names have at most 31 bytes; the kernel refuses longer ones (EINVAL).
#[derive(Clone, Copy, Debug)]
pub enum TimeoutRequest<'a> {
    /// All policies: a dump.
    List,
    /// The policy of this name: a message, then the acknowledgement.
    Get(&'a [u8]),
    /// A new policy. One of that name is EBUSY, no timeout at all is EINVAL.
    Add {
        /// Its name.
        name: &'a [u8],
        /// What it says.
        values: &'a TimeoutValues,
    },
    /// Deletes the policy of this name. One that a rule uses is EBUSY.
    Delete(&'a [u8]),
    /// Deletes all policies that no rule uses.
    Flush,
    /// Changes the defaults of the network namespace.
    SetDefaults(&'a TimeoutValues),
    /// The defaults of a protocol: a message, then the acknowledgement.
    Defaults(Family, Protocol),
}

impl TimeoutRequest<'_> {
    pub(crate) fn message(&self) -> u8 {
        match self {
            Self::List | Self::Get(_) => message::GET,
            Self::Add { .. } => message::NEW,
            Self::Delete(_) | Self::Flush => message::DELETE,
            Self::SetDefaults(_) => message::DEFAULT_SET,
            Self::Defaults(..) => message::DEFAULT_GET,
        }
    }

    pub(crate) fn flags(&self) -> MessageFlags {
        match self {
            Self::List => MessageFlags::DUMP,
            Self::Add { .. } => MessageFlags::CREATE | MessageFlags::ACK,
            Self::Get(_)
            | Self::Delete(_)
            | Self::Flush
            | Self::SetDefaults(_)
            | Self::Defaults(..) => MessageFlags::ACK,
        }
    }

    pub(crate) fn write(&self, out: &mut MessageWriter<'_>) {
        match self {
            Self::List | Self::Flush => {}
            Self::Get(name) | Self::Delete(name) => out.terminated(number::NAME, name),
            Self::Add { name, values } => {
                out.terminated(number::NAME, name);
                write_values(out, values);
            }
            Self::SetDefaults(values) => write_values(out, values),
            Self::Defaults(family, protocol) => write_scope(out, *family, *protocol),
        }
    }
}

fn write_values(out: &mut MessageWriter<'_>, values: &TimeoutValues) {
    write_scope(out, values.family, values.protocol);
    // Without any timeout there is no nest, as with upstream.
    if !values.timeouts_s.is_empty() {
        out.nest(number::DATA, |out| {
            for (kind, seconds) in &values.timeouts_s {
                out.be32(*kind, *seconds);
            }
        });
    }
}

fn write_scope(out: &mut MessageWriter<'_>, family: Family, protocol: Protocol) {
    out.be16(number::L3PROTO, u16::from(family.number()));
    out.u8(number::L4PROTO, protocol.number());
}

#[cfg(test)]
mod tests;
