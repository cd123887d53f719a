//! `-E`: changes as they happen, until a signal.
//!
//! Events are taken by the dozen. When the receive buffer is full, the kernel says so once and adds nothing until all that
//! waits is read: the gap is behind that. How many events are missing there is the kernel's count.

use std::io::{ErrorKind, Write};

use ctnetlink::bpf::FlowConditions;
use ctnetlink::client::DumpOutcome;
use ctnetlink::wire::{MessageFlags, MessageKind, Messages, RawMessage, Subsystem};
use ctnetlink::{DecodeError, ExpectationAttributes, FlowView};
use flow::text::json;
use flow::{EventKind, TimeNs};
use sys::netlink::Datagram;

use super::{Session, closing};
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure, message, print_line};
use crate::select::Selection;
use crate::surroundings::{EventSource, Received, System, Wake};
use crate::values::{EventMask, Network};

/// So many datagrams are asked for at once.
const AT_ONCE: usize = 64;
/// What an event takes of the receive buffer at most: 1280 bytes were measured for flows of every kind (Linux 6.18).
const EVENT_BYTES: usize = 2560;
/// So many datagrams are read before what they said is written and signals are looked at again.
const BATCH: usize = 256;
/// At the end as many as a large socket buffer can hold are read, so that a flood does not put the end off for ever.
const LAST: usize = 100_000;
/// `IPCTNL_MSG_CT_DELETE` and `IPCTNL_MSG_EXP_DELETE`.
const DELETE: u8 = 2;

const OVERRUN: [&str; 3] = [
    "WARNING: We have hit ENOBUFS! We are losing events.",
    "This message means that the current netlink socket buffer size is too small.",
    "Please, check --buffer-size in conntrack(8) manpage.",
];

/// Multicast groups as bits: `1 << (NFNLGRP_* - 1)`.
mod group {
    pub(super) const NEW: u32 = 1;
    pub(super) const UPDATE: u32 = 1 << 1;
    pub(super) const DESTROY: u32 = 1 << 2;
    pub(super) const ALL_EXPECTATIONS: u32 = 0b111 << 3;
}

/// Says of how many events there were.
const FLOWS_SHOWN: &str = "flow events have been shown.";
const EXPECTATIONS_SHOWN: &str = "expectation events have been shown.";

impl Session<'_, '_> {
    pub(super) fn events(
        &mut self,
        kinds: EventMask,
        selection: &Selection,
        buffer_bytes: Option<u32>,
    ) -> Result<Exit, Failure> {
        let groups = [
            (EventMask::NEW, group::NEW),
            (EventMask::UPDATES, group::UPDATE),
            (EventMask::DESTROY, group::DESTROY),
        ];
        let groups = groups
            .into_iter()
            .filter(|(kind, _)| kinds.contains(*kind))
            .fold(0, |mask, (_, group)| mask | group);
        let conditions = conditions(selection);
        let kernel = self.surroundings.kernel;
        let mut source = kernel.subscribe(groups, &conditions).map_err(Failure::Open)?;
        if let Some(bytes) = buffer_bytes {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let became = source.set_buffer(bytes).map_err(Failure::Events)?;
            print_line(
                self.surroundings.stderr,
                &format!("NOTICE: Netlink socket buffer size has been set to {became} bytes."),
            );
        }
        let printer = Printer::new(self.flags, self.labels.map.as_ref(), self.surroundings.system);
        let frame = Frame::of_flow_events(self.flags);
        let subsystem = Subsystem::CONNTRACK;
        self.watch(source.as_mut(), subsystem, frame, FLOWS_SHOWN, |message, occasion, out| {
            let flow = FlowView::parse(message.body)?;
            let wanted = selection.matches(&flow);
            if wanted {
                printer.write_flow(out, &flow, occasion);
            }
            Ok(wanted)
        })
    }

    pub(super) fn expectation_events(&mut self) -> Result<Exit, Failure> {
        let kernel = self.surroundings.kernel;
        let all = FlowConditions::default();
        let mut source = kernel.subscribe(group::ALL_EXPECTATIONS, &all).map_err(Failure::Open)?;
        let printer = Printer::new(self.flags, None, self.surroundings.system);
        let frame = Frame::of_expectation_events(self.flags);
        let subsystem = Subsystem::EXPECT;
        self.watch(
            source.as_mut(),
            subsystem,
            frame,
            EXPECTATIONS_SHOWN,
            |message, occasion, out| {
                let expectation = ExpectationAttributes::parse(message.body)?.to_expectation()?;
                printer.write_expectation(out, &expectation, occasion);
                Ok(true)
            },
        )
    }

    /// Shows events until the end. `show` turns one into text, or says that it is not wanted.
    fn watch(
        &mut self,
        source: &mut dyn EventSource,
        subsystem: Subsystem,
        frame: Frame,
        what: &str,
        show: impl Fn(&RawMessage<'_>, Occasion, &mut Vec<u8>) -> Result<bool, DecodeError>,
    ) -> Result<Exit, Failure> {
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let system = self.surroundings.system;
        let lost_record = self.flags.is_json().then_some(system);
        let mut watch = Watch {
            subsystem,
            frame,
            show,
            output,
            lost_record,
            count: 0,
            left_out: 0,
            received: 0,
            lost: Lost::default(),
            gap: None,
        };
        let ended = watch.follow(source, self.surroundings.stderr);
        let Watch { mut output, count, left_out, received, lost, .. } = watch;
        if let Err(failure) = ended {
            // What was read before the failure is shown.
            frame.break_off(output.buffer(), count);
            let written = output.finish();
            return written.and(Err(failure));
        }
        frame.end(output.buffer(), count, DumpOutcome::Complete);
        output.finish()?;
        message(self.surroundings.stderr, &closing(count, what));
        if lost.total > 0 || self.surroundings.stderr_is_terminal {
            message(self.surroundings.stderr, &lost.report(received));
        }
        Ok(if left_out == 0 { Exit::Success } else { Exit::Failure })
    }
}

/// What the kernel can be asked to check of events.
fn conditions(selection: &Selection) -> FlowConditions {
    let network = |network: Option<Network>| network.map(|net| (net.address(), net.mask()));
    FlowConditions {
        family: selection.family,
        tuples: selection.tuples,
        networks: selection.networks.map(network),
        mark: selection.mark,
        zone: selection.zone,
    }
}

/// The kernel's count of lost events.
#[derive(Clone, Copy, Default)]
struct Lost {
    total: u64,
    /// What the kernel said last. It wraps.
    last: u32,
}

impl Lost {
    /// How many there are since the last time.
    fn advance(&mut self, now: u32) -> u64 {
        let more = u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.total = self.total.saturating_add(more);
        more
    }

    fn report(self, received: u64) -> String {
        format!("{received} events received, {} lost.", self.total)
    }
}

/// Events on their way to standard output.
struct Watch<'o, S> {
    subsystem: Subsystem,
    frame: Frame,
    show: S,
    output: Output<'o>,
    /// The clock for records of lost events, if these are part of the output.
    lost_record: Option<&'o dyn System>,
    count: u64,
    /// Datagrams that could not be understood.
    left_out: u64,
    /// Datagrams.
    received: u64,
    lost: Lost,
    /// Events were lost behind those that wait: how much waited when that was last looked at.
    gap: Option<usize>,
}

impl<S> Watch<'_, S>
where
    S: Fn(&RawMessage<'_>, Occasion, &mut Vec<u8>) -> Result<bool, DecodeError>,
{
    /// Shows events until the user wants the end.
    fn follow(
        &mut self,
        source: &mut dyn EventSource,
        stderr: &mut dyn Write,
    ) -> Result<(), Failure> {
        loop {
            match source.wait().map_err(Failure::Events)? {
                Wake::Readable => self.receive(BATCH, source, stderr)?,
                Wake::Report => {
                    self.note_lost(source);
                    self.output.flush()?;
                    message(stderr, &self.lost.report(self.received));
                }
                // What happened before the signal is shown.
                Wake::Stop => {
                    self.receive(LAST, source, stderr)?;
                    self.note_lost(source);
                    return Ok(());
                }
                Wake::OutputClosed => {
                    return Err(Failure::Output(ErrorKind::BrokenPipe.into()));
                }
            }
        }
    }

    /// Takes what is queued, at most so many datagrams, and writes what they say.
    fn receive(
        &mut self,
        most: usize,
        source: &mut dyn EventSource,
        stderr: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut left = most;
        while left > 0 {
            let wanted = self.wanted(source).min(left);
            let mut ended = Ok(());
            let received = source.receive(wanted, &mut |datagram| {
                if ended.is_ok() {
                    ended = self.take(datagram, stderr);
                }
            });
            ended?;
            match received.map_err(Failure::Events)? {
                Received::Overrun => {
                    self.output.flush()?;
                    for line in OVERRUN {
                        print_line(stderr, line);
                    }
                    self.gap = Some(usize::MAX);
                }
                Received::Datagrams(taken) => {
                    left = left.saturating_sub(taken);
                    if taken < wanted {
                        if self.gap.is_some() {
                            self.note_lost(source);
                        }
                        break;
                    }
                }
            }
        }
        self.output.flush()
    }

    /// How many datagrams to ask for. Before a gap not more than there are, so that it is found.
    fn wanted(&mut self, source: &dyn EventSource) -> usize {
        let Some(before) = self.gap else { return AT_ONCE };
        match source.waiting_bytes() {
            // What waits only becomes less before the gap.
            Ok(bytes) if bytes > 0 && bytes < before => {
                self.gap = Some(bytes);
                (bytes / EVENT_BYTES).clamp(1, AT_ONCE)
            }
            _ => {
                self.note_lost(source);
                AT_ONCE
            }
        }
    }

    /// Here is a gap if events were lost since the last one.
    fn note_lost(&mut self, source: &dyn EventSource) {
        self.gap = None;
        // A kernel that does not count (before Linux 4.12) has said that it lost some.
        let Ok(now) = source.lost() else { return };
        let more = self.lost.advance(now);
        if let (Some(system), 1..) = (self.lost_record, more) {
            let time = TimeNs(system.now_us().saturating_mul(1000));
            self.frame.before_entry(self.output.buffer(), self.count);
            json::write_lost_events(self.output.buffer(), more, time);
            self.output.buffer().extend_from_slice(self.frame.after_entry().as_bytes());
        }
    }

    fn take(&mut self, datagram: Datagram<'_>, stderr: &mut dyn Write) -> Result<(), Failure> {
        let understood = match datagram {
            Datagram::Foreign => return Ok(()),
            Datagram::Whole(bytes) => self.show(bytes)?,
            Datagram::Cut(bytes) => {
                let expected = "an event of less than 4 KiB";
                Err(DecodeError::Body { len: bytes.len(), expected })
            }
        };
        self.received = self.received.saturating_add(1);
        // One event that cannot be read is no reason to miss the next.
        if let Err(error) = understood {
            self.output.flush()?;
            print_line(stderr, &format!("WARNING: an event is left out: {error}"));
            self.left_out = self.left_out.saturating_add(1);
        }
        Ok(())
    }

    /// Shows what a datagram says, up to what cannot be understood in it.
    fn show(&mut self, datagram: &[u8]) -> Result<Result<(), DecodeError>, Failure> {
        for message in Messages::new(datagram) {
            let message = match message {
                Ok(message) => message,
                Err(error) => return Ok(Err(error)),
            };
            let Some(occasion) = occasion(&message, self.subsystem) else {
                continue;
            };
            let entry = self.output.buffer().len();
            self.frame.before_entry(self.output.buffer(), self.count);
            match (self.show)(&message, occasion, self.output.buffer()) {
                Ok(true) => {
                    self.count += 1;
                    self.output.end_of_entry(self.frame.after_entry())?;
                }
                Ok(false) => self.output.buffer().truncate(entry),
                Err(error) => {
                    self.output.buffer().truncate(entry);
                    return Ok(Err(error));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// What a message of the subsystem reports; `None` for one of another.
fn occasion(message: &RawMessage<'_>, subsystem: Subsystem) -> Option<Occasion> {
    let kind = MessageKind::from(message.header.kind);
    let kind = match kind {
        MessageKind { subsystem: of, .. } if of != subsystem => return None,
        MessageKind { message: DELETE, .. } => EventKind::Destroy,
        _ if message.header.flags.contains(MessageFlags::CREATE) => EventKind::New,
        _ => EventKind::Update,
    };
    Some(Occasion::Event { kind, port_id: message.header.port_id })
}
