//! Doing what a [`Command`] says.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use ctnetlink::client::{Client, ClientError, DumpOutcome, Transport};
use ctnetlink::wire::Sequence;
use ctnetlink::{
    DecodeError, ExchangeError, ExpectPolicy, HelperAttributes, HelperObject, HelperRequest,
    HelperSelection, HelperStatus, Request, TimeoutPolicyAttributes, TimeoutRequest,
};
use flow::Family;
use flow::text::json::Document;

use crate::command::{Call, Command, Form, HelperCommand, Selected, TimeoutCommand};
use crate::entries::Entries;
use crate::helper::KnownHelper;
use crate::report::{Exit, Failure, print_line};
use crate::surroundings::{Surroundings, System};
use crate::{json, text};

/// Writes one entry of an answer, given the body of its message.
type WriteEntry = fn(&mut Vec<u8>, &[u8]) -> Result<(), DecodeError>;

/// Runs the program and returns how it ended. Everything it touches is in `surroundings`.
pub fn run(surroundings: &mut Surroundings<'_>) -> Exit {
    let system = surroundings.system;
    let words = surroundings.args.get(1..).unwrap_or_default();
    let call = Call::parse(words, &|| protocols_file(system));
    let call = match call {
        Ok(call) => call,
        Err(error) => return ended(surroundings, &Failure::Usage(error), None),
    };
    if let (Some(most), true) = (call.cut_to, surroundings.stderr_is_terminal) {
        let hint = format!("hint: the name is too long, its first {most} bytes count.");
        print_line(surroundings.stderr, &hint);
    }
    match carry_out(surroundings, &call) {
        Ok(()) => Exit::Success,
        Err(failure) => ended(surroundings, &failure, Some(&call)),
    }
}

fn ended(surroundings: &mut Surroundings<'_>, failure: &Failure, call: Option<&Call>) -> Exit {
    let argv0 = surroundings.args.first().map_or(OsStr::new(""), OsString::as_os_str);
    let command = call.map(|call| &call.command);
    failure.print(surroundings.stderr, argv0, command);
    // Upstream's bytes are for those who ask for nothing else.
    if surroundings.stderr_is_terminal || call.is_some_and(|call| call.form == Form::Json) {
        failure.print_hint(surroundings.stderr, command);
    }
    failure.exit()
}

/// `None` if there is no such file. One that cannot be read knows no names, as with the C library.
fn protocols_file(system: &dyn System) -> Option<Vec<u8>> {
    match system.read(Path::new("/etc/protocols")) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => Some(Vec::new()),
    }
}

fn carry_out(surroundings: &mut Surroundings<'_>, call: &Call) -> Result<(), Failure> {
    match &call.command {
        Command::Version => {
            let text = text::VERSION_TEXT.as_bytes();
            surroundings.stdout.write_all(text).map_err(Failure::Output)
        }
        Command::Timeout(command) => timeout(surroundings, command, call.form),
        Command::Helper(command) => helper(surroundings, command, call.form),
    }
}

fn timeout(
    surroundings: &mut Surroundings<'_>,
    command: &TimeoutCommand,
    form: Form,
) -> Result<(), Failure> {
    let policy: WriteEntry = match form {
        Form::Text => |out, body| {
            TimeoutPolicyAttributes::parse(body).map(|policy| text::write_policy(out, &policy))
        },
        Form::Json => |out, body| {
            TimeoutPolicyAttributes::parse(body).map(|policy| json::write_policy(out, &policy))
        },
    };
    let defaults: WriteEntry = match form {
        Form::Text => |out, body| {
            TimeoutPolicyAttributes::parse(body).map(|policy| text::write_defaults(out, &policy))
        },
        Form::Json => |out, body| {
            TimeoutPolicyAttributes::parse(body).map(|policy| json::write_defaults(out, &policy))
        },
    };
    let (request, shown) = match command {
        TimeoutCommand::List => (TimeoutRequest::List, Some((policy, &json::POLICIES))),
        TimeoutCommand::Get(name) => (TimeoutRequest::Get(name), Some((policy, &json::POLICIES))),
        TimeoutCommand::DefaultGet(family, protocol) => {
            (TimeoutRequest::Defaults(*family, *protocol), Some((defaults, &json::DEFAULTS)))
        }
        TimeoutCommand::Add { name, values } => (TimeoutRequest::Add { name, values }, None),
        TimeoutCommand::Delete(name) => (TimeoutRequest::Delete(name), None),
        TimeoutCommand::Flush => (TimeoutRequest::Flush, None),
        TimeoutCommand::DefaultSet(values) => (TimeoutRequest::SetDefaults(values), None),
    };
    let request = Request::Timeouts(request);
    match shown {
        Some((write, document)) => show(surroundings, &request, write, framed(form, document)),
        None => Ok(connect(surroundings)?.execute(&request)?),
    }
}

fn helper(
    surroundings: &mut Surroundings<'_>,
    command: &HelperCommand,
    form: Form,
) -> Result<(), Failure> {
    let write: WriteEntry = match form {
        Form::Text => {
            |out, body| HelperAttributes::parse(body).map(|helper| text::write_helper(out, &helper))
        }
        Form::Json => {
            |out, body| HelperAttributes::parse(body).map(|helper| json::write_helper(out, &helper))
        }
    };
    let request = match command {
        HelperCommand::List => HelperRequest::List,
        HelperCommand::Get(selected) => HelperRequest::Get(selection(selected)),
        HelperCommand::Delete(selected) => HelperRequest::Delete(selection(selected)),
        HelperCommand::Flush => HelperRequest::Flush,
        HelperCommand::Add(family, known) => return add_helper(surroundings, *family, known),
        HelperCommand::Disable(family, known) => {
            let status = Some(HelperStatus::Disabled);
            let object = HelperObject { status, ..object(*family, known) };
            return put(surroundings, &object);
        }
    };
    let is_shown = matches!(command, HelperCommand::List | HelperCommand::Get(_));
    let request = Request::Helpers(request);
    if is_shown {
        show(surroundings, &request, write, framed(form, &json::HELPERS))
    } else {
        Ok(connect(surroundings)?.execute(&request)?)
    }
}

fn selection(selected: &Selected) -> HelperSelection<'_> {
    HelperSelection { name: &selected.name, tuple: selected.tuple }
}

fn object(family: Family, known: &KnownHelper) -> HelperObject<'_> {
    HelperObject {
        name: known.name.as_bytes(),
        family,
        protocol: known.protocol,
        queue: None,
        private_data_len: None,
        policies: &[],
        status: None,
    }
}

/// The queue and the status are left to the daemon that will serve the helper.
fn add_helper(
    surroundings: &mut Surroundings<'_>,
    family: Family,
    known: &KnownHelper,
) -> Result<(), Failure> {
    let policies = [ExpectPolicy {
        name: known.name.as_bytes(),
        expect_max: known.expect_max,
        expect_timeout_s: known.expect_timeout_s,
    }];
    let private_data_len = Some(known.private_data_len);
    let object = HelperObject { private_data_len, policies: &policies, ..object(family, known) };
    put(surroundings, &object)
}

fn put(surroundings: &mut Surroundings<'_>, object: &HelperObject<'_>) -> Result<(), Failure> {
    let request = Request::Helpers(HelperRequest::Put(object));
    Ok(connect(surroundings)?.execute(&request)?)
}

fn framed(form: Form, document: &'static Document) -> Option<&'static Document> {
    (form == Form::Json).then_some(document)
}

/// Why an answer was not read to its end.
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

/// Writes what a request brings. One that asks for a single entry ends with an acknowledgement, a list with its end;
/// both may bring nothing.
fn show(
    surroundings: &mut Surroundings<'_>,
    request: &Request<'_>,
    write: WriteEntry,
    document: Option<&'static Document>,
) -> Result<(), Failure> {
    let mut client = connect(surroundings)?;
    let mut entries = Entries::new(surroundings.stdout, document);
    let read: Result<_, Stopped> = client.dump(request, |message| {
        entries.show(|out| {
            let written = write(out, message.body);
            written.map_err(|error| ClientError::from(ExchangeError::from(error)).into())
        })
    });
    match read {
        Ok(outcome) => {
            entries.finish(outcome)?;
            if outcome == DumpOutcome::Interrupted {
                print_line(
                    surroundings.stderr,
                    "WARNING: the list changed while it was read: entries may be missing or appear twice.",
                );
            }
            Ok(())
        }
        Err(Stopped::Request(error)) => {
            entries.break_off()?;
            Err(Failure::Request(error))
        }
        Err(Stopped::Output(failure)) => Err(failure),
    }
}

fn connect(surroundings: &Surroundings<'_>) -> Result<Client<Box<dyn Transport>>, Failure> {
    let transport = surroundings.kernel.connect().map_err(Failure::Open)?;
    // Any number will do; upstream takes the time.
    let first = u32::try_from(surroundings.system.now_s() % (1 << 31)).unwrap_or_default();
    Ok(Client::new(transport, Sequence(first)))
}
