//! `-C` and `-S`.
//!
//! Upstream falls back to `/proc` when the request fails, prints what it finds there, and then fails all the same. Here
//! a value from `/proc` is a success.

use std::path::Path;

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::{CpuStatistics, ExpectationStatistics, Request, TableStatistics};
use flow::text::json;

use super::Session;
use super::walk::decode_error;
use crate::frame::Frame;
use crate::report::{Exit, Failure};
use crate::values::OutputFlags;

const COUNT_FILE: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const STATISTICS_FILE: &str = "/proc/net/stat/nf_conntrack";

impl Session<'_, '_> {
    pub(super) fn count(&mut self) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let fetched = client.fetch(&Request::TableStatistics, |message| {
            TableStatistics::parse(message.body).map_err(decode_error)
        });
        let (entries, max) = match fetched.and_then(|parsed| parsed) {
            Ok(statistics) => (statistics.entries, statistics.max_entries),
            Err(error) => {
                let file = self.surroundings.system.read(Path::new(COUNT_FILE));
                let number = file.ok().and_then(|text| parse_count(&text));
                (number.ok_or_else(|| self.refused(error))?, None)
            }
        };
        self.print_count(entries.into(), max.map(u64::from))
    }

    /// Prints how many entries a table has, and in JSON how many it may have.
    pub(super) fn print_count(&mut self, count: u64, max: Option<u64>) -> Result<Exit, Failure> {
        let mut text = Vec::new();
        if self.flags.is_json() {
            json::write_count(&mut text, count, max);
        } else {
            text.extend_from_slice(count.to_string().as_bytes());
        }
        text.push(b'\n');
        self.print(&text)
    }

    pub(super) fn statistics(&mut self) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let mut cpus = CpuList::new(self.flags);
        let dumped = client.dump(&Request::CpuStatistics, |message| {
            let statistics = CpuStatistics::parse(message).map_err(decode_error)?;
            cpus.add(statistics.cpu.into(), statistics.counters());
            Ok::<(), ClientError>(())
        });
        let outcome = match dumped {
            Ok(outcome) => {
                self.warn_if_interrupted(outcome);
                outcome
            }
            Err(error) => {
                let file = self.surroundings.system.read(Path::new(STATISTICS_FILE));
                cpus = match file.ok().and_then(|file| statistics_of_file(&file, self.flags)) {
                    Some(cpus) => cpus,
                    None => return Err(self.refused(error)),
                };
                DumpOutcome::Complete
            }
        };
        self.print(&cpus.finish(outcome))
    }

    pub(super) fn expectation_statistics(&mut self) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let mut cpus = CpuList::new(self.flags);
        let dumped: Result<DumpOutcome, ClientError> =
            client.dump(&Request::ExpectationStatistics, |message| {
                let statistics = ExpectationStatistics::parse(message).map_err(decode_error)?;
                cpus.add(statistics.cpu.into(), statistics.counters());
                Ok(())
            });
        let outcome = dumped.map_err(|error| self.refused(error))?;
        self.warn_if_interrupted(outcome);
        self.print(&cpus.finish(outcome))
    }
}

/// The counters of CPUs as text.
struct CpuList {
    flags: OutputFlags,
    frame: Frame,
    text: Vec<u8>,
    count: u64,
}

impl CpuList {
    fn new(flags: OutputFlags) -> Self {
        Self { flags, frame: Frame::of_cpus(flags), text: Vec::new(), count: 0 }
    }

    fn add<'n>(&mut self, cpu: u64, counters: impl Iterator<Item = (&'n str, u32)>) {
        self.frame.before_entry(&mut self.text, self.count);
        self.count += 1;
        if self.flags.is_json() {
            json::write_cpu(&mut self.text, cpu, counters);
        } else {
            write_cpu(&mut self.text, cpu, counters);
        }
        self.text.extend_from_slice(self.frame.after_entry().as_bytes());
    }

    fn finish(mut self, outcome: DumpOutcome) -> Vec<u8> {
        self.frame.end(&mut self.text, self.count, outcome);
        self.text
    }
}

/// A line a CPU, without its end; each name and number is followed by a blank, the last too.
fn write_cpu<'n>(text: &mut Vec<u8>, cpu: u64, counters: impl Iterator<Item = (&'n str, u32)>) {
    use std::io::Write as _;
    // Writing to a vector cannot fail.
    let _ = write!(text, "cpu={cpu:<4}\t");
    for (name, value) in counters {
        let _ = write!(text, "{name}={value} ");
    }
}

fn parse_count(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The same lines from `/proc`: names in the first line, then a line of hexadecimal numbers for each CPU.
fn statistics_of_file(file: &[u8], flags: OutputFlags) -> Option<CpuList> {
    let mut lines = std::str::from_utf8(file).ok()?.lines();
    let names: Vec<&str> = lines.next()?.split_whitespace().collect();
    let mut cpus = CpuList::new(flags);
    for (cpu, line) in (0..).zip(lines) {
        let numbers: Result<Vec<u32>, _> =
            line.split_whitespace().map(|word| u32::from_str_radix(word, 16)).collect();
        cpus.add(cpu, names.iter().copied().zip(numbers.ok()?));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use ctnetlink::client::DumpOutcome;

    use super::statistics_of_file;
    use crate::values::OutputFlags;

    fn text(file: &[u8], flags: OutputFlags) -> Option<String> {
        let cpus = statistics_of_file(file, flags)?;
        Some(String::from_utf8(cpus.finish(DumpOutcome::Complete)).unwrap())
    }

    #[test]
    fn the_file_in_proc_gives_the_same_lines() {
        let file = b"entries  found\n0000000a 00000001\n0000000a 000000ff\n";
        let lines = "cpu=0   \tentries=10 found=1 \ncpu=1   \tentries=10 found=255 \n";
        assert_eq!(text(file, OutputFlags::empty()).as_deref(), Some(lines));
        let json = "{\"version\":1,\"cpus\":[\n{\"cpu\":0,\"entries\":10,\"found\":1},\n\
            {\"cpu\":1,\"entries\":10,\"found\":255}\n]}\n";
        assert_eq!(text(file, OutputFlags::JSON).as_deref(), Some(json));
        assert_eq!(text(b"entries\nxyz\n", OutputFlags::empty()), None);
        assert_eq!(text(b"", OutputFlags::empty()), None);
    }
}
