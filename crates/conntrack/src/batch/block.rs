//! Some lines of a batch file, parsed.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::ops::Range;

use ctnetlink::CreateMode;

use super::text::Position;
use super::words::{Words, lines};
use crate::command::{Command, new_flow};
use crate::labels::LabelOptions;
use crate::options::{CommandName, Options, Table};
use crate::report::{BatchError, Exit, Failure};
use crate::run::{Context, Idle, Mode, Puts, Session, parse};
use crate::surroundings::Surroundings;
use crate::values::OutputFlags;

/// Lines that are ready to run, up to the first that is wrong.
#[derive(Default)]
pub(super) struct Block {
    /// Where its text begins.
    pub(super) position: Position,
    /// What was said on the way.
    pub(super) said: Vec<u8>,
    /// Why the lines end.
    pub(super) failure: Option<Failure>,
    steps: Vec<Step>,
    puts: Puts,
}

/// What lines are parsed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// To find the first that is wrong; the block has nothing to run.
    Check,
    /// To run them.
    Run,
}

/// What is to be done, in order.
pub(super) enum Step {
    /// `-I` and `-A` lines in a row.
    Puts(Range<usize>),
    /// Any other.
    Line(Box<Line>),
}

/// A line that is ready to run.
pub(super) struct Line {
    number: usize,
    name: CommandName,
    flags: OutputFlags,
    labels: LabelOptions,
    command: Command,
}

impl Block {
    /// Parses a text in the place of what this block was.
    pub(super) fn parse(
        &mut self,
        position: Position,
        text: &[u8],
        context: &Context<'_>,
        purpose: Purpose,
    ) {
        self.position = position;
        self.said.clear();
        self.steps.clear();
        self.puts.clear();
        self.failure = None;
        let (mut words, mut options) = (Words::default(), Options::default());
        for (number, line) in lines(text, position.line()) {
            let taken = match words.split(line) {
                Ok([]) => continue,
                Ok(words) => self.take(number, words, context, &mut options, purpose),
                Err(error) => Err(Failure::Batch(error)),
            };
            if let Err(failure) = taken {
                self.failure = Some(at_line(number)(failure));
                return;
            }
        }
    }

    fn take(
        &mut self,
        number: usize,
        words: &[Cow<'_, OsStr>],
        context: &Context<'_>,
        options: &mut Options,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        let labels = parse(words, context, &mut self.said, options)?;
        let name = allowed(options).map_err(Failure::Batch)?;
        let mode = match (purpose, name) {
            (Purpose::Check, _) => return Ok(()),
            (Purpose::Run, CommandName::Create) => CreateMode::CreateOnly,
            (Purpose::Run, CommandName::Add) => CreateMode::CreateOrUpdate,
            (Purpose::Run, _) => {
                let command = Command::new(options, &labels);
                let flags = options.output;
                self.steps.push(Step::Line(Box::new(Line {
                    number,
                    name,
                    flags,
                    labels,
                    command,
                })));
                return Ok(());
            }
        };
        self.puts.push(number, &new_flow(options, &labels), mode);
        let end = self.puts.len();
        match self.steps.last_mut() {
            Some(Step::Puts(range)) => range.end = end,
            _ => self.steps.push(Step::Puts(end.saturating_sub(1)..end)),
        }
        Ok(())
    }

    /// Runs the lines until one fails. That one's number is part of the failure.
    pub(super) fn run(
        &self,
        surroundings: &mut Surroundings<'_>,
        idle: &mut Idle,
    ) -> Result<Exit, Failure> {
        for step in &self.steps {
            if surroundings.kernel.end_is_wished() {
                return Ok(Exit::Interrupted);
            }
            let exit = match step {
                Step::Puts(range) => self.puts.run(range.clone(), surroundings, idle)?,
                Step::Line(line) => line.run(surroundings, idle).map_err(at_line(line.number))?,
            };
            if exit == Exit::Interrupted {
                return Ok(exit);
            }
        }
        Ok(Exit::Success)
    }
}

fn at_line(line: usize) -> impl Fn(Failure) -> Failure {
    move |failure| Failure::AtLine { line, failure: Box::new(failure) }
}

impl Line {
    fn run(&self, surroundings: &mut Surroundings<'_>, idle: &mut Idle) -> Result<Exit, Failure> {
        let mut session = Session {
            surroundings,
            name: self.name,
            table: Table::Conntrack,
            mode: Mode::BatchLine,
            flags: self.flags,
            labels: &self.labels,
            idle,
        };
        session.run(&self.command)
    }
}

fn allowed(options: &Options) -> Result<CommandName, BatchError> {
    let Some((name, table)) = options.command else {
        return Err(BatchError::Command("unknown"));
    };
    let refused = match (name, table) {
        (
            CommandName::Create
            | CommandName::Add
            | CommandName::Update
            | CommandName::Delete
            | CommandName::Flush,
            Table::Conntrack,
        ) => return Ok(name),
        (CommandName::Create | CommandName::Add, _) => "-I expect",
        (CommandName::Update, _) => "-U expect",
        (CommandName::Delete, _) => "-D expect",
        (CommandName::Flush, _) => "-F expect",
        (CommandName::List, Table::Expect) => "-L expect",
        (CommandName::List, _) => "-L",
        (CommandName::Get, Table::Expect) => "-G expect",
        (CommandName::Get, _) => "-G",
        (CommandName::Event, Table::Expect) => "-E expect",
        (CommandName::Event, _) => "-E",
        (CommandName::Count, Table::Expect) => "-C expect",
        (CommandName::Count, _) => "-C",
        (CommandName::Stats, Table::Expect) => "-S expect",
        (CommandName::Stats, _) => "-S",
        (CommandName::Version, _) => "-V",
        (CommandName::Help, _) => "-h",
    };
    Err(BatchError::Command(refused))
}
