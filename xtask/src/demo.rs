//! `cargo xtask demo`: the tool at work on a firewall, with real traffic, and checked.
//!
//! Everything happens in fresh network, mount and process namespaces, made by `unshare`, so the
//! host's network is not touched, and the kernel cleans up however the demo ends. As root, or as a
//! user who may make user namespaces.

mod peer;
mod scenario;

use std::path::{self, Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::program::{self, Result};
use crate::setup;
use crate::workspace::Workspace;

/// Exit code of a demo that could not run here, which says nothing about the tool.
pub(crate) const CANNOT_RUN: u8 = 77;

/// The word that tells a second xtask that it runs inside the namespaces.
const INSIDE: &str = "--inside";

const NETWORK: &str = include_str!("../demo/network.sh");

/// The command `demo`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    if let [word, binary] = words
        && word == INSIDE
    {
        return scenario::play(Path::new(binary));
    }
    program::no_arguments(words)?;
    setup::install_missing()?;
    let Some(isolation) = isolation() else {
        println!(
            "The demo needs network namespaces. Run it as root (CAP_SYS_ADMIN), or allow \
             unprivileged user namespaces (user.max_user_namespaces, \
             kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)."
        );
        return Ok(ExitCode::from(CANNOT_RUN));
    };
    let binary = binary()?;
    let mut inside = unshare(isolation);
    inside.args(["bash", "-c", NETWORK, "network.sh"]).arg(this_program()?);
    inside.args(["demo", INSIDE]).arg(binary);
    let passed = program::succeeds(&mut inside)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The program to show: that of the variable `CONNTRACK`, or a fresh release build.
fn binary() -> Result<PathBuf> {
    let Some(name) = program::variable("CONNTRACK") else {
        return Workspace::load()?.build("conntrack");
    };
    match path::absolute(&name) {
        Ok(binary) if binary.is_file() => Ok(binary),
        Ok(binary) => Err(format!("there is no program {}", binary.display())),
        Err(error) => Err(format!("CONNTRACK={}: {error}", name.display())),
    }
}

fn this_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))
}

/// The options of `unshare` that give us the right to make namespaces, or `None`.
fn isolation() -> Option<&'static [&'static str]> {
    let as_root: &[&str] = &[];
    let as_user: &[&str] = &["--user", "--map-root-user"];
    [as_root, as_user].into_iter().find(|options| {
        program::quietly(unshare(options).args(["mount", "-t", "tmpfs", "tmpfs", "/run"]))
    })
}

/// A command in namespaces of its own, ended with all its children when we end.
fn unshare(options: &[&str]) -> Command {
    let mut command = program::command("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]).args(options);
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--"]);
    command
}
