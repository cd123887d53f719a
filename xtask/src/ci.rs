//! `cargo xtask ci`: every check, in the order of what is quickest to be wrong.
//!
//! Each check counts as one test. All of them run even when one has failed.

use std::process::{Command, ExitCode};

use crate::counts::Counts;
use crate::program::{self, Result};
use crate::workspace::{APART, Workspace};
use crate::{conformance, demo, instructions, layers, suite};

/// The command `ci`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    program::no_arguments(words)?;
    let workspace = Workspace::load()?;
    let mut total = Counts::default();
    total += check(&mut workspace.cargo(&["fmt", "--all", "--check"]));
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    total += check(&mut workspace.cargo(&clippy));
    for manifest in APART {
        let fmt = ["fmt", "--manifest-path", manifest, "--check"];
        total += check(&mut workspace.cargo(&fmt));
        let clippy = ["clippy", "--manifest-path", manifest, "--all-targets", "--"];
        total += check(workspace.cargo(&clippy).args(["-D", "warnings"]));
    }
    let mut doc = workspace.cargo(&["doc", "--no-deps", "--workspace"]);
    total += check(doc.env("RUSTDOCFLAGS", "-D warnings"));
    total += layers::check(&workspace)?;
    total += deny(&workspace);
    total += texts(&workspace);
    total += suite::all(&workspace)?;
    total += conformance::compared(&workspace)?;
    total += instructions::check(&workspace)?;
    total += demonstration(&workspace)?;
    println!("{total}");
    Ok(total.exit_code())
}

fn check(command: &mut Command) -> Counts {
    if let Err(message) = program::require(command) {
        println!("FAIL {message}");
        return Counts::FAILED;
    }
    Counts::PASSED
}

/// The rules of `deny.toml` that need no network.
fn deny(workspace: &Workspace) -> Counts {
    if program::quietly(&mut workspace.cargo(&["deny", "--version"])) {
        let words = ["deny", "check", "bans", "licenses", "sources"];
        return check(&mut workspace.cargo(&words));
    }
    println!("SKIP cargo deny check: cargo-deny is not installed");
    Counts::SKIPPED
}

/// The manual pages and the scripts that are installed, by checkers that not every system has.
fn texts(workspace: &Workspace) -> Counts {
    let checkers: [(&str, &[&str]); 2] = [
        (
            "mandoc",
            &[
                "-T",
                "lint",
                "-W",
                "warning",
                "man/conntrack.8",
                "man/conntrackd.8",
                "man/conntrackd.conf.5",
                "man/nfct.8",
            ],
        ),
        ("shellcheck", &["etc/conntrackd/primary-backup.sh"]),
    ];
    let mut total = Counts::default();
    for (name, words) in checkers {
        total += if program::find(name).is_some() {
            check(workspace.command(name).args(words))
        } else {
            println!("SKIP {name} {}: it is not installed", words.join(" "));
            Counts::SKIPPED
        };
    }
    total
}

/// The demo is a check too; its text is of interest only when it fails.
fn demonstration(workspace: &Workspace) -> Result<Counts> {
    let mut demo = workspace.cargo(&["run", "--quiet", "--package", "xtask", "--", "demo"]);
    println!("$ {}", program::line(&demo));
    let output = program::output(&mut demo)?;
    if output.status.success() {
        return Ok(Counts::PASSED);
    }
    print!("{}", String::from_utf8_lossy(&output.stdout));
    print!("{}", String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(i32::from(demo::CANNOT_RUN)) {
        println!("SKIP the demo cannot run here");
        return Ok(Counts::SKIPPED);
    }
    println!("FAIL the demo");
    Ok(Counts::FAILED)
}
