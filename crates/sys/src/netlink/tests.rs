use std::io::{self, Write as _};
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, NetlinkAddr, sendto};

use super::{Datagram, Slots, Socket};

/// A request that the kernel refuses for its unknown message number, or acknowledges for lack of a subsystem header.
fn question(sequence: u32, body: usize) -> Vec<u8> {
    let len = u32::try_from(16 + body).unwrap();
    let mut message = len.to_ne_bytes().to_vec();
    message.extend_from_slice(&0x01ff_u16.to_ne_bytes());
    message.extend_from_slice(&5_u16.to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.resize(16 + body, 0);
    message
}

fn sequence_of(datagram: &[u8]) -> u32 {
    u32::from_ne_bytes(datagram[8..12].try_into().unwrap())
}

#[test]
fn nothing_waits_on_a_new_socket_and_its_buffer_can_grow() {
    let socket = Socket::open(0).unwrap();
    let waiting = socket.try_receive(&mut [0; 16]).unwrap_err();
    assert_eq!(waiting.kind(), io::ErrorKind::WouldBlock);
    let slots = &mut Slots::new(4, 512);
    let waiting = socket.try_receive_many(slots, 4, |_| panic!("nothing was sent")).unwrap_err();
    assert_eq!(waiting.kind(), io::ErrorKind::WouldBlock);
    assert!(socket.set_receive_buffer(100_000).unwrap() >= 100_000);
    assert_eq!(socket.receive_buffer().unwrap(), socket.set_receive_buffer(100_000).unwrap());
}

#[test]
fn many_datagrams_come_in_order_and_no_more_than_are_wanted() {
    let socket = Socket::open(0).unwrap();
    for sequence in 1..=5 {
        socket.send(&question(sequence, 4)).unwrap();
    }
    let slots = &mut Slots::new(4, 512);
    let mut found = Vec::new();
    for (most, expected) in [(2, 2), (0, 0), (9, 3)] {
        let take = |datagram: Datagram<'_>| match datagram {
            Datagram::Whole(bytes) => found.push(sequence_of(bytes)),
            other => panic!("{other:?}"),
        };
        assert_eq!(socket.try_receive_many(slots, most, take).unwrap(), expected);
    }
    assert_eq!(found, [1, 2, 3, 4, 5]);
}

#[test]
fn a_datagram_that_does_not_fit_is_known_to_be_cut() {
    let socket = Socket::open(0).unwrap();
    socket.send(&question(7, 4)).unwrap();
    let slots = &mut Slots::new(1, 16);
    let mut cut = 0;
    let count = |datagram: Datagram<'_>| cut += u32::from(matches!(datagram, Datagram::Cut(_)));
    socket.try_receive_many(slots, 1, count).unwrap();
    assert_eq!(cut, 1);
    socket.send(&question(8, 4)).unwrap();
    assert!(socket.try_receive(&mut [0; 16]).unwrap() > 16);
}

#[test]
fn each_socket_has_a_port_of_its_own() {
    let sockets = [Socket::open(0).unwrap(), Socket::open(0).unwrap()];
    let [first, second] = sockets.each_ref().map(|socket| socket.port_id().unwrap());
    assert!(first != 0 && second != 0 && first != second);
}

#[test]
fn what_does_not_fit_into_the_buffer_is_counted() {
    let socket = Socket::open(0).unwrap();
    socket.set_short_refusals().unwrap();
    socket.set_explained_refusals().unwrap();
    assert_eq!(socket.drops().unwrap(), 0);
    socket.set_receive_buffer(4096).unwrap();
    let sent = 100;
    for sequence in 0..sent {
        socket.send(&question(sequence, 4)).unwrap();
    }
    let lost = socket.try_receive(&mut [0; 512]).unwrap_err();
    assert_eq!(lost.raw_os_error(), Some(105), "{lost}");
    let mut received = 0;
    while socket.try_receive(&mut [0; 512]).is_ok() {
        received += 1;
    }
    assert_eq!(received + socket.drops().unwrap(), sent);
}

#[test]
fn a_reliable_socket_hears_of_no_full_buffer() {
    let socket = Socket::open(0).unwrap();
    socket.set_reliable().unwrap();
    socket.set_receive_buffer(4096).unwrap();
    for sequence in 0..100 {
        socket.send(&question(sequence, 4)).unwrap();
    }
    assert!(socket.try_receive(&mut [0; 512]).is_ok());
}

#[test]
fn only_the_kernel_is_heard() {
    let (socket, other) = (Socket::open(0).unwrap(), Socket::open(0).unwrap());
    let to = NetlinkAddr::new(socket.port_id().unwrap(), 0);
    let forge = || sendto(other.fd.as_raw_fd(), &question(1, 4), &to, MsgFlags::empty());
    if let Err(error) = forge() {
        // The handle is written to, because libtest keeps what `println!` writes in a test that passes.
        let line = format!("\nSKIPPED: no right to send to another program: {error}\n");
        io::stdout().write_all(line.as_bytes()).unwrap();
        return;
    }
    socket.send(&question(2, 4)).unwrap();
    let mut buffer = [0; 512];
    let len = socket.try_receive(&mut buffer).unwrap();
    assert_eq!(sequence_of(&buffer[..len]), 2);
    forge().unwrap();
    let mut foreign = 0;
    let slots = &mut Slots::new(2, 512);
    let count = |datagram: Datagram<'_>| foreign += u32::from(datagram == Datagram::Foreign);
    assert_eq!(socket.try_receive_many(slots, 2, count).unwrap(), 1);
    assert_eq!(foreign, 1);
}
