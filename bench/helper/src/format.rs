//! Listing flows that are in memory: the program's own work for each flow, without a kernel.
//!
//! Ten rounds more than one cost ten times what the flows cost, so the difference of two counts has no start-up in it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use conntrack::report::Exit;
use conntrack::surroundings::{EventSource, Kernel, Surroundings, System};
use ctnetlink::bpf::FlowConditions;
use ctnetlink::client::{BatchBounds, PollTransport, Transport};
use ctnetlink::encode_flow;
use ctnetlink::wire::{MessageFlags, MessageHeader, MessageWriter, NetfilterHeader, Sequence};
use flow::text::CivilTime;
use flow::{Flow, FlowId};
use sys::netlink::OpenError;

use crate::mix;

/// As many flows as come in a dozen datagrams: each kind of the mix often enough.
const FLOWS: u32 = 1000;
/// About what the kernel fills.
const DATAGRAM_LEN: usize = 32_000;
const DONE: u16 = 3;
const NEW: u16 = 0x0100;
/// The first sequence number follows from the clock, which stands still.
const SEQUENCE: Sequence = Sequence(0);

/// Lists the flows so many times with these words behind `-L`, and prints how many flows a list has.
pub(crate) fn run(rounds: u32, words: &[&str]) -> io::Result<()> {
    let memory = Memory { datagrams: datagrams()? };
    for _ in 0..rounds {
        let exit = conntrack::run::run(&mut Surroundings {
            args: ["conntrack", "-L"].iter().chain(words).map(OsString::from).collect(),
            stdin: &mut io::empty(),
            stdout: &mut io::sink(),
            stdout_is_terminal: false,
            stderr: &mut io::sink(),
            stderr_is_terminal: false,
            kernel: &memory,
            system: &memory,
        });
        if exit != Exit::Success {
            return Err(io::Error::other(format!("the list ended with {exit:?}")));
        }
    }
    println!("{FLOWS}");
    Ok(())
}

/// The answer to a dump.
fn datagrams() -> io::Result<Vec<Vec<u8>>> {
    let mut all = vec![Vec::new()];
    for index in 0..FLOWS {
        if all.last().is_some_and(|last| last.len() > DATAGRAM_LEN) {
            all.push(Vec::new());
        }
        if let Some(last) = all.last_mut() {
            let flow = flow(index).ok_or_else(|| io::Error::other("a flow without tuples"))?;
            let family = flow.tuples.original.addresses.family().number();
            let mut message = begin(last, NEW, family);
            encode_flow(&mut message, &flow);
            message.finish();
        }
    }
    let mut end = Vec::new();
    // The code of the end, 0, takes the place of the netfilter header.
    begin(&mut end, DONE, 0).finish();
    all.push(end);
    Ok(all)
}

fn begin(out: &mut Vec<u8>, kind: u16, family: u8) -> MessageWriter<'_> {
    let flags = MessageFlags::MULTI;
    let header = MessageHeader { kind, flags, sequence: SEQUENCE, port_id: 1 };
    MessageWriter::begin(out, header, NetfilterHeader { family, ..NetfilterHeader::default() })
}

/// A flow of the mix as the kernel would list it.
fn flow(index: u32) -> Option<Flow> {
    let request = mix::flow(index);
    let original = request.tuples.original.complete()?;
    let reply = request.tuples.reply.complete()?;
    Some(Flow {
        status: request.status,
        timeout_s: request.timeout_s,
        mark: Some(request.mark.unwrap_or_default()),
        zone: request.zone,
        protoinfo: request.protoinfo,
        use_count: Some(1),
        id: Some(FlowId(index.wrapping_mul(0x9e37_79b1))),
        ..Flow::new(flow::PerDirection { original, reply })
    })
}

/// A kernel whose table is in memory, and a system without files.
struct Memory {
    datagrams: Vec<Vec<u8>>,
}

struct Connection {
    waiting: VecDeque<Vec<u8>>,
}

impl Transport for Connection {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.waiting.pop_front().ok_or(io::ErrorKind::UnexpectedEof)?;
        if let Some(place) = buffer.get_mut(..datagram.len()) {
            place.copy_from_slice(&datagram);
        }
        Ok(datagram.len())
    }
}

impl Kernel for Memory {
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError> {
        Ok(Box::new(Connection { waiting: self.datagrams.iter().cloned().collect() }))
    }

    fn connect_for_batches(&self) -> Result<(Box<dyn PollTransport>, BatchBounds), OpenError> {
        Err(OpenError::Open(io::ErrorKind::Unsupported.into()))
    }

    fn hold_end(&self) -> io::Result<()> {
        Ok(())
    }

    fn end_is_wished(&self) -> bool {
        false
    }

    fn subscribe(
        &self,
        _: u32,
        _: &FlowConditions,
    ) -> Result<Box<dyn EventSource + '_>, OpenError> {
        Err(OpenError::Open(io::ErrorKind::Unsupported.into()))
    }
}

impl System for Memory {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn has_variable(&self, _: &str) -> bool {
        false
    }

    fn now_us(&self) -> u64 {
        0
    }

    fn local_time(&self, _: u64) -> CivilTime {
        CivilTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, weekday: 4 }
    }

    fn program_of_port(&self, _: u32) -> Option<String> {
        None
    }
}
