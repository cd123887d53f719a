//! A kernel: a table that answers, unless a script says otherwise, and events that happen as written down.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use conntrack::surroundings::{EventSource, Kernel, Received, Wake};
use ctnetlink::bpf::FlowConditions;
use ctnetlink::client::{BatchBounds, PollTransport, Transport};
use ctnetlink::wire::{MessageFlags, Messages, Sequence};
use flow::{Expectation, Flow};
use sys::netlink::{Datagram, OpenError};

use super::message::{Ask, Part, Sent, Step};
use super::streams::Pipe;
use super::table::Table;

/// What happens to a socket of events.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Datagram(Vec<u8>),
    /// A datagram that is longer than its slot.
    Long,
    /// Events are lost behind so many that wait: they are all that is there until they are read.
    Overrun {
        behind: usize,
        lost: u32,
    },
    /// SIGUSR1.
    Report,
    /// Receiving fails with this errno.
    Errno(i32),
    /// Nothing more for now: what follows comes with the next wake.
    Pause,
    Stop,
    OutputClosed,
    /// Waiting fails with this errno.
    WaitErrno(i32),
}

pub(crate) struct FakeKernel {
    state: Rc<RefCell<State>>,
    refusal: Option<fn() -> OpenError>,
    bounds: BatchBounds,
}

struct State {
    table: Table,
    scripts: Vec<(Ask, Vec<Step>)>,
    sent: Vec<Sent>,
    sockets: usize,
    groups: Vec<u32>,
    conditions: Vec<FlowConditions>,
    lost: u32,
    /// So many datagrams wait before a gap.
    before_gap: usize,
    buffer_sizes: Vec<usize>,
    happenings: VecDeque<Happening>,
    stdout: Pipe,
    /// How many requests went before the signal comes.
    end_after: Option<usize>,
    /// How many requests each datagram of them had.
    datagrams: Vec<usize>,
    /// How much was on standard output whenever the program waited.
    written_at_wait: Vec<usize>,
}

impl FakeKernel {
    pub(crate) fn new(flows: impl IntoIterator<Item = Flow>, stdout: Pipe) -> Self {
        let table = Table { flows: flows.into_iter().collect(), ..Table::default() };
        let state = State {
            table,
            scripts: Vec::new(),
            sent: Vec::new(),
            sockets: 0,
            groups: Vec::new(),
            conditions: Vec::new(),
            lost: 0,
            before_gap: 0,
            buffer_sizes: Vec::new(),
            happenings: VecDeque::new(),
            stdout,
            end_after: None,
            datagrams: Vec::new(),
            written_at_wait: Vec::new(),
        };
        let bounds = BatchBounds { requests: 256, bytes: 1 << 16 };
        Self { state: Rc::new(RefCell::new(state)), refusal: None, bounds }
    }

    /// Batches have at most so many requests.
    pub(crate) fn bound_batches(&mut self, requests: usize) {
        self.bounds.requests = requests;
    }

    /// A signal comes when so many requests were sent.
    pub(crate) fn end_after(&self, requests: usize) {
        self.state.borrow_mut().end_after = Some(requests);
    }

    /// How many requests each datagram had.
    pub(crate) fn datagrams(&self) -> Vec<usize> {
        self.state.borrow().datagrams.clone()
    }

    /// The next request of this kind is answered by these steps. Repeated calls queue up.
    pub(crate) fn script(&self, ask: Ask, steps: impl IntoIterator<Item = Step>) {
        self.state.borrow_mut().scripts.push((ask, steps.into_iter().collect()));
    }

    /// The next request of this kind is refused.
    pub(crate) fn refuse(&self, ask: Ask, errno: i32) {
        self.script(ask, [Step::Datagram(vec![Part::Refusal(errno)])]);
    }

    /// The table has so many flows that each question to it is narrow.
    pub(crate) fn claim_many_flows(&self) {
        self.state.borrow_mut().table.said_entries = Some(1_000_000);
    }

    /// No socket can be had.
    pub(crate) fn refuse_sockets(&mut self, error: fn() -> OpenError) {
        self.refusal = Some(error);
    }

    pub(crate) fn put_expectations(&self, expectations: impl IntoIterator<Item = Expectation>) {
        self.state.borrow_mut().table.expectations.extend(expectations);
    }

    pub(crate) fn happen(&self, happenings: impl IntoIterator<Item = Happening>) {
        self.state.borrow_mut().happenings.extend(happenings);
    }

    pub(crate) fn flows(&self) -> Vec<Flow> {
        self.state.borrow().table.flows.clone()
    }

    /// Requests of this kind.
    pub(crate) fn sent(&self, ask: Ask) -> Vec<Sent> {
        self.state.borrow().sent.iter().filter(|sent| sent.ask() == ask).cloned().collect()
    }

    /// What was asked for, in order.
    pub(crate) fn asked(&self) -> Vec<Ask> {
        self.state.borrow().sent.iter().map(Sent::ask).collect()
    }

    pub(crate) fn groups(&self) -> Vec<u32> {
        self.state.borrow().groups.clone()
    }

    /// What the socket of events was told to filter by.
    pub(crate) fn conditions(&self) -> Vec<FlowConditions> {
        self.state.borrow().conditions.clone()
    }

    pub(crate) fn buffer_sizes(&self) -> Vec<usize> {
        self.state.borrow().buffer_sizes.clone()
    }

    pub(crate) fn written_at_wait(&self) -> Vec<usize> {
        self.state.borrow().written_at_wait.clone()
    }
}

impl FakeKernel {
    fn open(&self) -> Result<Connection, OpenError> {
        if let Some(refusal) = self.refusal {
            return Err(refusal());
        }
        let mut state = self.state.borrow_mut();
        let number = state.sockets;
        state.sockets += 1;
        let state = Rc::clone(&self.state);
        Ok(Connection { number, state, waiting: VecDeque::new() })
    }
}

impl Kernel for FakeKernel {
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError> {
        Ok(Box::new(self.open()?))
    }

    fn connect_for_batches(&self) -> Result<(Box<dyn PollTransport>, BatchBounds), OpenError> {
        Ok((Box::new(self.open()?), self.bounds))
    }

    fn hold_end(&self) -> io::Result<()> {
        Ok(())
    }

    fn end_is_wished(&self) -> bool {
        let state = self.state.borrow();
        state.end_after.is_some_and(|requests| state.sent.len() >= requests)
    }

    fn subscribe(
        &self,
        groups: u32,
        conditions: &FlowConditions,
    ) -> Result<Box<dyn EventSource>, OpenError> {
        if let Some(refusal) = self.refusal {
            return Err(refusal());
        }
        let mut state = self.state.borrow_mut();
        state.groups.push(groups);
        state.conditions.push(conditions.clone());
        Ok(Box::new(Subscription(Rc::clone(&self.state))))
    }
}

struct Connection {
    number: usize,
    state: Rc<RefCell<State>>,
    waiting: VecDeque<Result<Vec<u8>, i32>>,
}

impl Transport for Connection {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let mut rest = datagram;
        let mut requests = 0;
        while let Some(message) = Messages::new(rest).next() {
            message.unwrap();
            let len = u32::from_ne_bytes(*rest.first_chunk().unwrap());
            let (bytes, behind) = rest.split_at(usize::try_from(len).unwrap().next_multiple_of(4));
            (rest, requests) = (behind, requests + 1);
            let sent = Sent { socket: self.number, bytes: bytes.to_vec() };
            let ask = sent.ask();
            let steps = match state.scripts.iter().position(|(of, _)| *of == ask) {
                Some(at) => state.scripts.remove(at).1,
                None => state.table.answer(&sent),
            };
            let is_silent = matches!(ask, Ask::PutFlow | Ask::DeleteFlow)
                && !sent.flags().contains(MessageFlags::ACK);
            let is_said = |step: &&Step| !(is_silent && step.is_acknowledgement());
            self.waiting.extend(steps.iter().filter(is_said).map(|step| received(step, &sent)));
            state.sent.push(sent);
        }
        state.datagrams.push(requests);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.waiting.pop_front();
        let datagram = next.expect("the program waits for what never comes");
        let datagram = datagram.map_err(io::Error::from_raw_os_error)?;
        Ok(deliver(&datagram, buffer))
    }
}

impl PollTransport for Connection {
    fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.waiting.is_empty() { Ok(None) } else { self.receive(buffer).map(Some) }
    }
}

fn received(step: &Step, sent: &Sent) -> Result<Vec<u8>, i32> {
    let sequence = sent.sequence();
    let encode = |parts: &[Part], flags, sequence| -> Vec<u8> {
        parts.iter().flat_map(|part| part.encode(sent, flags, sequence)).collect()
    };
    let multi = MessageFlags::MULTI;
    match step {
        Step::Datagram(parts) => Ok(encode(parts, multi, sequence)),
        Step::Interrupted(parts) => Ok(encode(parts, multi | MessageFlags::DUMP_INTR, sequence)),
        Step::OfAnother(parts) => {
            Ok(encode(parts, multi, Sequence(sequence.0.wrapping_add(1_000_000))))
        }
        Step::Cut(parts, missing) => {
            let mut datagram = encode(parts, multi, sequence);
            datagram.truncate(datagram.len() - missing);
            Ok(datagram)
        }
        Step::Long(len) => Ok(vec![0; *len]),
        Step::Errno(errno) => Err(*errno),
    }
}

/// As `recv` with `MSG_TRUNC`: the length is that of the datagram, the buffer has what fits.
fn deliver(datagram: &[u8], buffer: &mut [u8]) -> usize {
    let fits = datagram.len().min(buffer.len());
    buffer[..fits].copy_from_slice(&datagram[..fits]);
    datagram.len()
}

struct Subscription(Rc<RefCell<State>>);

impl EventSource for Subscription {
    fn set_buffer(&mut self, bytes: usize) -> io::Result<usize> {
        self.0.borrow_mut().buffer_sizes.push(bytes);
        Ok(bytes * 2)
    }

    fn wait(&mut self) -> io::Result<Wake> {
        let mut state = self.0.borrow_mut();
        let written = state.stdout.borrow().len();
        state.written_at_wait.push(written);
        if matches!(state.happenings.front(), Some(Happening::Pause)) {
            state.happenings.pop_front();
        }
        match state.happenings.front().expect("the program waits for what never happens") {
            Happening::Stop => {
                state.happenings.pop_front();
                Ok(Wake::Stop)
            }
            Happening::Report => {
                state.happenings.pop_front();
                Ok(Wake::Report)
            }
            Happening::OutputClosed => Ok(Wake::OutputClosed),
            Happening::WaitErrno(errno) => Err(io::Error::from_raw_os_error(*errno)),
            _ => Ok(Wake::Readable),
        }
    }

    fn receive(&mut self, most: usize, each: &mut dyn FnMut(Datagram<'_>)) -> io::Result<Received> {
        let mut state = self.0.borrow_mut();
        let mut taken = 0;
        while taken < most {
            match state.happenings.front().cloned() {
                Some(Happening::Datagram(datagram)) => each(Datagram::Whole(&datagram)),
                Some(Happening::Long) => each(Datagram::Cut(&[0; 4096])),
                Some(Happening::Overrun { behind, lost }) if taken == 0 => {
                    state.happenings.pop_front();
                    state.before_gap = behind;
                    state.lost = state.lost.wrapping_add(lost);
                    return Ok(Received::Overrun);
                }
                Some(Happening::Errno(errno)) if taken == 0 => {
                    return Err(io::Error::from_raw_os_error(errno));
                }
                _ => break,
            }
            state.happenings.pop_front();
            taken += 1;
            state.before_gap = state.before_gap.saturating_sub(1);
        }
        Ok(Received::Datagrams(taken))
    }

    fn lost(&self) -> io::Result<u32> {
        Ok(self.0.borrow().lost)
    }

    fn waiting_bytes(&self) -> io::Result<usize> {
        Ok(self.0.borrow().before_gap * 1280)
    }
}
