//! Runs a program and says what it used.
//!
//! The maximum resident size that the kernel reports for a child counts what it had before `execve`. That is why a small
//! program starts it, not the script, and by `fork`, after which the child has few pages of its own; with `vfork` it
//! would be at least that of this program.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Runs it `times` times, one after another, and prints the sums of time and the largest resident size.
#[expect(clippy::disallowed_methods, reason = "reading the clock is its purpose")]
pub(crate) fn run(times: u32, output: &str, program: &str, words: &[&str]) -> io::Result<()> {
    let output = File::create(output)?;
    let mut command = Command::new(program);
    // A user id, here that of root as before, makes the standard library fork.
    command.args(words).stdin(Stdio::null()).uid(0);
    let before = children()?;
    let start = Instant::now();
    for _ in 0..times {
        let status = command.stdout(output.try_clone()?).stderr(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{program}: {status}")));
        }
    }
    let wall = start.elapsed();
    let after = children()?;
    println!(
        "{{\"wall_us\": {}, \"user_us\": {}, \"sys_us\": {}, \"max_rss_kib\": {}}}",
        wall.as_micros(),
        after.user_time().num_microseconds() - before.user_time().num_microseconds(),
        after.system_time().num_microseconds() - before.system_time().num_microseconds(),
        after.max_rss(),
    );
    Ok(())
}

fn children() -> io::Result<Usage> {
    Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?)
}
