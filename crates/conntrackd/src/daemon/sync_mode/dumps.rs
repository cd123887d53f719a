//! What the dumps of the kernel's tables are for.

use ctnetlink::Table;
use ctnetlink::client::DumpOutcome;
use ctsync::time::Instant;
use ctsync::{Origin, Request, Subject, Which};

use super::SyncMode;
use crate::daemon::context::Context;
use crate::daemon::kernel_side::KernelSide;
use crate::daemon::start::StartError;
use crate::kernel::{FlowKey, Job, Purpose, Step};
use crate::lines;

fn which(table: Table) -> Which {
    match table {
        Table::Flows => Which::Flows,
        Table::Expectations => Which::Expectations,
    }
}

/// Whether a dump is compared with the internal cache, and whether the peer hears of it.
fn compares(purpose: Purpose) -> Option<Origin> {
    match purpose {
        // What is new is not told, but an end that was missed is: nobody would ever learn of it.
        Purpose::FillCache => Some(Origin::Own),
        Purpose::AfterOverrun | Purpose::Poll => Some(Origin::Others),
        Purpose::Bulk | Purpose::Flush | Purpose::Print(_) => None,
    }
}

impl SyncMode {
    /// The tables that go into the internal cache.
    pub(crate) fn cached_tables(&self) -> &'static [Table] {
        match (self.has_internal_cache(), self.synchronizes_expectations()) {
            (false, _) => &[],
            (true, false) => &[Table::Flows],
            (true, true) => &[Table::Flows, Table::Expectations],
        }
    }

    /// Takes the kernel's tables at the start. Nobody is told.
    pub(crate) fn fill(&mut self, now: Instant, kernel: &mut KernelSide) -> Result<(), StartError> {
        for table in self.cached_tables() {
            self.node.on_request(now, Request::DumpBegins(which(*table)));
            let Self { node, config, .. } = self;
            let KernelSide { dump, wanted, .. } = kernel;
            let outcome = dump.run(*table, |subject| match subject {
                Subject::Flow(flow) if wanted.admits(flow) => {
                    node.on_dumped_flow(now, flow, Origin::Own);
                }
                Subject::Flow(_) => {}
                Subject::Expectation(expectation) => {
                    if config.expectations.admits(expectation.helper.as_deref().unwrap_or("")) {
                        node.on_dumped_expectation(now, expectation, Origin::Own);
                    }
                }
            });
            let ends = match outcome.map_err(|error| StartError::FirstDump(*table, error))? {
                DumpOutcome::Complete => Request::DumpEnds(Origin::Own),
                DumpOutcome::Interrupted => Request::DumpFailed,
            };
            self.node.on_request(now, ends);
        }
        Ok(())
    }

    /// A dump that is to begin now.
    pub(crate) fn begin_dump(&mut self, context: &mut Context) {
        let step = context.kernel.dump.begin(context.now);
        self.after_step(context, step);
    }

    /// The next part of a dump has come.
    pub(crate) fn on_dump(&mut self, context: &mut Context) {
        let now = context.now;
        let Self { node, config, work, .. } = self;
        let Context { control, kernel, wall_clock, .. } = context;
        let KernelSide { dump, wanted, .. } = &mut **kernel;
        let mut is_first = true;
        let step = dump.on_ready(now, |job, subject| {
            let compared = compares(job.purpose);
            if compared.is_some() && std::mem::take(&mut is_first) {
                node.on_request(now, Request::DumpPart);
            }
            match (subject, compared) {
                (Subject::Flow(flow), Some(_)) if !wanted.admits(flow) => {
                    node.on_dumped_unwanted(now, flow);
                }
                (Subject::Flow(flow), None) if !wanted.admits(flow) => {}
                (Subject::Flow(flow), Some(origin)) => node.on_dumped_flow(now, flow, origin),
                (Subject::Flow(flow), None) => match job.purpose {
                    Purpose::Bulk => node.on_dumped_flow(now, flow, Origin::Others),
                    Purpose::Flush => work.flushed.push(FlowKey::of(flow)),
                    Purpose::Print(client) => {
                        if let Some(out) = control.writer(client) {
                            lines::kernel(out, flow, *wall_clock);
                        }
                    }
                    Purpose::FillCache | Purpose::AfterOverrun | Purpose::Poll => {}
                },
                (Subject::Expectation(expectation), Some(origin)) => {
                    if config.expectations.admits(expectation.helper.as_deref().unwrap_or("")) {
                        node.on_dumped_expectation(now, expectation, origin);
                    }
                }
                (Subject::Expectation(_), None) => {}
            }
        });
        context.delete(&mut self.work.flushed);
        self.after_step(context, step);
    }

    fn after_step(&mut self, context: &mut Context, step: Step) {
        let now = context.now;
        match step {
            Step::Idle | Step::Part(_) => {}
            Step::Began(Job { purpose, table }) => {
                if compares(purpose).is_some() {
                    self.node.on_request(now, Request::DumpBegins(which(table)));
                }
            }
            Step::Ended(job, outcome) => match (compares(job.purpose), outcome) {
                (Some(_), DumpOutcome::Complete) => {
                    self.node.on_request(now, Request::DumpEnds(Origin::Others));
                }
                (Some(_), DumpOutcome::Interrupted) => {
                    // What was not in it may be there all the same.
                    self.node.on_request(now, Request::DumpFailed);
                    context.ask_dump(job);
                }
                (None, _) => match job.purpose {
                    Purpose::Bulk => self.node.on_request(now, Request::BulkDumped),
                    Purpose::Print(client) => context.control.finish(client),
                    _ => {}
                },
            },
            Step::Failed(job, error) => {
                if compares(job.purpose).is_some() {
                    self.node.on_request(now, Request::DumpFailed);
                }
                context.say_dump_failed(&error);
            }
        }
    }

    /// Whether the dump that runs has to wait, as nothing takes what it brings.
    pub(crate) fn has_room_for_dump(&self, context: &Context) -> bool {
        match context.kernel.dump.running().map(|job| job.purpose) {
            Some(Purpose::Bulk) => self.node.has_room(),
            Some(Purpose::Flush) => self.work.flushed.is_empty(),
            Some(Purpose::Print(client)) => {
                !context.control.is_waiting(client) || context.control.room(client) > 0
            }
            _ => true,
        }
    }
}
