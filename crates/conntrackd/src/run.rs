//! One run of the program, from its words to its exit code.

use std::io;
use std::path::Path;

use sys::error_text::error_text;

use crate::command_line::{self, Action, CommandLine};
use crate::config::diagnostic::Stage;
use crate::config::{self, OuterName, Reading, protocols};
use crate::control::Request;
use crate::control::client::AskError;
use crate::daemon::{self, PROTOCOLS, Place, START_FAILED};
use crate::help::{self, Reader};
use crate::report::{Exit, Report, Severity, check};
use crate::surroundings::Surroundings;

/// Does what the words ask for.
pub fn run(surroundings: &mut Surroundings) -> Exit {
    let (argv0, words) = match surroundings.args.split_first() {
        Some((argv0, words)) => (argv0.clone(), words.to_vec()),
        None => ("conntrackd".into(), Vec::new()),
    };
    let reader = if surroundings.stdout_is_terminal { Reader::Person } else { Reader::Program };
    let mut warnings = Vec::new();
    let parsed = command_line::parse(&words, &mut warnings);
    let mut report = Report::new(surroundings);
    for warning in warnings {
        report.line(Severity::Warning, &warning.to_string());
    }
    match parsed {
        Ok(CommandLine::Help) => report.output(&help::usage(reader, &argv0)),
        Ok(CommandLine::Version) => report.output(help::version().as_bytes()),
        Ok(CommandLine::Act { config, action }) => act(&config, action, &mut report),
        Err(error) => {
            report.line(Severity::Error, &error.to_string());
            if error.shows_usage() {
                report.output(&help::usage(reader, &argv0));
            }
            Exit::Failure
        }
    }
}

fn act(path: &Path, action: Action, report: &mut Report) -> Exit {
    let Ok(source) = report.system().read(path) else {
        let text = format!("can't open config file `{}'", path.display());
        report.line(Severity::Error, &text);
        return Exit::Failure;
    };
    let mut reading = config::read(&source);
    look_up(&mut reading, report);
    if action == Action::Check {
        return check::print(&path.display().to_string(), &source, &reading.diagnostics, report);
    }
    report.diagnostics(&reading, Stage::Reading);
    if !reading.passes(Stage::Reading) {
        return Exit::Failure;
    }
    match action {
        Action::Ask(request) => ask(&reading.control_socket, request, report),
        Action::Console | Action::Check => start(&reading, Place::Console, report),
        Action::Daemon => start(&reading, Place::Background, report),
    }
}

/// Which of the names exist here.
fn look_up(reading: &mut Reading, report: &Report) {
    let mut database = None;
    let system = report.system();
    reading.look_up(|name| match name {
        OuterName::Interface(name) => system.has_interface(name),
        OuterName::Protocol(name) => {
            let read = || system.read(Path::new(PROTOCOLS)).unwrap_or_default();
            protocols::number(database.get_or_insert_with(read), name).is_some()
        }
    });
}

fn ask(socket: &Path, request: Request, report: &mut Report) -> Exit {
    let text = match report.ask(socket, request) {
        Ok(()) => return Exit::Success,
        Err(AskError::Daemon(_)) => {
            "can't connect: is conntrackd running? appropriate permissions?".to_owned()
        }
        Err(AskError::Part) => "the daemon gave up: the answer is not whole".to_owned(),
        // Who has seen enough needs no message.
        Err(AskError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Exit::Failure;
        }
        Err(AskError::Output(error)) => {
            format!("can't write the answer: {}", error_text(&error))
        }
    };
    report.line(Severity::Error, &text);
    Exit::Failure
}

fn start(reading: &Reading, place: Place, report: &mut Report) -> Exit {
    let Some(config) = reading.config.as_ref().filter(|_| reading.passes(Stage::Start)) else {
        report.diagnostics(reading, Stage::Start);
        for text in START_FAILED {
            report.line(Severity::Error, text);
        }
        return Exit::Failure;
    };
    let warnings: Vec<String> =
        reading.until_first_error(Stage::Start).map(|found| found.problem.to_string()).collect();
    daemon::run(config, &warnings, place, report)
}
