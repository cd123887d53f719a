//! One entry as text, in the form that `-o` asks for.

use std::io::Write as _;

use flow::text::{CivilTime, json, plain, xml};
use flow::{EventKind, Expectation, FlowRead, LabelMap, TimeNs};

use crate::save::{self, Verb};
use crate::surroundings::System;
use crate::values::OutputFlags;

/// How entries are shown.
#[derive(Clone, Copy)]
pub struct Printer<'a> {
    flags: OutputFlags,
    labels: Option<&'a LabelMap>,
    system: &'a dyn System,
}

/// What an entry is shown for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// It is in the table.
    Listed,
    /// It was deleted by this command.
    Deleted,
    /// It changed by itself or by another program.
    Event {
        /// How.
        kind: EventKind,
        /// Netlink port of the program that did it, 0 if a packet did.
        port_id: u32,
    },
}

impl Occasion {
    fn event(self) -> Option<EventKind> {
        match self {
            Self::Listed | Self::Deleted => None,
            Self::Event { kind, .. } => Some(kind),
        }
    }

    fn verb(self) -> Verb {
        match self {
            Self::Listed => Verb::Add,
            Self::Deleted => Verb::Delete,
            Self::Event { kind, .. } => Verb::of_event(kind),
        }
    }
}

impl<'a> Printer<'a> {
    /// A printer with all that the options ask for. Labels are shown whenever their file was read.
    pub fn new(flags: OutputFlags, labels: Option<&'a LabelMap>, system: &'a dyn System) -> Self {
        Self { flags, labels, system }
    }

    /// The same without the times that the kernel keeps: `-U` and `-D` never show them.
    #[must_use]
    pub fn without_kernel_times(self) -> Self {
        Self { flags: self.flags - OutputFlags::KTIMESTAMP, ..self }
    }

    /// The same without labels.
    #[must_use]
    pub fn without_labels(self) -> Self {
        // In JSON the bits are there all the same, and they may as well have their names.
        let labels = self.labels.filter(|_| self.flags.is_json());
        Self { labels, ..self }
    }

    fn is_xml(&self) -> bool {
        self.flags.contains(OutputFlags::XML)
    }

    /// Appends a flow, without the line end.
    pub fn write_flow(&self, out: &mut Vec<u8>, flow: &impl FlowRead, occasion: Occasion) {
        let local = |seconds| self.system.local_time(seconds);
        let now_s = || self.system.now_us() / 1_000_000;
        if self.flags.contains(OutputFlags::SAVE) {
            return save::write_flow(out, flow, occasion.verb());
        }
        if self.flags.contains(OutputFlags::SAVEALL) {
            return save::write_whole_flow(out, flow, occasion.verb(), self.labels);
        }
        if self.flags.is_json() {
            return self.write_json_flow(out, flow, occasion);
        }
        if self.is_xml() {
            let event = occasion.event();
            let shows_time = event.is_some() && self.flags.contains(OutputFlags::TIMESTAMP);
            let format = xml::Format {
                timestamps: self.flags.contains(OutputFlags::KTIMESTAMP),
                when: shows_time.then(|| (self.event_time_us(flow) / 1_000_000, &local as _)),
                labels: self.labels,
                now_s: &now_s,
            };
            return xml::write_flow(out, flow, event, &format);
        }
        if let Occasion::Event { kind, .. } = occasion {
            if self.flags.contains(OutputFlags::TIMESTAMP) {
                write_time(out, self.event_time_us(flow));
            }
            plain::write_event_kind(out, kind);
        }
        let format = plain::Format {
            layer3: self.flags.contains(OutputFlags::EXTENDED),
            id: self.flags.contains(OutputFlags::ID),
            times: self.flags.contains(OutputFlags::KTIMESTAMP).then_some(&local as _),
            labels: self.labels,
            now_s: &now_s,
        };
        plain::write_flow(out, flow, &format);
        self.write_cause(out, occasion);
    }

    /// Appends an expectation, without the line end.
    pub fn write_expectation(
        &self,
        out: &mut Vec<u8>,
        expectation: &Expectation,
        occasion: Occasion,
    ) {
        let local = |seconds: u64| -> CivilTime { self.system.local_time(seconds) };
        let shows_time = self.flags.contains(OutputFlags::TIMESTAMP);
        if self.flags.is_json() {
            return self.write_json_expectation(out, expectation, occasion);
        }
        if self.is_xml() {
            let when =
                shows_time.then(|| (self.system.now_us() / 1_000_000, &local as &dyn Fn(u64) -> _));
            return xml::write_expectation(out, expectation, occasion.event(), when);
        }
        if shows_time {
            write_time(out, self.system.now_us());
        }
        if let Some(kind) = occasion.event() {
            plain::write_event_kind(out, kind);
        }
        plain::write_expectation(out, expectation);
    }

    /// JSON shows all that is known, whatever else `-o` says.
    fn write_json_flow(&self, out: &mut Vec<u8>, flow: &impl FlowRead, occasion: Occasion) {
        let now_s = || self.system.now_us() / 1_000_000;
        let format = json::Format { labels: self.labels, now_s: &now_s };
        match occasion {
            Occasion::Listed | Occasion::Deleted => json::write_flow(out, flow, &format),
            Occasion::Event { kind, port_id } => {
                let time = flow.event_time().unwrap_or_else(|| self.now());
                self.with_event(kind, time, port_id, |event| {
                    json::write_flow_event(out, flow, event, &format);
                });
            }
        }
    }

    fn write_json_expectation(
        &self,
        out: &mut Vec<u8>,
        expectation: &Expectation,
        occasion: Occasion,
    ) {
        match occasion {
            Occasion::Listed | Occasion::Deleted => json::write_expectation(out, expectation),
            Occasion::Event { kind, port_id } => {
                self.with_event(kind, self.now(), port_id, |event| {
                    json::write_expectation_event(out, expectation, event);
                });
            }
        }
    }

    /// Calls `write` with the event, for which the program is looked up.
    fn with_event(
        &self,
        kind: EventKind,
        time: TimeNs,
        port_id: u32,
        write: impl FnOnce(&json::Event<'_>),
    ) {
        let name = (port_id != 0).then(|| self.system.program_of_port(port_id)).flatten();
        let program = (port_id != 0).then_some(json::Program { port_id, name: name.as_deref() });
        write(&json::Event { kind, time, program });
    }

    fn now(&self) -> TimeNs {
        TimeNs(self.system.now_us().saturating_mul(1000))
    }

    /// The kernel's time of the event; without one, now.
    fn event_time_us(&self, flow: &impl FlowRead) -> u64 {
        flow.event_time().map_or_else(|| self.system.now_us(), |TimeNs(ns)| ns / 1000)
    }

    /// Appends which program made a change. The program may have ended already; then only its port is known.
    fn write_cause(&self, out: &mut Vec<u8>, occasion: Occasion) {
        let Occasion::Event { port_id, .. } = occasion else {
            return;
        };
        if port_id == 0 {
            return;
        }
        // Writing to a vector cannot fail.
        let _ = write!(out, " [USERSPACE] portid={port_id}");
        if let Some(name) = self.system.program_of_port(port_id) {
            let _ = write!(out, " progname={name}");
        }
    }
}

/// Seconds and microseconds in brackets, and a tab.
fn write_time(out: &mut Vec<u8>, us: u64) {
    let (seconds, rest) = (us / 1_000_000, us % 1_000_000);
    // Writing to a vector cannot fail.
    let _ = write!(out, "[{seconds:<8}.{rest:06}]\t");
}
