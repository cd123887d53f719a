//! `-L` and `-G` of flows.

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::wire::RawMessage;
use ctnetlink::{DecodeError, ExchangeError, FlowRequest, FlowView, Request};

use super::{Session, Stopped, closing, unless_none};
use crate::command::FlowList;
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure};
use crate::select::Selection;

const SHOWN: &str = "flow entries have been shown.";

/// Shows flows of a list one by one, with what a document needs around them.
struct FlowLines<'p, 'o> {
    printer: Printer<'p>,
    frame: Frame,
    output: Output<'o>,
    count: u64,
}

impl<'p, 'o> FlowLines<'p, 'o> {
    fn new(printer: Printer<'p>, frame: Frame, output: Output<'o>) -> Self {
        Self { printer, frame, output, count: 0 }
    }

    fn show(&mut self, flow: &FlowView<'_>) -> Result<(), Failure> {
        self.frame.before_entry(self.output.buffer(), self.count);
        self.count += 1;
        self.printer.write_flow(self.output.buffer(), flow, Occasion::Listed);
        self.output.end_of_entry(self.frame.after_entry())
    }

    /// Closes the document.
    fn end(mut self, outcome: DumpOutcome) -> (Output<'o>, u64) {
        self.frame.end(self.output.buffer(), self.count, outcome);
        (self.output, self.count)
    }

    /// Closes the document, if one was begun.
    fn break_off(mut self) -> Output<'o> {
        self.frame.break_off(self.output.buffer(), self.count);
        self.output
    }
}

impl Session<'_, '_> {
    pub(super) fn list(&mut self, list: FlowList, selection: &Selection) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let filter = selection.kernel_filter();
        let request = match list {
            FlowList::Table => Request::DumpFlows { filter: &filter, zero: false },
            FlowList::ZeroCounters => Request::DumpFlows { filter: &filter, zero: true },
            FlowList::Dying => Request::DumpDying(selection.family),
            FlowList::Unconfirmed => Request::DumpUnconfirmed(selection.family),
        };
        let printer = Printer::new(self.flags, self.labels.map.as_ref(), self.surroundings.system);
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let mut lines = FlowLines::new(printer, Frame::of_flows(self.flags), output);
        let dumped: Result<DumpOutcome, Stopped> = client.dump(&request, |message| {
            let flow = FlowView::parse(message.body).map_err(decode_error)?;
            if selection.matches(&flow) {
                lines.show(&flow)?;
            }
            Ok(())
        });
        let outcome = match dumped {
            Ok(outcome) => outcome,
            Err(stopped) => {
                // What was read before the failure is shown.
                let shown = lines.break_off().finish();
                return shown.and(Err(self.failure(stopped)));
            }
        };
        let (output, count) = lines.end(outcome);
        output.finish_with_closing(self.surroundings.stderr, &closing(count, SHOWN))?;
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
        let mut lines = FlowLines::new(printer, Frame::of_flows(self.flags), output);
        let found = client.fetch(&Request::GetFlow(request), |message: &RawMessage<'_>| {
            let flow = FlowView::parse(message.body).map_err(decode_error)?;
            Ok(if selection.matches(&flow) { lines.show(&flow) } else { Ok(()) })
        });
        match found {
            Ok(Ok(shown)) => shown?,
            Ok(Err(error)) | Err(error) => return Err(self.refused(error)),
        }
        let (output, count) = lines.end(DumpOutcome::Complete);
        output.finish_with_closing(self.surroundings.stderr, &closing(count, SHOWN))?;
        Ok(unless_none(count))
    }
}

pub(super) fn decode_error(error: DecodeError) -> ClientError {
    ClientError::Exchange(ExchangeError::Decode(error))
}
