//! What identifies an entry, as bytes.

use arrayvec::ArrayVec;
use flow::{AddressPair, Direction, FlowRead, IcmpKey, L4Key, Ports, Tuple, Zone};

use crate::wire::{ExpectationRecord, Record};

const MAX_LEN: usize = 128;

// First byte of a tuple.
const FAMILY: u8 = 0xf0;
const V4: u8 = 0x40;
const V6: u8 = 0x60;
const NONE: u8 = 0;
const PORTS: u8 = 1;
const ICMP: u8 = 2;
const ICMPV6: u8 = 3;

/// Key of an entry. Two keys are equal if and only if their bytes are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Key(ArrayVec<u8, MAX_LEN>);

impl Key {
    /// The key of a flow of the own kernel: its original tuple and the zone of that direction.
    pub(crate) fn of_flow(flow: &impl FlowRead) -> Self {
        let zone = flow.zone().or_else(|| flow.tuple_zone(Direction::Original));
        let mut key = Self::default();
        key.tuple(&flow.tuple(Direction::Original));
        key.zone(zone);
        key
    }

    /// The key of the flow with this original tuple, outside of zones.
    pub(crate) fn of_tuple(tuple: &Tuple) -> Self {
        let mut key = Self::default();
        key.tuple(tuple);
        key
    }

    /// The key of a flow of the peer.
    pub(crate) fn of_record(record: &Record) -> Self {
        let mut key = Self::default();
        key.tuple(&record.original);
        key.zone(record.zone);
        key
    }

    /// The key of an expectation. Its timeout is not part of it.
    pub(crate) fn of_expectation(record: &ExpectationRecord) -> Self {
        let mut key = Self::default();
        for tuple in [&record.master, &record.tuple, &record.mask] {
            key.tuple(tuple);
        }
        key
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn add(&mut self, bytes: &[u8]) {
        // Three tuples over IPv6 are 114 bytes.
        debug_assert!(bytes.len() <= self.0.remaining_capacity());
        let _ = self.0.try_extend_from_slice(bytes);
    }

    fn tuple(&mut self, tuple: &Tuple) {
        write_tuple(tuple, |bytes| self.add(bytes));
    }

    fn zone(&mut self, zone: Option<Zone>) {
        if let Some(Zone(number @ 1..)) = zone {
            self.add(&number.to_be_bytes());
        }
    }
}

/// Writes a tuple: family and kind of key, protocol, addresses, key.
pub(crate) fn write_tuple(tuple: &Tuple, mut add: impl FnMut(&[u8])) {
    let icmp = |key: IcmpKey| (u16::from_be_bytes([key.kind, key.code]), key.id);
    let (kind, fields) = match tuple.key {
        L4Key::None => (NONE, None),
        L4Key::Ports(ports) => (PORTS, Some((ports.src, ports.dst))),
        L4Key::Icmp(key) => (ICMP, Some(icmp(key))),
        L4Key::Icmpv6(key) => (ICMPV6, Some(icmp(key))),
    };
    match tuple.addresses {
        AddressPair::V4 { src, dst } => {
            add(&[V4 | kind, tuple.protocol.number()]);
            add(&src.octets());
            add(&dst.octets());
        }
        AddressPair::V6 { src, dst } => {
            add(&[V6 | kind, tuple.protocol.number()]);
            add(&src.octets());
            add(&dst.octets());
        }
    }
    if let Some((first, second)) = fields {
        add(&first.to_be_bytes());
        add(&second.to_be_bytes());
    }
}

/// Reads a tuple that was written, and what follows it.
pub(crate) fn read_tuple(bytes: &[u8]) -> Option<(Tuple, &[u8])> {
    let (&[kind, protocol], rest) = bytes.split_first_chunk()?;
    let (addresses, rest) = if kind & FAMILY == V4 {
        let (src, rest) = rest.split_first_chunk::<4>()?;
        let (dst, rest) = rest.split_first_chunk::<4>()?;
        (AddressPair::V4 { src: (*src).into(), dst: (*dst).into() }, rest)
    } else {
        let (src, rest) = rest.split_first_chunk::<16>()?;
        let (dst, rest) = rest.split_first_chunk::<16>()?;
        (AddressPair::V6 { src: (*src).into(), dst: (*dst).into() }, rest)
    };
    let protocol = protocol.into();
    if kind & !FAMILY == NONE {
        return Some((Tuple { addresses, protocol, key: L4Key::None }, rest));
    }
    let (&[a, b, c, d], rest) = rest.split_first_chunk()?;
    let icmp = IcmpKey { kind: a, code: b, id: u16::from_be_bytes([c, d]) };
    let key = match kind & !FAMILY {
        ICMP => L4Key::Icmp(icmp),
        ICMPV6 => L4Key::Icmpv6(icmp),
        _ => {
            L4Key::Ports(Ports { src: u16::from_be_bytes([a, b]), dst: u16::from_be_bytes([c, d]) })
        }
    };
    Some((Tuple { addresses, protocol, key }, rest))
}
