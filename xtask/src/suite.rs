//! `cargo xtask test`: every test there is, and one line with the sums at the end.
//!
//! A failure does not end the run, so that one run shows all that is wrong.

use std::process::ExitCode;

use crate::counts::{Counts, counted};
use crate::program::{self, Result};
use crate::workspace::Workspace;
use crate::{conformance, setup};

/// The command `test`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    program::no_arguments(words)?;
    let counts = all(&Workspace::load()?)?;
    println!("{counts}");
    Ok(counts.exit_code())
}

/// Runs the Rust tests, the replay of the fuzz seeds and the conformance cases.
pub(crate) fn all(workspace: &Workspace) -> Result<Counts> {
    setup::install_missing()?;
    // Tests that run the installed program and cases that run ours need it to be built first.
    let binary = workspace.build_conntrack();
    let mut test = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    let mut total = counted(&mut test, Counts::from_libtest)?;
    if workspace.root.join("fuzz/Cargo.toml").is_file() {
        let words = ["test", "--manifest-path", "fuzz/Cargo.toml", "--no-fail-fast"];
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
