//! The two TCP connections of a link.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use conntrackd::link::{ConnectionState, Counters, Kind, Sent};
use ctsync::LinkId;
use ctsync::wire::{Carrier, DatagramLimit};
use sys::stream::Connection;

use crate::bench::{Node, message, rest, until};
use crate::net::{Net, Side};

const A: &str =
    "TCP { IPv4_address 10.9.0.1 IPv4_Destination_Address 10.9.0.2 Port 3780 Interface sync0 }";
const B: &str =
    "TCP { IPv4_address 10.9.0.2 IPv4_Destination_Address 10.9.0.1 Port 3780 Interface sync0 }";

fn is_connected(node: &Node<'_>) -> bool {
    let connections = node.links.view(LinkId(0)).unwrap().connections.unwrap();
    [connections.server, connections.client] == [ConnectionState::Connected; 2]
}

#[track_caller]
fn connected(nodes: &mut [&mut Node<'_>; 2]) {
    until("both are connected", nodes, |nodes| nodes.iter().all(|node| is_connected(node)));
}

/// A connection from an address of B's to A.
fn connection(net: &Net, from: &str) -> TcpStream {
    net.enter(Side::B);
    let from = SocketAddr::new(from.parse().unwrap(), 0);
    let begun = Connection::begin(Some(from), "10.9.0.1:3780".parse().unwrap(), None).unwrap();
    let socket = TcpStream::from(std::os::fd::AsFd::as_fd(&begun).try_clone_to_owned().unwrap());
    socket.set_nonblocking(false).unwrap();
    socket
}

#[test]
fn messages_go_both_ways() {
    for [own, peer] in
        [["10.9.0.1", "10.9.0.2"], ["fd09:0::1", "fd09:0::2"], ["fe80::1", "fe80::2"]]
    {
        let Some(net) = Net::new() else { return };
        let (version, carrier) =
            if own.contains(':') { ("IPv6", Carrier::TcpIpv6) } else { ("IPv4", Carrier::TcpIpv4) };
        let text = |own, peer| {
            format!(
                "TCP {{ {version}_address {own} {version}_Destination_Address {peer} Port 3780 \
                 Interface sync0 SndSocketBuffer 100000 RcvSocketBuffer 100000 Checksum on }}"
            )
        };
        let mut a = Node::new(&net, Side::A, &text(own, peer));
        let mut b = Node::new(&net, Side::B, &text(peer, own));
        assert_eq!(a.links.kind(), Kind::Tcp);
        assert_eq!(a.links.limit(), DatagramLimit::of(1500, carrier));
        connected(&mut [&mut a, &mut b]);
        for node in [&mut a, &mut b] {
            node.send_all(&[&message(b"one"), &[message(b""), message(b"three")].concat()]);
        }
        let nodes = &mut [&mut a, &mut b];
        until("they come", nodes, |nodes| nodes.iter().all(|node| node.received.len() == 3));
        for node in [&mut a, &mut b] {
            assert_eq!(node.taken(), [&b"one"[..], b"", b"three"]);
            let Counters { sent_bytes, sent_packets, received_bytes, .. } = node.counters(0);
            assert_eq!((sent_bytes, sent_packets, received_bytes), (32, 2, 32));
            assert_eq!(node.links.next_deadline(), None);
        }
    }
}

#[test]
fn what_is_written_in_parts_comes_whole() {
    let Some(net) = Net::new() else { return };
    let small = A.replace("Port", "SndSocketBuffer 2000 Port");
    let mut a = Node::new(&net, Side::A, &small);
    let mut b = Node::new(&net, Side::B, &B.replace("Port", "RcvSocketBuffer 2000 Port"));
    connected(&mut [&mut a, &mut b]);
    let errors = a.counters(0).send_errors;
    let mut sent = 0_u32;
    let mut holds = 0;
    while holds < 200 && sent < 100_000 {
        // Lengths that have nothing to do with those of segments.
        let body = sent.to_be_bytes().repeat(usize::try_from(1 + sent * 7 % 350).unwrap());
        if a.send(&message(&body)) == Sent::Held {
            holds += 1;
            until("there is room", &mut [&mut a, &mut b], |[a, _]| !a.links.is_held());
        }
        sent += 1;
    }
    assert_eq!(holds, 200, "nothing was written in parts");
    until("all come", &mut [&mut a, &mut b], |[_, b]| b.received.len() == sent as usize);
    for (number, body) in (0_u32..).zip(b.taken()) {
        assert_eq!(body.len(), usize::try_from(4 * (1 + number * 7 % 350)).unwrap());
        assert!(body.chunks(4).all(|chunk| chunk == number.to_be_bytes()));
    }
    assert_eq!((b.errors, a.counters(0).send_errors), (0, errors));
}

#[test]
fn buffers_wait_for_a_connection_and_the_oldest_give_way() {
    let Some(net) = Net::new() else { return };
    let mut a = Node::new(&net, Side::A, &A.replace("Port", "ErrorQueueLength 3 Port"));
    for number in 0..5 {
        a.send_all(&[&message(&[number])]);
    }
    let figures = a.links.error_queue();
    assert_eq!((figures.current, figures.maximum, figures.no_space), (3, 3, 2));
    until("an attempt fails", &mut [&mut a], |[a]| a.counters(0).send_errors == 1);
    rest(1500, &mut [&mut a]);
    // Once a second, and said once.
    assert!(a.counters(0).send_errors <= 3, "{:?}", a.counters(0));
    assert_eq!(a.notices, ["send: ConnectionRefused"]);
    let mut b = Node::new(&net, Side::B, B);
    until("they come", &mut [&mut a, &mut b], |[_, b]| b.received.len() == 3);
    assert_eq!(b.taken(), [[2], [3], [4]]);
    assert_eq!(a.links.error_queue().current, 0);
}

#[test]
fn a_peer_that_starts_again_is_connected_again() {
    let Some(net) = Net::new() else { return };
    let mut a = Node::new(&net, Side::A, A);
    for round in 0..2 {
        let mut b = Node::new(&net, Side::B, B);
        connected(&mut [&mut a, &mut b]);
        a.send_all(&[&message(&[round])]);
        b.send_all(&[&message(&[round])]);
        until("they come", &mut [&mut a, &mut b], |nodes| {
            nodes.iter().all(|node| !node.received.is_empty())
        });
        drop(b);
        until("it is noticed", &mut [&mut a], |[a]| {
            let connections = a.links.view(LinkId(0)).unwrap().connections.unwrap();
            connections.client == ConnectionState::Disconnected
                && connections.server == ConnectionState::Disconnected
        });
        assert_eq!(a.taken(), [[round]]);
    }
}

#[test]
fn a_peer_that_ended_without_a_word_displaces_its_old_connection() {
    let Some(net) = Net::new() else { return };
    let mut a = Node::new(&net, Side::A, A);
    let mut b = Node::new(&net, Side::B, B);
    connected(&mut [&mut a, &mut b]);
    b.send_all(&[&message(b"before")[..10]]);
    until("a part comes", &mut [&mut a, &mut b], |[a, _]| a.counters(0).received_bytes == 10);
    // What B says at its end is not heard.
    net.ip(Side::B, "link set sync0 down");
    drop(b);
    net.ip(Side::B, "link set sync0 up");
    let mut b = Node::new(&net, Side::B, B);
    b.send_all(&[&message(b"after")]);
    until("B is heard", &mut [&mut a, &mut b], |[a, _]| !a.received.is_empty());
    assert_eq!((a.taken(), a.errors), (vec![b"after".to_vec()], 0));
}

#[test]
fn the_fragment_of_a_dead_connection_is_not_joined_to_the_next() {
    let Some(net) = Net::new() else { return };
    let mut a = Node::new(&net, Side::A, A);
    let whole = message(b"twelve bytes");
    for cut in [1, 7, 8, 15] {
        let mut first = connection(&net, "10.9.0.2");
        let before = a.counters(0).received_bytes;
        first.write_all(&whole[..cut]).unwrap();
        let expected = before + cut as u64;
        until("a part comes", &mut [&mut a], |[a]| a.counters(0).received_bytes == expected);
        // The one displaces the other, or ends before.
        if cut > 7 {
            drop(first);
        }
        let mut second = connection(&net, "10.9.0.2");
        second.write_all(&whole).unwrap();
        until("a whole one comes", &mut [&mut a], |[a]| !a.received.is_empty());
        assert_eq!((a.taken(), a.errors), (vec![b"twelve bytes".to_vec()], 0), "{cut}");
    }
}

#[test]
fn a_wrong_length_ends_the_connection() {
    let Some(net) = Net::new() else { return };
    let mut a = Node::new(&net, Side::A, A);
    let mut broken = connection(&net, "10.9.0.2");
    broken.write_all(&[message(b"good"), vec![0x10, 0, 0, 3, 0, 0, 0, 1]].concat()).unwrap();
    broken.write_all(&message(b"never read")).unwrap();
    until("it is closed", &mut [&mut a], |[a]| a.counters(0).broken_streams == 1);
    assert_eq!((a.taken(), a.errors), (vec![b"good".to_vec()], 1));
    // The end, or a reset as not all was read.
    assert!(matches!(broken.read(&mut [0; 16]), Ok(0) | Err(_)));
    let mut another = connection(&net, "10.9.0.2");
    another.write_all(&message(b"again")).unwrap();
    until("the next is read", &mut [&mut a], |[a]| !a.received.is_empty());
    assert_eq!((a.taken(), a.errors), (vec![b"again".to_vec()], 1));
    assert!(a.notices.contains(&"broken".to_owned()));
}

#[test]
fn a_stranger_does_not_displace_the_peer_but_the_peer_does_displace_him() {
    let Some(net) = Net::new() else { return };
    net.ip(Side::B, "addr add 10.9.0.3/24 dev sync0");
    let mut a = Node::new(&net, Side::A, A);
    let mut early = connection(&net, "10.9.0.3");
    early.write_all(&message(b"early")).unwrap();
    until("the first is heard", &mut [&mut a], |[a]| !a.received.is_empty());
    let mut b = Node::new(&net, Side::B, B);
    connected(&mut [&mut a, &mut b]);
    b.send_all(&[&message(b"one")]);
    until("B is heard", &mut [&mut a, &mut b], |[a, _]| a.received.len() == 2);
    assert!(matches!(early.read(&mut [0; 16]), Ok(0) | Err(_)));
    let mut late = connection(&net, "10.9.0.3");
    let _ = late.write_all(&message(b"late"));
    until("he is refused", &mut [&mut a, &mut b], |[a, _]| a.counters(0).refused_connections == 1);
    assert!(matches!(late.read(&mut [0; 16]), Ok(0) | Err(_)));
    b.send_all(&[&message(b"two")]);
    until("B is still heard", &mut [&mut a, &mut b], |[a, _]| a.received.len() == 3);
    assert_eq!(a.taken(), [&b"early"[..], b"one", b"two"]);
    assert!(a.notices.contains(&"stranger 10.9.0.3".to_owned()), "{:?}", a.notices);
}

#[test]
fn link_local_connections_are_made_again_when_the_device_comes_back() {
    let Some(net) = Net::new() else { return };
    let text = |own: &str, peer: &str| {
        format!(
            "TCP {{ IPv6_address {own} IPv6_Destination_Address {peer} Port 3780 Interface sync0 }}"
        )
    };
    let mut a = Node::new(&net, Side::A, &text("fe80::1", "fe80::2"));
    let mut b = Node::new(&net, Side::B, &text("fe80::2", "fe80::1"));
    connected(&mut [&mut a, &mut b]);
    net.disconnect(0);
    rest(50, &mut [&mut a, &mut b]);
    a.send_all(&[&message(b"again")]);
    net.ip(Side::A, "tuntap add dev between mode tap");
    net.connect(0);
    until("it comes", &mut [&mut a, &mut b], |[_, b]| !b.received.is_empty());
}
