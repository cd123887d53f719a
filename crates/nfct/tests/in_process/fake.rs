//! A kernel that answers as written down, and the stage that a run stands on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use ctnetlink::client::Transport;
use ctnetlink::wire::{
    MessageFlags, MessageHeader, MessageWriter, Messages, NetfilterHeader, Sequence, control,
};
use nfct::surroundings::{Kernel, Surroundings, System};
use sys::netlink::OpenError;

pub(crate) const EPERM: i32 = 1;
pub(crate) const ENOENT: i32 = 2;
pub(crate) const EBUSY: i32 = 16;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EPIPE: i32 = 32;
pub(crate) const EOPNOTSUPP: i32 = 95;

pub(crate) const POLICY: u16 = 0x0800;
pub(crate) const DEFAULTS: u16 = 0x0803;
pub(crate) const HELPER: u16 = 0x0900;

/// One message of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Type and all behind the netlink header.
    Content(u16, Vec<u8>),
    Acknowledgement,
    Refusal(i32),
    /// The end of a list with this errno, 0 for none.
    Done(i32),
}

/// What the program receives, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Datagram(Vec<Part>),
    /// All messages say that the list was disturbed.
    Interrupted(Vec<Part>),
    /// The socket fails.
    Errno(i32),
}

#[derive(Default)]
struct State {
    steps: VecDeque<Step>,
    sent: Vec<Vec<u8>>,
}

/// A kernel, a system and streams for one run after another.
#[derive(Default)]
pub(crate) struct Stage {
    state: Rc<RefCell<State>>,
    pub(crate) no_socket: Option<fn() -> OpenError>,
    pub(crate) stderr_is_terminal: bool,
    pub(crate) protocols: Option<&'static str>,
    /// Writing fails with this errno.
    pub(crate) stdout_fails: Option<i32>,
}

/// How a run ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    /// A kernel that answers the next requests with these steps.
    pub(crate) fn answering(steps: impl IntoIterator<Item = Step>) -> Self {
        let stage = Self::default();
        stage.state.borrow_mut().steps.extend(steps);
        stage
    }

    /// A kernel that refuses the next request.
    pub(crate) fn refusing(errno: i32) -> Self {
        Self::answering([Step::Datagram(vec![Part::Refusal(errno)])])
    }

    /// Runs the words of `line` behind `nfct`.
    pub(crate) fn run(&mut self, line: &str) -> Ended {
        let args = std::iter::once("nfct").chain(line.split_whitespace());
        let mut stdout = Sink { bytes: Vec::new(), fails: self.stdout_fails };
        let mut stderr = Vec::new();
        let exit = nfct::run::run(&mut Surroundings {
            args: args.map(OsString::from).collect(),
            stdout: &mut stdout,
            stderr: &mut stderr,
            stderr_is_terminal: self.stderr_is_terminal,
            kernel: self,
            system: self,
        });
        Ended {
            code: exit as u8,
            stdout: String::from_utf8(stdout.bytes).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Type and flags of each request.
    pub(crate) fn asked(&self) -> Vec<(u16, u16)> {
        let state = self.state.borrow();
        let headers = state.sent.iter().map(|sent| {
            let message = Messages::new(sent).next().unwrap().unwrap();
            (message.header.kind, message.header.flags.bits())
        });
        headers.collect()
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn is(&self, code: u8, stdout: &str, stderr: &str) {
        assert_eq!(self.stdout, stdout, "standard output");
        assert_eq!(self.stderr, stderr, "standard error");
        assert_eq!(self.code, code, "exit code");
    }
}

/// A line of the program on standard error.
pub(crate) fn said(text: &str) -> String {
    format!("nfct v1.4.9: {text}\n")
}

impl Kernel for Stage {
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError> {
        match self.no_socket {
            Some(error) => Err(error()),
            None => Ok(Box::new(Connection(Rc::clone(&self.state)))),
        }
    }
}

impl System for Stage {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        assert_eq!(path, Path::new("/etc/protocols"));
        let text = self.protocols.ok_or(io::ErrorKind::NotFound)?;
        Ok(text.as_bytes().to_vec())
    }

    fn now_s(&self) -> u64 {
        1_700_000_000
    }
}

struct Connection(Rc<RefCell<State>>);

impl Transport for Connection {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().sent.push(datagram.to_vec());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        let step = state.steps.pop_front().expect("the program waits for what never comes");
        let request = state.sent.last().unwrap();
        let (parts, flags) = match step {
            Step::Datagram(parts) => (parts, MessageFlags::MULTI),
            Step::Interrupted(parts) => (parts, MessageFlags::MULTI | MessageFlags::DUMP_INTR),
            Step::Errno(errno) => return Err(io::Error::from_raw_os_error(errno)),
        };
        let datagram: Vec<u8> = parts.iter().flat_map(|part| part.encode(request, flags)).collect();
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Part {
    fn encode(&self, request: &[u8], flags: MessageFlags) -> Vec<u8> {
        let refusal = |errno: i32| [&(-errno).to_ne_bytes(), request].concat();
        let (kind, flags, content) = match self {
            Self::Content(kind, content) => (*kind, flags, content.clone()),
            Self::Acknowledgement => (control::ERROR, MessageFlags::empty(), refusal(0)),
            Self::Refusal(errno) => (control::ERROR, MessageFlags::empty(), refusal(*errno)),
            Self::Done(errno) => (control::DONE, flags, (-errno).to_ne_bytes().to_vec()),
        };
        let len = u32::try_from(16 + content.len()).unwrap();
        let mut out = len.to_ne_bytes().to_vec();
        out.extend(kind.to_ne_bytes());
        out.extend(flags.bits().to_ne_bytes());
        out.extend_from_slice(&request[8..12]);
        out.extend([0; 4]);
        out.extend(content);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }
}

/// A message of these attributes.
pub(crate) fn content(kind: u16, write: impl FnOnce(&mut MessageWriter<'_>)) -> Part {
    let header =
        MessageHeader { kind, flags: MessageFlags::empty(), sequence: Sequence(0), port_id: 0 };
    let mut out = Vec::new();
    let mut writer = MessageWriter::begin(&mut out, header, NetfilterHeader::default());
    write(&mut writer);
    writer.finish();
    Part::Content(kind, out.split_off(16))
}

/// A timeout policy, or the defaults if it has no name.
pub(crate) fn policy(name: Option<&[u8]>, scope: (u16, u8), timeouts_s: &[(u16, u32)]) -> Part {
    content(if name.is_some() { POLICY } else { DEFAULTS }, |out| {
        if let Some(name) = name {
            out.terminated(1, name);
        }
        out.be16(2, scope.0);
        out.u8(3, scope.1);
        if name.is_some() {
            out.be32(5, 1);
        }
        out.nest(4, |out| timeouts_s.iter().for_each(|(number, value)| out.be32(*number, *value)));
    })
}

/// A helper for TCP with one policy.
pub(crate) fn helper(name: &str, status: u32) -> Part {
    content(HELPER, |out| {
        out.text(1, name);
        out.be32(3, 7);
        out.nest(2, |out| {
            out.be16(1, 10);
            out.u8(2, 6);
        });
        out.nest(4, |out| {
            out.be32(1, 1);
            out.nest(2, |out| {
                out.text(1, name);
                out.be32(2, 8);
                out.be32(3, 300);
            });
        });
        out.be32(5, 24);
        out.be32(6, status);
    })
}

struct Sink {
    bytes: Vec<u8>,
    fails: Option<i32>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(errno) = self.fails {
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
