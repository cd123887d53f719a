//! Expectations on the wire: types 3, 4 and 5.
//!
//! Whether tuples have ports is decided by the protocol of the master. Numbers, order and conditions of the attributes:
//! docs/sync-protocol.md, "Expectations".

use arrayvec::ArrayString;
use flow::{
    AddressPair, Direction, EventKind, Expectation, ExpectationFlags, ExpectationNat, Family,
    HelperName, L4Key, Ports, Protocol, Tuple,
};

use super::record::{
    carries_ports, one_family, recorded_name, write_addresses, write_be32, write_ports,
};
use super::{
    Attribute, Attributes, DecodeError, Kind, MessageWriter, RecordName, SentParts, Stamp,
};

/// Name of the function that prepares the expected flow: at most 27 bytes. Upstream rejects a message with a longer one.
pub type FunctionName = ArrayString<27>;

const TIMEOUT: u16 = 12;
const FLAGS: u16 = 13;
const CLASS: u16 = 14;
const NAT_IPV4: u16 = 15;
const NAT_PORT: u16 = 16;
const NAT_L4PROTO: u16 = 17;
const NAT_DIR: u16 = 18;
const HELPER_NAME: u16 = 19;
const FN: u16 = 20;

/// Numbers of the attributes of a tuple.
struct TupleNumbers {
    ipv4: u16,
    ipv6: u16,
    protocol: u16,
    ports: u16,
}

const MASTER: TupleNumbers = TupleNumbers { ipv4: 0, ipv6: 1, protocol: 2, ports: 3 };
const EXPECTED: TupleNumbers = TupleNumbers { ipv4: 4, ipv6: 5, protocol: 6, ports: 7 };
const MASK: TupleNumbers = TupleNumbers { ipv4: 8, ipv6: 9, protocol: 10, ports: 11 };

/// How the expected flow is to be translated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExpectationNatRecord {
    /// IPv4 addresses. The protocol has no place for others, so over IPv6 they are lost.
    pub addresses: Option<AddressPair>,
    /// Protocol of the tuple.
    pub protocol: Protocol,
    /// Its ports, if the master has ports.
    pub ports: Option<Ports>,
    /// The direction of the master that the expected flow has.
    pub direction: Direction,
}

/// What a message says of an expectation. What it does not say is `None`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpectationRecord {
    /// Original tuple of the flow that it belongs to (`MASTER_*`).
    pub master: Tuple,
    /// The expected original tuple (`EXPECT_*`).
    pub tuple: Tuple,
    /// Which bits of it count (`MASK_*`).
    pub mask: Tuple,
    /// `TIMEOUT`, seconds.
    pub timeout_s: Option<u32>,
    /// `FLAGS`.
    pub flags: Option<ExpectationFlags>,
    /// `CLASS`.
    pub class: Option<u32>,
    /// `NAT_*`.
    pub nat: Option<ExpectationNatRecord>,
    /// `HELPER_NAME`.
    pub helper: Option<RecordName>,
    /// `FN`.
    pub function: Option<FunctionName>,
}

impl ExpectationRecord {
    /// What is sent of an expectation. Names that upstream would not take are left out.
    pub fn from_expectation(expectation: &Expectation, parts: SentParts) -> Self {
        let has_ports = carries_ports(expectation.master.protocol);
        let sent = |tuple: Tuple| Tuple { key: sent_key(&tuple, has_ports), ..tuple };
        Self {
            master: sent(expectation.master),
            tuple: sent(expectation.tuple),
            mask: sent(expectation.mask),
            timeout_s: expectation.timeout_s.filter(|_| parts.timeout),
            flags: Some(expectation.flags.unwrap_or_default()),
            class: expectation.class,
            nat: expectation.nat.map(|nat| ExpectationNatRecord {
                addresses: Some(nat.tuple.addresses)
                    .filter(|addresses| addresses.family() == Family::Ipv4),
                protocol: nat.tuple.protocol,
                ports: has_ports.then(|| nat.tuple.key.ports().unwrap_or_default()),
                direction: nat.direction,
            }),
            helper: expectation.helper.as_deref().and_then(recorded_name),
            function: expectation.function.as_deref().and_then(recorded_name),
        }
    }

    /// The expectation to put into the kernel's table, with this timeout.
    ///
    /// A translation over IPv6 is lost, as its addresses were never sent.
    pub fn restore(&self, timeout_s: Option<u32>) -> Expectation {
        let nat = self.nat.and_then(|nat| {
            let key = nat.ports.map_or(L4Key::None, L4Key::Ports);
            let tuple = Tuple { addresses: nat.addresses?, protocol: nat.protocol, key };
            Some(ExpectationNat { direction: nat.direction, tuple })
        });
        let known =
            ExpectationFlags::PERMANENT | ExpectationFlags::INACTIVE | ExpectationFlags::USERSPACE;
        Expectation {
            tuple: self.tuple,
            mask: self.mask,
            master: self.master,
            nat,
            timeout_s,
            id: None,
            zone: None,
            flags: self.flags.map(|flags| flags & known),
            class: self.class,
            helper: self.helper.and_then(|name| HelperName::from(&name).ok()),
            function: self.function.map(|name| name.as_str().to_owned()),
        }
    }

    /// Appends the message that says this of an expectation.
    pub fn encode(&self, event: EventKind, stamp: Stamp, out: &mut Vec<u8>) {
        let mut message = MessageWriter::begin(out, stamp.header(Kind::Expectation(event)));
        for (numbers, tuple) in
            [(MASTER, &self.master), (EXPECTED, &self.tuple), (MASK, &self.mask)]
        {
            write_addresses(&mut message, numbers.ipv4, numbers.ipv6, tuple.addresses);
            message.u8(numbers.protocol, tuple.protocol.number());
            if let L4Key::Ports(ports) = tuple.key {
                write_ports(&mut message, numbers.ports, ports);
            }
        }
        write_be32(&mut message, TIMEOUT, self.timeout_s);
        write_be32(&mut message, FLAGS, self.flags.map(|flags| flags.bits()));
        write_be32(&mut message, CLASS, self.class);
        if let Some(nat) = self.nat {
            if let Some(AddressPair::V4 { src, dst }) = nat.addresses {
                message.pair(NAT_IPV4, &src.octets(), &dst.octets());
            }
            message.u8(NAT_L4PROTO, nat.protocol.number());
            if let Some(ports) = nat.ports {
                write_ports(&mut message, NAT_PORT, ports);
            }
            message.be32(NAT_DIR, number_of(nat.direction));
        }
        if let Some(helper) = &self.helper {
            message.text(HELPER_NAME, helper);
        }
        if let Some(function) = &self.function {
            message.text(FN, function);
        }
        message.finish();
    }

    /// Reads the body of a message about an expectation.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::default();
        for attribute in Attributes::new(body) {
            fields.take(&attribute?)?;
        }
        fields.finish()
    }
}

fn sent_key(tuple: &Tuple, has_ports: bool) -> L4Key {
    if has_ports { L4Key::Ports(tuple.key.ports().unwrap_or_default()) } else { L4Key::None }
}

/// As the kernel numbers them.
fn number_of(direction: Direction) -> u32 {
    match direction {
        Direction::Original => 0,
        Direction::Reply => 1,
    }
}

/// Attributes that were read.
#[derive(Default)]
struct Fields {
    master: TupleFields,
    tuple: TupleFields,
    mask: TupleFields,
    timeout_s: Option<u32>,
    flags: Option<ExpectationFlags>,
    class: Option<u32>,
    nat: TupleFields,
    nat_direction: Option<Direction>,
    helper: Option<RecordName>,
    function: Option<FunctionName>,
    family: Option<Family>,
}

/// Parts of a tuple that were read.
#[derive(Default)]
struct TupleFields {
    addresses: Option<AddressPair>,
    protocol: Option<Protocol>,
    ports: Option<Ports>,
}

impl Fields {
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), DecodeError> {
        match attribute.number {
            0..=3 => self.master.take(attribute, &MASTER, &mut self.family)?,
            4..=7 => self.tuple.take(attribute, &EXPECTED, &mut self.family)?,
            8..=11 => self.mask.take(attribute, &MASK, &mut self.family)?,
            TIMEOUT => self.timeout_s = Some(attribute.be32()?),
            FLAGS => {
                self.flags = Some(ExpectationFlags::from_bits_retain(attribute.be32()?));
            }
            CLASS => self.class = Some(attribute.be32()?),
            NAT_IPV4 => {
                one_family(&mut self.family, Family::Ipv4, attribute)?;
                self.nat.addresses = Some(attribute.ipv4_pair()?);
            }
            NAT_PORT => self.nat.ports = Some(attribute.ports()?),
            NAT_L4PROTO => self.nat.protocol = Some(attribute.u8()?.into()),
            NAT_DIR => {
                self.nat_direction = Some(match attribute.be32()? {
                    0 => Direction::Original,
                    1 => Direction::Reply,
                    other => return Err(attribute.out_of_range(other, 1)),
                });
            }
            HELPER_NAME => self.helper = attribute.text()?,
            FN => self.function = attribute.text()?,
            _ => return Err(attribute.unknown()),
        }
        Ok(())
    }

    fn finish(self) -> Result<ExpectationRecord, DecodeError> {
        let nat = self.nat()?;
        let master_protocol =
            self.master.protocol.ok_or(DecodeError::Missing { number: MASTER.protocol })?;
        let has_ports = carries_ports(master_protocol);
        Ok(ExpectationRecord {
            master: self.master.finish(&MASTER, has_ports)?,
            tuple: self.tuple.finish(&EXPECTED, has_ports)?,
            mask: self.mask.finish(&MASK, has_ports)?,
            timeout_s: self.timeout_s,
            flags: self.flags,
            class: self.class,
            nat,
            helper: self.helper,
            function: self.function,
        })
    }

    /// The translation: all of it or nothing, but for addresses over IPv6.
    fn nat(&self) -> Result<Option<ExpectationNatRecord>, DecodeError> {
        let TupleFields { addresses, protocol, ports } = self.nat;
        let missing = |number| DecodeError::Missing { number };
        let direction = self.nat_direction;
        if addresses.is_none() && protocol.is_none() && ports.is_none() && direction.is_none() {
            return Ok(None);
        }
        if addresses.is_none() && self.family == Some(Family::Ipv4) {
            return Err(missing(NAT_IPV4));
        }
        let protocol = protocol.ok_or(missing(NAT_L4PROTO))?;
        let direction = direction.ok_or(missing(NAT_DIR))?;
        if ports.is_none() && self.master.protocol.is_some_and(carries_ports) {
            return Err(missing(NAT_PORT));
        }
        Ok(Some(ExpectationNatRecord { addresses, protocol, ports, direction }))
    }
}

impl TupleFields {
    fn take(
        &mut self,
        attribute: &Attribute<'_>,
        numbers: &TupleNumbers,
        family: &mut Option<Family>,
    ) -> Result<(), DecodeError> {
        if attribute.number == numbers.ipv4 {
            one_family(family, Family::Ipv4, attribute)?;
            self.addresses = Some(attribute.ipv4_pair()?);
        } else if attribute.number == numbers.ipv6 {
            one_family(family, Family::Ipv6, attribute)?;
            self.addresses = Some(attribute.ipv6_pair()?);
        } else if attribute.number == numbers.protocol {
            self.protocol = Some(attribute.u8()?.into());
        } else {
            self.ports = Some(attribute.ports()?);
        }
        Ok(())
    }

    fn finish(self, numbers: &TupleNumbers, has_ports: bool) -> Result<Tuple, DecodeError> {
        let missing = |number| DecodeError::Missing { number };
        let addresses = self.addresses.ok_or(missing(numbers.ipv4))?;
        let protocol = self.protocol.ok_or(missing(numbers.protocol))?;
        if has_ports && self.ports.is_none() {
            return Err(missing(numbers.ports));
        }
        let key = self.ports.map_or(L4Key::None, L4Key::Ports);
        Ok(Tuple { addresses, protocol, key })
    }
}

#[cfg(test)]
mod tests;
