//! Which event a message of the kernel reports. Facts: docs/ctnetlink.md, "Events".

use flow::EventKind;

use crate::wire::{MessageFlags, MessageKind, RawMessage, Subsystem};

/// Multicast groups (`NFNLGRP_*`, `linux/netfilter/nfnetlink_compat.h`).
pub mod group {
    /// New flows.
    pub const NEW: u32 = 1;
    /// Changed flows.
    pub const UPDATE: u32 = 2;
    /// Ended flows.
    pub const DESTROY: u32 = 3;
    /// New expectations.
    pub const EXPECTATION_NEW: u32 = 4;
    /// Ended expectations.
    pub const EXPECTATION_DESTROY: u32 = 6;
}

/// A table of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Table {
    /// Subsystem 1.
    Flows,
    /// Subsystem 2.
    Expectations,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventMessage {
    /// Which table changed.
    pub table: Table,
    /// How.
    pub kind: EventKind,
    /// Port of the socket whose request made the change, 0 if a packet or a timeout did.
    pub port_id: u32,
}

impl EventMessage {
    /// The event that a message reports; `None` if it is none. An entry of a dump looks like an update.
    pub fn of(message: &RawMessage<'_>) -> Option<Self> {
        const NEW: u8 = 0;
        const DELETE: u8 = 2;
        let MessageKind { subsystem, message: number } = message.header.kind.into();
        let table = match subsystem {
            Subsystem::CONNTRACK => Table::Flows,
            Subsystem::EXPECT => Table::Expectations,
            _ => return None,
        };
        let kind = match number {
            NEW if message.header.flags.contains(MessageFlags::CREATE) => EventKind::New,
            NEW => EventKind::Update,
            DELETE => EventKind::Destroy,
            _ => return None,
        };
        Some(Self { table, kind, port_id: message.header.port_id })
    }
}

#[cfg(test)]
mod tests {
    use flow::EventKind;

    use super::{EventMessage, Table};
    use crate::wire::{MessageFlags, MessageHeader, RawMessage, Sequence};

    #[test]
    fn kind_and_table_are_those_of_type_and_flags() {
        let create = MessageFlags::CREATE | MessageFlags::EXCL;
        let none = MessageFlags::empty();
        for (kind, flags, expected) in [
            (0x0100, create, Some((Table::Flows, EventKind::New))),
            (0x0100, none, Some((Table::Flows, EventKind::Update))),
            (0x0102, none, Some((Table::Flows, EventKind::Destroy))),
            (0x0200, create, Some((Table::Expectations, EventKind::New))),
            (0x0202, none, Some((Table::Expectations, EventKind::Destroy))),
            (0x0101, none, None),
            (0x0800, create, None),
            (2, none, None),
        ] {
            let header = MessageHeader { kind, flags, sequence: Sequence(0), port_id: 9 };
            let event = EventMessage::of(&RawMessage { header, body: &[] });
            assert_eq!(event.map(|event| (event.table, event.kind)), expected, "{kind:#06x}");
            assert!(event.is_none_or(|event| event.port_id == 9));
        }
    }
}
