//! See `conntrack_fuzz::timeout_command_line`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| conntrack_fuzz::timeout_command_line(bytes));

/// Without cargo-fuzz there is nothing to run: `cargo test` replays the seeds.
#[cfg(not(fuzzing))]
fn main() {}
