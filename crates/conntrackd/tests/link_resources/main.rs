//! What a datagram costs: no heap allocation once the links are warm. On the loopback device, without any right.
//!
//! One test in a program of its own, as it counts the allocations of the whole process.
#![cfg(test)]

use std::net::{TcpListener, UdpSocket};
use std::num::NonZeroU32;
use std::time::Duration;

use conntrackd::config::{self, Role};
use conntrackd::link::{Links, Received, Sent, SocketReady};
use conntrackd::wake::Wake;
use ctsync::time::Instant;
use sys::allocations::{self, Counting};
use sys::epoll::{Poller, Ready};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Time of the links. It does not pass, but for attempts to connect.
const START: Instant = Instant(0);

struct Node {
    poller: Poller,
    links: Links,
    ready: Vec<Ready>,
    received: usize,
}

impl Node {
    fn new(kind: &str, port: u16, own: u8, peer: u8) -> Self {
        let text = format!(
            "Sync {{ Mode NOTRACK {{ }} {kind} {{ IPv4_address 127.0.0.{own}
            IPv4_Destination_Address 127.0.0.{peer} Port {port} Interface lo }} }}"
        );
        let config = config::read(text.as_bytes()).config.unwrap();
        let Role::Sync(sync) = config.role else { panic!("{config:?}") };
        let poller = Poller::new().unwrap();
        let links = Links::open(&sync.links, NonZeroU32::MAX, START, &poller).unwrap();
        Self { poller, links, ready: Vec::new(), received: 0 }
    }

    fn turn(&mut self) {
        self.poller.wait(Some(Duration::from_millis(20)), &mut self.ready).unwrap();
        for Ready { token, readable, writable } in self.ready.iter().copied() {
            let Some(Wake::Link { link, socket }) = Wake::from_token(token) else { continue };
            let ready = SocketReady { link, socket, is_readable: readable, is_writable: writable };
            let take = &mut |_, received: Received<'_>| match received {
                Received::Datagram(_) | Received::Frame(Ok(_)) => self.received += 1,
                Received::Frame(Err(error)) => panic!("{error}"),
            };
            self.links.on_ready(&self.poller, START, ready, take);
        }
    }
}

/// Sends so many messages over warm links. How many allocations that took.
fn allocations(a: &mut Node, b: &mut Node, count: usize) -> u64 {
    let mut message = vec![0x1a, 0x10, 2, 0, 0, 0, 0, 1];
    message.resize(512, 0);
    let (before, wanted) = (allocations::count(), b.received + count);
    for number in 0..count {
        while a.links.is_held() {
            a.turn();
            b.turn();
        }
        let sent = a.links.send(&a.poller, START, &message);
        // Datagrams that nobody takes are lost.
        if number % 50 == 49 || sent == Sent::Held {
            b.turn();
        }
    }
    for _ in 0..1000 {
        if b.received >= wanted {
            break;
        }
        a.turn();
        b.turn();
    }
    assert_eq!(b.received, wanted);
    allocations::count() - before
}

#[test]
fn a_datagram_and_a_buffer_cost_no_allocation() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (kind, port) in [("UDP", udp), ("TCP", tcp)] {
        let (mut a, mut b) = (Node::new(kind, port, 1, 2), Node::new(kind, port, 2, 1));
        if kind == "TCP" {
            // B did not listen yet when A tried.
            let later = a.links.next_deadline().unwrap();
            a.turn();
            a.links.on_deadline(&a.poller, later);
            a.turn();
            b.turn();
        }
        // The first ones make buffers as large as they need to be.
        allocations(&mut a, &mut b, 2000);
        assert_eq!(allocations(&mut a, &mut b, 20_000), 0, "{kind}");
    }
}
