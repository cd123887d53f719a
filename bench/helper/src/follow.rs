//! How long a flow needs from this network namespace into that of another node.
//!
//! One process has a socket in each of the two, so one clock sees both ends. It starts before the request that creates
//! the flow, which the kernel has carried out, with its event, when the system call returns; it ends when the event of the
//! same flow is read in the other namespace, where a daemon has put it into the kernel's table. Flows follow one another
//! at uneven distances, lest the measurement beats with a timer of a daemon.

use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use ctnetlink::wire::Sequence;
use ctnetlink::{CreateMode, Request};
use nix::sched::{CloneFlags, setns};
use sys::epoll::{Interest, Poller};
use sys::netlink::Socket;

use crate::{mix, open_error};

/// Mask of `NFNLGRP_CONNTRACK_NEW`.
const NEW_FLOWS: u32 = 1;
/// A flow that needs longer counts as lost.
const GIVE_UP: Duration = Duration::from_secs(2);
/// The pause between two flows is this and up to as much again.
const PAUSE: Duration = Duration::from_millis(3);
const BUFFER_LEN: usize = 64 * 1024;
/// Slot of the mix with a plain UDP flow over IPv4.
const PLAIN_UDP: u32 = 50;

/// Creates `count` flows and prints a line for each.
#[expect(clippy::disallowed_methods, reason = "reading the clock is its purpose")]
pub(crate) fn run(other: &str, count: u32) -> io::Result<()> {
    let here = Socket::open(0).map_err(open_error)?;
    // A socket belongs to the namespace in which it was made.
    setns(File::open(other)?, CloneFlags::CLONE_NEWNET)?;
    let there = Socket::open(NEW_FLOWS).map_err(open_error)?;
    there.set_receive_buffer(1 << 20)?;
    let poller = Poller::new()?;
    poller.add(&there, 0, Interest::Read)?;

    let mut buffer = vec![0; BUFFER_LEN];
    let mut request = Vec::new();
    let mut out = io::stdout().lock();
    for number in 0..count {
        let flow = mix::flow(number * 100 + PLAIN_UDP);
        let Some(IpAddr::V4(source)) = flow.tuples.original.src else {
            return Err(io::Error::other("this flow of the mix is not IPv4"));
        };
        request.clear();
        Request::PutFlow(&flow, CreateMode::CreateOnly).encode(Sequence(number), &mut request);
        let start = Instant::now();
        here.send(&request)?;
        if arrives(&poller, &there, start, source.octets(), &mut buffer)? {
            writeln!(out, "{:.1}", start.elapsed().as_secs_f64() * 1e6)?;
        } else {
            writeln!(out, "lost")?;
        }
        // Drains the acknowledgement. Its content is told by what comes out at the other end.
        here.receive(&mut buffer)?;
        thread::sleep(PAUSE + PAUSE / 16 * (number.wrapping_mul(0x9e37_79b9) >> 28));
    }
    Ok(())
}

/// Waits for an event with this source address until [`GIVE_UP`] after the start.
fn arrives(
    poller: &Poller,
    there: &Socket,
    start: Instant,
    source: [u8; 4],
    buffer: &mut [u8],
) -> io::Result<bool> {
    let mut ready = Vec::new();
    loop {
        let left = GIVE_UP.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        poller.wait(Some(left), &mut ready)?;
        if ready.is_empty() {
            continue;
        }
        let len = there.try_receive(buffer)?;
        let event = buffer.get(..len).unwrap_or_default();
        if event.windows(source.len()).any(|bytes| bytes == source) {
            return Ok(true);
        }
    }
}
