//! The floor under every listing: the kernel's part and the copy out of it, nothing else.
//!
//! With conditions it is the floor under a list of few flows: the kernel filters, and what it sends is received.

use std::io;
use std::net::IpAddr;

use ctnetlink::wire::{Sequence, control};
use ctnetlink::{DumpFilter, Request, StatusFilter, TupleFields};
use flow::{Family, Mark, MaskedMark, Protocol, Status, Zone};
use sys::netlink::Socket;

use crate::open_error;

/// The kernel fills no more than this.
const BUFFER_LEN: usize = 32 * 1024;
/// Length of `NLMSG_DONE` with its code.
const DONE_LEN: usize = 20;

/// Reads the table once for each group of conditions, which `+` parts; once, and whole, without any. Prints datagrams and
/// bytes.
pub(crate) fn run(conditions: &[&str]) -> io::Result<()> {
    let socket = Socket::open(0).map_err(open_error)?;
    let mut buffer = vec![0; BUFFER_LEN];
    let (mut datagrams, mut bytes) = (0, 0);
    for group in conditions.split(|word| *word == "+") {
        let filter = filter(group)?;
        let (of_group, bytes_of_group) = receive(&socket, &filter, &mut buffer)?;
        datagrams += of_group;
        bytes += bytes_of_group;
    }
    println!("{datagrams} {bytes}");
    Ok(())
}

fn receive(socket: &Socket, filter: &DumpFilter, buffer: &mut [u8]) -> io::Result<(u32, u64)> {
    let mut request = Vec::new();
    Request::DumpFlows { filter, zero: false }.encode(Sequence(1), &mut request);
    socket.send(&request)?;
    let (mut datagrams, mut bytes) = (0, 0);
    loop {
        let len = socket.receive(buffer)?;
        let Some(datagram) = buffer.get(..len) else {
            return Err(io::Error::other(format!("a datagram of {len} bytes")));
        };
        if kind(datagram) == Some(control::ERROR) {
            return Err(io::Error::other("the kernel refused the dump"));
        }
        datagrams += 1;
        bytes += len as u64;
        if is_last(datagram) {
            return Ok((datagrams, bytes));
        }
    }
}

/// The conditions as words: `family=2`, `proto=17`, `src=192.0.2.1`, `dport=53`, `mark=5`, `status=4`, `zone=7`.
fn filter(words: &[&str]) -> io::Result<DumpFilter> {
    let mut filter = DumpFilter::default();
    for word in words {
        let bad = || io::Error::other(format!("`{word}' is no condition"));
        let (name, value) = word.split_once('=').ok_or_else(bad)?;
        let number = || value.parse::<u32>().map_err(|_| bad());
        let short = || value.parse::<u16>().map_err(|_| bad());
        let address = || value.parse::<IpAddr>().map_err(|_| bad());
        let (tuple, fields) = &mut filter.tuples.original;
        match name {
            "family" => {
                let number = value.parse().map_err(|_| bad())?;
                filter.family = Some(Family::from_number(number).ok_or_else(bad)?);
            }
            "proto" => {
                tuple.protocol = Some(Protocol::from(value.parse::<u8>().map_err(|_| bad())?));
                fields.insert(TupleFields::PROTO_NUM);
            }
            "src" => {
                tuple.src = Some(address()?);
                fields.insert(TupleFields::IP_SRC);
            }
            "dst" => {
                tuple.dst = Some(address()?);
                fields.insert(TupleFields::IP_DST);
            }
            "sport" => {
                tuple.src_port = Some(short()?);
                fields.insert(TupleFields::PROTO_SRC_PORT);
            }
            "dport" => {
                tuple.dst_port = Some(short()?);
                fields.insert(TupleFields::PROTO_DST_PORT);
            }
            "mark" => filter.mark = Some(MaskedMark { value: Mark(number()?), mask: u32::MAX }),
            "status" => {
                let value = Status::from_bits_retain(number()?);
                filter.status = Some(StatusFilter { value, mask: Some(value) });
            }
            "zone" => filter.zone = Some(Zone(short()?)),
            _ => return Err(bad()),
        }
    }
    Ok(filter)
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
