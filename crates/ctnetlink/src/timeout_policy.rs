//! Subsystem 8: timeout policies (`CTA_TIMEOUT_*`, `linux/netfilter/nfnetlink_cttimeout.h`).

use flow::{Family, Protocol};

use crate::DecodeError;
use crate::fields::{Field, Fields, Form, field, numbers};
use crate::wire::MessageWriter;

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
    field("CTA_TIMEOUT_NAME", slot::NAME, Form::Text(31)),
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

    /// `CTA_TIMEOUT_NAME`. The defaults have none.
    pub fn name(&self) -> Option<&'a str> {
        self.0.text(slot::NAME)
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

/// A timeout policy to set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimeoutPolicyRequest {
    /// Name, at most 31 bytes.
    pub name: String,
    /// Family whose flows it is for.
    pub family: Family,
    /// Protocol whose flows it is for.
    pub protocol: Protocol,
    /// Timeouts in seconds by attribute number. Absent ones take the defaults of the namespace.
    pub timeouts_s: Vec<(u16, u32)>,
}

pub(crate) fn write(out: &mut MessageWriter<'_>, request: &TimeoutPolicyRequest) {
    out.text(number::NAME, &request.name);
    out.be16(number::L3PROTO, u16::from(request.family.number()));
    out.u8(number::L4PROTO, request.protocol.number());
    out.nest(number::DATA, |out| {
        for (kind, seconds) in &request.timeouts_s {
            out.be32(*kind, *seconds);
        }
    });
}
