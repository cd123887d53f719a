//! How fast flows are committed: `cargo run --release -p conntrackd --example commit_rate`, as root.
//!
//! In a network namespace of its own, which ends with it. Its flows count against the table of the whole machine, which must
//! have room for 200,000 (`nf_conntrack_max`).
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{Write, stdout};
use std::num::NonZeroU32;
use std::time::{Duration, Instant as Clock};

use conntrackd::config::Events;
use conntrackd::kernel::{Entry, EventGroups, EventSource, Writer};
use ctsync::time::Instant;
use ctsync::wire::{Record, RestoreOptions};
use flow::{AddressPair, L4Key, Ports, Protocol, Tuple};

const FLOWS: u32 = 200_000;
/// Flows a call when nobody listens.
const PART: usize = 1024;

fn main() -> Result<(), Box<dyn Error>> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    let entries: Vec<_> = (0..FLOWS).map(entry).collect();
    let mut writer = Writer::open()?;
    for _ in 0..2 {
        measure(&mut writer, &entries, None)?;
    }
    for _ in 0..2 {
        let source = EventSource::open(&Events {
            buffer_bytes: NonZeroU32::new(4 << 20),
            buffer_max_bytes: 4 << 20,
            overrun_resync: None,
            is_reliable: false,
        })?;
        source.subscribe(EventGroups::Flows)?;
        measure(&mut writer, &entries, Some(source))?;
    }
    Ok(())
}

/// Commits all twice, then empties the table.
fn measure(
    writer: &mut Writer,
    entries: &[Entry],
    mut source: Option<EventSource>,
) -> Result<(), Box<dyn Error>> {
    let name = if source.is_some() { "events are read" } else { "nobody listens" };
    for what in ["made", "replaced"] {
        let part = source.as_ref().map_or(PART, |source| (source.room() / 2).max(1));
        let (begin, mut done, mut reading) = (now(), 0, Duration::ZERO);
        for part in entries.chunks(part) {
            done += writer.commit(part, |_, _| ()).done;
            let written = now();
            if let Some(source) = &mut source {
                source.read(Instant(0), usize::MAX, |_| ())?;
            }
            reading += written.elapsed();
        }
        let (seconds, reading) = (begin.elapsed().as_secs_f64(), reading.as_secs_f64());
        let rate = f64::from(u32::try_from(done)?) / seconds;
        let lost = source.as_ref().map_or(Ok(0), EventSource::drops)?;
        writeln!(
            stdout(),
            "{name}: {done} {what} in {seconds:.3} s, {rate:.0} a second; \
             reading {reading:.3} s, {lost} events lost"
        )?;
    }
    // Whatever the kernel answers: the namespace ends with this program.
    let _ = writer.flush_flows();
    Ok(())
}

fn entry(number: u32) -> Entry {
    let [_, high, mid, low] = number.to_be_bytes();
    let record = Record::new(Tuple {
        addresses: AddressPair::V4 {
            src: [10, high, mid, low].into(),
            dst: [198, 51, 100, 2].into(),
        },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: 1000, dst: 53 }),
    });
    let options = RestoreOptions { timeout_s: Some(600), window_tracking: false };
    Entry::Flow(record.restore(options))
}

#[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
fn now() -> Clock {
    Clock::now()
}
