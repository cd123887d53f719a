//! Queues and child processes: `-s queue`, `-s rsqueue`, `-s process`.

use std::io::Write as _;

use super::rows;

/// A queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Queue<'a> {
    /// `txqueue`, `errorq`, `rsqueue`: in this order, the last in FTFW alone.
    pub name: &'a str,
    /// Elements.
    pub elements: u64,
    /// The most that it takes. Upstream's `txqueue` has no bound and shows 2147483647.
    pub maximum: u64,
    /// Elements for which there was no place.
    pub no_space: u64,
}

/// An element of the resend queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResendElement {
    /// The state of a flow or expectation.
    Object {
        /// Number of the message.
        sequence: u32,
    },
    /// A control message.
    Control {
        /// Number of the message.
        sequence: u32,
        /// Its flags.
        flags: u8,
    },
}

/// What a child process does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProcessKind {
    /// It writes a dump.
    Any,
    /// It empties the kernel's table.
    Flush,
    /// It commits.
    Commit,
}

/// A child process, or what runs in steps instead of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Process {
    /// Number of the process.
    pub pid: u32,
    /// What it does.
    pub kind: ProcessKind,
}

/// Begins the answer to `-s queue`. Each [`queue`] follows.
pub fn queue_nodes(out: &mut Vec<u8>, allocated: u64) {
    rows(out, 12, [("allocated queue nodes:\t\t", allocated)]);
    out.push(b'\n');
}

/// One queue of `-s queue`.
pub fn queue(out: &mut Vec<u8>, queue: &Queue) {
    let Queue { name, elements, maximum, no_space } = *queue;
    out.extend_from_slice(b"queue ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b":\n");
    rows(
        out,
        12,
        [
            ("current elements:\t\t", elements),
            ("maximum elements:\t\t", maximum),
            ("not enough space errors:\t", no_space),
        ],
    );
    out.push(b'\n');
}

/// Begins the answer to `-s rsqueue`. Each [`resend_element`] follows, the oldest first: a line at a time, as there can
/// be very many.
pub fn resend_queue(out: &mut Vec<u8>, len: u64) {
    // Writing to memory does not fail.
    let _ = writeln!(out, "resent queue (len={len})");
}

/// One element of `-s rsqueue`.
pub fn resend_element(out: &mut Vec<u8>, element: ResendElement) {
    let _ = match element {
        ResendElement::Object { sequence } => writeln!(out, "object -> seq:{sequence}"),
        ResendElement::Control { sequence, flags } => {
            writeln!(out, "control -> seq:{sequence} flags:{flags}")
        }
    };
}

/// One line of `-s process`.
pub fn process(out: &mut Vec<u8>, process: Process) {
    let kind = match process.kind {
        ProcessKind::Any => "any",
        ProcessKind::Flush => "flush",
        ProcessKind::Commit => "commit",
    };
    let _ = writeln!(out, "PID={} type={kind}", process.pid);
}
