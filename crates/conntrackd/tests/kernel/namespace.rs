//! Network namespaces for the threads of tests, and what is said when there can be none.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;

use conntrackd::kernel::{Dump, EventGroups, EventSource};
use ctnetlink::Table;
use ctsync::Subject;
use flow::Flow;

/// Moves this thread into a fresh network namespace; whether that is possible, after saying why it is not.
///
/// # Panics
///
/// If root cannot make one.
pub(crate) fn entered() -> bool {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        skipped("a network namespace for a thread needs root");
        return false;
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    true
}

/// Says why the test that calls this does not run; to be called once in a test.
///
/// The handle is written to, because libtest keeps what `println!` writes in a test that passes.
pub(crate) fn skipped(reason: &str) {
    let line = format!("\nSKIPPED: {reason}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// Settings of an event socket: sizes in bytes.
pub(crate) fn settings(buffer: u32, max: u32) -> conntrackd::config::Events {
    conntrackd::config::Events {
        buffer_bytes: std::num::NonZeroU32::new(buffer),
        buffer_max_bytes: max,
        overrun_resync: Some(std::time::Duration::from_secs(30)),
        is_reliable: false,
    }
}

/// An event socket that hears of flows.
pub(crate) fn events(buffer: u32, max: u32) -> EventSource {
    let source = EventSource::open(&settings(buffer, max)).unwrap();
    source.subscribe(EventGroups::Flows).unwrap();
    source
}

/// All flows of this namespace.
pub(crate) fn table() -> Vec<Flow> {
    let mut flows = Vec::new();
    let outcome = Dump::open().unwrap().run(Table::Flows, |subject| match subject {
        Subject::Flow(view) => flows.push(view.to_flow()),
        Subject::Expectation(expectation) => panic!("{expectation:?}"),
    });
    let _ = outcome.unwrap();
    flows
}
