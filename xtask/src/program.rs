//! Running other programs: where they are found, and what their failure is called.
//!
//! Errors are sentences for the developer at the terminal, so a plain `String` carries them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The result of a step; the error is printed as it is.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// The folders of the system administrator's programs, which Debian leaves out of a user's `PATH`.
const ADMINISTRATOR: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "a program's edge: what the developer has set")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

fn search_path() -> Vec<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    env::split_paths(&path).chain(ADMINISTRATOR.map(PathBuf::from)).collect()
}

/// Where a program is found, or `None`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// Whether this is a file that somebody may run.
pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// A command that finds the administrator's programs too.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Ok(path) = env::join_paths(search_path()) {
        command.env("PATH", path);
    }
    command
}

/// The cargo that runs us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> Command {
    command(variable("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The words of a command as one would type them where it runs.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let inside = command.get_current_dir().and_then(|folder| program.strip_prefix(folder).ok());
    let name = inside.map(Path::as_os_str).or(program.file_name()).unwrap_or_default();
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The error text of a program that could not be started or read.
pub(crate) fn cannot_run(command: &Command, error: impl Display) -> String {
    format!("cannot run `{}': {error}", line(command))
}

/// Runs a command to its end and says whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command.status().map_err(|error| cannot_run(command, error))?;
    Ok(status.success())
}

/// Prints a command, runs it, and fails unless it succeeds.
pub(crate) fn require(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    if succeeds(command)? { Ok(()) } else { Err(format!("`{}' failed", line(command))) }
}

/// Runs a command that reads nothing and returns what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| cannot_run(command, error))
}

/// Whether a command can be run and succeeds; what it writes is dropped.
pub(crate) fn quietly(command: &mut Command) -> bool {
    output(command).is_ok_and(|output| output.status.success())
}

/// Whether we are root, as the system's own `id` says.
pub(crate) fn is_root() -> bool {
    output(command("id").arg("-u")).is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Fails when a command that takes no arguments was given some.
pub(crate) fn no_arguments(words: &[String]) -> Result<()> {
    match words.first() {
        None => Ok(()),
        Some(word) => Err(format!("unexpected argument `{word}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_nobody_may_run_is_no_program() {
        assert!(is_program(Path::new("/bin/sh")));
        assert!(!is_program(Path::new(env!("CARGO_MANIFEST_PATH"))));
        assert!(!is_program(Path::new("/bin")));
    }

    #[test]
    fn line_names_a_program_as_it_is_found_from_its_folder() {
        let mut script = command("/repo/conformance/run");
        script.current_dir("/repo").args(["-k", "list"]);
        assert_eq!(line(&script), "conformance/run -k list");
        assert_eq!(line(command("/usr/bin/cargo").current_dir("/repo")), "cargo");
    }
}
