//! `cargo xtask test`: every test there is, and one line with the sums at the end.
//!
//! A failure does not end the run, so that one run shows all that is wrong.

use std::path::Path;
use std::process::ExitCode;

use crate::counts::{Counts, counted};
use crate::program::{self, Result};
use crate::workspace::{APART, Workspace};
use crate::{conformance, setup, vm};

/// The command `test`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    program::no_arguments(words)?;
    let counts = all(&Workspace::load()?)?;
    println!("{counts}");
    Ok(counts.exit_code())
}

/// Runs the Rust tests, the replay of the fuzz seeds among them, the conformance cases of conntrack and nfct, real traffic,
/// and the scenarios of two daemons, which begin with the cases of the configuration.
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
    let binary = match binary {
        Ok(binary) => binary,
        Err(message) => {
            println!("the conformance cases were not run: {message}");
            total += Counts::FAILED;
            return Ok(total);
        }
    };
    total += counted(&mut conformance::runner(workspace, &binary), Counts::from_summary)?;
    total += timeouts_and_helpers(workspace, &binary)?;
    total += conformance::daemon::pairs(workspace)?;
    Ok(total)
}

/// The tests of nfct that need the built programs.
fn timeouts_and_helpers(workspace: &Workspace, conntrack: &Path) -> Result<Counts> {
    let nfct = match workspace.build("nfct") {
        Ok(nfct) => nfct,
        Err(message) => {
            println!("the tests of nfct were not run: {message}");
            return Ok(Counts::FAILED);
        }
    };
    let mut total = Counts::default();
    let mut cases = conformance::nfct::runner(workspace, &nfct);
    total += counted(&mut cases, Counts::from_summary)?;
    let mut traffic = conformance::nfct::traffic(workspace, &nfct, conntrack);
    total += counted(&mut traffic, Counts::from_summary)?;
    total += vm::if_ready(workspace, &nfct)?;
    Ok(total)
}
