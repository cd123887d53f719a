//! Network namespaces for tests on the real kernel, and what is said when there can be none.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

/// The words before a command that runs in a fresh namespace. `None`, after saying why, if none can be made.
///
/// # Panics
///
/// If root cannot make one.
pub(crate) fn unshare() -> Option<&'static [&'static str]> {
    let is_root = is_root();
    let words: &[&str] =
        if is_root { &["unshare", "-n", "--"] } else { &["unshare", "-r", "-n", "--"] };
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").output();
    match tried {
        Ok(output) if output.status.success() => Some(words),
        other => {
            assert!(!is_root, "root cannot make a network namespace: {other:?}");
            skipped(&format!("no right to make a network namespace: {other:?}"));
            None
        }
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether this program is installed; says so if not.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        skipped(&format!("{program} is not installed"));
    }
    found
}

/// Says why the test that calls this does not run; to be called once in a test.
///
/// `cargo xtask test` counts these lines. The handle is written to, because libtest keeps what `println!` writes in a
/// test that passes. An empty line ends what libtest may have begun.
fn skipped(reason: &str) {
    let line = format!("\nSKIPPED: {}\n", reason.replace('\n', " "));
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}
