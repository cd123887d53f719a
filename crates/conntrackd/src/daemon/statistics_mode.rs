//! Statistics mode: its state between the kernel, its log and the operator.

use ctnetlink::client::DumpOutcome;
use ctnetlink::{FlowView, Table};
use ctsync::Subject;
use ctsync::time::Instant;
use flow::EventKind;
use flow::text::LocalTime;

use super::Reaction;
use super::answers::{Answer, Form, Rest};
use super::context::Context;
use super::kernel_side::KernelSide;
use super::start::StartError;
use super::words::Line;
use crate::control::Request;
use crate::kernel::{FlowKey, Job, Purpose, Step};
use crate::lines::{self, Age, WallClock};
use crate::log::{Log, StatisticsLog};
use crate::statistics::{self, Cache, Traffic};
use crate::stats_mode::{Cursor, Now, Purged, StatsMode};
use crate::surroundings::System;

/// Flows that a turn of a purge looks at.
const PURGE_STEP: u32 = 4096;
/// Flows of an answer in one turn.
const ANSWER_STEP: u32 = 256;

/// The mode.
pub(super) struct StatisticsMode<'a> {
    state: StatsMode,
    log: StatisticsLog<'a>,
    system: &'a dyn System,
    /// Flows that were not in the last dump are being looked for.
    is_purging: bool,
    /// Flows that a flush has found.
    flushed: Vec<FlowKey>,
    now: Instant,
}

/// The time by both clocks.
fn time(instant: Instant, wall_s: u64, local: LocalTime<'_>) -> Now<'_> {
    Now { instant, wall_s, local }
}

impl<'a> StatisticsMode<'a> {
    /// A mode that knows of no flow.
    pub(super) fn new(
        log: StatisticsLog<'a>,
        system: &'a dyn System,
        limit: usize,
        seed: u64,
    ) -> Self {
        let state = StatsMode::new(limit, seed);
        let now = Instant::default();
        Self { state, log, system, is_purging: false, flushed: Vec::new(), now }
    }

    /// Takes the kernel's table at the start.
    pub(super) fn fill(&mut self, now: Instant, kernel: &mut KernelSide) -> Result<(), StartError> {
        let Self { state, system, .. } = self;
        let local = |second| system.civil_time(second);
        let time = time(now, system.now_s(), &local);
        let KernelSide { dump, wanted, .. } = kernel;
        let outcome = dump.run(Table::Flows, |subject| {
            if let Subject::Flow(flow) = subject
                && wanted.admits(flow)
            {
                state.on_dumped(&time, flow);
            }
        });
        // Nothing was known before, so nothing can be gone.
        let _outcome = outcome.map_err(|error| StartError::FirstDump(Table::Flows, error))?;
        Ok(())
    }

    /// Flows that dumps have repaired.
    pub(super) fn repaired(&self) -> u64 {
        self.state.differed()
    }

    /// A change of the kernel's table.
    pub(super) fn on_event(
        &mut self,
        now: Instant,
        kind: EventKind,
        subject: Subject<'_, FlowView<'_>>,
    ) {
        let Self { state, system, log, .. } = self;
        let Subject::Flow(flow) = subject else { return };
        let local = |second| system.civil_time(second);
        let time = time(now, system.now_s(), &local);
        if let Some(line) = state.on_event(&time, kind, flow) {
            log.flow(|out| out.extend_from_slice(line));
        }
    }

    /// A dump that is to begin now.
    pub(super) fn begin_dump(&mut self, context: &mut Context) {
        let step = context.kernel.dump.begin(context.now);
        self.after_step(context, step);
    }

    /// The next part of a dump has come.
    pub(super) fn on_dump(&mut self, context: &mut Context) {
        let now = context.now;
        let Self { state, system, flushed, .. } = self;
        let local = |second| system.civil_time(second);
        let time = time(now, system.now_s(), &local);
        let KernelSide { dump, wanted, .. } = &mut *context.kernel;
        let mut is_first = true;
        let step = dump.on_ready(now, |job, subject| {
            let Subject::Flow(flow) = subject else { return };
            if job.purpose != Purpose::Flush && std::mem::take(&mut is_first) {
                state.dump_part();
            }
            match (job.purpose, wanted.admits(flow)) {
                (Purpose::Flush, true) => flushed.push(FlowKey::of(flow)),
                (Purpose::Flush, false) => {}
                (_, true) => state.on_dumped(&time, flow),
                (_, false) => state.on_dumped_unwanted(flow),
            }
        });
        context.delete(&mut self.flushed);
        self.after_step(context, step);
    }

    fn after_step(&mut self, context: &mut Context, step: Step) {
        match step {
            Step::Idle
            | Step::Part(_)
            | Step::Began(Job { purpose: Purpose::Flush, .. })
            | Step::Ended(Job { purpose: Purpose::Flush, .. }, _) => {}
            Step::Began(_) => self.state.dump_begins(),
            Step::Ended(_, DumpOutcome::Complete) => {
                self.state.dump_ends();
                self.is_purging = true;
            }
            Step::Ended(job, DumpOutcome::Interrupted) => context.ask_dump(job),
            Step::Failed(_, error) => context.say_dump_failed(&error),
        }
    }

    /// When something is to be done next without any input.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let has_work = self.is_purging || !self.flushed.is_empty();
        [has_work.then_some(self.now), self.log.next_deadline()].into_iter().flatten().min()
    }

    /// The time of [`next_deadline`](Self::next_deadline) may have come.
    pub(super) fn on_deadline(&mut self, context: &mut Context) {
        self.now = context.now;
        let Self { state, system, log, is_purging, .. } = self;
        let local = |second| system.civil_time(second);
        let time = time(context.now, system.now_s(), &local);
        for _ in 0..PURGE_STEP {
            if !*is_purging {
                return;
            }
            match state.purge(&time, PURGE_STEP) {
                Purged::Flow(line) => log.flow(|out| out.extend_from_slice(line)),
                Purged::Nothing => return,
                Purged::Done => *is_purging = false,
            }
        }
    }

    /// Ends a turn.
    pub(super) fn drain(&mut self, context: &mut Context) {
        context.delete(&mut self.flushed);
        self.log.flush(context.now, context.log);
    }

    /// Whether the dump that runs may go on.
    pub(super) fn has_room_for_dump(&self) -> bool {
        self.flushed.is_empty()
    }

    /// Nothing comes any more.
    pub(super) fn end(&mut self, now: Instant, log: &mut Log) {
        self.log.end(now, log);
    }

    /// The log file may have been moved away.
    pub(super) fn reopen(&mut self, now: Instant, log: &mut Log) {
        self.log.reopen(now, log);
    }

    /// Does what a client asks for.
    pub(super) fn on_request(
        &mut self,
        context: &mut Context,
        request: Request,
        out: &mut Vec<u8>,
    ) -> Reaction {
        use Request as R;
        match request {
            R::Statistics => {
                statistics::cache(out, "stats", &self.figures());
                let traffic = self.state.traffic();
                let traffic = Traffic { bytes: traffic.bytes, packets: traffic.packets };
                statistics::traffic(out, traffic);
            }
            R::StatisticsCache => statistics::cache_extended(out, "stats", &self.figures()),
            R::DumpInternal => {
                return Reaction::Goes(Answer::Statistics(Cursor::default(), Form::Plain));
            }
            R::DumpInternalXml => {
                return Reaction::Goes(Answer::Statistics(Cursor::default(), Form::Xml));
            }
            R::FlushInternal | R::FlushCaches | R::FlushFlowCaches => {
                context.say(&Line::notice("flushing caches"));
                self.state.flush();
            }
            R::FlushKernel | R::FlushKernelFlows => {
                context.say(&Line::notice("flushing kernel conntrack table"));
                context.flush_kernel(ctsync::Which::Flows);
            }
            R::Resync | R::ResyncFlows => {
                context.say(&Line::notice("resync with master conntrack table"));
                context.kernel.resyncs += 1;
                context.ask_dump(Job { purpose: Purpose::FillCache, table: Table::Flows });
            }
            _ => {}
        }
        Reaction::Finished
    }

    fn figures(&self) -> Cache {
        let counters = self.state.counters();
        let active = u64::try_from(self.state.flow_count()).unwrap_or(u64::MAX);
        Cache {
            active,
            total: active,
            objects: active,
            created: counters.created,
            create_failed: counters.create_failed,
            no_memory: 0,
            no_space: counters.no_space,
            updated: counters.updated,
            destroyed: counters.destroyed,
        }
    }

    /// Goes on with an answer.
    pub(super) fn advance(
        &self,
        answer: &mut Answer,
        now: Instant,
        room: usize,
        out: &mut Vec<u8>,
        now_s: WallClock,
    ) -> Rest {
        let Answer::Statistics(cursor, form) = answer else { return Rest::More };
        let end = out.len().saturating_add(room);
        for _ in 0..ANSWER_STEP {
            if out.len() >= end {
                return Rest::More;
            }
            let Some((next, found)) = self.state.next_flow(*cursor, now, PURGE_STEP) else {
                return Rest::Nothing;
            };
            *cursor = next;
            match (found, *form) {
                (None, _) => {}
                (Some((flow, active_s)), Form::Plain) => {
                    let age = Age { expires_in_s: None, active_s };
                    lines::internal(out, &flow, age, now_s);
                }
                (Some((flow, _)), Form::Xml) => lines::internal_xml(out, &flow, now_s),
            }
        }
        Rest::More
    }
}
