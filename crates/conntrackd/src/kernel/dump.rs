//! Reading all of a table, one datagram a turn.
//!
//! One dump runs at a time; the others wait in the order in which they were asked for, those for clients behind the
//! rest. A datagram holds at most 32 KiB, that is some 150 flows. A dump that fails is begun again after a pause, which
//! grows from a second to a minute. What is left of a broken dump on the socket is passed over by its number, and until
//! it has come to its end the kernel refuses the next one (`EBUSY`), which is a failure like others.
//!
//! A dump is no snapshot: entries may come twice. A flow that is ending (`IPS_DYING`) is passed over. The kernel
//! tells its end first and takes it out of the table after that, and whoever makes it end may be put aside in between
//! by the reader of the event: such a flow may be in a part that was filled long after its end was told.

mod jobs;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use ctnetlink::client::{ClientError, DumpOutcome, PollTransport};
use ctnetlink::wire::{MessageKind, RawMessage, Sequence, Subsystem};
use ctnetlink::{DumpFilter, Exchange, Expects, FlowView, Reply, Request, Table};
use ctsync::Subject;
use ctsync::time::{Duration, Instant};
use flow::{FlowRead, Status};
use sys::netlink::Socket;

use super::events::with_subject;
use crate::wake::ClientId;
use jobs::Jobs;

pub use jobs::{Asked, Job, MOST_JOBS, Purpose};

/// The kernel fills at most 32 KiB.
const BUFFER_LEN: usize = 64 * 1024;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(64);

/// What happened to a dump.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Nothing.
    Idle,
    /// It began. If it was begun before and failed, what came of that does not count.
    Began(Job),
    /// A part of it was handed on.
    Part(Job),
    /// Its last part was handed on.
    Ended(Job, DumpOutcome),
    /// It failed and will begin again.
    Failed(Job, ClientError),
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DumpCounters {
    /// `dump unknown type`: messages that are no entries, and malformed entries.
    pub unknown_type: u64,
    /// Dumps that ended.
    pub ended: u64,
    /// Dumps that failed.
    pub failed: u64,
    /// Dumps of which the kernel says that they were disturbed.
    pub interrupted: u64,
}

#[derive(Debug)]
struct Running {
    job: Job,
    exchange: Exchange,
}

/// Reads tables.
#[derive(Debug)]
pub struct Dump<T = Socket> {
    transport: T,
    buffer: Vec<u8>,
    request: Vec<u8>,
    sequence: Sequence,
    jobs: Jobs,
    running: Option<Running>,
    /// After a failure: no dump begins before.
    not_before: Instant,
    pause: Duration,
    counters: DumpCounters,
}

impl Dump<Socket> {
    /// Opens a socket for dumps.
    ///
    /// # Errors
    ///
    /// If the socket cannot be opened.
    pub fn open() -> io::Result<Self> {
        Ok(Self::new(Socket::open(0)?))
    }
}

impl AsFd for Dump<Socket> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

impl<T: PollTransport> Dump<T> {
    /// Reads over this transport.
    pub fn new(transport: T) -> Self {
        Self {
            transport,
            buffer: vec![0; BUFFER_LEN],
            request: Vec::new(),
            sequence: Sequence(1),
            jobs: Jobs::default(),
            running: None,
            not_before: Instant::default(),
            pause: FIRST_PAUSE,
            counters: DumpCounters::default(),
        }
    }

    /// Wants a dump.
    pub fn ask(&mut self, job: Job) -> Asked {
        self.jobs.ask(job)
    }

    /// A dump that waits is not wanted any more. One that runs goes on.
    pub fn forget(&mut self, job: Job) {
        self.jobs.forget(job);
    }

    /// The dump that runs.
    pub fn running(&self) -> Option<Job> {
        self.running.as_ref().map(|running| running.job)
    }

    /// The client for which the dump is that runs, while others wait.
    pub fn client_in_the_way(&self) -> Option<ClientId> {
        match self.running()?.purpose {
            Purpose::Print(client) if !self.jobs.is_empty() => Some(client),
            _ => None,
        }
    }

    /// When [`Dump::begin`] has something to do; a time that is past means now.
    pub fn deadline(&self) -> Option<Instant> {
        (self.running.is_none() && !self.jobs.is_empty()).then_some(self.not_before)
    }

    /// What was counted.
    pub fn counters(&self) -> DumpCounters {
        self.counters
    }

    /// Begins the next dump, if none runs and one waits whose time has come.
    pub fn begin(&mut self, now: Instant) -> Step {
        if self.running.is_some() || now < self.not_before {
            return Step::Idle;
        }
        let Some(job) = self.jobs.take() else { return Step::Idle };
        match self.send(job.table) {
            Ok(exchange) => {
                self.running = Some(Running { job, exchange });
                Step::Began(job)
            }
            Err(error) => self.fail(now, job, error.into()),
        }
    }

    /// The socket can be read: takes one datagram and hands its entries to `each`.
    pub fn on_ready(
        &mut self,
        now: Instant,
        mut each: impl FnMut(Job, Subject<'_, FlowView<'_>>),
    ) -> Step {
        let received = match self.transport.try_receive(&mut self.buffer) {
            Ok(None) => return Step::Idle,
            Ok(Some(len)) => Ok(len),
            Err(error) => Err(error),
        };
        // Without a dump this is the rest of one that failed.
        let Some(Running { job, mut exchange }) = self.running.take() else { return Step::Idle };
        let taken = received.map_err(ClientError::from).and_then(|len| {
            let datagram = self.buffer.get(..len).ok_or(ClientError::Truncated { len })?;
            let counters = &mut self.counters;
            take(&mut exchange, job.table, datagram, counters, |subject| each(job, subject))
        });
        match taken {
            Ok(None) => {
                self.running = Some(Running { job, exchange });
                Step::Part(job)
            }
            Ok(Some(outcome)) => {
                self.pause = FIRST_PAUSE;
                self.counters.ended += 1;
                self.counters.interrupted += u64::from(outcome == DumpOutcome::Interrupted);
                Step::Ended(job, outcome)
            }
            Err(error) => self.fail(now, job, error),
        }
    }

    /// Reads a table at once, waiting for all of it: for the start, when no dump runs yet.
    ///
    /// # Errors
    ///
    /// If the kernel refuses, or the socket fails.
    pub fn run(
        &mut self,
        table: Table,
        mut each: impl FnMut(Subject<'_, FlowView<'_>>),
    ) -> Result<DumpOutcome, ClientError> {
        let mut exchange = self.send(table)?;
        loop {
            let len = self.transport.receive(&mut self.buffer)?;
            let datagram = self.buffer.get(..len).ok_or(ClientError::Truncated { len })?;
            if let Some(outcome) =
                take(&mut exchange, table, datagram, &mut self.counters, &mut each)?
            {
                self.counters.ended += 1;
                return Ok(outcome);
            }
        }
    }

    fn send(&mut self, table: Table) -> io::Result<Exchange> {
        let sequence = self.sequence;
        self.sequence = Sequence(sequence.0.wrapping_add(1));
        let filter = DumpFilter::default();
        let request = match table {
            Table::Flows => Request::DumpFlows { filter: &filter, zero: false },
            Table::Expectations => Request::DumpExpectations(None),
        };
        self.request.clear();
        request.encode(sequence, &mut self.request);
        self.transport.send(&self.request)?;
        Ok(Exchange::new(sequence, Expects::Dump))
    }

    fn fail(&mut self, now: Instant, job: Job, error: ClientError) -> Step {
        self.counters.failed += 1;
        self.jobs.put_back(job);
        self.not_before = now.after(self.pause);
        self.pause = self.pause.doubled().min(LONGEST_PAUSE);
        Step::Failed(job, error)
    }
}

/// Hands on the entries of a datagram; the outcome if it ends the dump.
fn take(
    exchange: &mut Exchange,
    table: Table,
    datagram: &[u8],
    counters: &mut DumpCounters,
    mut each: impl FnMut(Subject<'_, FlowView<'_>>),
) -> Result<Option<DumpOutcome>, ClientError> {
    for reply in exchange.replies(datagram) {
        match reply? {
            Reply::Message(message) => {
                let is_handed_on = is_entry(table, &message)
                    && with_subject(table, &message, |subject| {
                        if !is_ending(&subject) {
                            each(subject);
                        }
                    })
                    .is_ok();
                counters.unknown_type += u64::from(!is_handed_on);
            }
            Reply::End { interrupted: false } => return Ok(Some(DumpOutcome::Complete)),
            Reply::End { interrupted: true } => return Ok(Some(DumpOutcome::Interrupted)),
        }
    }
    Ok(None)
}

/// Whether the end of a flow was told already, or is being told.
fn is_ending(subject: &Subject<'_, FlowView<'_>>) -> bool {
    let Subject::Flow(flow) = subject else { return false };
    flow.status().is_some_and(|status| status.contains(Status::DYING))
}

/// Entries come as the message that makes one.
fn is_entry(table: Table, message: &RawMessage<'_>) -> bool {
    let subsystem = match table {
        Table::Flows => Subsystem::CONNTRACK,
        Table::Expectations => Subsystem::EXPECT,
    };
    MessageKind::from(message.header.kind) == MessageKind { subsystem, message: 0 }
}

#[cfg(test)]
mod tests;
