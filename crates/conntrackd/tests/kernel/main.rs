//! The kernel's side of the daemon on the kernel that runs, each test in a network namespace of its own.
//!
//! A namespace belongs to the thread of its test. Without root the tests say so and count as skipped. Needed beside the
//! kernel: its FTP helper for one test. The flows are made by the daemon's own writer, or by a second one that plays
//! another program.
#![forbid(unsafe_code)]
#![cfg(test)]

mod commit;
mod events;
mod expectations;
mod namespace;
mod restored;
