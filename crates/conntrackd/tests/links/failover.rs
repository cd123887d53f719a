//! Several links: which one sends.

use conntrackd::link::{Role, Status};
use ctsync::LinkId;

use crate::bench::{Node, message, rest, until};
use crate::net::{Net, Side};

/// Two links; the second one is the default.
fn texts(kind: &str) -> [String; 2] {
    [(1, 2), (2, 1)].map(|(own, peer)| {
        [0, 1]
            .map(|link| {
                let default = if link == 1 { "Default" } else { "" };
                format!(
                    "{kind} {default} {{ IPv4_address 10.9.{link}.{own}
                    IPv4_Destination_Address 10.9.{link}.{peer} Port 3780 Interface sync{link} }}"
                )
            })
            .concat()
    })
}

fn two_links() -> Option<Net> {
    let net = Net::new()?;
    net.connect(1);
    Some(net)
}

fn status(node: &Node<'_>) -> Vec<(Status, Role)> {
    node.links.views().map(|view| (view.status, view.role)).collect()
}

/// Sends until it comes over this link.
#[track_caller]
fn arrives<'a>(a: &mut Node<'a>, b: &mut Node<'a>, link: u8) {
    b.received.clear();
    until("it comes over the link", &mut [a, b], |[a, b]| {
        let _ = a.send(&message(b"x"));
        b.received.iter().any(|(from, _)| *from == link)
    });
}

#[test]
fn a_lost_carrier_changes_the_link_and_its_return_changes_it_back() {
    for kind in ["UDP", "TCP"] {
        let Some(net) = two_links() else { return };
        let [a, b] = texts(kind);
        let (mut a, mut b) = (Node::new(&net, Side::A, &a), Node::new(&net, Side::B, &b));
        assert_eq!(a.links.active(), LinkId(1));
        assert_eq!(status(&a), [(Status::Running, Role::Backup), (Status::Running, Role::Active)]);
        arrives(&mut a, &mut b, 1);
        net.ip(Side::B, "link set sync1 down");
        until("A changes", &mut [&mut a, &mut b], |[a, _]| a.links.active() == LinkId(0));
        until("B changes", &mut [&mut a, &mut b], |[_, b]| b.links.active() == LinkId(0));
        assert_eq!(
            status(&a),
            [(Status::Running, Role::Active), (Status::NoCarrier, Role::Backup)]
        );
        assert_eq!(status(&b), [(Status::Running, Role::Active), (Status::Down, Role::Backup)]);
        arrives(&mut a, &mut b, 0);
        net.ip(Side::B, "link set sync1 up");
        until("A returns", &mut [&mut a, &mut b], |[a, _]| a.links.active() == LinkId(1));
        until("B returns", &mut [&mut a, &mut b], |[_, b]| b.links.active() == LinkId(1));
        arrives(&mut a, &mut b, 1);
        for node in [&a, &b] {
            let changes = node.notices.iter().filter(|notice| notice.starts_with("activated"));
            assert!(changes.eq(["activated 0", "activated 1"]), "{kind}: {:?}", node.notices);
        }
    }
}

#[test]
fn without_any_device_the_link_stays_and_that_is_said_once() {
    let Some(net) = two_links() else { return };
    let [a, _] = texts("UDP");
    let mut a = Node::new(&net, Side::A, &a);
    net.ip(Side::A, "link set sync0 down");
    rest(20, &mut [&mut a]);
    assert!(a.notices.is_empty(), "{:?}", a.notices);
    // A device that is up without a carrier is none that upstream would refuse.
    net.ip(Side::A, "link set sync0 up");
    net.ip(Side::B, "link set sync0 down");
    until("no carrier", &mut [&mut a], |[a]| status(a)[0].0 == Status::NoCarrier);
    net.ip(Side::A, "link set sync1 down");
    until("it is said", &mut [&mut a], |[a]| !a.notices.is_empty());
    net.ip(Side::A, "link set sync0 mtu 1400");
    rest(50, &mut [&mut a]);
    let said = |a: &Node<'_>| {
        a.notices.iter().filter(|notice| !notice.starts_with("Datagram")).cloned().collect()
    };
    let notices: Vec<String> = said(&a);
    assert_eq!((notices, a.links.active()), (vec!["none".to_owned()], LinkId(1)));
    net.ip(Side::B, "link set sync0 up");
    until("the other is used", &mut [&mut a], |[a]| a.links.active() == LinkId(0));
    a.turn();
    let notices: Vec<String> = said(&a);
    assert_eq!(notices, ["none", "activated 0"]);
}

#[test]
fn a_device_that_is_deleted_changes_the_link() {
    let Some(net) = two_links() else { return };
    let [a, _] = texts("UDP");
    let mut a = Node::new(&net, Side::A, &a);
    net.disconnect(1);
    until("A changes", &mut [&mut a], |[a]| a.links.active() == LinkId(0));
    assert_eq!(status(&a), [(Status::Running, Role::Active), (Status::Down, Role::Backup)]);
    net.connect(1);
    until("A returns", &mut [&mut a], |[a]| a.links.active() == LinkId(1));
}

#[test]
fn the_first_link_is_not_used_at_the_start_if_its_device_is_down() {
    let Some(net) = two_links() else { return };
    net.ip(Side::A, "link set sync1 down");
    let [a, _] = texts("TCP");
    // Addresses stay with the device.
    let mut a = Node::new(&net, Side::A, &a);
    assert_eq!(a.links.active(), LinkId(0));
    a.turn();
    assert_eq!(a.notices[0], "activated 0");
}

#[test]
fn the_link_of_the_peer_is_used_and_not_left() {
    let Some(net) = two_links() else { return };
    let [a, b] = texts("UDP");
    let (mut a, mut b) = (Node::new(&net, Side::A, &a), Node::new(&net, Side::B, &b));
    a.use_link(0);
    a.use_link(9);
    arrives(&mut a, &mut b, 0);
    rest(1500, &mut [&mut a, &mut b]);
    assert_eq!((a.links.active(), a.links.next_deadline()), (LinkId(0), None));
    assert!(a.notices.is_empty());
}

#[test]
fn what_waits_goes_over_the_next_link() {
    let Some(net) = two_links() else { return };
    // B does not tell its address on the second link.
    net.ip(Side::B, "link set sync1 arp off");
    let [a, b] = texts("UDP").map(|text| text.replace("Port", "SndSocketBuffer 3000 Port"));
    let (mut a, mut b) = (Node::new(&net, Side::A, &a), Node::new(&net, Side::B, &b));
    let mut sent = Vec::new();
    while !a.links.is_held() {
        sent = vec![u8::try_from(a.counters(1).sent_packets).unwrap(); 400];
        let _ = a.send(&sent);
    }
    a.use_link(0);
    assert!(!a.links.is_held());
    until("it comes", &mut [&mut a, &mut b], |[_, b]| b.received.contains(&(0, sent.clone())));
}
