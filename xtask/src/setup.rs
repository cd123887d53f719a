//! `cargo xtask setup`: the system programs and files that the tests and the demo need.
//!
//! Nothing is done when all are there. On Debian the missing ones are installed by apt, as root or
//! through a `sudo` that asks no password; else the message names what to install.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::program::{self, Result};

/// How to see that something is there.
enum Sign {
    /// A program of this name is found.
    Program(&'static str),
    /// This file exists.
    File(&'static str),
    /// The system's own python3 can import this module. Another python3 before it in `PATH` has other modules.
    Module(&'static str),
}

use Sign::{File, Module, Program};

/// The python3 that the scripts which need a module are run by, as their first lines say.
const PYTHON: &str = "/usr/bin/python3";

/// What is needed, and the Debian package that has it.
const NEEDED: &[(Sign, &str)] = &[
    // Names of protocols, as `-p esp` takes them. A minimal system has none.
    (File("/etc/protocols"), "netbase"),
    (Program("bash"), "bash"),
    // The program of upstream is the reference that `compare` and some tests run beside ours.
    (Program("conntrack"), "conntrack"),
    (Program("ip"), "iproute2"),
    // Rules that give a timeout policy to flows.
    (Program("iptables"), "iptables"),
    (Program("jq"), "jq"),
    // Checks JSON output against the schema.
    (Module("jsonschema"), "python3-jsonschema"),
    (Program("mount"), "mount"),
    (Program("nft"), "nftables"),
    (Program("nsenter"), "util-linux"),
    (Program("ps"), "procps"),
    (Program(PYTHON), "python3"),
    (Program("script"), "bsdutils"),
    (Program("setpriv"), "util-linux"),
    (Program("sysctl"), "procps"),
    (Program("unshare"), "util-linux"),
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
    let missing: Vec<_> = NEEDED.iter().filter(|(sign, _)| !sign.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(sign, _)| sign.to_string()).collect();
    let packages: BTreeSet<_> = missing.iter().map(|(_, package)| *package).collect();
    let packages: Vec<_> = packages.into_iter().collect();
    if program::find("apt-get").is_none() {
        return Err(format!("please install these: {}", names.join(", ")));
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    let Some(prefix) = administrator() else {
        return Err(format!(
            "these are missing: {}\nrun this as root, then try again:\n    \
             apt-get update && apt-get {} {}",
            names.join(", "),
            install.join(" "),
            packages.join(" ")
        ));
    };
    println!("installing what is missing: {}", packages.join(" "));
    // Old package lists are often good enough, so a failed update does not end the set-up.
    if let Err(message) = update_lists() {
        eprintln!("{message}, trying the package lists as they are");
    }
    program::require(apt(prefix).args(install).args(packages))
}

/// Brings apt's lists of packages up to date.
pub(crate) fn update_lists() -> Result<()> {
    let prefix = administrator().ok_or("the package lists can be updated by root only")?;
    program::require(apt(prefix).arg("update"))
}

impl Sign {
    fn is_there(&self) -> bool {
        match self {
            // A path stays as it is when it is joined to a folder.
            Program(name) => program::find(name).is_some(),
            File(path) => Path::new(path).exists(),
            Module(name) => {
                program::quietly(program::command(PYTHON).args(["-c", &format!("import {name}")]))
            }
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program(name) | File(name) => f.write_str(name),
            Module(name) => write!(f, "the module {name} of {PYTHON}"),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_tell_what_is_there() {
        for there in [Program("sh"), Program("/bin/sh"), File("/bin")] {
            assert!(there.is_there(), "{there}");
        }
        for missing in [Program("no-such"), File("/no-such"), Module("no_such")] {
            assert!(!missing.is_there(), "{missing}");
        }
    }
}
