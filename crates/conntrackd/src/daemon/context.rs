//! What a mode works with in a turn.

use ctnetlink::client::ClientError;
use ctsync::Which;
use ctsync::time::Instant;
use sys::epoll::Poller;
use sys::error_text::error_text;

use super::clock::Clock;
use super::kernel_side::KernelSide;
use super::words::Line;
use crate::control::server::Server;
use crate::kernel::{Asked, FlowKey, Job, Purpose};
use crate::lines::WallClock;
use crate::log::Log;

/// The surroundings of a mode.
pub(super) struct Context<'c, 'r, 'a> {
    pub(super) now: Instant,
    pub(super) clock: &'c Clock,
    pub(super) wall_clock: WallClock<'c>,
    pub(super) poller: &'c Poller,
    pub(super) kernel: &'c mut KernelSide,
    pub(super) control: &'c mut Server,
    pub(super) log: &'c mut Log<'r, 'a>,
}

impl Context<'_, '_, '_> {
    /// Says something.
    pub(super) fn say(&mut self, line: &Line) {
        say(self.log, self.now, line);
    }

    /// Wants a dump.
    pub(super) fn ask_dump(&mut self, job: Job) {
        // The jobs of clients alone can be too many: there is one of each other kind at most.
        if self.kernel.dump.ask(job) == Asked::Refused {
            let text = "too many clients want to see the kernel's table";
            self.say(&Line::warning(text).limited("clients that were not answered"));
            if let Purpose::Print(client) = job.purpose {
                self.control.refuse(client);
            }
        }
    }

    /// Empties the kernel's tables of what the filter wants. Flows are found by a dump, so that nothing waits for them.
    pub(super) fn flush_kernel(&mut self, which: Which) {
        if which != Which::Expectations {
            self.kernel.flushes += 1;
            self.ask_dump(Job { purpose: Purpose::Flush, table: ctnetlink::Table::Flows });
        }
        if which != Which::Flows
            && let Err(errno) = self.kernel.flush.flush_expectations()
        {
            let reason = error_text(&std::io::Error::from_raw_os_error(errno));
            self.say(&Line::error(format!("can't flush the expectations: {reason}")));
        }
    }

    /// Deletes flows of the kernel's table that a flush has found, as many as the event socket has room for.
    pub(super) fn delete(&mut self, flows: &mut Vec<FlowKey>) {
        while !flows.is_empty() && self.kernel.has_event_room() {
            let rest = flows.len().saturating_sub(self.kernel.changes_a_call());
            let (log, now) = (&mut *self.log, self.now);
            let part = flows.get(rest..).unwrap_or_default();
            let tally = self.kernel.flush.delete(part, |_, errno| {
                let reason = error_text(&std::io::Error::from_raw_os_error(errno));
                let line = Line::error(format!("can't delete a flow: {reason}"));
                say(log, now, &line.limited("flows that can't be deleted"));
            });
            self.kernel.written(tally.deleted);
            flows.truncate(rest);
        }
    }

    pub(super) fn say_dump_failed(&mut self, error: &ClientError) {
        let line =
            Line::warning(format!("the kernel's table can't be read, trying again: {error}"));
        self.say(&line.limited("failed dumps"));
    }
}

/// Says a line, as often as its kind may be said; whether it was.
pub(super) fn say(log: &mut Log<'_, '_>, now: Instant, line: &Line) -> bool {
    match line.limited {
        None => {
            log.line(now, line.severity, &line.text);
            true
        }
        Some(kind) => log.limited(now, kind, line.severity, &line.text),
    }
}
