//! `-I`, `-A`, `-U`, `-D` and `-F` of flows.
//!
//! Updates and deletes read the table on one socket and act on another, batch by batch, so that memory does not grow with
//! the table. An entry that is gone by then counts as gone, not as an error. A refusal ends it; what went to the kernel
//! together with the refused request was done and is shown. SIGINT ends it between two batches.

use std::ops::Range;

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::{
    Answer, CreateMode, DecodeError, ExchangeError, FlowRequest, FlowView, KernelError, Request,
};
use flow::{Family, FlowRead};

use super::entries::Entries;
use super::walk::{decode_error, find};
use super::{KernelBatches, Mode, Session, closing, open_batches, unless_none};
use crate::command::{Change, identify};
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure, message};
use crate::select::Selection;
use crate::surroundings::Kernel;

const ENOENT: i32 = 2;
const ENOSPC: i32 = 28;
/// So many flows that are not selected are passed over between two looks at the signals.
const LOOK_EVERY: u32 = 1024;

impl Session<'_, '_> {
    pub(super) fn create(
        &mut self,
        request: &FlowRequest,
        mode: CreateMode,
    ) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        client.execute(&Request::PutFlow(request, mode)).map_err(|error| self.refused(error))?;
        self.idle.clients.push(client);
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
        self.act(selection, "flow entries have been deleted.", Deed::Delete)
    }

    pub(super) fn update(
        &mut self,
        selection: &Selection,
        change: &Change,
    ) -> Result<Exit, Failure> {
        self.act(selection, "flow entries have been updated.", Deed::Update(change))
    }

    /// Does this to each flow that is selected.
    fn act(&mut self, selection: &Selection, what: &str, deed: Deed<'_>) -> Result<Exit, Failure> {
        let kernel = self.surroundings.kernel;
        let mut reader = self.connect()?;
        let client = open_batches(self.surroundings, self.idle)?;
        // From here on what was done is to be told.
        kernel.hold_end().map_err(Failure::Signals)?;
        let printer = Printer::new(self.flags, self.labels.map.as_ref(), self.surroundings.system);
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let mut act = Act {
            client,
            printer: deed.printer(printer),
            entries: Entries::new(Frame::of_changed_flows(self.flags), output),
            deed,
            kernel,
            waiting: Vec::new(),
            texts: Vec::new(),
        };
        let mut passed_over = 0;
        let walked = find(&mut reader, selection, |flow| {
            if selection.matches(flow) {
                return act.take(flow);
            }
            passed_over = (passed_over + 1) % LOOK_EVERY;
            if passed_over == 0 { act.look() } else { Ok(()) }
        });
        // What was selected before the walk ended, however it did, is still to be done.
        let walked = act.settle().map_err(Halt::Failed).and(walked);
        let Act { client, entries, .. } = act;
        let (outcome, is_ended) = match walked {
            Ok(outcome) => (outcome, false),
            Err(Halt::Ended) => (DumpOutcome::Interrupted, true),
            Err(Halt::Failed(error)) => {
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
        if is_ended {
            return Ok(Exit::Interrupted);
        }
        self.warn_if_interrupted(outcome);
        self.idle.clients.push(reader);
        self.idle.batches = Some(client);
        Ok(exit)
    }
}

/// What is done to flows.
#[derive(Clone, Copy)]
enum Deed<'c> {
    Delete,
    Update(&'c Change),
}

impl Deed<'_> {
    /// Requests for each flow.
    fn requests(self) -> usize {
        match self {
            Self::Delete => 1,
            // The change, and a look at what it made.
            Self::Update(_) => 2,
        }
    }

    fn printer(self, printer: Printer<'_>) -> Printer<'_> {
        match self {
            // Labels and the kernel's times are not shown for what is deleted.
            Self::Delete => printer.without_kernel_times().without_labels(),
            Self::Update(_) => printer.without_kernel_times(),
        }
    }

    /// Whether a refusal only says that there is nothing to do.
    fn passes_over(self, errno: i32) -> bool {
        match (self, errno) {
            (_, ENOENT) => true,
            // No rule of this namespace uses labels, so the flow has no room for them.
            (Self::Update(change), ENOSPC) => change.labels.is_some(),
            _ => false,
        }
    }
}

/// Why a walk ended early.
enum Halt {
    Failed(ClientError),
    /// A signal.
    Ended,
}

impl From<ClientError> for Halt {
    fn from(error: ClientError) -> Self {
        Self::Failed(error)
    }
}

/// The acting half of an update or a delete.
struct Act<'p, 'o> {
    client: KernelBatches,
    printer: Printer<'p>,
    entries: Entries<'o>,
    deed: Deed<'p>,
    kernel: &'p dyn Kernel,
    /// For each flow of the batch where in `texts` it is shown. Until the answer comes, it is nowhere if it is updated.
    waiting: Vec<Range<usize>>,
    texts: Vec<u8>,
}

impl Act<'_, '_> {
    /// Puts a flow into the batch.
    fn take(&mut self, flow: &FlowView<'_>) -> Result<(), Halt> {
        if !self.client.has_room_for(self.deed.requests()) {
            self.settle()?;
            self.look()?;
        }
        let named = identify(flow);
        match self.deed {
            Deed::Delete => {
                let request = FlowRequest { id: flow.id(), ..named };
                self.client.push(&Request::DeleteFlow(&request));
                let start = self.texts.len();
                self.printer.write_flow(&mut self.texts, flow, Occasion::Deleted);
                self.waiting.push(start..self.texts.len());
            }
            Deed::Update(change) if change.is_met_by(flow) => {}
            Deed::Update(change) => {
                let request = change.request_for(flow);
                self.client.push(&Request::PutFlow(&request, CreateMode::UpdateOnly));
                self.client.push(&Request::GetFlow(&named));
                self.waiting.push(0..0);
            }
        }
        Ok(())
    }

    /// Stops if a signal has come.
    fn look(&self) -> Result<(), Halt> {
        if self.kernel.end_is_wished() { Err(Halt::Ended) } else { Ok(()) }
    }

    /// Sends the batch and shows what was done. The first refusal is the error.
    fn settle(&mut self) -> Result<(), ClientError> {
        let Self { client, printer, entries, deed, waiting, texts, .. } = self;
        let requests = deed.requests();
        let mut unreadable: Option<DecodeError> = None;
        let answers = client.run_with(|number, message| match FlowView::parse(message.body) {
            Ok(flow) => {
                let start = texts.len();
                printer.write_flow(texts, &flow, Occasion::Listed);
                if let Some(place) = waiting.get_mut(number / requests) {
                    *place = start..texts.len();
                }
            }
            Err(error) => unreadable = unreadable.take().or(Some(error)),
        });
        let mut refused = None;
        for (place, answers) in waiting.drain(..).zip(answers.chunks(requests)) {
            let refusal = answers.iter().find_map(|answer| match answer {
                Answer::Refused(errno) => Some(*errno),
                Answer::Done | Answer::None => None,
            });
            match refusal {
                Some(errno) if deed.passes_over(errno) => {}
                Some(errno) => refused = refused.or(Some(errno)),
                None => {
                    let text = texts.get(place).filter(|text| !text.is_empty());
                    if let Some(text) = text {
                        entries.record(|out| out.extend_from_slice(text));
                    }
                }
            }
        }
        texts.clear();
        client.clear();
        match (refused, unreadable) {
            (Some(errno), _) => Err(refusal(errno)),
            (None, Some(error)) => Err(decode_error(error)),
            (None, None) => Ok(()),
        }
    }
}

/// The error that a refusal is.
pub(super) fn refusal(errno: i32) -> ClientError {
    ExchangeError::Kernel(KernelError { errno, message: None, offset: None }).into()
}
