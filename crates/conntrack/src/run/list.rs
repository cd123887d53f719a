//! `-L` and `-G` of flows.

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::wire::RawMessage;
use ctnetlink::{DecodeError, ExchangeError, FlowRequest, FlowView, Request};

use super::entries::Entries;
use super::walk::walk;
use super::{Session, Stopped, unless_none};
use crate::command::FlowList;
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure};
use crate::select::Selection;

const SHOWN: &str = "flow entries have been shown.";

impl Session<'_, '_> {
    pub(super) fn list(&mut self, list: FlowList, selection: &Selection) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let printer = Printer::new(self.flags, self.labels.map.as_ref(), self.surroundings.system);
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let mut entries = Entries::new(Frame::of_flows(self.flags), output);
        let each = |message: &RawMessage<'_>| -> Result<(), Stopped> {
            let flow = FlowView::parse(message.body).map_err(decode_error)?;
            if selection.matches(&flow) {
                entries.show(|out| printer.write_flow(out, &flow, Occasion::Listed))?;
            }
            Ok(())
        };
        let dumped = match list {
            FlowList::Table => walk(&mut client, selection, each),
            FlowList::ZeroCounters => {
                // What the kernel sends it sets to zero, so nothing narrower than upstream's question will do.
                let filter = &selection.kernel_filter();
                client.dump(&Request::DumpFlows { filter, zero: true }, each)
            }
            FlowList::Dying => client.dump(&Request::DumpDying(selection.family), each),
            FlowList::Unconfirmed => client.dump(&Request::DumpUnconfirmed(selection.family), each),
        };
        let outcome = match dumped {
            Ok(outcome) => outcome,
            Err(stopped) => {
                let shown = entries.break_off();
                return shown.and(Err(self.failure(stopped)));
            }
        };
        let count = entries.finish_with_closing(outcome, self.surroundings.stderr, SHOWN)?;
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

pub(super) fn decode_error(error: DecodeError) -> ClientError {
    ClientError::Exchange(ExchangeError::Decode(error))
}
