//! Datagrams when something fails: nothing of it ends a link.

use conntrackd::link::{LinkError, Step};

use crate::bench::{Node, rest, until};
use crate::datagrams::{GROUPS, UDP};
use crate::net::{Net, Side};

#[test]
fn a_missing_device_is_an_error_at_the_start() {
    let Some(net) = Net::new() else { return };
    for text in [UDP[0][0], GROUPS[0][0], GROUPS[3][0]] {
        let error = Node::open(&net, Side::A, &text.replace("sync0", "nosync")).err().unwrap();
        // ENODEV, "No such device"
        assert_eq!(error.reason().raw_os_error(), Some(19));
        let LinkError::Open { step, interface, .. } = error else { panic!("{error:?}") };
        assert_eq!((step, &*interface), (Step::Device, "nosync"));
    }
}

#[test]
fn a_foreign_address_is_an_error_at_the_start() {
    let Some(net) = Net::new() else { return };
    let text = UDP[0][0].replace("10.9.0.1", "192.0.2.1");
    let error = Node::open(&net, Side::A, &text).err().unwrap();
    // EADDRNOTAVAIL
    assert_eq!(error.reason().raw_os_error(), Some(99));
    assert!(matches!(error, LinkError::Open { step: Step::Socket(sys::datagram::Step::Bind), .. }));
}

#[test]
fn a_peer_that_is_away_is_no_error_and_is_heard_when_it_comes() {
    let Some(net) = Net::new() else { return };
    for [text_a, text_b] in UDP {
        let mut a = Node::new(&net, Side::A, text_a);
        for _ in 0..5 {
            a.send_all(&[b"nobody hears this"]);
            rest(5, &mut [&mut a]);
        }
        assert_eq!((a.counters(0).send_errors, a.counters(0).receive_errors), (0, 0));
        let mut b = Node::new(&net, Side::B, text_b);
        a.send_all(&[b"to"]);
        b.send_all(&[b"fro"]);
        until("both hear", &mut [&mut a, &mut b], |nodes| {
            nodes.iter().all(|node| !node.received.is_empty())
        });
    }
}

#[test]
fn what_cannot_be_sent_is_counted_and_said_once() {
    let Some(net) = Net::new() else { return };
    let mut a = Node::new(&net, Side::A, UDP[0][0]);
    net.ip(Side::A, "addr flush dev sync0");
    for _ in 0..10 {
        a.send_all(&[b"x"]);
        a.turn();
    }
    assert_eq!((a.counters(0).send_errors, a.counters(0).sent_packets), (10, 0));
    assert_eq!(a.notices, ["send: NetworkUnreachable"]);
    net.ip(Side::A, "addr add 10.9.0.1/24 dev sync0");
    a.send_all(&[b"x"]);
    assert_eq!((a.counters(0).send_errors, a.counters(0).sent_packets), (10, 1));
}

#[test]
fn a_device_that_vanishes_and_comes_back_is_used_again() {
    let Some(net) = Net::new() else { return };
    for (kind, [text_a, text_b]) in
        UDP.map(|texts| ("udp", texts)).into_iter().chain(GROUPS.map(|texts| ("group", texts)))
    {
        let mut a = Node::new(&net, Side::A, text_a);
        let mut b = Node::new(&net, Side::B, text_b);
        for round in 0..2 {
            net.disconnect(0);
            for _ in 0..3 {
                let _ = a.send(b"lost");
                rest(10, &mut [&mut a, &mut b]);
            }
            // The new devices have other numbers, as this one is in between.
            net.ip(Side::A, &format!("tuntap add dev between{round} mode tap"));
            net.connect(0);
            let mut number = 0_u8;
            until(text_a, &mut [&mut a, &mut b], |[a, b]| {
                number = number.wrapping_add(1);
                let _ = (a.send(&[number; 10]), b.send(&[number; 10]));
                a.received.len() > 3 && b.received.len() > 3
            });
            assert!(!a.taken().is_empty() && !b.taken().is_empty());
            assert_eq!(a.links.next_deadline(), None);
        }
        let reopened = a.notices.iter().filter(|notice| *notice == "reopened").count();
        let expected = if kind == "group" || text_a.contains("fe80") { 2 } else { 0 };
        assert_eq!(reopened, expected, "{text_a}: {:?}", a.notices);
        for round in 0..2 {
            net.ip(Side::A, &format!("link del between{round}"));
        }
    }
}

#[test]
fn a_group_is_joined_again_when_the_mtu_allows_the_family_again() {
    let Some(net) = Net::new() else { return };
    let [text_a, text_b] = GROUPS[3];
    let (mut a, mut b) = (Node::new(&net, Side::A, text_a), Node::new(&net, Side::B, text_b));
    net.ip(Side::A, "link set sync0 mtu 1000");
    rest(50, &mut [&mut a, &mut b]);
    net.ip(Side::A, "link set sync0 mtu 1500");
    until("B is heard", &mut [&mut a, &mut b], |[a, b]| {
        let _ = b.send(b"x");
        !a.received.is_empty()
    });
}
