//! What a run of the program touches: streams, kernel, files, clock. Tests put doubles in their place.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use ctnetlink::client::Transport;
use sys::netlink::OpenError;

/// Streams and services of one run.
pub struct Surroundings<'a> {
    /// The words of the command line, the program's name first.
    pub args: Vec<OsString>,
    /// Standard output: what was asked for.
    pub stdout: &'a mut dyn Write,
    /// Standard error: errors.
    pub stderr: &'a mut dyn Write,
    /// Whether a person reads standard error.
    pub stderr_is_terminal: bool,
    /// The way to the kernel.
    pub kernel: &'a dyn Kernel,
    /// Files and clock.
    pub system: &'a dyn System,
}

/// Opens sockets.
pub trait Kernel {
    /// A socket for requests.
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError>;
}

/// Files and clock.
pub trait System {
    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Now, in seconds since 1970.
    fn now_s(&self) -> u64;
}
