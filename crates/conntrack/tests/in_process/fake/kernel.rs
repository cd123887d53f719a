//! A kernel: a table that answers, unless a script says otherwise, and events that happen as written down.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use conntrack::surroundings::{EventSource, Kernel, Received, Wake};
use ctnetlink::client::Transport;
use ctnetlink::wire::{MessageFlags, Sequence};
use flow::{Expectation, Flow};
use sys::netlink::OpenError;

use super::message::{Ask, Part, Sent, Step};
use super::streams::Pipe;
use super::table::Table;

/// What happens to a socket of events.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Datagram(Vec<u8>),
    /// A datagram of this length.
    Long(usize),
    Overrun,
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
}

struct State {
    table: Table,
    scripts: Vec<(Ask, Vec<Step>)>,
    sent: Vec<Sent>,
    sockets: usize,
    groups: Vec<u32>,
    buffer_sizes: Vec<usize>,
    happenings: VecDeque<Happening>,
    stdout: Pipe,
    /// How much was on standard output whenever the program waited.
    written_at_wait: Vec<usize>,
}

impl FakeKernel {
    pub(crate) fn new(flows: impl IntoIterator<Item = Flow>, stdout: Pipe) -> Self {
        let table = Table { flows: flows.into_iter().collect(), expectations: Vec::new() };
        let state = State {
            table,
            scripts: Vec::new(),
            sent: Vec::new(),
            sockets: 0,
            groups: Vec::new(),
            buffer_sizes: Vec::new(),
            happenings: VecDeque::new(),
            stdout,
            written_at_wait: Vec::new(),
        };
        Self { state: Rc::new(RefCell::new(state)), refusal: None }
    }

    /// The next request of this kind is answered by these steps. Repeated calls queue up.
    pub(crate) fn script(&self, ask: Ask, steps: impl IntoIterator<Item = Step>) {
        self.state.borrow_mut().scripts.push((ask, steps.into_iter().collect()));
    }

    /// The next request of this kind is refused.
    pub(crate) fn refuse(&self, ask: Ask, errno: i32) {
        self.script(ask, [Step::Datagram(vec![Part::Refusal(errno)])]);
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

    pub(crate) fn buffer_sizes(&self) -> Vec<usize> {
        self.state.borrow().buffer_sizes.clone()
    }

    pub(crate) fn written_at_wait(&self) -> Vec<usize> {
        self.state.borrow().written_at_wait.clone()
    }
}

impl Kernel for FakeKernel {
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError> {
        if let Some(refusal) = self.refusal {
            return Err(refusal());
        }
        let mut state = self.state.borrow_mut();
        let number = state.sockets;
        state.sockets += 1;
        let state = Rc::clone(&self.state);
        Ok(Box::new(Connection { number, state, waiting: VecDeque::new() }))
    }

    fn subscribe(&self, groups: u32) -> Result<Box<dyn EventSource>, OpenError> {
        if let Some(refusal) = self.refusal {
            return Err(refusal());
        }
        self.state.borrow_mut().groups.push(groups);
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
        let sent = Sent { socket: self.number, bytes: datagram.to_vec() };
        let mut state = self.state.borrow_mut();
        let ask = sent.ask();
        let steps = match state.scripts.iter().position(|(of, _)| *of == ask) {
            Some(at) => state.scripts.remove(at).1,
            None => state.table.answer(&sent),
        };
        self.waiting.extend(steps.iter().map(|step| received(step, &sent)));
        state.sent.push(sent);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.waiting.pop_front();
        let datagram = next.expect("the program waits for what never comes");
        let datagram = datagram.map_err(io::Error::from_raw_os_error)?;
        Ok(deliver(&datagram, buffer))
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
            Happening::OutputClosed => Ok(Wake::OutputClosed),
            Happening::WaitErrno(errno) => Err(io::Error::from_raw_os_error(*errno)),
            _ => Ok(Wake::Readable),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut state = self.0.borrow_mut();
        match state.happenings.front().cloned() {
            Some(Happening::Datagram(datagram)) => {
                state.happenings.pop_front();
                Ok(Received::Datagram(deliver(&datagram, buffer)))
            }
            Some(Happening::Long(len)) => {
                state.happenings.pop_front();
                Ok(Received::Datagram(len))
            }
            Some(Happening::Overrun) => {
                state.happenings.pop_front();
                Ok(Received::Overrun)
            }
            Some(Happening::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(Received::Nothing),
        }
    }
}
