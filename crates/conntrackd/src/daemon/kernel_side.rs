//! The kernel's side of a daemon: events, dumps, changes, and the filter over what is wanted.

use std::io;

use ctnetlink::FlowView;
use ctsync::Subject;
use flow::EventKind;
use flow::filter::EventFilter;
use sys::epoll::{Interest, Poller};

use crate::config::{Events, FilterPlace};
use crate::filter;
use crate::kernel::{Committer, Dump, EventGroups, EventSource, Ports, Writer};
use crate::wake::Wake;

/// Which flows are wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    filter: Option<EventFilter>,
    /// Upstream counts what its own process drops, not what the kernel's program does.
    counts: bool,
    /// `events filtered`
    pub(super) filtered: u64,
}

impl Wanted {
    /// By a filter that is evaluated in this place.
    pub(super) fn new(filter: Option<(EventFilter, FilterPlace)>) -> Self {
        let counts = matches!(filter, Some((_, FilterPlace::Userspace)));
        Self { filter: filter.map(|(filter, _)| filter), counts, filtered: 0 }
    }

    /// Whether a flow of a dump is wanted.
    pub(super) fn admits(&self, flow: &FlowView<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.wants(flow))
    }

    /// Whether an event is wanted.
    pub(super) fn admits_event(
        &mut self,
        kind: EventKind,
        subject: &Subject<'_, FlowView<'_>>,
    ) -> bool {
        let (Subject::Flow(flow), Some(filter)) = (subject, &self.filter) else { return true };
        let is_wanted = filter.wants_event(kind, *flow);
        self.filtered += u64::from(self.counts && !is_wanted);
        is_wanted
    }
}

/// Sockets to the kernel, and what was done with them.
#[derive(Debug)]
pub(super) struct KernelSide {
    /// `None` when polling.
    pub(super) events: Option<EventSource>,
    pub(super) dump: Dump,
    pub(super) commit: Committer,
    pub(super) flush: Writer,
    pub(super) inject: Writer,
    pub(super) ports: Ports,
    pub(super) wanted: Wanted,
    /// `flush kernel table`
    pub(super) flushes: u64,
    /// `resync with kernel table`
    pub(super) resyncs: u64,
    /// Changes that were made since events were last read: as many events of them wait.
    own_events: usize,
    /// Whether injected changes make events that come here.
    hears_injected: bool,
    is_dump_awaited: bool,
}

impl KernelSide {
    /// Opens the sockets. The event socket hears nothing yet.
    pub(super) fn open(events: Option<&Events>, wanted: Wanted) -> io::Result<Self> {
        let (flush, inject) = (Writer::open()?, Writer::open()?);
        let commit = Committer::new(Writer::open()?);
        let ports =
            Ports { commit: commit.port_id(), flush: flush.port_id(), inject: inject.port_id() };
        Ok(Self {
            events: events.map(EventSource::open).transpose()?,
            dump: Dump::open()?,
            commit,
            flush,
            inject,
            ports,
            wanted,
            flushes: 0,
            resyncs: 0,
            own_events: 0,
            hears_injected: true,
            is_dump_awaited: false,
        })
    }

    /// Puts the filter on the event socket, if it belongs there, and drops the events of what is injected: nobody asks for
    /// them, and a burst of them would fill the buffer. What the kernel lets through is asked of the filter here again.
    pub(super) fn attach_filter(&mut self) -> io::Result<()> {
        let Some(events) = &self.events else { return Ok(()) };
        let all = EventFilter::default();
        let filter = self.wanted.filter.as_ref().filter(|_| !self.wanted.counts).unwrap_or(&all);
        filter::attach(events, filter, Some(self.ports.inject))?;
        self.hears_injected = false;
        Ok(())
    }

    /// Events come from now on.
    pub(super) fn subscribe(&self, poller: &Poller, groups: EventGroups) -> io::Result<()> {
        if let Some(events) = &self.events {
            events.subscribe(groups)?;
            poller.add(events, Wake::Events.token(), Interest::Read)?;
        }
        poller.add(&self.dump, Wake::Dump.token(), Interest::Hangup)
    }

    /// Waits for the next part of a dump, or leaves it to the kernel for now.
    pub(super) fn await_dump(&mut self, poller: &Poller, is_awaited: bool) -> io::Result<()> {
        if self.is_dump_awaited != is_awaited {
            let interest = if is_awaited { Interest::Read } else { Interest::Hangup };
            poller.change(&self.dump, Wake::Dump.token(), interest)?;
            self.is_dump_awaited = is_awaited;
        }
        Ok(())
    }

    /// Events that the kernel had no room for.
    pub(super) fn lost_events(&self) -> u64 {
        // If the kernel does not tell, at least one for each time that it complained.
        let events = self.events.as_ref();
        let counted = events.and_then(|events| events.drops().ok()).map(u64::from);
        counted.unwrap_or_else(|| events.map_or(0, |events| events.counters().overruns))
    }

    /// So many changes were made or are under way, each of which makes an event.
    pub(super) fn written(&mut self, changes: usize) {
        self.own_events = self.own_events.saturating_add(events_of(changes));
    }

    /// So many changes were injected.
    pub(super) fn injected(&mut self, changes: usize) {
        if self.hears_injected {
            self.written(changes);
        }
    }

    /// How many changes one call may make: with those that fill half of the event socket's buffer it is not full then.
    pub(super) fn changes_a_call(&self) -> usize {
        /// More bring nothing.
        const MOST: usize = 256;
        let room = self.events.as_ref().map_or(usize::MAX, EventSource::room);
        (room / 8).clamp(1, MOST)
    }

    /// Whether the events of more changes fit into the event socket: else they are read first.
    pub(super) fn has_event_room(&self) -> bool {
        self.events.as_ref().is_none_or(|events| self.own_events < (events.room() / 2).max(1))
    }

    /// How many events are read at once: those of the own changes come on top of the limit, since a commit that makes
    /// more than are read would fill the buffer. Those of changes that are under way may come later.
    pub(super) fn events_a_turn(&mut self, limit: usize) -> usize {
        let under_way = events_of(self.commit.under_way());
        limit.saturating_add(std::mem::replace(&mut self.own_events, under_way))
    }
}

/// How many events so many changes make at most: to replace an entry is to delete and to make it.
fn events_of(changes: usize) -> usize {
    changes.saturating_mul(2)
}
