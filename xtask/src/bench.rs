//! `cargo xtask bench`: whole programs beside upstream, on this machine.

use std::process::ExitCode;

use crate::program::{self, Result};
use crate::workspace::Workspace;

/// A benchmark: the word that chooses it, its script, our program and the variable that names it to the script.
struct Benchmark {
    word: &'static str,
    script: &'static str,
    package: &'static str,
    variable: &'static str,
}

/// The first one is meant when no word chooses.
const BENCHMARKS: [Benchmark; 2] = [
    Benchmark {
        word: "list",
        script: "bench/compare",
        package: "conntrack",
        variable: "CONNTRACK_NG",
    },
    Benchmark {
        word: "daemon",
        script: "bench/daemon",
        package: "conntrackd",
        variable: "CONNTRACKD_NG",
    },
];

/// The command `bench`; its words go to the script.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let (benchmark, words) = chosen(words);
    let workspace = Workspace::load()?;
    let mut script = workspace.command(workspace.root.join(benchmark.script));
    script.args(words);
    if !words.iter().any(|word| word == "--without-ours") {
        script.env(benchmark.variable, workspace.build(benchmark.package)?);
    }
    let passed = program::succeeds(&mut script)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The benchmark that the first word chooses, and the other words.
fn chosen(words: &[String]) -> (&'static Benchmark, &[String]) {
    let [default, _] = &BENCHMARKS;
    let Some((first, rest)) = words.split_first() else {
        return (default, words);
    };
    let named = BENCHMARKS.iter().find(|benchmark| benchmark.word == first);
    named.map_or((default, words), |benchmark| (benchmark, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_chooses_and_the_rest_goes_to_the_script() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (line, script, rest) in [
            ("", "bench/compare", ""),
            ("-n 5", "bench/compare", "-n 5"),
            ("list -n 5", "bench/compare", "-n 5"),
            ("daemon --rounds 1", "bench/daemon", "--rounds 1"),
        ] {
            let line = words(line);
            let (benchmark, left) = chosen(&line);
            assert_eq!((benchmark.script, left), (script, words(rest).as_slice()));
        }
    }
}
