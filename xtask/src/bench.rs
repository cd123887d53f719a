//! `cargo xtask bench`: whole programs beside upstream, on this machine.

use std::process::ExitCode;

use crate::program::{self, Result};
use crate::workspace::Workspace;

/// The command `bench`; its words go to the script.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let script = workspace.root.join("bench/compare");
    if !script.is_file() {
        return Err("there is no bench/compare yet".to_owned());
    }
    let binary = workspace.build("conntrack")?;
    let mut compare = workspace.command(script);
    let passed = program::succeeds(compare.env("CONNTRACK_NG", binary).args(words))?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
