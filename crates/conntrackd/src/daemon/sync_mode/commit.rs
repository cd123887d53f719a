//! A commit on its way into the kernel's table.

use ctnetlink::Table;
use ctsync::time::Instant;
use sys::error_text::error_text;

use crate::daemon::context::{Context, say};
use crate::daemon::words::Line;
use crate::kernel::{Batch, Entry, Failure, Stage, Tally};
use crate::lines;
use crate::log::Log;
use crate::wake::ClientId;

/// What a commit has done so far, and who waits for its end.
#[derive(Debug, Default)]
pub(super) struct CommitRun {
    began: Instant,
    /// Entries for the next call.
    pub(super) entries: Vec<Entry>,
    tally: Tally,
    clients: Vec<ClientId>,
}

impl CommitRun {
    /// Whether a client waits for a commit to end.
    pub(super) fn is_running(&self) -> bool {
        !self.clients.is_empty()
    }

    /// A client waits for the end of the commit.
    pub(super) fn await_end(&mut self, client: ClientId) {
        self.clients.push(client);
    }

    pub(super) fn begin(&mut self, now: Instant) {
        (self.began, self.tally) = (now, Tally::default());
    }

    /// Puts the entries that were collected into the table. What becomes of the last ones is told by the next call.
    pub(super) fn apply(&mut self, context: &mut Context) {
        let Self { entries, tally, .. } = self;
        if entries.is_empty() {
            return;
        }
        let (log, now, clock) = (&mut *context.log, context.now, context.wall_clock);
        context.kernel.written(entries.len());
        context.kernel.commit.commit(entries, |batch| tell(log, now, clock, tally, batch));
    }

    /// Waits until all that was collected is in the table.
    pub(super) fn finish(&mut self, context: &mut Context) {
        self.apply(context);
        let tally = &mut self.tally;
        let (log, now, clock) = (&mut *context.log, context.now, context.wall_clock);
        context.kernel.commit.finish(|batch| tell(log, now, clock, tally, batch));
    }

    /// Says what became of the entries of a table, and begins to count those of the next.
    pub(super) fn report(&mut self, context: &mut Context, table: Table) {
        self.finish(context);
        let now = context.clock.now();
        let Tally { done, failed, without_helper, without_master } =
            std::mem::take(&mut self.tally);
        let name = match table {
            Table::Flows => "entries",
            Table::Expectations => "expectations",
        };
        context.say(&Line::notice(format!("Committed {done} new {name}")));
        if failed > 0 {
            context.say(&Line::notice(format!("{failed} {name} can't be committed")));
        }
        for (count, what) in [
            (without_helper, "their helper, which this kernel does not know"),
            (without_master, "their master, which is gone"),
        ] {
            if count > 0 {
                context
                    .say(&Line::warning(format!("{count} {name} were committed without {what}")));
            }
        }
        let micros = now.since(self.began).0 / 1000;
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        context.say(&Line::notice(format!("commit has taken {seconds}.{rest:06} seconds")));
        self.began = now;
    }

    /// The daemon ends: of a commit that is not over it is told how far it came.
    pub(super) fn end(&mut self, context: &mut Context) {
        self.finish(context);
        if self.is_running() {
            let Tally { done, failed, .. } = self.tally;
            let text = format!("the commit is not complete: {done} committed, {failed} refused");
            context.say(&Line::warning(text));
        }
    }

    /// The commit is over for those who waited.
    pub(super) fn release_clients(&mut self, context: &mut Context) {
        for client in self.clients.drain(..) {
            context.control.finish(client);
        }
    }
}

/// Says which entries of a batch were refused, and counts.
fn tell(
    log: &mut Log<'_, '_>,
    now: Instant,
    clock: &dyn Fn() -> u64,
    tally: &mut Tally,
    batch: &Batch,
) {
    for (entry, Failure { stage, errno }) in batch.refused() {
        let verb = if *stage == Stage::Destroy { "destroy" } else { "create" };
        let reason = error_text(&std::io::Error::from_raw_os_error(*errno));
        let line = Line::error(format!("commit-{verb}: {reason}"))
            .limited("entries that can't be committed");
        if say(log, now, &line) {
            log.flow(|out| lines::entry(out, entry, clock));
        }
    }
    let Tally { done, failed, without_helper, without_master } = batch.tally();
    for (sum, more) in [
        (&mut tally.done, done),
        (&mut tally.failed, failed),
        (&mut tally.without_helper, without_helper),
        (&mut tally.without_master, without_master),
    ] {
        *sum = sum.saturating_add(more);
    }
}
