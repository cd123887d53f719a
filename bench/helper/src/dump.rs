//! The floor under every listing: the kernel's part and the copy out of it, nothing else.

use std::io;

use ctnetlink::wire::{Sequence, control};
use ctnetlink::{DumpFilter, Request};
use sys::netlink::Socket;

use crate::open_error;

/// The kernel fills no more than this.
const BUFFER_LEN: usize = 32 * 1024;
/// Length of `NLMSG_DONE` with its code.
const DONE_LEN: usize = 20;

/// Reads the whole table and prints datagrams and bytes.
pub(crate) fn run() -> io::Result<()> {
    let socket = Socket::open(0).map_err(open_error)?;
    let mut request = Vec::new();
    let filter = DumpFilter::default();
    Request::DumpFlows { filter: &filter, zero: false }.encode(Sequence(1), &mut request);
    socket.send(&request)?;

    let mut buffer = vec![0; BUFFER_LEN];
    let (mut datagrams, mut bytes) = (0_u32, 0_u64);
    loop {
        let len = socket.receive(&mut buffer)?;
        let Some(datagram) = buffer.get(..len) else {
            return Err(io::Error::other(format!("a datagram of {len} bytes")));
        };
        if kind(datagram) == Some(control::ERROR) {
            return Err(io::Error::other("the kernel refused the dump"));
        }
        datagrams += 1;
        bytes += len as u64;
        if is_last(datagram) {
            break;
        }
    }
    println!("{datagrams} {bytes}");
    Ok(())
}

/// Whether a datagram ends with `NLMSG_DONE`: alone in it, or after data. Data of 20 bytes does not occur.
fn is_last(datagram: &[u8]) -> bool {
    let Some(tail) = datagram.len().checked_sub(DONE_LEN).and_then(|at| datagram.get(at..)) else {
        return false;
    };
    let len = tail.first_chunk().map(|len| u32::from_ne_bytes(*len));
    len == u32::try_from(DONE_LEN).ok() && kind(tail) == Some(control::DONE)
}

/// The type of the message that begins here.
fn kind(message: &[u8]) -> Option<u16> {
    let kind = message.get(4..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*kind))
}
