//! `cargo xtask demo`: the programs at work on firewalls, with real traffic, and checked.
//!
//! With `tool` it shows the tool, with `fail-over` two daemons, of which one dies, and without a word both.
//!
//! Everything happens in namespaces of its own (see [`crate::isolation`]), so the host's network is not
//! touched, and the kernel cleans up however the demo ends.

mod fail_over;
mod peer;
mod scenario;

use std::path::{self, Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::isolation::{self, Isolation};
use crate::program::{self, Result};
use crate::setup;
use crate::workspace::Workspace;

/// Exit code of a demo that could not run here, which says nothing about the tool.
pub(crate) const CANNOT_RUN: u8 = 77;

/// The word that tells a second xtask that it runs inside the namespaces.
const INSIDE: &str = "--inside";
/// The same for the fail-over.
const INSIDE_FAIL_OVER: &str = "--inside-fail-over";

const NETWORK: &str = include_str!("../demo/network.sh");
const FAIL_OVER_NETWORK: &str = include_str!("../demo/fail-over.sh");

/// The script that the fail-over runs, from the top of the repository.
const FAIL_OVER_SCRIPT: &str = "etc/conntrackd/primary-backup.sh";

/// The command `demo`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [INSIDE, tool] => scenario::play(Path::new(tool)),
        [INSIDE_FAIL_OVER, tool, daemon, script] => {
            let [tool, daemon, script] = [tool, daemon, script].map(Path::new);
            fail_over::play(&fail_over::Programs { tool, daemon, script })
        }
        [] => {
            let shown = tool()?;
            if shown != ExitCode::SUCCESS {
                return Ok(shown);
            }
            println!("\n{}\n", "-".repeat(100));
            fail_over()
        }
        ["tool"] => tool(),
        ["fail-over"] => fail_over(),
        [word, ..] => Err(format!("unexpected argument `{word}'")),
    }
}

fn tool() -> Result<ExitCode> {
    isolated(NETWORK, |inside| {
        inside.arg(INSIDE).arg(binary("CONNTRACK", "conntrack")?);
        Ok(())
    })
}

fn fail_over() -> Result<ExitCode> {
    isolated(FAIL_OVER_NETWORK, |inside| {
        inside.arg(INSIDE_FAIL_OVER).arg(binary("CONNTRACK", "conntrack")?);
        inside.arg(binary("CONNTRACKD", "conntrackd")?);
        inside.arg(Workspace::load()?.root.join(FAIL_OVER_SCRIPT));
        Ok(())
    })
}

/// Runs this program again, in namespaces and behind the script that builds their network. `complete` adds the words.
fn isolated(network: &str, complete: impl FnOnce(&mut Command) -> Result<()>) -> Result<ExitCode> {
    setup::install_missing()?;
    let Some(isolation) = Isolation::find() else {
        println!("The demo cannot run here: {}", isolation::HOW);
        return Ok(ExitCode::from(CANNOT_RUN));
    };
    let mut inside = isolation.unshare();
    inside.args(["bash", "-c", network, "network.sh"]).arg(this_program()?).arg("demo");
    complete(&mut inside)?;
    let passed = program::succeeds(&mut inside)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The program to show: that of the variable, or a fresh release build.
fn binary(variable: &str, package: &str) -> Result<PathBuf> {
    let Some(name) = program::variable(variable) else {
        return Workspace::load()?.build(package);
    };
    match path::absolute(&name) {
        Ok(binary) if binary.is_file() => Ok(binary),
        Ok(binary) => Err(format!("there is no program {}", binary.display())),
        Err(error) => Err(format!("{variable}={}: {error}", name.display())),
    }
}

fn this_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))
}
