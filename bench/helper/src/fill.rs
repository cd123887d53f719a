//! Creates flows in batches. Only the last message of a batch is acknowledged; refusals come for any of them.
//!
//! With a rate a batch is what a tenth of a millisecond brings, about as a network card hands over packets, and each one is
//! due at its time since the start: a delay is caught up with, so that the mean holds as long as the machine can.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use ctnetlink::wire::{MessageFlags, Sequence};
use ctnetlink::{CreateMode, Exchange, Expects, FlowRequest, Reply, Request};
use sys::netlink::Socket;

use crate::{mix, open_error};

const BATCH: u32 = 256;
/// With a rate.
const BATCHES_PER_SECOND: u32 = 10_000;
const BUFFER_LEN: usize = 64 * 1024;

/// Creates the flows `first .. first + count` as fast as the kernel takes them.
pub(crate) fn run(first: u32, count: u32, flow: fn(u32) -> FlowRequest) -> io::Result<()> {
    put(first, count, BATCH, flow, |_| {})
}

/// The same with the mix at `rate` flows a second. Prints how many microseconds it took.
#[expect(clippy::disallowed_methods, reason = "reading the clock is its purpose")]
pub(crate) fn paced(first: u32, count: u32, rate: u32) -> io::Result<()> {
    let batch = (rate / BATCHES_PER_SECOND).clamp(1, BATCH);
    let start = Instant::now();
    put(first, count, batch, mix::flow, |done| {
        let due = Duration::from_secs_f64(f64::from(done) / f64::from(rate.max(1)));
        thread::sleep(due.saturating_sub(start.elapsed()));
    })?;
    println!("{}", start.elapsed().as_micros());
    Ok(())
}

/// Creates batch after batch; `pause` gets the number of flows created so far.
fn put(
    first: u32,
    count: u32,
    most: u32,
    flow: fn(u32) -> FlowRequest,
    pause: impl Fn(u32),
) -> io::Result<()> {
    let end = mix::end(first, count)?;
    let socket = Socket::open(0).map_err(open_error)?;
    let mut buffer = vec![0; BUFFER_LEN];
    let mut batch = Vec::new();
    let mut from = first;
    while from < end {
        let to = end.min(from.saturating_add(most));
        batch.clear();
        for index in from..to {
            let start = batch.len();
            let request = flow(index);
            Request::PutFlow(&request, CreateMode::CreateOnly).encode(Sequence(index), &mut batch);
            if index + 1 < to {
                clear_acknowledge(&mut batch, start);
            }
        }
        socket.send(&batch)?;
        await_batch(&socket, &mut buffer, from, to)?;
        from = to;
        pause(to - first);
    }
    Ok(())
}

/// Unsets `NLM_F_ACK` in the message that begins at `start`.
fn clear_acknowledge(messages: &mut [u8], start: usize) {
    let flags = messages.get_mut(start + 6..).and_then(<[u8]>::first_chunk_mut);
    if let Some(flags) = flags {
        let wanted = u16::from_ne_bytes(*flags) & !MessageFlags::ACK.bits();
        *flags = wanted.to_ne_bytes();
    }
}

/// Waits for the acknowledgement of the last of `from .. to`; a refusal of any ends it.
fn await_batch(socket: &Socket, buffer: &mut [u8], from: u32, to: u32) -> io::Result<()> {
    loop {
        let len = socket.receive(buffer)?;
        let datagram = buffer.get(..len).unwrap_or_default();
        for index in from..to {
            // An exchange hears only its own sequence number.
            let mut exchange = Exchange::new(Sequence(index), Expects::Acknowledgement);
            for reply in exchange.replies(datagram) {
                match reply {
                    Ok(Reply::End { .. }) => return Ok(()),
                    Ok(Reply::Message(_)) => {}
                    Err(error) => {
                        return Err(io::Error::other(format!("flow {index}: {error}")));
                    }
                }
            }
        }
    }
}
