//! `cargo xtask test`: every test there is, and one line with the sums at the end.
//!
//! A failure does not end the run, so that one run shows all that is wrong.

use std::process::ExitCode;

use crate::counts::{Counts, counted};
use crate::program::{self, Result};
use crate::workspace::{APART, Workspace};
use crate::{conformance, setup};

/// The command `test`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    program::no_arguments(words)?;
    let counts = all(&Workspace::load()?)?;
    println!("{counts}");
    Ok(counts.exit_code())
}

/// Runs the Rust tests, the replay of the fuzz seeds among them, and the conformance cases of conntrack. Those of the
/// daemon's configuration are a Rust test.
pub(crate) fn all(workspace: &Workspace) -> Result<Counts> {
    setup::install_missing()?;
    // Tests that run the installed program and cases that run ours need it to be built first.
    let binary = workspace.build("conntrack");
    let mut test = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    let mut total = counted(&mut test, Counts::from_libtest)?;
    for manifest in APART {
        let words = ["test", "--manifest-path", manifest, "--no-fail-fast"];
        total += counted(&mut workspace.cargo(&words), Counts::from_libtest)?;
    }
    total += match binary {
        Ok(binary) => {
            let mut cases = conformance::runner(workspace, &binary);
            counted(&mut cases, Counts::from_summary)?
        }
        Err(message) => {
            println!("the conformance cases were not run: {message}");
            Counts::FAILED
        }
    };
    Ok(total)
}
