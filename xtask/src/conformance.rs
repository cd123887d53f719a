//! `cargo xtask conformance` and `cargo xtask compare`: our programs and the recorded cases, and our
//! program and the installed one.

pub(crate) mod daemon;
pub(crate) mod nfct;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::counts::{Counts, counted};
use crate::program::{self, Result};
use crate::setup;
use crate::workspace::Workspace;

/// The program of upstream as Debian installs it.
const REFERENCE: &str = "/usr/sbin/conntrack";
/// What it says of itself when it is the version that the tags of `compare.list` were written with.
const REFERENCE_VERSION: &str = "conntrack v1.4.7 (conntrack-tools)";

/// What was typed after the command.
#[derive(Debug, Default, Eq, PartialEq)]
struct Options {
    binary: Option<PathBuf>,
    /// Words that the script gets as they are.
    passed_on: Vec<String>,
}

impl Options {
    /// `with_value` lists the options of the script that take a word; `-v` takes none.
    fn parse(words: &[String], with_value: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let is_binary = word == "--binary";
            if is_binary || with_value.contains(&word.as_str()) {
                let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
                if is_binary {
                    options.binary = Some(PathBuf::from(value));
                } else {
                    options.passed_on.extend([word.clone(), value.clone()]);
                }
            } else if word == "-v" {
                options.passed_on.push(word.clone());
            } else {
                return Err(format!("unexpected argument `{word}'"));
            }
        }
        Ok(options)
    }

    /// The program to look at: the one that was named, or a fresh release build.
    fn binary(&self, workspace: &Workspace, package: &str) -> Result<PathBuf> {
        match &self.binary {
            Some(path) => std::path::absolute(path)
                .map_err(|error| format!("--binary {}: {error}", path.display())),
            None => workspace.build(package),
        }
    }
}

/// The command `conformance`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    match words.split_first() {
        Some((first, rest)) if first == "--daemon" => return daemon::run(rest),
        Some((first, rest)) if first == "--nfct" => return nfct::run(rest),
        _ => {}
    }
    let options = Options::parse(words, &["-k", "--topics"])?;
    let workspace = Workspace::load()?;
    setup::install_missing()?;
    let binary = options.binary(&workspace, "conntrack")?;
    finish(runner(&workspace, &binary).args(options.passed_on))
}

/// The command `compare`.
pub(crate) fn compare(words: &[String]) -> Result<ExitCode> {
    let options = Options::parse(words, &["-k"])?;
    let workspace = Workspace::load()?;
    setup::install_missing()?;
    let binary = options.binary(&workspace, "conntrack")?;
    finish(comparison(&workspace, &binary).args(options.passed_on))
}

/// The comparison with Debian's program as a test. With another version it is skipped, because others differ elsewhere.
pub(crate) fn compared(workspace: &Workspace) -> Result<Counts> {
    let version = program::output(program::command(REFERENCE).arg("-V"));
    let version = version.map_or_else(
        |message| message,
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    if version != REFERENCE_VERSION {
        println!("SKIP the comparison needs {REFERENCE_VERSION} at {REFERENCE}, found: {version}");
        return Ok(Counts::SKIPPED);
    }
    let binary = match workspace.build("conntrack") {
        Ok(binary) => binary,
        Err(message) => {
            println!("FAIL the comparison was not run: {message}");
            return Ok(Counts::FAILED);
        }
    };
    let mut script = comparison(workspace, &binary);
    counted(script.env("CONNTRACK", REFERENCE), Counts::from_summary)
}

/// The script that compares, set to our program at `binary`.
fn comparison(workspace: &Workspace, binary: &Path) -> Command {
    let mut script = workspace.command(workspace.root.join("conformance/conntrack/compare"));
    script.env("CONNTRACK_NG", binary);
    script
}

/// The runner of the cases, set to the program at `binary`.
pub(crate) fn runner(workspace: &Workspace, binary: &Path) -> Command {
    let mut script = workspace.command(workspace.root.join("conformance/conntrack/run"));
    script.env("CONNTRACK", binary);
    script
}

fn finish(script: &mut Command) -> Result<ExitCode> {
    let passed = program::succeeds(script)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Options::parse(&words, &["-k", "--topics"])
    }

    #[test]
    fn script_options_are_passed_on_and_the_binary_is_kept() {
        let options = parse(&["-v", "--binary", "x/ct", "--topics", "list,get"]).unwrap();
        assert_eq!(options.binary, Some(PathBuf::from("x/ct")));
        assert_eq!(options.passed_on, ["-v", "--topics", "list,get"]);
    }

    #[test]
    fn unknown_option_and_missing_value_are_errors() {
        assert_eq!(parse(&["--record"]), Err("unexpected argument `--record'".to_owned()));
        assert_eq!(parse(&["-k"]), Err("-k needs a value".to_owned()));
    }
}
