//! `cargo xtask setup`: the system programs and files that the tests and the demo need.
//!
//! Nothing is done when all are there. On Debian the missing ones are installed by apt, as root or
//! through a `sudo` that asks no password; else the message names what to install.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::program::{self, Result};

/// A program, or the path of a file, and the Debian package that has it.
const NEEDED: &[(&str, &str)] = &[
    // Names of protocols, as `-p esp` takes them. A minimal system has none.
    ("/etc/protocols", "netbase"),
    ("bash", "bash"),
    // The program of upstream is the reference that `compare` and some tests run beside ours.
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("jq", "jq"),
    // Checks JSON output against the schema; the module that it comes with is what is used.
    ("jsonschema", "python3-jsonschema"),
    ("mount", "mount"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("ps", "procps"),
    ("python3", "python3"),
    ("script", "bsdutils"),
    ("setpriv", "util-linux"),
    ("sysctl", "procps"),
    ("unshare", "util-linux"),
];

/// The command `setup`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    program::no_arguments(words)?;
    install_missing()?;
    println!("everything that the tests need is installed");
    Ok(ExitCode::SUCCESS)
}

/// Installs what is missing, or says what that is.
pub(crate) fn install_missing() -> Result<()> {
    let missing: Vec<_> = NEEDED.iter().filter(|(name, _)| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
    let packages: BTreeSet<_> = missing.iter().map(|(_, package)| *package).collect();
    let packages: Vec<_> = packages.into_iter().collect();
    if program::find("apt-get").is_none() {
        return Err(format!("please install these: {}", programs.join(" ")));
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    let Some(prefix) = administrator() else {
        return Err(format!(
            "these are missing: {}\nrun this as root, then try again:\n    \
             apt-get update && apt-get {} {}",
            programs.join(" "),
            install.join(" "),
            packages.join(" ")
        ));
    };
    println!("installing what is missing: {}", packages.join(" "));
    // Old package lists are often good enough, so a failed update does not end the set-up.
    if let Err(message) = program::require(apt(prefix).arg("update")) {
        eprintln!("{message}, trying the package lists as they are");
    }
    program::require(apt(prefix).args(install).args(packages))
}

fn is_there(name: &str) -> bool {
    if name.starts_with('/') { Path::new(name).exists() } else { program::find(name).is_some() }
}

/// The words to put before a command that only root may run, or `None` when there is no way.
fn administrator() -> Option<&'static [&'static str]> {
    if program::is_root() {
        return Some(&[]);
    }
    let sudo: &[&str] = &["sudo", "-n"];
    program::quietly(program::command("sudo").args(["-n", "true"])).then_some(sudo)
}

fn apt(prefix: &[&str]) -> Command {
    // `env` sets the variable behind sudo too, which drops the environment.
    let words = prefix.iter().chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut words = words.copied();
    let mut command = program::command(words.next().unwrap_or("env"));
    command.args(words);
    command
}
