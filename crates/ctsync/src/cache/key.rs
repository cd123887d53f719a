//! What identifies an entry, as bytes.

use arrayvec::ArrayVec;
use flow::{AddressPair, Direction, FlowRead, L4Key, Tuple, Zone};

use crate::wire::{ExpectationRecord, Record};

const MAX_LEN: usize = 128;

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
        let (kind, fields) = match tuple.key {
            L4Key::None => (0, None),
            L4Key::Ports(ports) => (1, Some((ports.src, ports.dst))),
            L4Key::Icmp(icmp) => (2, Some((u16::from_be_bytes([icmp.kind, icmp.code]), icmp.id))),
            L4Key::Icmpv6(icmp) => (3, Some((u16::from_be_bytes([icmp.kind, icmp.code]), icmp.id))),
        };
        match tuple.addresses {
            AddressPair::V4 { src, dst } => {
                self.add(&[0x40 | kind, tuple.protocol.number()]);
                self.add(&src.octets());
                self.add(&dst.octets());
            }
            AddressPair::V6 { src, dst } => {
                self.add(&[0x60 | kind, tuple.protocol.number()]);
                self.add(&src.octets());
                self.add(&dst.octets());
            }
        }
        if let Some((first, second)) = fields {
            self.add(&first.to_be_bytes());
            self.add(&second.to_be_bytes());
        }
    }

    fn zone(&mut self, zone: Option<Zone>) {
        if let Some(Zone(number @ 1..)) = zone {
            self.add(&number.to_be_bytes());
        }
    }
}
