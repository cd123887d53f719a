//! Counting tests: the sums of libtest's and of our own runners' summary lines.
//!
//! libtest has no word for a test that finds out while it runs that it cannot: such a test passes. Ours print a line
//! `SKIPPED: reason` each, which takes one from the passed and adds it to the skipped.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, ExitCode, Stdio};

use crate::program::{self, Result};

/// How many tests passed, failed, and were not run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// One check that has no parts to count.
    pub(crate) fn of_check(passed: bool) -> Self {
        if passed { Self::PASSED } else { Self::FAILED }
    }

    /// Reads libtest's line `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    pub(crate) fn from_libtest(line: &str) -> Option<Self> {
        let (_state, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut parts = numbers.split("; ");
        Some(Self {
            passed: number(parts.next()?, " passed")?,
            failed: number(parts.next()?, " failed")?,
            skipped: number(parts.next()?, " ignored")?,
        })
    }

    /// Reads the last line of our own runners, `3 passed, 0 failed, 1 skipped`.
    pub(crate) fn from_summary(line: &str) -> Option<Self> {
        let mut parts = line.split(", ");
        let counts = Self {
            passed: number(parts.next()?, " passed")?,
            failed: number(parts.next()?, " failed")?,
            skipped: number(parts.next()?, " skipped")?,
        };
        parts.next().is_none().then_some(counts)
    }

    /// The same with tests that passed only because they did not run.
    fn with_skipped(self, number: u64) -> Self {
        let skipped = number.min(self.passed);
        Self { passed: self.passed - skipped, skipped: self.skipped + skipped, ..self }
    }

    /// The exit code of a run with this result.
    pub(crate) fn exit_code(self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// What a line begins with that a test prints instead of running.
const SKIPPED: &str = "SKIPPED: ";

fn number(part: &str, unit: &str) -> Option<u64> {
    part.strip_suffix(unit)?.parse().ok()
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Runs a test program, passes its output on as it comes, and adds up the lines that `read` knows.
///
/// A program that fails without a counted failure (it did not compile, or was killed) counts as one.
pub(crate) fn counted(command: &mut Command, read: fn(&str) -> Option<Counts>) -> Result<Counts> {
    println!("$ {}", program::line(command));
    let cannot_run = |command: &Command, error| program::cannot_run(command, error);
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| cannot_run(command, error))?;
    let mut total = Counts::default();
    if let Some(pipe) = child.stdout.take() {
        total = pass_on(BufReader::new(pipe), &mut io::stdout(), read)
            .map_err(|error| cannot_run(command, error))?;
    }
    let status = child.wait().map_err(|error| cannot_run(command, error))?;
    if !status.success() && total.failed == 0 {
        println!("FAIL `{}' ended with {status}", program::line(command));
        total += Counts::FAILED;
    }
    Ok(total)
}

/// Copies lines and adds up those that `read` knows, and those of tests that could not run.
fn pass_on(
    lines: impl BufRead,
    out: &mut impl Write,
    read: fn(&str) -> Option<Counts>,
) -> io::Result<Counts> {
    let mut total = Counts::default();
    let mut skipped = 0;
    for line in lines.split(b'\n') {
        let line = line?;
        // A closed standard output must not end the run before its result is known.
        let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
        let line = String::from_utf8_lossy(&line);
        if let Some(counts) = read(&line) {
            total += counts;
        }
        skipped += u64::from(line.starts_with(SKIPPED));
    }
    Ok(total.with_skipped(skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn libtest_line_gives_its_numbers_whatever_the_state() {
        let tail = "0 measured; 0 filtered out; finished in 0.01s";
        let ok = format!("test result: ok. 31 passed; 0 failed; 2 ignored; {tail}");
        let bad = format!("test result: FAILED. 3 passed; 1 failed; 0 ignored; {tail}");
        assert_eq!(Counts::from_libtest(&ok), Some(counts(31, 0, 2)));
        assert_eq!(Counts::from_libtest(&bad), Some(counts(3, 1, 0)));
        assert_eq!(Counts::from_libtest("test flow::mark ... ok"), None);
    }

    #[test]
    fn summary_line_is_read_as_it_is_written() {
        let wanted = counts(574, 129, 41);
        assert_eq!(Counts::from_summary(&wanted.to_string()), Some(wanted));
        assert_eq!(Counts::from_summary("1 passed, 0 failed, 0 skipped, 3 more"), None);
        assert_eq!(Counts::from_summary("1 passed, 0 failed"), None);
    }

    #[test]
    fn lines_are_copied_as_they_are_and_summed() {
        let text = b"a \xff\n1 passed, 2 failed, 0 skipped\n1 passed, 0 failed, 4 skipped\n";
        let mut out = Vec::new();
        let total = pass_on(&text[..], &mut out, Counts::from_summary).unwrap();
        assert_eq!(total, counts(2, 2, 4));
        assert_eq!(out, text);
    }

    #[test]
    fn test_that_says_it_was_skipped_does_not_count_as_passed() {
        let text = b"SKIPPED: no right\ntest a ... ok\n3 passed, 0 failed, 1 skipped\n";
        let total = pass_on(&text[..], &mut Vec::new(), Counts::from_summary).unwrap();
        assert_eq!(total, counts(2, 0, 2));
    }

    #[test]
    fn program_that_fails_without_counts_is_one_failure() {
        let total = counted(program::command("sh").args(["-c", "exit 3"]), Counts::from_summary);
        assert_eq!(total, Ok(Counts::FAILED));
    }
}
