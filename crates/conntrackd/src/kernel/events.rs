//! Events of the kernel's tables.
//!
//! Open the socket before the first dump: what changes in between is then told twice rather than never. A full buffer is
//! reported once, before the events that are still in it, and the kernel adds nothing until all of them are read; so reading
//! goes on. (With `NetlinkEventsReliable` it is not reported. The kernel tells the ends again that it could not tell, but not
//! changes of flows that have no further packets; so the count of lost events is looked at.) Events about our own changes
//! come as well, with the port of the socket that made them.
//!
//! At most `limit` events a call, at most 64 a system call, nothing is allocated for an event (but the function's name of
//! an expectation that has one).

mod buffer;
mod overrun;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use ctnetlink::client::{EventSocket, EventsTaken, Growth};
use ctnetlink::wire::{Messages, RawMessage};
use ctnetlink::{DecodeError, EventMessage, ExpectationAttributes, FlowView, Table, group};
use ctsync::Subject;
use ctsync::time::Instant;
use flow::EventKind;
use sys::netlink::{Datagram, Slots};

use crate::config::Events;

pub use buffer::BufferNotice;
pub use overrun::OverrunResync;

/// What an event takes of the receive buffer at most: 1280 bytes were measured for flows of every kind (Linux 6.18).
const EVENT_BYTES: usize = 2560;

/// Which events are wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventGroups {
    /// Those of flows.
    Flows,
    /// Those of expectations too.
    FlowsAndExpectations,
}

impl EventGroups {
    fn numbers(self) -> &'static [u32] {
        const FLOWS: &[u32] = &[group::NEW, group::UPDATE, group::DESTROY];
        const ALL: &[u32] = &[
            group::NEW,
            group::UPDATE,
            group::DESTROY,
            group::EXPECTATION_NEW,
            group::EXPECTATION_DESTROY,
        ];
        match self {
            Self::Flows => FLOWS,
            Self::FlowsAndExpectations => ALL,
        }
    }
}

/// A change that the kernel reports, still in the receive buffer.
#[derive(Debug)]
pub struct KernelEvent<'a> {
    /// What happened.
    pub kind: EventKind,
    /// Port of the socket whose request made the change, 0 if a packet or a timeout did.
    pub port_id: u32,
    /// To what.
    pub subject: Subject<'a, FlowView<'a>>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EventCounters {
    /// `events received`: those that were handed on.
    pub received: u64,
    /// `events unknown type`.
    pub unknown_type: u64,
    /// `catch event failed`: events that are malformed, and, as upstream counts, full buffers.
    pub catch_failed: u64,
    /// `netlink overrun`: how often the buffer was full.
    pub overruns: u64,
    /// Datagrams of other programs.
    pub foreign: u64,
}

/// What a call of [`EventSource::read`] took.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    /// Events and whatever else came in their place.
    pub datagrams: usize,
    /// Whether there may be more.
    pub has_more: bool,
}

impl Taken {
    /// No event.
    pub const NOTHING: Self = Self { datagrams: 0, has_more: false };
}

/// The socket that hears of changes.
#[derive(Debug)]
pub struct EventSource {
    socket: EventSocket,
    notices: VecDeque<BufferNotice>,
    resync: OverrunResync,
    counters: EventCounters,
    /// With `NetlinkEventsReliable` the kernel does not complain of a full buffer: how many events were lost when this was
    /// last looked at.
    drops_seen: Option<u32>,
}

impl EventSource {
    /// Opens the socket with the configured buffer. It hears nothing until [`EventSource::subscribe`].
    ///
    /// # Errors
    ///
    /// If the socket cannot be opened or does not take an option.
    pub fn open(settings: &Events) -> io::Result<Self> {
        let to_usize = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        let max_bytes = to_usize(settings.buffer_max_bytes);
        let mut socket = EventSocket::open(max_bytes)?;
        if settings.is_reliable {
            socket.socket().set_reliable()?;
        }
        let mut notices = VecDeque::new();
        if let Some(bytes) = settings.buffer_bytes {
            // The kernel makes it twice as large.
            socket.set_buffer(to_usize(bytes.get()) / 2)?;
        } else {
            notices.push_back(BufferNotice::OfSystem);
        }
        notices.push_back(BufferNotice::Set { bytes: socket.buffer_bytes() });
        Ok(Self {
            socket,
            notices,
            resync: OverrunResync::new(settings.overrun_resync),
            counters: EventCounters::default(),
            drops_seen: settings.is_reliable.then_some(0),
        })
    }

    /// Joins the groups: from now on events come. A filter is to be on the socket by then.
    ///
    /// # Errors
    ///
    /// If the right is missing.
    pub fn subscribe(&self, groups: EventGroups) -> io::Result<()> {
        groups.numbers().iter().try_for_each(|group| self.socket.socket().join(*group))
    }

    /// Hands the events that wait to `each`, at most `limit`.
    ///
    /// # Errors
    ///
    /// If the socket fails. A full buffer is no failure.
    pub fn read(
        &mut self,
        now: Instant,
        limit: usize,
        each: impl FnMut(KernelEvent<'_>),
    ) -> io::Result<Taken> {
        let taken = self.read_waiting(now, limit, each)?;
        // A full buffer is not read by less.
        if let Some(seen) = self.drops_seen.filter(|_| taken.datagrams >= Slots::MOST.min(limit)) {
            let drops = self.drops().unwrap_or(seen);
            if drops != seen {
                self.drops_seen = Some(drops);
                self.resync.lost(now);
            }
        }
        Ok(taken)
    }

    fn read_waiting(
        &mut self,
        now: Instant,
        limit: usize,
        mut each: impl FnMut(KernelEvent<'_>),
    ) -> io::Result<Taken> {
        let mut datagrams = 0;
        // A buffer that is full again and again must not keep the turn.
        let mut overruns_left = 2_u32;
        while datagrams < limit {
            let counters = &mut self.counters;
            let wanted = limit.saturating_sub(datagrams).min(Slots::MOST);
            let result = self.socket.receive(wanted, |datagram| match datagram {
                Datagram::Whole(bytes) => hand_on(bytes, counters, &mut each),
                Datagram::Cut(_) => counters.catch_failed += 1,
                Datagram::Foreign => counters.foreign += 1,
            });
            match result? {
                EventsTaken::Datagrams(taken) => {
                    datagrams = datagrams.saturating_add(taken);
                    if taken < wanted {
                        // If it is an error that ended the call, it comes with the next one.
                        self.resync.caught_up();
                        return Ok(Taken { datagrams, has_more: false });
                    }
                }
                EventsTaken::Overrun(growth) => {
                    self.overrun(now, growth);
                    let Some(left) = overruns_left.checked_sub(1) else { break };
                    overruns_left = left;
                }
            }
        }
        Ok(Taken { datagrams, has_more: true })
    }

    fn overrun(&mut self, now: Instant, growth: Growth) {
        self.counters.overruns += 1;
        self.counters.catch_failed += 1;
        self.resync.lost(now);
        self.notices.extend(BufferNotice::of(growth));
    }

    /// What is to be said of the buffer, oldest first. Take it after [`EventSource::open`] and after each read.
    pub fn next_notice(&mut self) -> Option<BufferNotice> {
        self.notices.pop_front()
    }

    /// When to compare with the table, as events were lost.
    pub fn resync(&self) -> &OverrunResync {
        &self.resync
    }

    /// The timer that begins a comparison with the kernel's table after a loss.
    pub fn resync_mut(&mut self) -> &mut OverrunResync {
        &mut self.resync
    }

    /// What was counted.
    pub fn counters(&self) -> EventCounters {
        self.counters
    }

    /// `current buffer size (in bytes)`.
    pub fn buffer_bytes(&self) -> usize {
        self.socket.buffer_bytes()
    }

    /// How many events the empty buffer holds. A flow that is made or deleted makes one, a replaced one two.
    pub fn room(&self) -> usize {
        (self.socket.buffer_bytes() / EVENT_BYTES).max(1)
    }

    /// How many events were lost since the socket was opened, exactly. It wraps.
    ///
    /// # Errors
    ///
    /// If the kernel does not say (before Linux 4.12).
    pub fn drops(&self) -> io::Result<u32> {
        self.socket.socket().drops()
    }
}

impl AsFd for EventSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Hands the events of a datagram on; in practice it holds one.
fn hand_on(datagram: &[u8], counters: &mut EventCounters, each: &mut impl FnMut(KernelEvent<'_>)) {
    for message in Messages::new(datagram) {
        let Ok(message) = message else {
            counters.catch_failed += 1;
            return;
        };
        let Some(event) = EventMessage::of(&message) else {
            counters.unknown_type += 1;
            continue;
        };
        let EventMessage { table, kind, port_id } = event;
        let handed = with_subject(table, &message, |subject| {
            each(KernelEvent { kind, port_id, subject });
        });
        match handed {
            Ok(()) => counters.received += 1,
            Err(_) => counters.catch_failed += 1,
        }
    }
}

/// Reads an entry of a table and hands it on.
pub(super) fn with_subject<R>(
    table: Table,
    message: &RawMessage<'_>,
    take: impl FnOnce(Subject<'_, FlowView<'_>>) -> R,
) -> Result<R, DecodeError> {
    match table {
        Table::Flows => Ok(take(Subject::Flow(&FlowView::parse(message.body)?))),
        Table::Expectations => {
            let attributes = ExpectationAttributes::parse(message.body)?;
            Ok(take(Subject::Expectation(&attributes.to_expectation()?)))
        }
    }
}

#[cfg(test)]
mod tests;
