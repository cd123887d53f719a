//! Subsystem 9: helpers in user space (`NFCTH_*`, `linux/netfilter/nfnetlink_cthelper.h`).
//!
//! They are one registry for the whole machine, not one for each network namespace. A helper is told by its name,
//! family and protocol; the same name may stand for several of these.

use flow::{Family, Protocol};

use crate::DecodeError;
use crate::fields::{Field, Fields, Form, field, without_nul};
use crate::wire::{MessageFlags, MessageWriter};

/// A helper has at most so many policies (`NF_CT_MAX_EXPECT_CLASSES`).
const MAX_POLICIES: usize = 4;
/// Longest name (`NF_CT_HELPER_NAME_LEN` without the NUL).
const NAME_LEN: usize = 15;

/// Message numbers (`enum nfnl_cthelper_msg_types`).
mod message {
    pub(super) const NEW: u8 = 0;
    pub(super) const GET: u8 = 1;
    pub(super) const DELETE: u8 = 2;
}

mod number {
    pub(super) const NAME: u16 = 1;
    pub(super) const TUPLE: u16 = 2;
    pub(super) const QUEUE_NUM: u16 = 3;
    pub(super) const POLICY: u16 = 4;
    pub(super) const PRIV_DATA_LEN: u16 = 5;
    pub(super) const STATUS: u16 = 6;

    /// In the tuple.
    pub(super) const L3PROTONUM: u16 = 1;
    pub(super) const L4PROTONUM: u16 = 2;

    /// In the policies.
    pub(super) const SET_NUM: u16 = 1;
    pub(super) const SET1: u16 = 2;

    /// In a policy.
    pub(super) const POLICY_NAME: u16 = 1;
    pub(super) const EXPECT_MAX: u16 = 2;
    pub(super) const EXPECT_TIMEOUT: u16 = 3;
}

mod slot {
    pub(super) const NAME: usize = 0;
    pub(super) const TUPLE: usize = 1;
    pub(super) const L3PROTONUM: usize = 2;
    pub(super) const L4PROTONUM: usize = 3;
    pub(super) const QUEUE_NUM: usize = 4;
    pub(super) const POLICY: usize = 5;
    pub(super) const SET_NUM: usize = 6;
    pub(super) const PRIV_DATA_LEN: usize = 7;
    pub(super) const STATUS: usize = 8;
    /// The nest of a policy, its name, number and timeout: once for each policy.
    pub(super) const SETS: usize = 9;
    pub(super) const SET_LEN: usize = 4;
    pub(super) const COUNT: usize = SETS + SET_LEN * super::MAX_POLICIES;
}

static SET: [Option<Field>; 4] = [
    None,
    field("NFCTH_POLICY_NAME", 1, Form::Terminated(NAME_LEN)),
    field("NFCTH_POLICY_EXPECT_MAX", 2, Form::Be32),
    field("NFCTH_POLICY_EXPECT_TIMEOUT", 3, Form::Be32),
];

static POLICY: [Option<Field>; 6] = [
    None,
    field("NFCTH_POLICY_SET_NUM", slot::SET_NUM, Form::Be32),
    set("NFCTH_POLICY_SET1", 0),
    set("NFCTH_POLICY_SET2", 1),
    set("NFCTH_POLICY_SET3", 2),
    set("NFCTH_POLICY_SET4", 3),
];

const fn set(name: &'static str, position: usize) -> Option<Field> {
    let first = slot::SETS + slot::SET_LEN * position;
    field(name, first, Form::Nest(&SET, first))
}

static TUPLE: [Option<Field>; 3] = [
    None,
    field("NFCTH_TUPLE_L3PROTONUM", slot::L3PROTONUM, Form::Be16),
    field("NFCTH_TUPLE_L4PROTONUM", slot::L4PROTONUM, Form::U8),
];

static HELPER: [Option<Field>; 7] = [
    None,
    field("NFCTH_NAME", slot::NAME, Form::Terminated(NAME_LEN)),
    field("NFCTH_TUPLE", slot::TUPLE, Form::Nest(&TUPLE, 0)),
    field("NFCTH_QUEUE_NUM", slot::QUEUE_NUM, Form::Be32),
    field("NFCTH_POLICY", slot::POLICY, Form::Nest(&POLICY, 0)),
    field("NFCTH_PRIV_DATA_LEN", slot::PRIV_DATA_LEN, Form::Be32),
    field("NFCTH_STATUS", slot::STATUS, Form::Be32),
];

/// Whether packets are queued for a helper (`NFCT_HELPER_STATUS_*`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HelperStatus {
    /// Packets pass.
    Disabled,
    /// Packets of its connections go to its queue.
    Enabled,
    /// A number that has no name.
    Other(u32),
}

impl HelperStatus {
    /// `NFCTH_STATUS`.
    pub fn number(self) -> u32 {
        match self {
            Self::Disabled => 0,
            Self::Enabled => 1,
            Self::Other(number) => number,
        }
    }
}

impl From<u32> for HelperStatus {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::Disabled,
            1 => Self::Enabled,
            other => Self::Other(other),
        }
    }
}

/// What a class of a helper's expectations may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExpectPolicy<'a> {
    /// Name of the class, at most 15 bytes.
    pub name: &'a [u8],
    /// So many expectations a connection may have at once, at most 255.
    pub expect_max: u32,
    /// So long an expectation lasts, in seconds.
    pub expect_timeout_s: u32,
}

/// A helper in the receive buffer.
#[derive(Clone, Debug)]
pub struct HelperAttributes<'a>(Fields<'a, { slot::COUNT }>);

impl<'a> HelperAttributes<'a> {
    /// Checks the body of a message: `struct nfgenmsg` and attributes.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self(Fields::parse(body, &HELPER)?))
    }

    /// `NFCTH_NAME` without its NUL.
    pub fn name(&self) -> Option<&'a [u8]> {
        self.0.bytes(slot::NAME).map(without_nul)
    }

    /// `NFCTH_TUPLE_L3PROTONUM`. The kernel does not check that it is a family.
    pub fn layer3(&self) -> Option<u16> {
        self.0.be16(slot::L3PROTONUM)
    }

    /// `NFCTH_TUPLE_L4PROTONUM`.
    pub fn protocol(&self) -> Option<Protocol> {
        self.0.u8(slot::L4PROTONUM).map(Protocol::from)
    }

    /// `NFCTH_QUEUE_NUM`: where its packets go while it is enabled.
    pub fn queue(&self) -> Option<u32> {
        self.0.be32(slot::QUEUE_NUM)
    }

    /// `NFCTH_PRIV_DATA_LEN`: bytes that the kernel keeps for each of its connections.
    pub fn private_data_len(&self) -> Option<u32> {
        self.0.be32(slot::PRIV_DATA_LEN)
    }

    /// `NFCTH_STATUS`.
    pub fn status(&self) -> Option<HelperStatus> {
        self.0.be32(slot::STATUS).map(HelperStatus::from)
    }

    /// `NFCTH_POLICY_SET1` to `SET4`, as far as they are complete.
    pub fn policies(&self) -> impl Iterator<Item = ExpectPolicy<'a>> + '_ {
        (0..MAX_POLICIES).filter_map(|position| {
            let first = slot::SETS.checked_add(slot::SET_LEN.checked_mul(position)?)?;
            Some(ExpectPolicy {
                name: without_nul(self.0.bytes(first.checked_add(1)?)?),
                expect_max: self.0.be32(first.checked_add(2)?)?,
                expect_timeout_s: self.0.be32(first.checked_add(3)?)?,
            })
        })
    }
}

/// Which helpers are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HelperSelection<'a> {
    /// Their name, at most 15 bytes.
    pub name: &'a [u8],
    /// Family and protocol number. Protocol 0 is not "any": no helper has it.
    pub tuple: Option<(Family, u8)>,
}

/// A helper to register or change. What is `None` is not sent: the kernel needs it for a new helper, and leaves it as it
/// is otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HelperObject<'a> {
    /// Name, at most 15 bytes.
    pub name: &'a [u8],
    /// Family of its connections.
    pub family: Family,
    /// Protocol of its connections.
    pub protocol: Protocol,
    /// Where its packets go; 0 if a new helper has none.
    pub queue: Option<u16>,
    /// Bytes that the kernel is to keep for each connection, at most 32.
    pub private_data_len: Option<u32>,
    /// At most 4, and as many as before for a helper that exists. Empty: not sent.
    pub policies: &'a [ExpectPolicy<'a>],
    /// Whether its packets are queued.
    pub status: Option<HelperStatus>,
}

/// A request to this subsystem.
#[derive(Clone, Copy, Debug)]
pub enum HelperRequest<'a> {
    /// All helpers: a dump.
    List,
    /// The first that fits: a message, then the acknowledgement; or that alone if a tuple is given and none fits.
    Get(HelperSelection<'a>),
    /// Registers a helper, or changes it.
    Put(&'a HelperObject<'a>),
    /// Deletes all that fit. One in use is EBUSY.
    Delete(HelperSelection<'a>),
    /// Deletes all.
    Flush,
}

impl HelperRequest<'_> {
    pub(crate) fn message(&self) -> u8 {
        match self {
            Self::List | Self::Get(_) => message::GET,
            Self::Put(_) => message::NEW,
            Self::Delete(_) | Self::Flush => message::DELETE,
        }
    }

    pub(crate) fn flags(&self) -> MessageFlags {
        match self {
            Self::List => MessageFlags::DUMP,
            Self::Put(_) => MessageFlags::CREATE | MessageFlags::ACK,
            Self::Get(_) | Self::Delete(_) | Self::Flush => MessageFlags::ACK,
        }
    }

    pub(crate) fn write(&self, out: &mut MessageWriter<'_>) {
        match self {
            Self::List | Self::Flush => {}
            Self::Get(selection) | Self::Delete(selection) => {
                out.terminated(number::NAME, selection.name);
                if let Some((family, protocol)) = selection.tuple {
                    write_tuple(out, family, protocol);
                }
            }
            Self::Put(helper) => write_object(out, helper),
        }
    }
}

fn write_object(out: &mut MessageWriter<'_>, helper: &HelperObject<'_>) {
    out.terminated(number::NAME, helper.name);
    if let Some(queue) = helper.queue {
        out.be32(number::QUEUE_NUM, u32::from(queue));
    }
    if let Some(len) = helper.private_data_len {
        out.be32(number::PRIV_DATA_LEN, len);
    }
    write_tuple(out, helper.family, helper.protocol.number());
    if !helper.policies.is_empty() {
        out.nest(number::POLICY, |out| {
            let mut count = 0;
            for (kind, policy) in (number::SET1..).zip(helper.policies.iter().take(MAX_POLICIES)) {
                out.nest(kind, |out| {
                    out.terminated(number::POLICY_NAME, policy.name);
                    out.be32(number::EXPECT_MAX, policy.expect_max);
                    out.be32(number::EXPECT_TIMEOUT, policy.expect_timeout_s);
                });
                count += 1;
            }
            out.be32(number::SET_NUM, count);
        });
    }
    if let Some(status) = helper.status {
        out.be32(number::STATUS, status.number());
    }
}

fn write_tuple(out: &mut MessageWriter<'_>, family: Family, protocol: u8) {
    out.nest(number::TUPLE, |out| {
        out.be16(number::L3PROTONUM, u16::from(family.number()));
        out.u8(number::L4PROTONUM, protocol);
    });
}

#[cfg(test)]
mod tests;
