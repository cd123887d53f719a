//! Flows of every kind, as a peer tells of them.

use std::net::IpAddr;

use conntrackd::kernel::Entry;
use ctsync::wire::{Record, RestoreOptions, SentParts, Translated};
use flow::{
    AddressPair, Flow, IcmpKey, L4Key, Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo,
    SctpState, Status, TcpInfo, TcpState, Tuple, Zone,
};

const REPLIED: Status = Status::SEEN_REPLY.union(Status::CONFIRMED);
const ASSURED: Status = REPLIED.union(Status::ASSURED);

pub(crate) fn v4() -> AddressPair {
    AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [198, 51, 100, 2].into() }
}

pub(crate) fn v6() -> AddressPair {
    let address = |last| [0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into();
    AddressPair::V6 { src: address(1), dst: address(2) }
}

pub(crate) fn tuple(addresses: AddressPair, protocol: Protocol, src: u16, dst: u16) -> Tuple {
    Tuple { addresses, protocol, key: L4Key::Ports(Ports { src, dst }) }
}

fn udp(port: u16) -> Tuple {
    tuple(v4(), Protocol::Udp, port, 53)
}

fn tcp_state(state: TcpState) -> ProtoInfo {
    ProtoInfo::Tcp(TcpInfo { state: Some(state), ..TcpInfo::default() })
}

fn tcp(port: u16, state: TcpState, status: Status) -> Record {
    Record {
        protoinfo: Some(tcp_state(state)),
        status: Some(status),
        ..Record::new(tuple(v4(), Protocol::Tcp, port, 80))
    }
}

fn sctp() -> Record {
    let info = SctpInfo {
        state: Some(SctpState::ESTABLISHED),
        vtags: PerDirection { original: Some(7), reply: Some(8) },
    };
    Record {
        protoinfo: Some(ProtoInfo::Sctp(info)),
        ..Record::new(tuple(v4(), Protocol::Sctp, 5, 6))
    }
}

fn translated(address: &str, port: Option<u16>) -> Translated {
    Translated { address: Some(address.parse::<IpAddr>().unwrap()), port }
}

fn echo(addresses: AddressPair, protocol: Protocol, key: L4Key) -> Record {
    Record::new(Tuple { addresses, protocol, key })
}

/// A flow of each kind.
pub(crate) fn records() -> Vec<Record> {
    let icmp = |kind| IcmpKey { kind, code: 0, id: 33 };
    let nat = ASSURED | Status::SRC_NAT_DONE | Status::DST_NAT_DONE;
    let v6_tcp = tuple(v6(), Protocol::Tcp, 7, 443);
    vec![
        tcp(1, TcpState::SYN_SENT, Status::CONFIRMED),
        Record { mark: Some(Mark(16)), ..tcp(2, TcpState::ESTABLISHED, ASSURED) },
        tcp(3, TcpState::TIME_WAIT, REPLIED),
        Record { status: Some(ASSURED), ..Record::new(udp(4)) },
        echo(v4(), Protocol::Icmp, L4Key::Icmp(icmp(8))),
        sctp(),
        Record {
            status: Some(ASSURED),
            protoinfo: Some(tcp_state(TcpState::ESTABLISHED)),
            ..Record::new(v6_tcp)
        },
        Record::new(tuple(v6(), Protocol::Udp, 8, 53)),
        echo(v6(), Protocol::Icmpv6, L4Key::Icmpv6(icmp(128))),
        Record { nat_src: translated("203.0.113.7", None), ..tcp(9, TcpState::ESTABLISHED, nat) },
        Record {
            nat_dst: translated("203.0.113.8", Some(8080)),
            ..tcp(10, TcpState::ESTABLISHED, nat)
        },
        Record {
            nat_src: translated("203.0.113.7", Some(999)),
            nat_dst: translated("203.0.113.8", Some(5353)),
            status: Some(nat),
            ..Record::new(udp(12))
        },
        Record {
            nat_dst: translated("2001:db8::99", Some(8443)),
            status: Some(nat),
            protoinfo: Some(tcp_state(TcpState::ESTABLISHED)),
            ..Record::new(Tuple { key: L4Key::Ports(Ports { src: 13, dst: 443 }), ..v6_tcp })
        },
        Record { zone: Some(Zone(5)), ..Record::new(udp(11)) },
        Record::new(tuple(v4(), Protocol::Gre, 0, 0)),
        Record::new(tuple(v4(), Protocol::UdpLite, 0, 0)),
        echo(v4(), Protocol::Other(50), L4Key::None),
    ]
}

/// What is asked of the kernel for a record.
pub(crate) fn entry(record: &Record) -> Entry {
    let options = RestoreOptions { timeout_s: Some(600), window_tracking: false };
    Entry::Flow(record.restore(options))
}

/// The record of a flow of the table, as it would be told to the peer.
pub(crate) fn record_of(flow: &Flow) -> Record {
    Record::from_flow(flow, SentParts { timeout: true, window_scale: false })
}

/// An UDP flow of this number.
pub(crate) fn numbered(number: u32) -> Record {
    let [_, high, mid, low] = number.to_be_bytes();
    let addresses =
        AddressPair::V4 { src: [10, high, mid, low].into(), dst: [198, 51, 100, 2].into() };
    Record::new(tuple(addresses, Protocol::Udp, 1000, 53))
}
