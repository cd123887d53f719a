//! `-I`, `-A`, `-U`, `-D` and `-F` of flows.
//!
//! Updates and deletes read the table on one socket and act on another, entry by entry, so that memory does not grow
//! with the table. An entry that is gone by then counts as gone, not as an error.

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::{CreateMode, DumpFilter, FlowRequest, FlowView, Request};
use flow::{Family, FlowRead};

use super::entries::Entries;
use super::list::decode_error;
use super::{KernelClient, Mode, Session, closing, unless_none};
use crate::command::{Change, identify};
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure, message};
use crate::select::Selection;

const ENOENT: i32 = 2;
const ENOSPC: i32 = 28;

impl Session<'_, '_> {
    pub(super) fn create(
        &mut self,
        request: &FlowRequest,
        mode: CreateMode,
    ) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        client.execute(&Request::PutFlow(request, mode)).map_err(|error| self.refused(error))?;
        self.idle.push(client);
        if self.mode == Mode::Single {
            let what = match mode {
                CreateMode::CreateOnly => "flow entries have been created.",
                CreateMode::CreateOrUpdate | CreateMode::UpdateOnly => {
                    "flow entries have been added."
                }
            };
            message(self.surroundings.stderr, &closing(1, what));
        }
        Ok(Exit::Success)
    }

    pub(super) fn flush(&mut self, family: Option<Family>) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        // Version 0 as upstream: see docs/differences.md for what that means for the family.
        let request = Request::FlushFlows { family, version: 0 };
        client.execute(&request).map_err(|error| self.refused(error))?;
        message(self.surroundings.stderr, "connection tracking table has been emptied.");
        Ok(Exit::Success)
    }

    pub(super) fn delete(&mut self, selection: &Selection) -> Result<Exit, Failure> {
        // Labels and the kernel's times are not shown for what is deleted.
        let filter = DumpFilter { status: None, ..selection.kernel_filter() };
        self.act(&filter, selection, "flow entries have been deleted.", |act, flow| {
            let request = FlowRequest { id: flow.id(), ..identify(flow) };
            match act.client.execute(&Request::DeleteFlow(&request)) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
            let printer = act.printer.without_kernel_times().without_labels();
            act.entries.record(|out| printer.write_flow(out, flow, Occasion::Deleted));
            Ok(())
        })
    }

    pub(super) fn update(
        &mut self,
        selection: &Selection,
        change: &Change,
    ) -> Result<Exit, Failure> {
        let filter = DumpFilter { family: selection.family, ..DumpFilter::default() };
        self.act(&filter, selection, "flow entries have been updated.", |act, flow| {
            if change.is_met_by(flow) {
                return Ok(());
            }
            let request = change.request_for(flow);
            match act.client.execute(&Request::PutFlow(&request, CreateMode::UpdateOnly)) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => return Ok(()),
                // No rule of this namespace uses labels, so the flow has no room for them.
                Err(error) if change.labels.is_some() && has_errno(&error, ENOSPC) => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            act.show_again(&identify(flow))
        })
    }

    /// Walks the table and calls `on_match` for each flow that is selected.
    fn act(
        &mut self,
        filter: &DumpFilter,
        selection: &Selection,
        what: &str,
        mut on_match: impl FnMut(&mut Act<'_, '_>, &FlowView<'_>) -> Result<(), ClientError>,
    ) -> Result<Exit, Failure> {
        let mut reader = self.connect()?;
        let mut act = Act {
            client: self.connect()?,
            printer: Printer::new(self.flags, self.labels.map.as_ref(), self.surroundings.system),
            entries: Entries::new(
                Frame::of_changed_flows(self.flags),
                Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal),
            ),
        };
        let request = Request::DumpFlows { filter, zero: false };
        let walked: Result<DumpOutcome, ClientError> = reader.dump(&request, |message| {
            let flow = FlowView::parse(message.body).map_err(decode_error)?;
            if selection.matches(&flow) { on_match(&mut act, &flow) } else { Ok(()) }
        });
        let Act { client, entries, .. } = act;
        let outcome = match walked {
            Ok(outcome) => outcome,
            Err(error) => {
                let shown = entries.break_off();
                return shown.and(Err(self.refused(error)));
            }
        };
        let exit = match self.mode {
            Mode::BatchLine => {
                entries.finish(outcome)?;
                Exit::Success
            }
            Mode::Single => {
                let stderr = &mut *self.surroundings.stderr;
                unless_none(entries.finish_with_closing(outcome, stderr, what)?)
            }
        };
        self.warn_if_interrupted(outcome);
        self.idle.extend([reader, client]);
        Ok(exit)
    }
}

/// The acting half of an update or a delete.
struct Act<'p, 'o> {
    client: KernelClient,
    printer: Printer<'p>,
    entries: Entries<'o>,
}

impl Act<'_, '_> {
    /// Shows a flow as it is now. One that has gone meanwhile is not shown and not counted.
    fn show_again(&mut self, request: &FlowRequest) -> Result<(), ClientError> {
        let printer = self.printer.without_kernel_times();
        let Self { client, entries, .. } = self;
        let shown = client.fetch(&Request::GetFlow(request), |message| {
            let flow = FlowView::parse(message.body).map_err(decode_error)?;
            entries.record(|out| printer.write_flow(out, &flow, Occasion::Listed));
            Ok(())
        });
        match shown {
            Ok(shown) => shown,
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_gone(error: &ClientError) -> bool {
    has_errno(error, ENOENT)
}

fn has_errno(error: &ClientError, errno: i32) -> bool {
    error.kernel().is_some_and(|refusal| refusal.errno == errno)
}
