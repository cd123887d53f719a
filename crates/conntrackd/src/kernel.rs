//! The daemon's side of the kernel: what changes in its tables, all that is in them, and changes of our own.
//!
//! ```text
//! EventSource  events of flows and expectations, at most so many a turn; a full buffer is counted and made larger
//! Dump         all entries of a table, one datagram a turn; one dump at a time, the others wait
//! Writer       changes in batches, done when the call returns; one socket a purpose, so that its events are known
//! Committer    a writer in a thread of its own while a commit runs
//! Ports        which of these sockets caused an event
//! ```
//!
//! Nothing here waits, but for [`Dump::run`] at the start, and a committer that is a batch behind. Facts: docs/ctnetlink.md.

mod committer;
mod dump;
mod events;
mod ports;
mod writer;

pub use committer::{Batch, Committer};
pub use dump::{Asked, Dump, DumpCounters, Job, MOST_JOBS, Purpose, Step};
pub use events::{
    BufferNotice, EventCounters, EventGroups, EventSource, KernelEvent, OverrunResync, Taken,
};
pub use ports::{EventCause, Ports};
pub use writer::{Change, DeleteTally, Entry, Failure, FlowKey, Stage, Tally, Writer};
