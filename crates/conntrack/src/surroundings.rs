//! What a run of the program touches: streams, kernel, files, clock. Tests put doubles in their place.

use std::ffi::OsString;
use std::io::{self, Cursor, Read, Seek, Write};
use std::path::Path;

use ctnetlink::bpf::FlowConditions;
use ctnetlink::client::{BatchBounds, PollTransport, Transport};
use flow::text::CivilTime;
use sys::netlink::{Datagram, OpenError};

/// Streams and services of one run.
pub struct Surroundings<'a> {
    /// The words of the command line, the program's name first.
    pub args: Vec<OsString>,
    /// Standard input, read by `--load-file -`.
    pub stdin: &'a mut dyn Read,
    /// Standard output: entries.
    pub stdout: &'a mut dyn Write,
    /// Whether standard output is a terminal, which shows each line before what follows on standard error.
    pub stdout_is_terminal: bool,
    /// Standard error: counts, warnings, errors.
    pub stderr: &'a mut dyn Write,
    /// Whether a person reads standard error.
    pub stderr_is_terminal: bool,
    /// The way to the kernel.
    pub kernel: &'a dyn Kernel,
    /// Files, clock, environment.
    pub system: &'a dyn System,
}

/// Opens sockets, and tells when the work on them is to end.
pub trait Kernel {
    /// A socket for requests.
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError>;
    /// A socket for batches of changes, and how large these may be.
    fn connect_for_batches(&self) -> Result<(Box<dyn PollTransport>, BatchBounds), OpenError>;
    /// From now on SIGINT and SIGTERM do not end the program; [`Kernel::end_is_wished`] tells of them.
    fn hold_end(&self) -> io::Result<()>;
    /// Whether one of them has come since they are held back.
    fn end_is_wished(&self) -> bool;
    /// A socket that receives events of these multicast groups (bit n for group n + 1). Where the kernel can tell that a
    /// flow does not meet the conditions, its events may stay away.
    fn subscribe(
        &self,
        groups: u32,
        conditions: &FlowConditions,
    ) -> Result<Box<dyn EventSource + '_>, OpenError>;
}

/// What ended the wait for events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wake {
    /// Something can be received.
    Readable,
    /// The user wants to know how it goes (SIGUSR1).
    Report,
    /// The user wants the end (SIGINT, SIGTERM).
    Stop,
    /// Nobody reads standard output any more.
    OutputClosed,
}

/// What was received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received {
    /// So many datagrams. Fewer than wanted: no more waited.
    Datagrams(usize),
    /// Events were lost (ENOBUFS), after those that wait. Nothing was taken.
    Overrun,
}

/// A socket that receives events.
pub trait EventSource {
    /// Asks for a receive buffer of so many bytes, which it then keeps, and returns what it became. Without this it is
    /// that of the system, and grows when events come faster than they are taken.
    fn set_buffer(&mut self, bytes: usize) -> io::Result<usize>;
    /// Waits for something to happen.
    fn wait(&mut self) -> io::Result<Wake>;
    /// Takes datagrams that wait, at most so many.
    fn receive(&mut self, most: usize, each: &mut dyn FnMut(Datagram<'_>)) -> io::Result<Received>;
    /// How many events were lost since the socket was opened. It wraps.
    fn lost(&self) -> io::Result<u32>;
    /// How much of the receive buffer is taken, in bytes.
    fn waiting_bytes(&self) -> io::Result<usize>;
}

/// A text that can be read more than once.
pub trait Text: Read + Seek + Send {}

impl<T: Read + Seek + Send> Text for T {}

/// Files, clock and environment.
pub trait System: Sync {
    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A file that need not fit into memory.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Text>> {
        Ok(Box::new(Cursor::new(self.read(path)?)))
    }
    /// Whether the environment has this variable.
    fn has_variable(&self, name: &str) -> bool;
    /// Now, in microseconds since 1970.
    fn now_us(&self) -> u64;
    /// Local time of a second since 1970.
    fn local_time(&self, seconds: u64) -> CivilTime;
    /// The name of the program that owns a netfilter netlink port, if it can be found.
    fn program_of_port(&self, port_id: u32) -> Option<String>;
}
