//! `-E`: changes as they happen, until a signal.

use std::io::{ErrorKind, Write};

use ctnetlink::client::DumpOutcome;
use ctnetlink::wire::{MessageFlags, MessageKind, Messages, RawMessage, Subsystem};
use ctnetlink::{DecodeError, ExpectationAttributes, FlowView};
use flow::EventKind;

use super::{Session, closing};
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure, message, print_line};
use crate::select::Selection;
use crate::surroundings::{EventSource, Received, Wake};
use crate::values::EventMask;

/// Larger than any event.
const BUFFER_LEN: usize = 64 * 1024;
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
        let mut source = self.surroundings.kernel.subscribe(groups).map_err(Failure::Open)?;
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
        let mut source =
            self.surroundings.kernel.subscribe(group::ALL_EXPECTATIONS).map_err(Failure::Open)?;
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
        let mut watch = Watch { subsystem, frame, show, output, count: 0, left_out: 0 };
        let ended = watch.follow(source, self.surroundings.stderr);
        let Watch { mut output, count, left_out, .. } = watch;
        if let Err(failure) = ended {
            // What was read before the failure is shown.
            frame.break_off(output.buffer(), count);
            let written = output.finish();
            return written.and(Err(failure));
        }
        frame.end(output.buffer(), count, DumpOutcome::Complete);
        output.finish()?;
        message(self.surroundings.stderr, &closing(count, what));
        Ok(if left_out == 0 { Exit::Success } else { Exit::Failure })
    }
}

/// Events on their way to standard output.
struct Watch<'o, S> {
    subsystem: Subsystem,
    frame: Frame,
    show: S,
    output: Output<'o>,
    count: u64,
    /// Datagrams that could not be understood.
    left_out: u64,
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
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            match source.wait().map_err(Failure::Events)? {
                Wake::Readable => self.receive(BATCH, source, &mut buffer, stderr)?,
                // What happened before the signal is shown.
                Wake::Stop => return self.receive(LAST, source, &mut buffer, stderr),
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
        buffer: &mut [u8],
        stderr: &mut dyn Write,
    ) -> Result<(), Failure> {
        for _ in 0..most {
            match source.receive(buffer).map_err(Failure::Events)? {
                Received::Nothing => break,
                Received::Overrun => {
                    // The gap is where the warning stands.
                    self.output.flush()?;
                    for line in OVERRUN {
                        print_line(stderr, line);
                    }
                }
                Received::Datagram(len) => {
                    let expected = "an event of at most 64 KiB";
                    let understood = match buffer.get(..len) {
                        Some(datagram) => self.show(datagram)?,
                        None => Err(DecodeError::Body { len, expected }),
                    };
                    // One event that cannot be read is no reason to miss the next.
                    if let Err(error) = understood {
                        self.output.flush()?;
                        print_line(stderr, &format!("WARNING: an event is left out: {error}"));
                        self.left_out += 1;
                    }
                }
            }
        }
        self.output.flush()
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
