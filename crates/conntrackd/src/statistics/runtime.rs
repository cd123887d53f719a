//! The daemon itself: `-s runtime`.

use std::io::Write as _;

use super::rows;

/// What the daemon learned from the kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Netlink {
    /// Events received.
    pub events: u64,
    /// Events that the filter does not want, if it is evaluated here.
    pub filtered: u64,
    /// Events of an unknown type.
    pub unknown_events: u64,
    /// Events that could not be read.
    pub event_errors: u64,
    /// Messages of a dump that are of an unknown type.
    pub unknown_dumped: u64,
    /// Losses that the kernel told of.
    pub overruns: u64,
    /// Times that the kernel's table was emptied.
    pub flushes: u64,
    /// Comparisons with the kernel's table.
    pub resyncs: u64,
    /// Size of the receive buffer in bytes.
    pub buffer_bytes: u64,
}

/// All of `-s runtime`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Runtime {
    /// Seconds since the start.
    pub uptime_s: u64,
    /// What came from the kernel.
    pub netlink: Netlink,
    /// Child processes that could not be started.
    pub child_failed: u64,
    /// Those that crashed.
    pub child_crashed: u64,
    /// Those that a signal ended.
    pub child_terminated: u64,
    /// Failed waits for descriptors.
    pub poll_failed: u64,
    /// Failed waits for children.
    pub wait_failed: u64,
    /// Clients that sent no request.
    pub read_failed: u64,
    /// Requests of an unknown kind. Upstream does not count them.
    pub unknown_requests: u64,
    /// Shown behind all that upstream shows. `None` if nothing was lost.
    pub losses: Option<Losses>,
}

/// Events that the kernel had no room for, and what a dump found instead.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    /// Events, as the kernel counts them.
    pub events: u64,
    /// Flows of which the internal cache learned by a dump.
    pub repaired: u64,
}

/// The answer to `-s runtime`.
pub fn runtime(out: &mut Vec<u8>, runtime: &Runtime) {
    uptime(out, runtime.uptime_s);
    let netlink = &runtime.netlink;
    out.extend_from_slice(b"netlink stats:\n");
    rows(
        out,
        20,
        [("\tevents received:\t", netlink.events), ("\tevents filtered:\t", netlink.filtered)],
    );
    rows(
        out,
        12,
        [
            ("\tevents unknown type:\t\t", netlink.unknown_events),
            ("\tcatch event failed:\t\t", netlink.event_errors),
            ("\tdump unknown type:\t\t", netlink.unknown_dumped),
            ("\tnetlink overrun:\t\t", netlink.overruns),
            ("\tflush kernel table:\t\t", netlink.flushes),
            ("\tresync with kernel table:\t", netlink.resyncs),
            ("\tcurrent buffer size (in bytes):\t", netlink.buffer_bytes),
        ],
    );
    out.extend_from_slice(b"\nruntime stats:\n");
    rows(
        out,
        12,
        [
            ("\tchild process failed:\t\t", runtime.child_failed),
            ("\t\tchild process segfault:\t", runtime.child_crashed),
            ("\t\tchild process termsig:\t", runtime.child_terminated),
            ("\tselect failed:\t\t\t", runtime.poll_failed),
            ("\twait failed:\t\t\t", runtime.wait_failed),
            ("\tlocal read failed:\t\t", runtime.read_failed),
            ("\tlocal unknown request:\t\t", runtime.unknown_requests),
        ],
    );
    out.push(b'\n');
    if let Some(losses) = runtime.losses {
        out.extend_from_slice(b"losses:\n");
        let rows_of =
            [("\tevents lost:\t\t", losses.events), ("\tflows repaired:\t\t", losses.repaired)];
        rows(out, 20, rows_of);
        out.push(b'\n');
    }
}

/// Days and hours appear when there are any.
fn uptime(out: &mut Vec<u8>, seconds: u64) {
    let minutes = seconds / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    // Writing to memory does not fail.
    let _ = out.write_all(b"daemon uptime: ");
    let _ = match days {
        0 => Ok(()),
        1 => write!(out, "1 day "),
        _ => write!(out, "{days} days "),
    };
    let _ = match hours {
        0 => writeln!(out, "{minutes} min\n"),
        _ => writeln!(out, "{hours} h {minutes} min\n"),
    };
}
