//! Doing what a [`Command`] says.

mod change;
mod count;
mod entries;
mod events;
mod expectations;
mod list;
mod put;
mod tracking;
mod walk;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use ctnetlink::client::{BatchClient, Client, ClientError, DumpOutcome, PollTransport, Transport};
use ctnetlink::wire::Sequence;

use crate::batch::{self, BatchFile};
use crate::command::Command;
use crate::help;
use crate::labels::LabelOptions;
use crate::matrix;
use crate::options::{CommandName, Environment, Options, Table};
use crate::output::Output;
use crate::report::{Exit, Failure, print_line};
use crate::surroundings::{Surroundings, System};
use crate::values::OutputFlags;

pub(crate) use put::Puts;

/// A client of whatever the kernel is.
pub(crate) type KernelClient = Client<Box<dyn Transport>>;
/// The same for batches.
pub(crate) type KernelBatches = BatchClient<Box<dyn PollTransport>>;

/// Clients that a line of a batch file left for the next one.
#[derive(Default)]
pub(crate) struct Idle {
    clients: Vec<KernelClient>,
    batches: Option<KernelBatches>,
    /// So many creations are to go alone.
    alone: usize,
}

/// Runs the program and returns how it ended. Everything it touches is in `surroundings`.
pub fn run(surroundings: &mut Surroundings<'_>) -> Exit {
    let ended = match BatchFile::from_words(&surroundings.args) {
        Some(file) => batch::run(&file, surroundings),
        None => run_words(surroundings),
    };
    ended.unwrap_or_else(|failure| {
        failure.print(surroundings.stderr);
        if surroundings.stderr_is_terminal {
            failure.print_details(surroundings.stderr);
        }
        failure.exit()
    })
}

fn run_words(surroundings: &mut Surroundings<'_>) -> Result<Exit, Failure> {
    let words = surroundings.args.get(1..).unwrap_or_default();
    let context = Context::new(surroundings.system);
    let mut options = Options::default();
    let labels = parse(words, &context, surroundings.stderr, &mut options)?;
    let command = Command::new(&options, &labels);
    let (name, table) = options.command.unwrap_or((CommandName::Help, Table::Conntrack));
    let (mode, idle) = (Mode::Single, &mut Idle::default());
    Session { surroundings, name, table, mode, flags: options.output, labels: &labels, idle }
        .run(&command)
}

/// What the meaning of words depends on.
pub(crate) struct Context<'s> {
    system: &'s dyn System,
    posixly_correct: bool,
    /// The text of `/etc/protocols`, once it was needed.
    protocols: OnceLock<Vec<u8>>,
}

impl<'s> Context<'s> {
    pub(crate) fn new(system: &'s dyn System) -> Self {
        let posixly_correct = system.has_variable("POSIXLY_CORRECT");
        Self { system, posixly_correct, protocols: OnceLock::new() }
    }
}

/// Options that are checked in themselves and against each other. Warnings are printed on the way.
pub(crate) fn parse<W: AsRef<OsStr>>(
    words: &[W],
    context: &Context<'_>,
    stderr: &mut dyn std::io::Write,
    options: &mut Options,
) -> Result<LabelOptions, Failure> {
    let system = context.system;
    let protocols = || context.protocols.get_or_init(|| protocols_file(system)).clone();
    let environment =
        Environment { posixly_correct: context.posixly_correct, protocols: &protocols };
    *options = Options::default();
    let scanned = options.scan_into(words, &environment);
    for warning in &options.warnings {
        print_line(stderr, &warning.to_string());
    }
    scanned?;
    let labels = LabelOptions::resolve(options, system, stderr)?;
    matrix::check(options)?;
    Ok(labels)
}

fn protocols_file(system: &dyn System) -> Vec<u8> {
    system.read(Path::new("/etc/protocols")).unwrap_or_default()
}

/// Whether a command stands for itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// It is all that the program does: it says how many entries it touched, and none is a failure.
    Single,
    /// It is a line of a batch file.
    BatchLine,
}

/// Why a walk over a table ended early.
enum Stopped {
    Request(ClientError),
    Output(Failure),
}

impl From<ClientError> for Stopped {
    fn from(error: ClientError) -> Self {
        Self::Request(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Output(failure)
    }
}

/// One command and what it needs to run.
pub(crate) struct Session<'s, 'a> {
    pub(crate) surroundings: &'s mut Surroundings<'a>,
    pub(crate) name: CommandName,
    pub(crate) table: Table,
    pub(crate) mode: Mode,
    pub(crate) flags: OutputFlags,
    pub(crate) labels: &'s LabelOptions,
    /// Clients that a line of a batch left for the next one.
    pub(crate) idle: &'s mut Idle,
}

impl Session<'_, '_> {
    pub(crate) fn run(&mut self, command: &Command) -> Result<Exit, Failure> {
        match command {
            Command::Help(protocol) => {
                let mut text = Vec::new();
                let argv0 = self.surroundings.args.first().map_or(OsStr::new(""), |word| word);
                let system = self.surroundings.system;
                let reader = if self.surroundings.stdout_is_terminal {
                    help::Reader::Person
                } else {
                    help::Reader::Program
                };
                help::render(&mut text, reader, argv0, *protocol, &|| protocols_file(system));
                self.print(&text)
            }
            Command::Version => {
                let text = format!("conntrack v{} (conntrack-tools)\n", help::VERSION);
                self.print(text.as_bytes())
            }
            Command::List { list, selection } => self.list(*list, selection),
            Command::Get { request, selection } => self.get(request, selection),
            Command::Create(request, mode) => self.create(request, *mode),
            Command::Update { selection, change } => self.update(selection, change),
            Command::Delete(selection) => self.delete(selection),
            Command::Flush(family) => self.flush(*family),
            Command::Events { kinds, selection, buffer_bytes } => {
                self.events(*kinds, selection, *buffer_bytes)
            }
            Command::Count => self.count(),
            Command::Statistics => self.statistics(),
            Command::ListExpectations(family) => self.list_expectations(*family),
            Command::GetExpectation(request) => self.get_expectation(request),
            Command::CreateExpectation(request) => self.create_expectation(request),
            Command::DeleteExpectation(request) => self.delete_expectation(request),
            Command::FlushExpectations(family) => self.flush_expectations(*family),
            Command::ExpectationEvents => self.expectation_events(),
            Command::CountExpectations(family) => self.count_expectations(*family),
            Command::ExpectationStatistics => self.expectation_statistics(),
        }
    }

    fn connect(&mut self) -> Result<KernelClient, Failure> {
        if let Some(client) = self.idle.clients.pop() {
            return Ok(client);
        }
        let transport = self.surroundings.kernel.connect().map_err(Failure::Open)?;
        Ok(Client::new(transport, first_sequence(self.surroundings)))
    }

    fn refused(&self, error: ClientError) -> Failure {
        Failure::Request { command: self.name, table: self.table, error }
    }

    fn failure(&self, stopped: Stopped) -> Failure {
        match stopped {
            Stopped::Request(error) => self.refused(error),
            Stopped::Output(failure) => failure,
        }
    }

    fn print(&mut self, text: &[u8]) -> Result<Exit, Failure> {
        let mut output =
            Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        output.buffer().extend_from_slice(text);
        output.finish()?;
        Ok(Exit::Success)
    }

    /// Nobody reads the flag of the kernel but us: what is listed may be incomplete.
    fn warn_if_interrupted(&mut self, outcome: DumpOutcome) {
        if outcome == DumpOutcome::Interrupted {
            print_line(
                self.surroundings.stderr,
                "WARNING: the table was rebuilt while it was read: entries may be missing or appear twice.",
            );
        }
    }
}

fn open_batches(
    surroundings: &Surroundings<'_>,
    idle: &mut Idle,
) -> Result<KernelBatches, Failure> {
    if let Some(mut batches) = idle.batches.take() {
        batches.clear();
        return Ok(batches);
    }
    let (transport, bounds) = surroundings.kernel.connect_for_batches().map_err(Failure::Open)?;
    Ok(BatchClient::new(transport, first_sequence(surroundings), bounds))
}

/// Any number will do; upstream begins with the time.
fn first_sequence(surroundings: &Surroundings<'_>) -> Sequence {
    let first = u32::try_from(surroundings.system.now_us() / 1_000_000 % (1 << 31));
    Sequence(first.unwrap_or_default())
}

/// The closing line of a command. It knows no singular.
fn closing(count: u64, what: &str) -> String {
    format!("{count} {what}")
}

/// Failure of the exit code when nothing matched.
fn unless_none(count: u64) -> Exit {
    if count == 0 { Exit::Failure } else { Exit::Success }
}
