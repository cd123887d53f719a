//! `cargo xtask conformance --daemon`: configuration files, scenarios of two nodes, and pairs with Debian's daemon.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::Options;
use crate::counts::{Counts, counted};
use crate::isolation::{self, Isolation};
use crate::program::Result;
use crate::reference;
use crate::setup;
use crate::workspace::Workspace;

/// What Debian's daemon fails as node a, from the top of the repository.
const KNOWN: &str = "conformance/conntrackd/known-1.4.7";

/// What takes long, short enough for each run, but long enough to show what it is there for.
const SHORT_FORMS: [(&str, &[&str]); 2] = [
    // A machine that is short of processors may need more than the ten seconds that a quiet one has.
    ("overload", &["-n", "20000", "--stop", "2", "--after", "2", "--within", "30"]),
    ("soak", &["--seconds", "30"]),
];

/// What is to be run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Extent {
    /// The configuration files: they need no daemon that runs.
    Configuration,
    /// These, all scenarios, the link that loses, what ours does better than upstream, faults, overload, a short soak.
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
    /// The file of what a is known to fail.
    known: Option<&'a str>,
}

/// The command; `words` are those behind `--daemon`.
pub(super) fn run(words: &[String]) -> Result<ExitCode> {
    let (extent, words) = extent(words);
    let options = Options::parse(&words, &["-k"])?;
    let workspace = Workspace::load()?;
    setup::install_missing()?;
    let ours = options.binary(&workspace, "conntrackd")?;
    let total = match extent {
        Extent::Configuration => {
            let mut script = script(&workspace, "run");
            script.env("CONNTRACKD", ours).arg("--config-only").args(&options.passed_on);
            counted(&mut script, Counts::from_summary)?
        }
        Extent::Scenarios => {
            let tool = workspace.build("conntrack")?;
            like_pair(&workspace, &ours, &tool, &options)?
        }
        Extent::Mixed => {
            let tool = workspace.build("conntrack")?;
            mixed_pairs(&workspace, &ours, &tool, &options)?
        }
    };
    println!("{total}");
    Ok(total.exit_code())
}

/// All pairs: ours with ours, and ours with Debian's in both places.
pub(crate) fn pairs(workspace: &Workspace) -> Result<Counts> {
    let programs = ["conntrackd", "conntrack"].map(|package| workspace.build(package));
    let [Ok(ours), Ok(tool)] = programs else {
        println!("FAIL the pairs of daemons were not run: their programs can't be built");
        return Ok(Counts::FAILED);
    };
    let options = Options::default();
    let mut total = like_pair(workspace, &ours, &tool, &options)?;
    total += mixed_pairs(workspace, &ours, &tool, &options)?;
    Ok(total)
}

fn like_pair(workspace: &Workspace, ours: &Path, tool: &Path, options: &Options) -> Result<Counts> {
    played(workspace, &Pair { a: ours, b: ours, tool, known: None }, options, &[])
}

/// With Debian's daemon as node b, then as node a.
fn mixed_pairs(
    workspace: &Workspace,
    ours: &Path,
    tool: &Path,
    options: &Options,
) -> Result<Counts> {
    let reference = match reference::conntrackd(workspace) {
        Ok(path) => path,
        Err(reason) => {
            println!("SKIP both mixed pairs, ours with Debian's conntrackd: {reason}");
            return Ok(Counts { skipped: 2, ..Counts::default() });
        }
    };
    let mut total = Counts::default();
    for (a, b, known) in [(ours, &*reference, None), (&*reference, ours, Some(KNOWN))] {
        println!("a is {}, b is {}", a.display(), b.display());
        total += played(workspace, &Pair { a, b, tool, known }, options, &["--session-only"])?;
    }
    Ok(total)
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

/// The scenarios, and if no text chooses among them, the link that loses, and for a pair of ours what must not harm it.
fn played(
    workspace: &Workspace,
    pair: &Pair<'_>,
    options: &Options,
    parts: &[&str],
) -> Result<Counts> {
    let Some(isolation) = Isolation::find() else {
        println!("SKIP a pair of daemons cannot run here: {}", isolation::HOW);
        return Ok(Counts::SKIPPED);
    };
    let inside = |name: &str| {
        let mut command = isolation.with_own_run();
        command.arg(path(workspace, name)).current_dir(&workspace.root);
        pair.set(&mut command);
        command
    };
    let mut scenarios = inside("run");
    scenarios.args(parts).args(&options.passed_on);
    if let Some(known) = pair.known {
        scenarios.args(["--known", known]);
    }
    let mut total = counted(&mut scenarios, Counts::from_summary)?;
    if !options.passed_on.iter().any(|word| word == "-k") {
        total += counted(&mut inside("loss"), Counts::from_summary)?;
        if pair.a == pair.b {
            // Upstream does not repair what the first seconds lose.
            total += counted(inside("loss").arg("--from-start"), Counts::from_summary)?;
            total += counted(&mut inside("better"), Counts::from_summary)?;
            total += counted(&mut inside("faults"), Counts::from_summary)?;
            let helper = workspace.build_bench_helper()?;
            for (name, words) in SHORT_FORMS {
                let mut script = inside(name);
                script.args(words).env("BENCH_HELPER", &helper);
                total += counted(&mut script, Counts::from_summary)?;
            }
        }
    }
    Ok(total)
}

impl Pair<'_> {
    fn set(&self, script: &mut Command) {
        script.env("CONNTRACKD", self.a).env("CONNTRACKD_A", self.a).env("CONNTRACKD_B", self.b);
        script.env("CONNTRACK", self.tool);
    }
}

fn script(workspace: &Workspace, name: &str) -> Command {
    workspace.command(path(workspace, name))
}

fn path(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root.join("conformance/conntrackd").join(name)
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
