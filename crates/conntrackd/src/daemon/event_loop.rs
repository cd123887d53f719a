//! The loop: waits, gives each source its turn, sees to deadlines and answers.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration as StdDuration;

use ctnetlink::Table;
use ctsync::time::{Duration, Instant};
use sys::epoll::{Interest, Poller, Ready};
use sys::signal::{Signal, Signals};

use super::Reaction;
use super::answers::{self, Answer, Rest};
use super::clock::Clock;
use super::context::{Context, say};
use super::kernel_side::KernelSide;
use super::statistics_mode::StatisticsMode;
use super::sync_mode::SyncMode;
use super::words::{self, Line};
use crate::config::Source;
use crate::control::Request;
use crate::control::server::{Asked, Server};
use crate::kernel::{EventCause, EventSource, Job, Purpose, Taken};
use crate::link::SocketReady;
use crate::log::Log;
use crate::service::Service;
use crate::statistics::{self, Losses, Netlink, Runtime};
use crate::wake::{ClientId, Wake};

/// Turns that handle events are at least so far apart: what comes in between is handled in one go, with one wake-up, one
/// system call to read it and one datagram to tell it. An event that comes alone does not wait.
const EVENT_PACE: Duration = Duration(150_000);
/// A wake-up costs as much as ten events. So under load they are further apart: by 30 ns for each event a second, and
/// at most so far.
const LONGEST_EVENT_PACE: Duration = Duration(800_000);
/// The same for datagrams of the peer, which tell of several flows each.
const LINK_PACE: Duration = Duration(400_000);
/// Datagrams of a turn from which on there may be a pause: 160,000 of them a second pass then.
const PACED_LIMIT: usize = 64;

/// What the daemon is for.
pub(super) enum Mode<'a> {
    Sync(Box<SyncMode>),
    Statistics(Box<StatisticsMode<'a>>),
}

/// A mode and its kernel.
pub(super) struct Working<'a> {
    kernel: KernelSide,
    mode: Mode<'a>,
    /// Time between two polls, and the next.
    polling: Option<(Duration, Instant)>,
}

impl<'a> Working<'a> {
    pub(super) fn new(kernel: KernelSide, mode: Mode<'a>, source: &Source, now: Instant) -> Self {
        let polling = match source {
            Source::Events(_) => None,
            Source::Polling { interval } => {
                let nanoseconds = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
                Some((Duration(nanoseconds), now.after(Duration(nanoseconds))))
            }
        };
        Self { kernel, mode, polling }
    }
}

/// The daemon.
pub(super) struct Daemon<'r, 'a> {
    pub(super) clock: Clock,
    poller: Poller,
    signals: Option<Signals>,
    log: Log<'r, 'a>,
    control: Server,
    /// Who has to hear that the daemon lives.
    pub(super) service: Service,
    working: Option<Working<'a>>,
    answers: Vec<(ClientId, Answer)>,
    iteration_limit: usize,
    started: Instant,
    /// Traffic was handled: the next turn is not to come before.
    not_before: Option<Instant>,
    /// When events were handled.
    last_events: Instant,
    poll_failed: u64,
    ready: Vec<Ready>,
    asked: Vec<Asked>,
}

impl<'r, 'a> Daemon<'r, 'a> {
    /// A daemon that is ready to run.
    pub(super) fn new(
        clock: Clock,
        poller: Poller,
        log: Log<'r, 'a>,
        control: Server,
        working: Option<Working<'a>>,
        iteration_limit: usize,
    ) -> Self {
        let started = clock.now();
        Self {
            clock,
            poller,
            signals: None,
            log,
            control,
            service: Service::default(),
            working,
            answers: Vec::new(),
            iteration_limit,
            started,
            not_before: None,
            last_events: started,
            poll_failed: 0,
            ready: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Says something.
    pub(super) fn say(&mut self, line: &Line) {
        say(&mut self.log, self.clock.now(), line);
    }

    /// The streams are closed.
    pub(super) fn detach(&mut self) {
        self.log.detach();
    }

    /// Whether one of the signals that came during the start ends the daemon. What else they ask for is done.
    pub(super) fn is_to_end(&mut self, held: &Signals) -> bool {
        while let Ok(Some(signal)) = held.take() {
            match signal {
                Signal::End => return true,
                Signal::Reopen => self.reopen(self.clock.now()),
                Signal::User => {}
            }
        }
        false
    }

    /// Signals come from here.
    pub(super) fn take_signals(&mut self, signals: Signals) -> io::Result<()> {
        self.poller.add(&signals, Wake::Signal.token(), Interest::Read)?;
        self.signals = Some(signals);
        Ok(())
    }

    /// Serves until it is told to end.
    pub(super) fn run(&mut self) {
        self.settle(self.clock.now());
        while self.turn().is_continue() {}
    }

    /// Closes everything.
    pub(super) fn end(mut self) {
        // What was read in the last turn is still told, logged and answered.
        let now = self.clock.now();
        self.settle(now);
        self.with_mode(now, |mode, context| match mode {
            Mode::Sync(sync) => sync.end(context),
            Mode::Statistics(statistics) => statistics.end(context.now, context.log),
        });
        self.log.end(now);
        self.control.close();
    }

    fn turn(&mut self) -> ControlFlow<()> {
        self.wait();
        let now = self.clock.now();
        let ready = std::mem::take(&mut self.ready);
        let mut flow = ControlFlow::Continue(());
        for ready in &ready {
            let Some(wake) = Wake::from_token(ready.token) else { continue };
            if let Wake::Signal = wake {
                flow = self.on_signals(now);
            } else {
                self.on_ready(now, wake, *ready);
            }
            if flow.is_break() {
                return flow;
            }
        }
        self.ready = ready;
        // Room for more changes is there when the events of the last ones are read, or none came.
        if self.working.as_ref().is_some_and(|working| !working.kernel.has_event_room()) {
            self.read_events(now);
        }
        self.on_deadlines(now);
        for asked in std::mem::take(&mut self.asked) {
            self.on_request(now, asked)?;
        }
        self.settle(now);
        flow
    }

    /// Waits for something to do.
    fn wait(&mut self) {
        let now = self.clock.now();
        let due = self.next_deadline();
        let timeout = due.map(|due| due.since(now));
        let is_busy = self.has_hungry_answer() || timeout == Some(Duration(0));
        if let (Some(not_before), false) = (self.not_before.take(), is_busy) {
            let left = not_before.since(now);
            std::thread::sleep(StdDuration::from_nanos(timeout.unwrap_or(left).min(left).0));
        }
        let timeout = if is_busy {
            Some(StdDuration::ZERO)
        } else {
            due.map(|due| StdDuration::from_nanos(due.since(self.clock.now()).0))
        };
        if self.poller.wait(timeout, &mut self.ready).is_err() {
            self.poll_failed += 1;
            self.ready.clear();
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let working = self.working.as_ref().map(|Working { kernel, mode, polling }| {
            let of_mode = match mode {
                Mode::Sync(sync) => sync.next_deadline(),
                Mode::Statistics(statistics) => statistics.next_deadline(),
            };
            let of_events = kernel.events.as_ref().and_then(|events| events.resync().deadline());
            let poll = polling.map(|(_, at)| at);
            let all = [of_mode, of_events, poll, kernel.dump.deadline()];
            all.into_iter().flatten().min()
        });
        let service = self.service.next_deadline();
        let others = [self.control.next_deadline(), self.log.next_deadline(), service];
        others.into_iter().chain(working).flatten().min()
    }

    fn on_signals(&mut self, now: Instant) -> ControlFlow<()> {
        while let Some(signal) = self.signals.as_ref().and_then(|signals| signals.take().ok()?) {
            match signal {
                Signal::End => return ControlFlow::Break(()),
                Signal::Reopen => self.reopen(now),
                Signal::User => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn reopen(&mut self, now: Instant) {
        self.log.reopen(now);
        if let Some(Working { mode: Mode::Statistics(mode), .. }) = &mut self.working {
            mode.reopen(now, &mut self.log);
        }
    }

    fn on_ready(&mut self, now: Instant, wake: Wake, ready: Ready) {
        match wake {
            Wake::Signal => {}
            Wake::Control | Wake::Client(_) => {
                self.control.on_ready(wake, ready, now, &self.poller, &mut self.asked);
            }
            Wake::Events => {
                let taken = self.read_events(now);
                let since = now.since(std::mem::replace(&mut self.last_events, now));
                let pace = event_pace(taken.datagrams, since, self.event_room());
                // What is left for the next turn has waited long enough.
                self.not_before = (!taken.has_more).then(|| now.after(pace));
            }
            Wake::Dump => self.with_mode(now, |mode, context| match mode {
                Mode::Sync(sync) => sync.on_dump(context),
                Mode::Statistics(statistics) => statistics.on_dump(context),
            }),
            Wake::Devices => self.with_mode(now, |mode, context| {
                if let Mode::Sync(sync) = mode {
                    sync.on_devices(context);
                }
            }),
            Wake::Link { link, socket } => {
                // With a small limit a pause would be a limit of the rate.
                if self.iteration_limit >= PACED_LIMIT {
                    self.not_before.get_or_insert(now.after(LINK_PACE));
                }
                let ready = SocketReady {
                    link,
                    socket,
                    is_readable: ready.readable,
                    is_writable: ready.writable,
                };
                self.with_mode(now, |mode, context| {
                    if let Mode::Sync(sync) = mode {
                        sync.on_link(context, ready);
                    }
                });
            }
        }
    }

    /// How many events the receive buffer holds.
    fn event_room(&self) -> usize {
        let events = self.working.as_ref().and_then(|working| working.kernel.events.as_ref());
        events.map_or(0, EventSource::room)
    }

    /// Calls the mode, if there is one.
    fn with_mode(
        &mut self,
        now: Instant,
        call: impl FnOnce(&mut Mode<'a>, &mut Context<'_, 'r, 'a>),
    ) {
        let Some(Working { kernel, mode, .. }) = &mut self.working else { return };
        let system = self.log.system();
        let wall_clock = || system.now_s();
        call(
            mode,
            &mut Context {
                now,
                clock: &self.clock,
                wall_clock: &wall_clock,
                poller: &self.poller,
                kernel,
                control: &mut self.control,
                log: &mut self.log,
            },
        );
    }

    fn read_events(&mut self, now: Instant) -> Taken {
        let Some(Working { kernel, mode, .. }) = &mut self.working else { return Taken::NOTHING };
        let limit = kernel.events_a_turn(self.iteration_limit);
        let KernelSide { events: Some(events), wanted, ports, .. } = kernel else {
            return Taken::NOTHING;
        };
        let taken = events.read(now, limit, |event| {
            let cause = ports.cause(event.port_id);
            if cause == EventCause::Injected || !wanted.admits_event(event.kind, &event.subject) {
                return;
            }
            match mode {
                Mode::Sync(sync) => sync.on_event(now, event.kind, cause, event.subject),
                Mode::Statistics(statistics) => {
                    statistics.on_event(now, event.kind, event.subject);
                }
            }
        });
        while let Some(notice) = events.next_notice() {
            say(&mut self.log, now, &words::of_buffer(notice));
        }
        taken.unwrap_or_else(|error| {
            let reason = sys::error_text::error_text(&error);
            let line = Line::error(format!("can't read the kernel's events: {reason}"));
            say(&mut self.log, now, &line.limited("failed reads of events"));
            Taken::NOTHING
        })
    }

    fn on_deadlines(&mut self, now: Instant) {
        if self.control.next_deadline().is_some_and(|due| now >= due) {
            self.control.on_deadline(now);
        }
        if self.log.next_deadline().is_some_and(|due| now >= due) {
            self.log.on_deadline(now);
        }
        if let Err(error) = self.service.on_deadline(now) {
            self.say(&words::of_service(&error).limited("failed notifications"));
        }
        let events = self.working.as_ref().and_then(|working| working.kernel.events.as_ref());
        if events.is_some_and(|events| events.resync().awaits_reading(now)) {
            self.read_events(now);
        }
        let Some(Working { kernel, polling, .. }) = &mut self.working else { return };
        let is_resync = kernel.events.as_mut().is_some_and(|events| events.resync_mut().take(now));
        let is_poll = polling.as_mut().is_some_and(|(interval, at)| {
            let is_due = now >= *at;
            if is_due {
                *at = now.after(*interval);
            }
            is_due
        });
        self.with_mode(now, |mode, context| {
            for (is_due, purpose) in [(is_resync, Purpose::AfterOverrun), (is_poll, Purpose::Poll)]
            {
                if is_due {
                    mode.compare(context, purpose);
                }
            }
            match mode {
                Mode::Sync(sync) => sync.on_deadline(context),
                Mode::Statistics(statistics) => statistics.on_deadline(context),
            }
        });
    }

    fn on_request(&mut self, now: Instant, Asked { client, code }: Asked) -> ControlFlow<()> {
        let mut out = Vec::new();
        let reaction = match Request::from_code(code) {
            // Upstream lists its children. There are none.
            None | Some(Request::StatisticsProcess) => Reaction::Finished,
            Some(Request::Kill) => {
                self.control.finish(client);
                return ControlFlow::Break(());
            }
            Some(Request::StatisticsRuntime) => {
                statistics::runtime(&mut out, &self.figures(now));
                Reaction::Finished
            }
            Some(request) => {
                let mut reaction = Reaction::Finished;
                self.with_mode(now, |mode, context| {
                    reaction = match mode {
                        Mode::Sync(sync) => sync.on_request(context, client, request, &mut out),
                        Mode::Statistics(statistics) => {
                            statistics.on_request(context, request, &mut out)
                        }
                    };
                });
                reaction
            }
        };
        self.control.write(client, &out);
        match reaction {
            Reaction::Finished => self.control.finish(client),
            Reaction::Goes(answer) => self.answers.push((client, answer)),
        }
        ControlFlow::Continue(())
    }

    /// `-s runtime`
    fn figures(&self, now: Instant) -> Runtime {
        let netlink = self.working.as_ref().map(|Working { kernel, .. }| {
            let events =
                kernel.events.as_ref().map(|events| (events.counters(), events.buffer_bytes()));
            let (events, buffer_bytes) = events.unwrap_or_default();
            Netlink {
                events: events.received,
                filtered: kernel.wanted.filtered,
                unknown_events: events.unknown_type,
                event_errors: events.catch_failed,
                unknown_dumped: kernel.dump.counters().unknown_type,
                overruns: events.overruns,
                flushes: kernel.flushes,
                resyncs: kernel.resyncs,
                buffer_bytes: u64::try_from(buffer_bytes).unwrap_or(u64::MAX),
            }
        });
        let lost = self.working.as_ref().map_or(0, |working| working.kernel.lost_events());
        let losses = (lost > 0).then(|| Losses {
            events: lost,
            repaired: match self.working.as_ref().map(|working| &working.mode) {
                Some(Mode::Sync(sync)) => sync.node().statistics().repaired,
                Some(Mode::Statistics(statistics)) => statistics.repaired(),
                None => 0,
            },
        });
        Runtime {
            losses,
            uptime_s: now.since(self.started).0 / 1_000_000_000,
            netlink: netlink.unwrap_or_default(),
            poll_failed: self.poll_failed,
            read_failed: self.control.read_failed(),
            ..Runtime::default()
        }
    }

    /// Ends a turn: what the mode wants done is done, and answers go on.
    fn settle(&mut self, now: Instant) {
        let mut failed = None;
        self.with_mode(now, |mode, context| {
            mode.drain(context);
            if context.kernel.dump.deadline().is_some_and(|due| now >= due) {
                mode.begin_dump(context);
            }
            if let Some(client) = context.kernel.dump.client_in_the_way() {
                context.control.hurry(client);
            }
            let is_awaited = mode.has_room_for_dump(context);
            failed = context.kernel.await_dump(context.poller, is_awaited).err();
        });
        if let Some(error) = failed {
            let reason = sys::error_text::error_text(&error);
            self.say(
                &Line::error(format!("can't wait for a dump: {reason}")).limited("failed waits"),
            );
        }
        self.advance_answers(now);
        self.control.settle(now, &self.poller);
        if let Some(line) = words::of_given_up(self.control.take_given_up()) {
            self.say(&line);
        }
        self.log.flush(now);
    }

    fn advance_answers(&mut self, now: Instant) {
        let Self { answers, control, working, log, .. } = self;
        let Some(Working { kernel, mode, .. }) = working else { return };
        let system = log.system();
        let wall_clock = || system.now_s();
        answers.retain_mut(|(client, answer)| {
            if !control.is_waiting(*client) {
                kernel.dump.forget(Job { purpose: Purpose::Print(*client), table: Table::Flows });
                return false;
            }
            let room = control.room(*client);
            let Some(out) = control.writer(*client) else { return true };
            let rest = match mode {
                Mode::Sync(sync) => answers::advance(answer, sync.node(), room, out, &wall_clock),
                Mode::Statistics(mode) => mode.advance(answer, now, room, out, &wall_clock),
            };
            if rest == Rest::Nothing {
                control.finish(*client);
            }
            rest == Rest::More
        });
    }

    /// Whether an answer can go on at once.
    fn has_hungry_answer(&self) -> bool {
        let goes_on = |client| {
            let answer = self.answers.iter().find(|(of, _)| *of == client);
            answer.is_some_and(|(_, answer)| !matches!(answer, Answer::Awaited))
        };
        self.control.hungry().any(goes_on)
    }
}

/// How far apart turns are to be after one that handled so many events, the turn before being so long ago, if the receive
/// buffer holds `room` events: what comes in between is to fill a quarter of it.
fn event_pace(events: usize, since: Duration, room: usize) -> Duration {
    let [events, room] = [events, room].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    let apart_ns = (since.0 / events.max(1)).max(1);
    let by_rate = Duration(30 * 1_000_000_000 / apart_ns);
    let by_room = Duration(apart_ns.saturating_mul(room / 4));
    by_rate.clamp(EVENT_PACE, LONGEST_EVENT_PACE).min(by_room)
}

impl Mode<'_> {
    /// Does what is wanted of the mode.
    fn drain(&mut self, context: &mut Context) {
        match self {
            Self::Sync(sync) => sync.drain(context),
            Self::Statistics(statistics) => statistics.drain(context),
        }
    }

    fn begin_dump(&mut self, context: &mut Context) {
        match self {
            Self::Sync(sync) => sync.begin_dump(context),
            Self::Statistics(statistics) => statistics.begin_dump(context),
        }
    }

    fn has_room_for_dump(&self, context: &Context) -> bool {
        match self {
            Self::Sync(sync) => sync.has_room_for_dump(context),
            Self::Statistics(statistics) => statistics.has_room_for_dump(),
        }
    }

    /// Wants a dump to compare with.
    fn compare(&self, context: &mut Context, purpose: Purpose) {
        let tables = match self {
            Self::Sync(sync) => sync.cached_tables(),
            Self::Statistics(_) => &[Table::Flows][..],
        };
        let is_resync = purpose == Purpose::AfterOverrun && !tables.is_empty();
        context.kernel.resyncs += u64::from(is_resync);
        for table in tables {
            context.ask_dump(Job { purpose, table: *table });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_further_apart_under_load_but_the_buffer_stays_mostly_empty() {
        let micros = |count: u64| Duration(count * 1000);
        assert_eq!(event_pace(1, Duration::from_secs(1), 100), EVENT_PACE);
        assert_eq!(event_pace(1, micros(200), 100), EVENT_PACE);
        assert_eq!(event_pace(3, micros(300), 1000), micros(300));
        assert_eq!(event_pace(15, micros(150), 1000), LONGEST_EVENT_PACE);
        assert_eq!(event_pace(80, micros(800), 1000), LONGEST_EVENT_PACE);
        assert_eq!(event_pace(1, Duration(0), 1 << 30), LONGEST_EVENT_PACE);
        // 100,000 events a second, and 20 of them fill a quarter.
        assert_eq!(event_pace(80, micros(800), 80), micros(200));
        assert_eq!(event_pace(0, micros(800), 0), Duration(0));
    }
}
