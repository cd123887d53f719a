//! The flows of the benchmark: flow number `i` is always the same, and no two share a tuple.
//!
//! Of a hundred flows 80 are IPv4: 45 TCP in every state, 18 UDP, 3 ICMP, 2 SCTP, 1 GRE, 1 UDP-Lite, 1 of a protocol
//! without tracker, 6 with the source and 3 with the destination translated. 20 are IPv6: 13 TCP, 5 UDP, 1 ICMPv6,
//! 1 SCTP. A quarter has a mark, one of 64 a zone. Addresses are those of RFC 1918, 2544, 3849, 4193 and 5737. Timeouts
//! are hours and days, so that none ends during a run.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ctnetlink::{FlowRequest, NatRange};
use flow::{
    AddressPair, Family, IcmpKey, L4Key, Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo,
    SctpState, Status, TcpFlags, TcpFlagsMasked, TcpInfo, TcpState, Tuple, Zone,
};

/// Flow numbers are below this: addresses carry them in 23 bits.
pub(crate) const LIMIT: u32 = 1 << 23;

const UNREPLIED: Status = Status::CONFIRMED;
const REPLIED: Status = UNREPLIED.union(Status::SEEN_REPLY);
const ASSURED: Status = REPLIED.union(Status::ASSURED);

/// The end of the range of `count` flows from `first` on, if there are so many.
pub(crate) fn end(first: u32, count: u32) -> io::Result<u32> {
    let end = first.checked_add(count).filter(|end| *end <= LIMIT);
    end.ok_or_else(|| io::Error::other(format!("at most {LIMIT} flows")))
}

/// The request that creates flow `index`.
pub(crate) fn flow(index: u32) -> FlowRequest {
    let unique = scrambled(index);
    let mut request = match index % 100 {
        slot @ 0..=44 => tcp(v4(unique), unique, tcp_state(slot)),
        slot @ 45..=62 => udp(v4(unique), unique, udp_status(slot - 45)),
        63..=65 => icmp(v4(unique), unique),
        66..=67 => sctp(v4(unique), unique),
        68 => plain(v4(unique), Protocol::Gre, keys(unique, 0x880b)),
        69 => plain(v4(unique), Protocol::from(50), L4Key::None),
        70..=73 => source_translated(tcp(v4(unique), unique, TcpState::ESTABLISHED), unique),
        74..=75 => source_translated(udp(v4(unique), unique, ASSURED), unique),
        76..=78 => destination_translated(unique),
        79 => plain(v4(unique), Protocol::UdpLite, keys(unique, 5004)),
        80..=91 => tcp(v6(unique), unique, TcpState::ESTABLISHED),
        92 => tcp(v6(unique), unique, TcpState::TIME_WAIT),
        slot @ 93..=97 => udp(v6(unique), unique, udp_status(4 * (slot - 93))),
        98 => icmp(v6(unique), unique),
        _ => sctp(v6(unique), unique),
    };
    if unique.is_multiple_of(4) {
        request.mark = Some(Mark(unique >> (unique % 23)));
    }
    if unique.is_multiple_of(64) {
        request.zone = Some(Zone(low16(unique >> 6)));
    }
    request
}

/// Whether flow `index` is UDP to port 53: one of eight.
pub(crate) fn asks_for_names(index: u32) -> bool {
    matches!(index % 100, 45..=62 | 74..=75 | 93..=97) && scrambled(index) % 4 > 1
}

/// Whether flow `index` is TCP over IPv6, of which none is translated: one of eight.
pub(crate) fn is_tcp_over_ipv6(index: u32) -> bool {
    matches!(index % 100, 80..=92)
}

/// The request that creates flow `index` of a table of TCP flows over IPv4. Such a table has at most 45 % of [`LIMIT`].
pub(crate) fn tcp_flow(index: u32) -> FlowRequest {
    flow((index / 45).saturating_mul(100).saturating_add(index % 45))
}

/// A permutation of the numbers below [`LIMIT`] without visible order.
fn scrambled(index: u32) -> u32 {
    index.wrapping_mul(0x9e_3779) % LIMIT
}

fn tcp_state(slot: u32) -> TcpState {
    match slot {
        34..=37 => TcpState::TIME_WAIT,
        38..=39 => TcpState::SYN_SENT,
        40 => TcpState::SYN_RECV,
        41 => TcpState::FIN_WAIT,
        42 => TcpState::CLOSE_WAIT,
        43 => TcpState::LAST_ACK,
        44 => TcpState::CLOSE,
        _ => TcpState::ESTABLISHED,
    }
}

fn udp_status(slot: u32) -> Status {
    match slot {
        0..=7 => ASSURED,
        8..=12 => REPLIED,
        _ => UNREPLIED,
    }
}

/// From a host of 10.0.0.0/8 that no other flow comes from, to one of the benchmark network.
fn v4(unique: u32) -> AddressPair {
    let [_, high, middle, low] = unique.to_be_bytes();
    AddressPair::V4 {
        src: Ipv4Addr::new(10, high, middle, low),
        dst: Ipv4Addr::new(198, 18 + (low & 1), low, middle),
    }
}

/// Addresses with and without a run of zeros.
fn v6(unique: u32) -> AddressPair {
    let (high, low) = (low16(unique >> 16), low16(unique));
    let dst = if unique.is_multiple_of(2) {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1 + (low & 0xff))
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, low, 0x20, 0x5054, 0xff, 0xfe12, 0x3456)
    };
    AddressPair::V6 {
        src: Ipv6Addr::new(0xfd00, 0x17, 0, 1, 0x216, 0x3eff, 0xfe00 | high, low),
        dst,
    }
}

/// A source port or key of the dynamic range, a destination of the service.
fn keys(unique: u32, dst: u16) -> L4Key {
    L4Key::Ports(Ports { src: 0x8000 | low16(unique), dst })
}

/// A replied flow of a protocol whose tracker keeps no state.
fn plain(addresses: AddressPair, protocol: Protocol, key: L4Key) -> FlowRequest {
    let original = Tuple { addresses, protocol, key };
    FlowRequest {
        family: Some(original.addresses.family()),
        tuples: PerDirection { original: original.into(), reply: original.inverted().into() },
        status: Some(REPLIED),
        timeout_s: Some(7200),
        ..FlowRequest::default()
    }
}

fn tcp(addresses: AddressPair, unique: u32, state: TcpState) -> FlowRequest {
    let service = match unique % 8 {
        0 => 22,
        1 => 80,
        2 => 8443,
        _ => 443,
    };
    let seen = TcpFlags::WINDOW_SCALE | TcpFlags::SACK_PERM;
    let flags = Some(TcpFlagsMasked { flags: seen, mask: seen });
    let (status, timeout_s) = match state {
        TcpState::SYN_SENT => (UNREPLIED, 7_200),
        TcpState::SYN_RECV => (REPLIED, 7_200),
        TcpState::ESTABLISHED => (ASSURED, 86_400 + unique % 345_600),
        _ => (ASSURED, 9_000 + unique % 1_000),
    };
    FlowRequest {
        status: Some(status),
        timeout_s: Some(timeout_s),
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo {
            state: Some(state),
            window_scale: PerDirection { original: Some(7), reply: Some(8) },
            flags: PerDirection { original: flags, reply: flags },
        })),
        ..plain(addresses, Protocol::Tcp, keys(unique, service))
    }
}

fn udp(addresses: AddressPair, unique: u32, status: Status) -> FlowRequest {
    let service = match unique % 4 {
        0 => 123,
        1 => 443,
        _ => 53,
    };
    FlowRequest {
        status: Some(status),
        timeout_s: Some(7_200 + unique % 5_000),
        ..plain(addresses, Protocol::Udp, keys(unique, service))
    }
}

fn icmp(addresses: AddressPair, unique: u32) -> FlowRequest {
    let id = low16(unique);
    let key = |kind| IcmpKey { kind, code: 0, id };
    match addresses.family() {
        Family::Ipv4 => plain(addresses, Protocol::Icmp, L4Key::Icmp(key(8))),
        Family::Ipv6 => plain(addresses, Protocol::Icmpv6, L4Key::Icmpv6(key(128))),
    }
}

fn sctp(addresses: AddressPair, unique: u32) -> FlowRequest {
    let state =
        if unique.is_multiple_of(8) { SctpState::SHUTDOWN_SENT } else { SctpState::ESTABLISHED };
    FlowRequest {
        status: Some(ASSURED),
        protoinfo: Some(ProtoInfo::Sctp(SctpInfo {
            state: Some(state),
            vtags: PerDirection { original: Some(unique), reply: Some(!unique) },
        })),
        ..plain(addresses, Protocol::Sctp, keys(unique, 3868))
    }
}

/// Behind one of 256 addresses, at a port that no other flow has there.
fn source_translated(request: FlowRequest, unique: u32) -> FlowRequest {
    let [.., low] = unique.to_be_bytes();
    FlowRequest {
        nat_src: Some(NatRange {
            first: Some(IpAddr::from([203, 0, 113, low])),
            first_port: Some(0x8000 | low16(unique >> 8)),
            ..NatRange::default()
        }),
        ..request
    }
}

/// To a published address, passed on to a server.
fn destination_translated(unique: u32) -> FlowRequest {
    let [.., low] = unique.to_be_bytes();
    let AddressPair::V4 { src, .. } = v4(unique) else {
        return FlowRequest::default();
    };
    let addresses = AddressPair::V4 { src, dst: Ipv4Addr::new(192, 0, 2, 10) };
    FlowRequest {
        nat_dst: Some(NatRange {
            first: Some(IpAddr::from([192, 168, 1, low])),
            first_port: Some(8080),
            ..NatRange::default()
        }),
        ..tcp(addresses, unique, TcpState::ESTABLISHED)
    }
}

fn low16(number: u32) -> u16 {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Family, FlowRequest, Protocol, flow};

    #[test]
    fn no_two_flows_share_a_tuple() {
        let tuples: HashSet<String> =
            (0..20_000).map(|index| format!("{:?}", flow(index).tuples.original)).collect();
        assert_eq!(tuples.len(), 20_000);
    }

    #[test]
    fn what_is_swept_is_an_eighth_each() {
        let asks = |index: u32| {
            let original = flow(index).tuples.original;
            original.protocol == Some(Protocol::Udp) && original.dst_port == Some(53)
        };
        assert!((0..20_000).all(|index| super::asks_for_names(index) == asks(index)));
        let is_tcp_over_ipv6 = |index: u32| {
            let FlowRequest { family, tuples, nat_src, nat_dst, .. } = flow(index);
            let is_it =
                family == Some(Family::Ipv6) && tuples.original.protocol == Some(Protocol::Tcp);
            assert!(!is_it || nat_src.or(nat_dst).is_none());
            is_it
        };
        assert!((0..1000).all(|index| super::is_tcp_over_ipv6(index) == is_tcp_over_ipv6(index)));
        let all = (0..20_000).filter(|index| super::asks_for_names(*index)).count();
        assert!((2400..=2600).contains(&all), "{all}");
    }

    #[test]
    fn a_fifth_is_ipv6() {
        let six = (0..100).filter(|index| flow(*index).family == Some(Family::Ipv6)).count();
        assert_eq!(six, 20);
    }
}
