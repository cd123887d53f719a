//! Runs every target over its seeds and over changes of them, on any compiler and without cargo-fuzz.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use conntrack_fuzz::{TARGETS, Target, seed};

/// Changes of each seed.
const ROUNDS: usize = 100;
/// The environment can name another one: `FUZZ_SEED=7 cargo test --manifest-path fuzz/Cargo.toml`.
const SEED: u64 = 0x0c07_7a1e;

#[test]
fn every_target_has_its_function_and_its_file() {
    let mut files: Vec<String> = fs::read_dir(seed::folder().join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(files, names);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is an edge of its own")]
fn seeds_and_changes_of_them_hold_the_invariants() {
    let seed = std::env::var("FUZZ_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    for (name, target) in TARGETS {
        let inputs = seed::inputs(name);
        assert!(inputs.len() > 30, "{name}: {} seeds", inputs.len());
        let mut changes = seed::Changes::new(seed);
        for (position, (input_name, input)) in inputs.iter().enumerate() {
            check(name, target, input_name, input);
            for round in 1..=ROUNDS {
                let (_, other) = &inputs[(position + round) % inputs.len()];
                let bytes = changes.of(input, other);
                check(name, target, &format!("{input_name}, change {round}"), &bytes);
            }
        }
    }
}

/// Runs a target and says, if it panics, over what.
fn check(name: &str, target: Target, what: &str, input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| target(input)));
    assert!(outcome.is_ok(), "{name} fails over {what}: {input:02x?}");
}
