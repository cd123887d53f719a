//! What datagrams do when all is well.

use std::net::UdpSocket;

use conntrackd::link::{Counters, Kind, Sent};
use ctsync::wire::{Carrier, DatagramLimit};

use crate::bench::{Node, rest, until};
use crate::net::{Net, Side};

/// Texts of the two nodes: IPv4, IPv6, link-local addresses.
pub(crate) const UDP: [[&str; 2]; 3] = [
    [
        "UDP { IPv4_address 10.9.0.1 IPv4_Destination_Address 10.9.0.2 Port 3780 Interface sync0 }",
        "UDP { IPv4_address 10.9.0.2 IPv4_Destination_Address 10.9.0.1 Port 3780 Interface sync0
            Checksum off }",
    ],
    [
        "UDP { IPv6_address fd09:0::1 IPv6_Destination_Address fd09:0::2 Port 3780 Interface sync0 }",
        "UDP { IPv6_address fd09:0::2 IPv6_Destination_Address fd09:0::1 Port 3780 Interface sync0 }",
    ],
    [
        "UDP { IPv6_address fe80::1 IPv6_Destination_Address fe80::2 Port 3780 Interface sync0 }",
        "UDP { IPv6_address fe80::2 IPv6_Destination_Address fe80::1 Port 3780 Interface sync0 }",
    ],
];

/// IPv4 by address and by device, IPv6 of a site and of a link.
pub(crate) const GROUPS: [[&str; 2]; 4] = [
    [
        "Multicast { IPv4_address 225.0.0.50 IPv4_interface 10.9.0.1 Group 3780 Interface sync0 }",
        "Multicast { IPv4_address 225.0.0.50 IPv4_interface 10.9.0.2 Group 3780 Interface sync0 }",
    ],
    ["Multicast { IPv4_address 225.0.0.50 Group 3780 Interface sync0 SndSocketBuffer 100000
        RcvSocketBuffer 100000 }"; 2],
    ["Multicast { Interface sync0 IPv6_address ff05::50 Group 3780 }"; 2],
    ["Multicast { IPv6_address ff02::50 Group 3780 Interface sync0 }"; 2],
];

/// Datagrams go both ways, in order, and are counted.
fn carries(texts: [&str; 2], kind: Kind) {
    let Some(net) = Net::new() else { return };
    let [a, b] = texts;
    let (mut a, mut b) = (Node::new(&net, Side::A, a), Node::new(&net, Side::B, b));
    assert_eq!(a.links.kind(), kind);
    let datagrams = [&[1; 8][..], &[2; 1400], &[3; 9000]];
    a.send_all(&datagrams);
    until("they come to B", &mut [&mut a, &mut b], |[_, b]| b.received.len() == 3);
    b.send_all(&datagrams);
    until("they come to A", &mut [&mut a, &mut b], |[a, _]| a.received.len() == 3);
    // Nobody hears himself.
    rest(50, &mut [&mut a, &mut b]);
    for node in [&mut a, &mut b] {
        assert_eq!(node.taken(), datagrams);
        let expected = Counters {
            sent_bytes: 10_408,
            sent_packets: 3,
            received_bytes: 10_408,
            received_packets: 3,
            ..Counters::default()
        };
        assert_eq!(node.counters(0), expected);
        assert!(node.notices.is_empty() && !node.links.is_held(), "{:?}", node.notices);
    }
}

#[test]
fn udp_over_ipv4() {
    carries(UDP[0], Kind::Udp);
}

#[test]
fn udp_over_ipv6() {
    carries(UDP[1], Kind::Udp);
}

#[test]
fn udp_over_link_local_addresses() {
    carries(UDP[2], Kind::Udp);
}

#[test]
fn multicast_by_an_own_address() {
    carries(GROUPS[0], Kind::Multicast);
}

#[test]
fn multicast_by_the_device_alone() {
    carries(GROUPS[1], Kind::Multicast);
}

#[test]
fn multicast_over_ipv6_in_any_order_of_statements() {
    carries(GROUPS[2], Kind::Multicast);
}

#[test]
fn multicast_to_a_link_local_group() {
    carries(GROUPS[3], Kind::Multicast);
}

#[test]
fn a_group_takes_only_what_comes_by_its_device() {
    for texts in GROUPS {
        let Some(net) = Net::new() else { return };
        net.connect(1);
        let mut a = Node::new(&net, Side::A, texts[0]);
        let elsewhere = texts[1].replace("sync0", "sync1").replace("10.9.0.2", "10.9.1.2");
        let mut stranger = Node::new(&net, Side::B, &elsewhere);
        let mut peer = Node::new(&net, Side::B, texts[1]);
        // Somebody else joins the group on the other device, so that the packet is let in.
        let mut other = Node::new(&net, Side::A, &elsewhere.replace("10.9.1.2", "10.9.1.1"));
        stranger.send_all(&[b"by the wrong device"]);
        let nodes = &mut [&mut a, &mut stranger, &mut other];
        until("the other hears it", nodes, |[_, _, other]| !other.received.is_empty());
        net.enter(Side::B);
        let unicast = UdpSocket::bind("0.0.0.0:0").unwrap();
        unicast.send_to(b"to the address", "10.9.0.1:3780").unwrap();
        peer.send_all(&[b"right"]);
        until("it is heard", &mut [&mut a, &mut peer], |[a, _]| !a.received.is_empty());
        rest(50, &mut [&mut a, &mut peer]);
        assert_eq!(a.taken(), [b"right"], "{texts:?}");
    }
}

#[test]
fn a_turn_takes_no_more_than_its_share() {
    let Some(net) = Net::new() else { return };
    let [a, b] = UDP[0];
    let (mut a, mut b) = (Node::new(&net, Side::A, a), Node::new(&net, Side::B, b));
    for number in 0..70 {
        a.send_all(&[&[number; 10]]);
    }
    until("all come", &mut [&mut a, &mut b], |[_, b]| b.received.len() == 70);
    assert_eq!(b.most, 20);
    assert!(b.taken().iter().map(|bytes| bytes[0]).eq(0..70));
}

#[test]
fn a_full_socket_holds_what_it_cannot_take() {
    let Some(net) = Net::new() else { return };
    // B does not tell its address, so that what A sends waits in the socket.
    net.ip(Side::B, "link set sync0 arp off");
    let [a, b] = UDP[0];
    let a = a.replace("Port", "SndSocketBuffer 3000 Port");
    let (mut a, mut b) = (Node::new(&net, Side::A, &a), Node::new(&net, Side::B, b));
    let mut sent = Vec::new();
    let held = (0..200_u8).find(|&number| {
        sent.push([number; 400]);
        a.send(&[number; 400]) == Sent::Held
    });
    assert!(held.is_some() && a.links.is_held());
    net.ip(Side::B, "link set sync0 arp on");
    until("there is room", &mut [&mut a, &mut b], |[a, _]| !a.links.is_held());
    // The kernel keeps only some packets for an address that is not known yet; the last one is ours.
    let last = sent.last().unwrap().to_vec();
    until("the last one comes", &mut [&mut a, &mut b], |[_, b]| {
        b.received.last().is_some_and(|(_, bytes)| *bytes == last)
    });
    a.send_all(&[b"more"]);
    until("more", &mut [&mut a, &mut b], |[_, b]| b.taken().contains(&b"more".to_vec()));
    assert_eq!(a.counters(0).send_errors, 0);
}

#[test]
fn a_small_mtu_limits_datagrams_and_stops_nothing() {
    let Some(net) = Net::new() else { return };
    for (mtu, [a, b], carrier) in [
        (68, UDP[0], Carrier::UdpIpv4),
        (1280, UDP[1], Carrier::UdpIpv6),
        (68, GROUPS[1], Carrier::UdpIpv4),
        (1280, GROUPS[3], Carrier::UdpIpv6),
    ] {
        for side in [Side::A, Side::B] {
            net.ip(side, &format!("link set sync0 mtu {mtu}"));
        }
        let (mut a, mut b) = (Node::new(&net, Side::A, a), Node::new(&net, Side::B, b));
        assert_eq!(a.links.limit(), DatagramLimit::of(mtu, carrier));
        let datagrams = [&[1; 30][..], &[2; 1300]];
        a.send_all(&datagrams);
        until("they come", &mut [&mut a, &mut b], |[_, b]| b.received.len() == 2);
        assert_eq!(b.taken(), datagrams);
        net.ip(Side::A, "link set sync0 mtu 1400");
        let limit = DatagramLimit::of(1400, carrier);
        until("it is larger", &mut [&mut a, &mut b], |[a, _]| a.links.limit() == limit);
        a.turn();
        assert_eq!(a.notices, [format!("{limit:?}")]);
        drop((a, b));
        // A family that was taken off with the MTU comes back without addresses.
        net.disconnect(0);
        net.connect(0);
    }
}
