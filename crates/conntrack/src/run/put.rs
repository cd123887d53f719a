//! Many creations in a row, as a batch file has them: in batches, and yet as if one after the other.
//!
//! In a batch all are creations that must not find the flow, also those that may change it: what is done is then known to
//! be new. One that is refused is asked for again alone, in its own mode; all before it are done by then. If that is
//! refused as well, the run ends there, and those behind it in the batch, which are new, are deleted again. Who watches
//! the table sees them come and go.

use std::ops::Range;

use ctnetlink::client::PollTransport;
use ctnetlink::{Answer, CreateMode, FlowAttributes, FlowRequest, Request, WrittenRequest};
use flow::{Direction, PerDirection};

use super::change::refusal;
use super::{Idle, KernelBatches, open_batches};
use crate::options::{CommandName, Table};
use crate::report::{Exit, Failure};
use crate::surroundings::Surroundings;

/// So many creations go alone once most of a batch were of flows that exist: batches would only cost more.
const ALONE: usize = 4096;

/// Creations that are written down.
#[derive(Default)]
pub(crate) struct Puts {
    bytes: Vec<u8>,
    puts: Vec<Put>,
}

struct Put {
    /// Number of the line.
    line: usize,
    mode: CreateMode,
    /// Where it ends in the bytes.
    end: usize,
}

impl Puts {
    /// Writes one more down.
    pub(crate) fn push(&mut self, line: usize, request: &FlowRequest, mode: CreateMode) {
        WrittenRequest::write(request, mode, &mut self.bytes);
        self.puts.push(Put { line, mode, end: self.bytes.len() });
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.puts.clear();
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.puts.len()
    }

    fn get(&self, index: usize) -> Option<(&Put, WrittenRequest<'_>)> {
        let put = self.puts.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.puts.get(before));
        let bytes = self.bytes.get(before.map_or(0, |put| put.end)..put.end)?;
        Some((put, WrittenRequest::new(bytes)))
    }

    /// Does these, or those before the first that is refused. That one's line is part of the failure.
    pub(crate) fn run(
        &self,
        range: Range<usize>,
        surroundings: &Surroundings<'_>,
        idle: &mut Idle,
    ) -> Result<Exit, Failure> {
        let client = open_batches(surroundings, idle)?;
        let alone = idle.alone;
        let mut run = Run { puts: self, end: range.end, client, answers: Vec::new(), alone };
        let mut next = range.start;
        while next < range.end {
            if surroundings.kernel.end_is_wished() {
                return Ok(Exit::Interrupted);
            }
            next = run.batch(next)?;
        }
        idle.alone = run.alone;
        idle.batches = Some(run.client);
        Ok(Exit::Success)
    }
}

struct Run<'p> {
    puts: &'p Puts,
    /// Those behind this are not for now.
    end: usize,
    client: KernelBatches,
    answers: Vec<Answer>,
    /// So many are to go alone.
    alone: usize,
}

impl Run<'_> {
    /// Does some, from this one on, and returns which is next.
    fn batch(&mut self, first: usize) -> Result<usize, Failure> {
        if let Some(left) = self.alone.checked_sub(1) {
            self.alone = left;
            self.alone(first)?;
            return Ok(first.saturating_add(1));
        }
        self.client.clear();
        let mut next = first;
        while next < self.end
            && self.client.has_room_for(1)
            && let Some((_, request)) = self.puts.get(next)
        {
            self.client.push_written(request, CreateMode::CreateOnly);
            next = next.saturating_add(1);
        }
        let answers = self.client.run();
        if answers.iter().all(|answer| *answer == Answer::Done) {
            return Ok(next);
        }
        self.answers.clear();
        self.answers.extend_from_slice(answers);
        self.repeat(first)?;
        Ok(next)
    }

    /// Asks again for what was refused of the batch that begins with this one.
    fn repeat(&mut self, first: usize) -> Result<(), Failure> {
        let mut repeated = 0_usize;
        for index in first..first.saturating_add(self.answers.len()) {
            let answer = self.answers.get(index.saturating_sub(first));
            if !matches!(answer, Some(Answer::Refused(_))) {
                continue;
            }
            repeated = repeated.saturating_add(1);
            if let Err(failure) = self.alone(index) {
                self.undo(first, index);
                return Err(failure);
            }
        }
        if repeated > self.answers.len() / 2 {
            self.alone = ALONE;
        }
        Ok(())
    }

    fn alone(&mut self, index: usize) -> Result<(), Failure> {
        let Some((put, request)) = self.puts.get(index) else { return Ok(()) };
        self.client.clear();
        self.client.push_written(request, put.mode);
        let [Answer::Refused(errno)] = self.client.run() else { return Ok(()) };
        let command = match put.mode {
            CreateMode::CreateOnly => CommandName::Create,
            CreateMode::CreateOrUpdate | CreateMode::UpdateOnly => CommandName::Add,
        };
        let error = refusal(*errno);
        let failure = Failure::Request { command, table: Table::Conntrack, error };
        Err(Failure::AtLine { line: put.line, failure: Box::new(failure) })
    }

    /// Deletes what was made of the batch behind the one that ends it.
    fn undo(&mut self, first: usize, last: usize) {
        self.client.clear();
        let behind = last.saturating_sub(first).saturating_add(1);
        for (offset, answer) in self.answers.iter().enumerate().skip(behind).rev() {
            let put = self.puts.get(first.saturating_add(offset));
            if let (Answer::Done, Some((_, request))) = (answer, put) {
                delete(&mut self.client, request);
            }
        }
        self.client.run();
    }
}

fn delete<T: PollTransport>(
    client: &mut ctnetlink::client::BatchClient<T>,
    request: WrittenRequest<'_>,
) {
    let Some(Ok(attributes)) = request.message().map(|message| FlowAttributes::parse(message.body))
    else {
        return;
    };
    client.push(&Request::DeleteFlow(&FlowRequest {
        family: attributes.family(),
        tuples: PerDirection {
            original: attributes.partial_tuple(Direction::Original).unwrap_or_default(),
            ..PerDirection::default()
        },
        tuple_zones: PerDirection {
            original: attributes.tuple_zone(Direction::Original),
            reply: None,
        },
        zone: attributes.zone(),
        ..FlowRequest::default()
    }));
}
