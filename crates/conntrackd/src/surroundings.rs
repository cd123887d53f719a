//! What a run of the program touches: streams, files, devices, sockets, clock. Tests put doubles in their place.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use flow::text::{CivilTime, plain};
use sys::console::Console;

use crate::control::Request;
use crate::control::client::AskError;

/// Streams and services of one run.
pub struct Surroundings<'a> {
    /// The words of the command line, the program's name first.
    pub args: Vec<OsString>,
    /// Standard output: answers, notices, the usage.
    pub stdout: &'a mut dyn Write,
    /// Whether a person reads standard output.
    pub stdout_is_terminal: bool,
    /// Standard error: warnings and errors.
    pub stderr: &'a mut dyn Write,
    /// All else.
    pub system: &'a dyn System,
}

/// One of the two streams that are written to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StandardStream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Files, devices, sockets, clock.
pub trait System {
    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Whether there is a network device of this name.
    fn has_interface(&self, name: &str) -> bool;
    /// Sends a request to the daemon and copies its answer.
    fn ask(&self, socket: &Path, request: Request, answer: &mut dyn Write) -> Result<(), AskError>;
    /// Now, in seconds since 1970.
    fn now_s(&self) -> u64;
    /// A time since 1970, taken apart in the local time zone.
    fn civil_time(&self, seconds: u64) -> CivilTime;
    /// The number of this process.
    fn pid(&self) -> u32;

    /// A variable of the environment. Without one, as in most tests, all is as if nobody had set any.
    fn variable(&self, _name: &str) -> Option<OsString> {
        None
    }

    /// A way to a standard stream on which nothing waits for who reads it. Without one the log uses the streams of the
    /// [`Surroundings`], which may wait.
    fn console(&self, _stream: StandardStream) -> Option<Console> {
        None
    }

    /// The local time as C's `ctime` writes it, without its newline.
    fn local_time(&self) -> String {
        let mut text = Vec::with_capacity(24);
        plain::write_ctime(&mut text, self.civil_time(self.now_s()));
        String::from_utf8(text).unwrap_or_default()
    }
}
