//! `-L` and `-G` of flows.

use ctnetlink::client::DumpOutcome;
use ctnetlink::wire::RawMessage;
use ctnetlink::{FlowRequest, FlowView, Request};

use super::entries::Entries;
use super::walk::{decode_error, dump, walk};
use super::{Session, Stopped, unless_none};
use crate::command::FlowList;
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure};
use crate::select::Selection;

/// So many flows pass between two looks at the signals. They take a few milliseconds at most.
const LOOK_EVERY: u32 = 1024;
const SHOWN: &str = "flow entries have been shown.";

/// Why a list ended early.
enum Halt {
    Stopped(Stopped),
    /// A signal.
    Ended,
}

impl<E> From<E> for Halt
where
    Stopped: From<E>,
{
    fn from(error: E) -> Self {
        Self::Stopped(error.into())
    }
}

impl Session<'_, '_> {
    pub(super) fn list(&mut self, list: FlowList, selection: &Selection) -> Result<Exit, Failure> {
        let kernel = self.surroundings.kernel;
        let mut client = self.connect()?;
        // From here on an end leaves whole lines and a true count.
        kernel.hold_end().map_err(Failure::Signals)?;
        let printer = Printer::new(self.flags, self.labels.map.as_ref(), self.surroundings.system);
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let mut entries = Entries::new(Frame::of_flows(self.flags), output);
        let mut since_look = 0;
        let each = |flow: &FlowView<'_>| -> Result<(), Halt> {
            if selection.matches(flow) {
                entries.show(|out| printer.write_flow(out, flow, Occasion::Listed))?;
            }
            since_look = (since_look + 1) % LOOK_EVERY;
            if since_look == 0 && kernel.end_is_wished() { Err(Halt::Ended) } else { Ok(()) }
        };
        let dumped = match list {
            FlowList::Table => walk(&mut client, selection, each),
            FlowList::ZeroCounters => {
                // What the kernel sends it sets to zero, so nothing narrower than upstream's question will do.
                let filter = &selection.kernel_filter();
                dump(&mut client, &Request::DumpFlows { filter, zero: true }, each)
            }
            FlowList::Dying => dump(&mut client, &Request::DumpDying(selection.family), each),
            FlowList::Unconfirmed => {
                dump(&mut client, &Request::DumpUnconfirmed(selection.family), each)
            }
        };
        let (outcome, is_ended) = match dumped {
            Ok(outcome) => (outcome, false),
            Err(Halt::Ended) => (DumpOutcome::Interrupted, true),
            Err(Halt::Stopped(stopped)) => {
                let shown = entries.break_off();
                return shown.and(Err(self.failure(stopped)));
            }
        };
        let count = entries.finish_with_closing(outcome, self.surroundings.stderr, SHOWN)?;
        if is_ended {
            return Ok(Exit::Interrupted);
        }
        self.warn_if_interrupted(outcome);
        if count == 0 && list == FlowList::Table && self.surroundings.stderr_is_terminal {
            self.hint_if_untracked();
        }
        Ok(Exit::Success)
    }

    pub(super) fn get(
        &mut self,
        request: &FlowRequest,
        selection: &Selection,
    ) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let printer = Printer::new(self.flags, self.labels.map.as_ref(), self.surroundings.system);
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let mut entries = Entries::new(Frame::of_flows(self.flags), output);
        let found = client.fetch(&Request::GetFlow(request), |message: &RawMessage<'_>| {
            let flow = FlowView::parse(message.body).map_err(decode_error)?;
            Ok(if selection.matches(&flow) {
                entries.show(|out| printer.write_flow(out, &flow, Occasion::Listed))
            } else {
                Ok(())
            })
        });
        match found {
            Ok(Ok(shown)) => shown?,
            Ok(Err(error)) | Err(error) => return Err(self.refused(error)),
        }
        let (outcome, stderr) = (DumpOutcome::Complete, &mut *self.surroundings.stderr);
        let count = entries.finish_with_closing(outcome, stderr, SHOWN)?;
        Ok(unless_none(count))
    }
}
