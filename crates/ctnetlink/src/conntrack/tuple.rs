//! Tuples on the wire (`CTA_TUPLE_*`, `CTA_IP_*`, `CTA_PROTO_*`), shared by flows and expectations.
//!
//! ```text
//! TUPLE_x { 1 IP { 1 V4_SRC, 2 V4_DST | 3 V6_SRC, 4 V6_DST }
//!           2 PROTO { 1 NUM, 2 SRC_PORT, 3 DST_PORT | 4 ICMP_ID, 5 _TYPE, 6 _CODE | 7 ICMPV6_ID, 8 _TYPE, 9 _CODE }
//!           3 ZONE }
//! ```

use std::net::IpAddr;

use flow::{AddressPair, IcmpKey, L4Key, PartialTuple, Ports, Protocol, Tuple, Zone};

use crate::DecodeError;
use crate::fields::{Fields, Form, Table, field};
use crate::wire::MessageWriter;

const IP: u16 = 1;
const PROTO: u16 = 2;
const ZONE: u16 = 3;

/// Slots of one tuple, counted from its base.
mod slot {
    pub(super) const V4_SRC: usize = 0;
    pub(super) const V4_DST: usize = 1;
    pub(super) const V6_SRC: usize = 2;
    pub(super) const V6_DST: usize = 3;
    pub(super) const NUM: usize = 4;
    pub(super) const SRC_PORT: usize = 5;
    pub(super) const DST_PORT: usize = 6;
    pub(super) const ICMP_ID: usize = 7;
    pub(super) const ICMP_TYPE: usize = 8;
    pub(super) const ICMP_CODE: usize = 9;
    pub(super) const ICMPV6_ID: usize = 10;
    pub(super) const ICMPV6_TYPE: usize = 11;
    pub(super) const ICMPV6_CODE: usize = 12;
    pub(super) const ZONE: usize = 13;
    pub(super) const IP: usize = 14;
    pub(super) const PROTO: usize = 15;
}

/// How many slots a tuple takes.
pub(crate) const SLOTS: usize = 16;

static IP_TABLE: [Option<crate::fields::Field>; 5] = [
    None,
    field("CTA_IP_V4_SRC", slot::V4_SRC, Form::V4),
    field("CTA_IP_V4_DST", slot::V4_DST, Form::V4),
    field("CTA_IP_V6_SRC", slot::V6_SRC, Form::V6),
    field("CTA_IP_V6_DST", slot::V6_DST, Form::V6),
];

static PROTO_TABLE: [Option<crate::fields::Field>; 10] = [
    None,
    field("CTA_PROTO_NUM", slot::NUM, Form::U8),
    field("CTA_PROTO_SRC_PORT", slot::SRC_PORT, Form::Be16),
    field("CTA_PROTO_DST_PORT", slot::DST_PORT, Form::Be16),
    field("CTA_PROTO_ICMP_ID", slot::ICMP_ID, Form::Be16),
    field("CTA_PROTO_ICMP_TYPE", slot::ICMP_TYPE, Form::U8),
    field("CTA_PROTO_ICMP_CODE", slot::ICMP_CODE, Form::U8),
    field("CTA_PROTO_ICMPV6_ID", slot::ICMPV6_ID, Form::Be16),
    field("CTA_PROTO_ICMPV6_TYPE", slot::ICMPV6_TYPE, Form::U8),
    field("CTA_PROTO_ICMPV6_CODE", slot::ICMPV6_CODE, Form::U8),
];

static TUPLE_TABLE: [Option<crate::fields::Field>; 4] = [
    None,
    field("CTA_TUPLE_IP", slot::IP, Form::Nest(&IP_TABLE, 0)),
    field("CTA_TUPLE_PROTO", slot::PROTO, Form::Nest(&PROTO_TABLE, 0)),
    field("CTA_TUPLE_ZONE", slot::ZONE, Form::Be16),
];

/// The form of a tuple whose slots begin at `base`.
pub(crate) const fn form(base: usize) -> Form {
    Form::Nest(&TUPLE_TABLE as Table, base)
}

/// Reads one tuple out of the slots from `base` on.
pub(crate) struct TupleReader<'f, 'a, const N: usize> {
    pub(crate) fields: &'f Fields<'a, N>,
    pub(crate) base: usize,
}

impl<const N: usize> TupleReader<'_, '_, N> {
    /// `CTA_TUPLE_ZONE`.
    pub(crate) fn zone(&self) -> Option<Zone> {
        self.fields.be16(self.base + slot::ZONE).map(Zone)
    }

    fn src(&self) -> Option<IpAddr> {
        let v4 = self.fields.v4(self.base + slot::V4_SRC).map(IpAddr::from);
        v4.or_else(|| self.fields.v6(self.base + slot::V6_SRC).map(IpAddr::from))
    }

    fn dst(&self) -> Option<IpAddr> {
        let v4 = self.fields.v4(self.base + slot::V4_DST).map(IpAddr::from);
        v4.or_else(|| self.fields.v6(self.base + slot::V6_DST).map(IpAddr::from))
    }

    fn protocol(&self) -> Option<Protocol> {
        self.fields.u8(self.base + slot::NUM).map(Protocol::from)
    }

    /// Whatever parts are there.
    pub(crate) fn partial(&self) -> PartialTuple {
        let (fields, base) = (self.fields, self.base);
        PartialTuple {
            src: self.src(),
            dst: self.dst(),
            protocol: self.protocol(),
            src_port: fields.be16(base + slot::SRC_PORT),
            dst_port: fields.be16(base + slot::DST_PORT),
            icmp_kind: fields
                .u8(base + slot::ICMP_TYPE)
                .or_else(|| fields.u8(base + slot::ICMPV6_TYPE)),
            icmp_code: fields
                .u8(base + slot::ICMP_CODE)
                .or_else(|| fields.u8(base + slot::ICMPV6_CODE)),
            icmp_id: fields
                .be16(base + slot::ICMP_ID)
                .or_else(|| fields.be16(base + slot::ICMPV6_ID)),
        }
    }

    /// The whole tuple. `attribute` names it in the error.
    pub(crate) fn whole(&self, attribute: &'static str) -> Result<Tuple, DecodeError> {
        let missing = |missing| DecodeError::Missing { attribute, missing };
        let (fields, base) = (self.fields, self.base);
        let v4 = (fields.v4(base + slot::V4_SRC), fields.v4(base + slot::V4_DST));
        let v6 = (fields.v6(base + slot::V6_SRC), fields.v6(base + slot::V6_DST));
        let addresses = match (v4, v6) {
            ((Some(src), Some(dst)), (None, None)) => AddressPair::V4 { src, dst },
            ((None, None), (Some(src), Some(dst))) => AddressPair::V6 { src, dst },
            _ => return Err(missing("a pair of addresses (CTA_IP_*) of one family")),
        };
        let protocol = self.protocol().ok_or_else(|| missing("CTA_PROTO_NUM"))?;
        Ok(Tuple { addresses, protocol, key: self.key(protocol, attribute)? })
    }

    /// The key that the protocol's tracker uses; none if the kernel has no such tracker, see [`Tuple`].
    ///
    /// Attributes of another protocol's key do not count, as in the kernel.
    fn key(&self, protocol: Protocol, attribute: &'static str) -> Result<L4Key, DecodeError> {
        match protocol {
            Protocol::Icmp => {
                let at = [slot::ICMP_TYPE, slot::ICMP_CODE, slot::ICMP_ID];
                Ok(self.icmp(at, attribute)?.map_or(L4Key::None, L4Key::Icmp))
            }
            Protocol::Icmpv6 => {
                let at = [slot::ICMPV6_TYPE, slot::ICMPV6_CODE, slot::ICMPV6_ID];
                Ok(self.icmp(at, attribute)?.map_or(L4Key::None, L4Key::Icmpv6))
            }
            _ => {
                let port = |slot| self.fields.be16(self.base + slot);
                match (port(slot::SRC_PORT), port(slot::DST_PORT)) {
                    (Some(src), Some(dst)) => Ok(L4Key::Ports(Ports { src, dst })),
                    (None, None) => Ok(L4Key::None),
                    _ => Err(incomplete(attribute)),
                }
            }
        }
    }

    fn icmp(
        &self,
        [kind, code, id]: [usize; 3],
        attribute: &'static str,
    ) -> Result<Option<IcmpKey>, DecodeError> {
        let byte = |slot| self.fields.u8(self.base + slot);
        match (byte(kind), byte(code), self.fields.be16(self.base + id)) {
            (Some(kind), Some(code), Some(id)) => Ok(Some(IcmpKey { kind, code, id })),
            (None, None, None) => Ok(None),
            _ => Err(incomplete(attribute)),
        }
    }
}

fn incomplete(attribute: &'static str) -> DecodeError {
    DecodeError::Missing { attribute, missing: "a part of CTA_TUPLE_PROTO" }
}

/// Writes a tuple as the attribute `kind`. Parts that are not given are left out, and nests that would be empty.
pub(crate) fn write(
    out: &mut MessageWriter<'_>,
    kind: u16,
    tuple: &PartialTuple,
    zone: Option<Zone>,
) {
    out.nest(kind, |out| {
        if tuple.src.is_some() || tuple.dst.is_some() {
            out.nest(IP, |out| {
                write_address(out, tuple.src, 1, 3);
                write_address(out, tuple.dst, 2, 4);
            });
        }
        if has_protocol_part(tuple) {
            out.nest(PROTO, |out| write_protocol(out, tuple));
        }
        if let Some(zone) = zone {
            out.be16(ZONE, zone.0);
        }
    });
}

fn has_protocol_part(tuple: &PartialTuple) -> bool {
    let PartialTuple {
        src: _,
        dst: _,
        protocol,
        src_port,
        dst_port,
        icmp_kind,
        icmp_code,
        icmp_id,
    } = *tuple;
    protocol.is_some()
        || src_port.or(dst_port).or(icmp_id).is_some()
        || icmp_kind.or(icmp_code).is_some()
}

fn write_address(out: &mut MessageWriter<'_>, address: Option<IpAddr>, v4: u16, v6: u16) {
    match address {
        Some(IpAddr::V4(address)) => out.word(v4, address.octets()),
        Some(IpAddr::V6(address)) => out.bytes(v6, &address.octets()),
        None => {}
    }
}

fn write_protocol(out: &mut MessageWriter<'_>, tuple: &PartialTuple) {
    if let Some(protocol) = tuple.protocol {
        out.u8(1, protocol.number());
    }
    for (kind, port) in [(2, tuple.src_port), (3, tuple.dst_port)] {
        if let Some(port) = port {
            out.be16(kind, port);
        }
    }
    let first = if tuple.protocol == Some(Protocol::Icmpv6) { 7 } else { 4 };
    if let Some(id) = tuple.icmp_id {
        out.be16(first, id);
    }
    for (kind, value) in [(first + 1, tuple.icmp_kind), (first + 2, tuple.icmp_code)] {
        if let Some(value) = value {
            out.u8(kind, value);
        }
    }
}
