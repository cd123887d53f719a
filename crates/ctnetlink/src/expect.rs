//! Subsystem 2: expectations (`CTA_EXPECT_*`, `linux/netfilter/nfnetlink_conntrack.h`).

use flow::{
    Direction, Expectation, ExpectationFlags, ExpectationId, ExpectationNat, HelperName,
    PartialTuple, Tuple, Zone,
};

use crate::DecodeError;
use crate::conntrack::tuple::{self, TupleReader};
use crate::fields::{Field, Fields, Form, field};
use crate::wire::{MessageWriter, RawMessage};

mod number {
    pub(super) const MASTER: u16 = 1;
    pub(super) const TUPLE: u16 = 2;
    pub(super) const MASK: u16 = 3;
    pub(super) const TIMEOUT: u16 = 4;
    pub(super) const ID: u16 = 5;
    pub(super) const HELP_NAME: u16 = 6;
    pub(super) const ZONE: u16 = 7;
    pub(super) const FLAGS: u16 = 8;
    pub(super) const CLASS: u16 = 9;
    pub(super) const NAT: u16 = 10;
    pub(super) const FN: u16 = 11;

    pub(super) const NAT_DIR: u16 = 1;
    pub(super) const NAT_TUPLE: u16 = 2;
}

mod slot {
    use super::tuple::SLOTS;

    pub(super) const MASTER: usize = 0;
    pub(super) const TUPLE: usize = SLOTS;
    pub(super) const MASK: usize = 2 * SLOTS;
    pub(super) const NAT_TUPLE: usize = 3 * SLOTS;
    const SINGLE: usize = 4 * SLOTS;
    pub(super) const TIMEOUT: usize = SINGLE;
    pub(super) const ID: usize = SINGLE + 1;
    pub(super) const HELP_NAME: usize = SINGLE + 2;
    pub(super) const ZONE: usize = SINGLE + 3;
    pub(super) const FLAGS: usize = SINGLE + 4;
    pub(super) const CLASS: usize = SINGLE + 5;
    pub(super) const FN: usize = SINGLE + 6;
    pub(super) const NAT: usize = SINGLE + 7;
    pub(super) const NAT_DIR: usize = SINGLE + 8;
    pub(super) const HAS_NAT_TUPLE: usize = SINGLE + 9;
    pub(super) const HAS_MASTER: usize = SINGLE + 10;
    pub(super) const HAS_TUPLE: usize = SINGLE + 11;
    pub(super) const HAS_MASK: usize = SINGLE + 12;
    pub(super) const COUNT: usize = SINGLE + 13;
}

static NAT: [Option<Field>; 3] = [
    None,
    field("CTA_EXPECT_NAT_DIR", slot::NAT_DIR, Form::Be32),
    field("CTA_EXPECT_NAT_TUPLE", slot::HAS_NAT_TUPLE, tuple::form(slot::NAT_TUPLE)),
];

static EXPECTATION: [Option<Field>; 12] = [
    None,
    field("CTA_EXPECT_MASTER", slot::HAS_MASTER, tuple::form(slot::MASTER)),
    field("CTA_EXPECT_TUPLE", slot::HAS_TUPLE, tuple::form(slot::TUPLE)),
    field("CTA_EXPECT_MASK", slot::HAS_MASK, tuple::form(slot::MASK)),
    field("CTA_EXPECT_TIMEOUT", slot::TIMEOUT, Form::Be32),
    field("CTA_EXPECT_ID", slot::ID, Form::Be32),
    field("CTA_EXPECT_HELP_NAME", slot::HELP_NAME, Form::Text(15)),
    field("CTA_EXPECT_ZONE", slot::ZONE, Form::Be16),
    field("CTA_EXPECT_FLAGS", slot::FLAGS, Form::Be32),
    field("CTA_EXPECT_CLASS", slot::CLASS, Form::Be32),
    field("CTA_EXPECT_NAT", slot::NAT, Form::Nest(&NAT, 0)),
    field("CTA_EXPECT_FN", slot::FN, Form::Text(usize::MAX)),
];

/// The attributes of a message about an expectation, every length checked.
#[derive(Clone, Debug)]
pub struct ExpectationAttributes<'a>(Fields<'a, { slot::COUNT }>);

impl<'a> ExpectationAttributes<'a> {
    /// Checks the body of a message: `struct nfgenmsg` and attributes.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self(Fields::parse(body, &EXPECTATION)?))
    }

    fn whole(&self, base: usize, name: &'static str) -> Result<Tuple, DecodeError> {
        TupleReader { fields: &self.0, base }.whole(name)
    }

    /// The expectation. Tuple, mask and master must be there.
    pub fn to_expectation(&self) -> Result<Expectation, DecodeError> {
        let nat = if self.0.has(slot::NAT) {
            let direction = match self.0.be32(slot::NAT_DIR) {
                Some(0) => Direction::Original,
                Some(_) => Direction::Reply,
                None => {
                    return Err(DecodeError::Missing {
                        attribute: "CTA_EXPECT_NAT",
                        missing: "CTA_EXPECT_NAT_DIR",
                    });
                }
            };
            let tuple = self.whole(slot::NAT_TUPLE, "CTA_EXPECT_NAT_TUPLE")?;
            Some(ExpectationNat { direction, tuple })
        } else {
            None
        };
        Ok(Expectation {
            tuple: self.whole(slot::TUPLE, "CTA_EXPECT_TUPLE")?,
            mask: self.whole(slot::MASK, "CTA_EXPECT_MASK")?,
            master: self.whole(slot::MASTER, "CTA_EXPECT_MASTER")?,
            nat,
            timeout_s: self.0.be32(slot::TIMEOUT),
            id: self.0.be32(slot::ID).map(ExpectationId),
            zone: self.0.be16(slot::ZONE).map(Zone),
            flags: self.0.be32(slot::FLAGS).map(ExpectationFlags::from_bits_retain),
            class: self.0.be32(slot::CLASS),
            helper: self.0.text(slot::HELP_NAME).and_then(|name| HelperName::from(name).ok()),
            function: self.0.text(slot::FN).map(str::to_owned),
        })
    }
}

/// What a request says of an expectation. What is `None` or empty is not sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExpectationRequest {
    /// Family of the header.
    pub family: Option<flow::Family>,
    /// `CTA_EXPECT_TUPLE`.
    pub tuple: PartialTuple,
    /// `CTA_EXPECT_MASK`.
    pub mask: PartialTuple,
    /// `CTA_EXPECT_MASTER`.
    pub master: PartialTuple,
    /// `CTA_EXPECT_ZONE`.
    pub zone: Option<Zone>,
    /// `CTA_EXPECT_TIMEOUT`. The kernel ignores it when it creates: the helper's policy rules.
    pub timeout_s: Option<u32>,
    /// `CTA_EXPECT_FLAGS`.
    pub flags: Option<ExpectationFlags>,
    /// `CTA_EXPECT_CLASS`.
    pub class: Option<u32>,
    /// `CTA_EXPECT_HELP_NAME`.
    pub helper: Option<HelperName>,
    /// `CTA_EXPECT_NAT`.
    pub nat: Option<ExpectationNat>,
    /// `CTA_EXPECT_FN`.
    pub function: Option<String>,
    /// `CTA_EXPECT_ID`.
    pub id: Option<ExpectationId>,
}

impl From<&Expectation> for ExpectationRequest {
    fn from(expectation: &Expectation) -> Self {
        Self {
            family: Some(expectation.tuple.addresses.family()),
            tuple: expectation.tuple.into(),
            mask: expectation.mask.into(),
            master: expectation.master.into(),
            zone: expectation.zone,
            timeout_s: expectation.timeout_s,
            flags: expectation.flags,
            class: expectation.class,
            helper: expectation.helper,
            nat: expectation.nat,
            function: expectation.function.clone(),
            id: expectation.id,
        }
    }
}

/// Writes the attributes of an expectation.
pub fn encode_expectation(out: &mut MessageWriter<'_>, request: &ExpectationRequest) {
    for (kind, tuple) in [
        (number::TUPLE, &request.tuple),
        (number::MASK, &request.mask),
        (number::MASTER, &request.master),
    ] {
        if !tuple.is_empty() {
            tuple::write(out, kind, tuple, None);
        }
    }
    for (kind, value) in [
        (number::TIMEOUT, request.timeout_s),
        (number::FLAGS, request.flags.map(|flags| flags.bits())),
        (number::CLASS, request.class),
        (number::ID, request.id.map(|id| id.0)),
    ] {
        if let Some(value) = value {
            out.be32(kind, value);
        }
    }
    if let Some(helper) = &request.helper {
        out.text(number::HELP_NAME, helper);
    }
    if let Some(nat) = &request.nat {
        out.nest(number::NAT, |out| {
            out.be32(number::NAT_DIR, u32::from(nat.direction == Direction::Reply));
            tuple::write(out, number::NAT_TUPLE, &nat.tuple.into(), None);
        });
    }
    if let Some(function) = &request.function {
        out.text(number::FN, function);
    }
    if let Some(zone) = request.zone {
        out.be16(number::ZONE, zone.0);
    }
}

static STATISTICS: [Option<Field>; 4] = [
    None,
    field("CTA_STATS_EXP_NEW", 0, Form::Be32),
    field("CTA_STATS_EXP_CREATE", 1, Form::Be32),
    field("CTA_STATS_EXP_DELETE", 2, Form::Be32),
];

/// Expectation counters of one CPU.
///
/// The kernel sends them as message 3 of subsystem 1, not of subsystem 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExpectationStatistics {
    /// Number of the CPU.
    pub cpu: u16,
    /// Inserted.
    pub new: Option<u32>,
    /// Made.
    pub create: Option<u32>,
    /// Removed.
    pub delete: Option<u32>,
}

impl ExpectationStatistics {
    /// Reads an answer to `IPCTNL_MSG_EXP_GET_STATS_CPU`.
    pub fn parse(message: &RawMessage<'_>) -> Result<Self, DecodeError> {
        let cpu = message.netfilter_header()?.resource_id;
        let fields = Fields::<3>::parse(message.body, &STATISTICS)?;
        Ok(Self { cpu, new: fields.be32(0), create: fields.be32(1), delete: fields.be32(2) })
    }

    /// The counters that are there, with their names.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [("expect_new", self.new), ("expect_create", self.create), ("expect_delete", self.delete)]
            .into_iter()
            .filter_map(|(name, counter)| Some((name, counter?)))
    }
}
