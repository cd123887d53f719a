//! `cargo xtask conformance --daemon`: configuration files, scenarios of two nodes, and pairs with Debian's daemon.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::Options;
use crate::counts::{Counts, counted};
use crate::program::{self, Result};
use crate::setup;
use crate::workspace::Workspace;

/// The daemon of upstream as Debian installs it.
const REFERENCE: &str = "/usr/sbin/conntrackd";
/// The beginning of what it says of itself when it is the version that `known-1.4.7` was written with.
const REFERENCE_VERSION: &str = "Connection tracking userspace daemon v1.4.7.";
/// What that version fails as node a, from the top of the repository.
const KNOWN: &str = "conformance/conntrackd/known-1.4.7";

/// What is to be run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Extent {
    /// The configuration files: they need no daemon that runs. What CI runs.
    Configuration,
    /// These, all scenarios, and the link that loses.
    Scenarios,
    /// The scenarios and the link that loses with Debian's daemon on one of the nodes, then on the other.
    Mixed,
}

/// Who is who in a pair.
struct Pair<'a> {
    a: &'a Path,
    b: &'a Path,
    /// `conntrack`: makes and lists the flows.
    tool: &'a Path,
}

/// The command; `words` are those behind `--daemon`.
pub(super) fn run(words: &[String]) -> Result<ExitCode> {
    let (extent, words) = extent(words);
    let options = Options::parse(&words, &["-k"])?;
    let workspace = Workspace::load()?;
    setup::install_missing()?;
    let ours = options.binary(&workspace, "conntrackd")?;
    if extent == Extent::Mixed && !is_reference() {
        println!("SKIP mixed pairs need version 1.4.7 at {REFERENCE}");
        println!("{}", Counts::SKIPPED);
        return Ok(ExitCode::SUCCESS);
    }
    let total = match extent {
        Extent::Configuration => {
            let mut script = script(&workspace, "run");
            script.env("CONNTRACKD", ours).arg("--config-only").args(&options.passed_on);
            counted(&mut script, Counts::from_summary)?
        }
        Extent::Scenarios => {
            let tool = workspace.build("conntrack")?;
            played(&workspace, &Pair { a: &ours, b: &ours, tool: &tool }, &options, &[])?
        }
        Extent::Mixed => {
            let tool = workspace.build("conntrack")?;
            let reference = PathBuf::from(REFERENCE);
            let mut total = Counts::default();
            for (a, b) in [(&ours, &reference), (&reference, &ours)] {
                println!("a is {}, b is {}", a.display(), b.display());
                let pair = Pair { a, b, tool: &tool };
                total += played(&workspace, &pair, &options, &["--session-only"])?;
            }
            total
        }
    };
    println!("{total}");
    Ok(total.exit_code())
}

/// What the words ask for, and the other words.
fn extent(words: &[String]) -> (Extent, Vec<String>) {
    let mut extent = Extent::Configuration;
    let mut rest = Vec::new();
    for word in words {
        match word.as_str() {
            "--scenarios" => extent = Extent::Scenarios,
            "--mixed" => extent = Extent::Mixed,
            _ => rest.push(word.clone()),
        }
    }
    (extent, rest)
}

/// The scenarios, and if no text chooses among them, the link that loses.
fn played(
    workspace: &Workspace,
    pair: &Pair<'_>,
    options: &Options,
    parts: &[&str],
) -> Result<Counts> {
    let mut scenarios = pair.set(script(workspace, "run"));
    scenarios.args(parts).args(&options.passed_on);
    if pair.a == Path::new(REFERENCE) {
        scenarios.args(["--known", KNOWN]);
    }
    let mut total = counted(&mut scenarios, Counts::from_summary)?;
    if !options.passed_on.iter().any(|word| word == "-k") {
        total += counted(&mut pair.set(script(workspace, "loss")), Counts::from_summary)?;
    }
    Ok(total)
}

impl Pair<'_> {
    fn set(&self, mut script: Command) -> Command {
        script.env("CONNTRACKD", self.a).env("CONNTRACKD_A", self.a).env("CONNTRACKD_B", self.b);
        script.env("CONNTRACK", self.tool);
        script
    }
}

fn script(workspace: &Workspace, name: &str) -> Command {
    workspace.command(workspace.root.join("conformance/conntrackd").join(name))
}

/// Whether Debian's daemon is here, in the version whose failures are known.
fn is_reference() -> bool {
    program::output(program::command(REFERENCE).arg("-v"))
        .is_ok_and(|output| output.stdout.starts_with(REFERENCE_VERSION.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_alone_is_the_default() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (line, wanted, rest) in [
            ("", Extent::Configuration, ""),
            ("-k filters --scenarios", Extent::Scenarios, "-k filters"),
            ("--mixed --binary x", Extent::Mixed, "--binary x"),
        ] {
            assert_eq!(extent(&words(line)), (wanted, words(rest)), "{line}");
        }
    }
}
