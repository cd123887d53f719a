//! A command line of `nfct`: what it asks the kernel for, and what is said of a wrong one.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::rc::Rc;

use ctnetlink::client::Transport;
use ctnetlink::wire::{Attributes, Messages};
use ctnetlink::{HelperAttributes, TimeoutPolicyAttributes};
use nfct::command::Call;
use nfct::report::Exit;
use nfct::run::run;
use nfct::surroundings::{Kernel, Surroundings, System};
use sys::netlink::OpenError;

/// Reads the bytes as words with a NUL between them, and runs the program on a kernel that agrees to everything.
///
/// A wrong command line is said and asks nothing of the kernel; any other asks one well-formed thing, or nothing for the
/// version, and succeeds.
///
/// # Panics
///
/// If that does not hold.
pub fn timeout_command_line(bytes: &[u8]) {
    let words = bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
    let args: Vec<OsString> = std::iter::once("nfct".into()).chain(words).collect();
    for system in [NoFiles(false), NoFiles(true)] {
        for stderr_is_terminal in [false, true] {
            check(&args, &system, stderr_is_terminal);
        }
    }
}

fn check(args: &[OsString], system: &NoFiles, stderr_is_terminal: bool) {
    let protocols = || system.read(Path::new("/etc/protocols")).ok();
    let call = Call::parse(args.get(1..).unwrap_or_default(), &protocols);
    let kernel = Agreeing::default();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = run(&mut Surroundings {
        args: args.to_vec(),
        stdout: &mut stdout,
        stderr: &mut stderr,
        stderr_is_terminal,
        kernel: &kernel,
        system,
    });
    let asked = kernel.0.borrow().len();
    match call {
        Ok(call) => {
            assert_eq!(exit, Exit::Success);
            let is_version = call.command == nfct::command::Command::Version;
            assert_eq!(asked, usize::from(!is_version));
            assert_eq!(stderr.is_empty(), !stderr_is_terminal || call.cut_to.is_none());
            kernel.0.borrow().iter().for_each(|request| well_formed(request));
        }
        Err(error) => {
            assert_eq!((exit, asked), (Exit::Failure, 0));
            assert!(stdout.is_empty());
            let text = error.render("nfct".as_ref());
            assert!(text.ends_with(b"\n") && stderr.starts_with(&text));
            assert!(text.starts_with(b"nfct v1.4.9: ") || text.starts_with(b"Usage: nfct "));
        }
    }
}

/// One message, whose attributes are those of its subsystem.
fn well_formed(request: &[u8]) {
    let mut messages = Messages::new(request);
    let message = messages.next().and_then(Result::ok);
    let body = message.map(|message| message.body).unwrap_or_default();
    assert!(messages.next().is_none() && body.len() >= 4);
    assert!(Attributes::new(body.get(4..).unwrap_or_default(), 4).all(|it| it.is_ok()));
    match message.map(|message| message.header.kind >> 8) {
        Some(8) => {
            let policy = TimeoutPolicyAttributes::parse(body);
            let numbers: Vec<u16> = policy
                .iter()
                .flat_map(TimeoutPolicyAttributes::timeouts_s)
                .map(|(number, _)| number)
                .collect();
            assert!(policy.is_ok() && numbers.is_sorted_by(|a, b| a < b));
        }
        Some(9) => assert!(HelperAttributes::parse(body).is_ok()),
        other => panic!("subsystem {other:?}"),
    }
}

/// Keeps what it is asked for, and acknowledges it.
#[derive(Default)]
struct Agreeing(Rc<RefCell<Vec<Vec<u8>>>>);

impl Kernel for Agreeing {
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError> {
        Ok(Box::new(Self(Rc::clone(&self.0))))
    }
}

impl Transport for Agreeing {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().push(datagram.to_vec());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let requests = self.0.borrow();
        let request = requests.last().map_or(&[][..], Vec::as_slice);
        let sequence = request.get(8..12).unwrap_or_default();
        let parts: [&[u8]; 6] =
            [&[36, 0, 0, 0, 2, 0, 0, 1], sequence, &[0; 8], &[16, 0, 0, 0], &[0; 4], &[0; 8]];
        let answer = parts.concat();
        if let Some(place) = buffer.get_mut(..answer.len()) {
            place.copy_from_slice(&answer);
        }
        Ok(answer.len())
    }
}

/// A system with a file of protocols, or without.
struct NoFiles(bool);

impl System for NoFiles {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        if self.0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(b"icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\ngre 47 GRE\nsctp 132 SCTP\nesp 50 ESP\n".to_vec())
    }

    fn now_s(&self) -> u64 {
        7
    }
}
