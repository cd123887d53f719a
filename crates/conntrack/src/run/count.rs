//! `-C` and `-S`.
//!
//! Upstream falls back to `/proc` when the request fails, prints what it finds there, and then fails all the same. Here
//! a value from `/proc` is a success.

use std::path::Path;

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::{CpuStatistics, ExpectationStatistics, Request, TableStatistics};

use super::Session;
use super::list::decode_error;
use crate::report::{Exit, Failure};

const COUNT_FILE: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const STATISTICS_FILE: &str = "/proc/net/stat/nf_conntrack";

impl Session<'_, '_> {
    pub(super) fn count(&mut self) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let fetched = client.fetch(&Request::TableStatistics, |message| {
            TableStatistics::parse(message.body).map_err(decode_error)
        });
        let entries = match fetched.and_then(|parsed| parsed) {
            Ok(statistics) => statistics.entries,
            Err(error) => {
                let file = self.surroundings.system.read(Path::new(COUNT_FILE));
                let number = file.ok().and_then(|text| parse_count(&text));
                number.ok_or_else(|| self.refused(error))?
            }
        };
        self.print(format!("{entries}\n").as_bytes())
    }

    pub(super) fn statistics(&mut self) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let mut text = String::new();
        let dumped = client.dump(&Request::CpuStatistics, |message| {
            let statistics = CpuStatistics::parse(message).map_err(decode_error)?;
            write_cpu(&mut text, statistics.cpu, statistics.counters());
            Ok::<(), ClientError>(())
        });
        if let Err(error) = dumped {
            let file = self.surroundings.system.read(Path::new(STATISTICS_FILE));
            text = match file.ok().and_then(|file| statistics_of_file(&file)) {
                Some(text) => text,
                None => return Err(self.refused(error)),
            };
        }
        self.print(text.as_bytes())
    }

    pub(super) fn expectation_statistics(&mut self) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let mut text = String::new();
        let dumped: Result<DumpOutcome, ClientError> =
            client.dump(&Request::ExpectationStatistics, |message| {
                let statistics = ExpectationStatistics::parse(message).map_err(decode_error)?;
                write_cpu(&mut text, statistics.cpu, statistics.counters());
                Ok(())
            });
        let outcome = dumped.map_err(|error| self.refused(error))?;
        self.warn_if_interrupted(outcome);
        self.print(text.as_bytes())
    }
}

/// A line a CPU; each name and number is followed by a blank, the last too.
fn write_cpu<'n>(
    text: &mut String,
    cpu: impl std::fmt::Display,
    counters: impl Iterator<Item = (&'n str, u32)>,
) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = write!(text, "cpu={cpu:<4}\t");
    for (name, value) in counters {
        let _ = write!(text, "{name}={value} ");
    }
    text.push('\n');
}

fn parse_count(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The same lines from `/proc`: names in the first line, then a line of hexadecimal numbers for each CPU.
fn statistics_of_file(file: &[u8]) -> Option<String> {
    let mut lines = std::str::from_utf8(file).ok()?.lines();
    let names: Vec<&str> = lines.next()?.split_whitespace().collect();
    let mut text = String::new();
    for (cpu, line) in lines.enumerate() {
        let numbers: Result<Vec<u32>, _> =
            line.split_whitespace().map(|word| u32::from_str_radix(word, 16)).collect();
        write_cpu(&mut text, cpu, names.iter().copied().zip(numbers.ok()?));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::statistics_of_file;

    #[test]
    fn the_file_in_proc_gives_the_same_lines() {
        let file = b"entries  found\n0000000a 00000001\n0000000a 000000ff\n";
        let text = "cpu=0   \tentries=10 found=1 \ncpu=1   \tentries=10 found=255 \n";
        assert_eq!(statistics_of_file(file).as_deref(), Some(text));
        assert_eq!(statistics_of_file(b"entries\nxyz\n"), None);
        assert_eq!(statistics_of_file(b""), None);
    }
}
