//! The daemon: from its configuration to its end.
//!
//! ```text
//! start    log ─ lock ─ scheduling ─ control socket ─ links, kernel ─ first dump ─ background ─ loop
//! turn     wait ─ read a bounded part of what is ready ─ mode ─ what it wants done ─ answers to clients
//! ```
//!
//! All that can fail does so before the process goes to the background, and is said on standard error as well. One thread
//! owns all of it. Behaviour: docs/architecture.md, "The daemon".

mod answers;
pub(crate) mod clock;
mod context;
mod event_loop;
mod kernel_side;
mod start;
mod statistics_mode;
mod sync_mode;
mod words;

use answers::Answer;
pub(crate) use start::{PROTOCOLS, START_FAILED};
pub use start::{Place, run};

/// What became of a request.
#[derive(Debug)]
enum Reaction {
    /// Its answer is complete.
    Finished,
    /// Its answer takes more turns.
    Goes(Answer),
}
