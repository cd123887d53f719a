//! The cases of nfct, and what its policies do to real flows.

use std::path::Path;
use std::process::{Command, ExitCode};

use super::{Options, finish};
use crate::program::Result;
use crate::setup;
use crate::workspace::Workspace;

/// `cargo xtask conformance --nfct`.
pub(super) fn run(words: &[String]) -> Result<ExitCode> {
    let options = Options::parse(words, &["-k"])?;
    let workspace = Workspace::load()?;
    setup::install_missing()?;
    let binary = options.binary(&workspace, "nfct")?;
    finish(runner(&workspace, &binary).args(options.passed_on))
}

/// The runner of the cases, set to the program at `binary`.
pub(crate) fn runner(workspace: &Workspace, binary: &Path) -> Command {
    let mut script = workspace.command(workspace.root.join("conformance/nfct/run"));
    script.env("NFCT", binary);
    script
}

/// The test of the timeouts that real flows get.
pub(crate) fn traffic(workspace: &Workspace, nfct: &Path, conntrack: &Path) -> Command {
    let mut script = workspace.command(workspace.root.join("conformance/nfct/traffic"));
    script.env("NFCT", nfct).env("CONNTRACK", conntrack);
    script
}
