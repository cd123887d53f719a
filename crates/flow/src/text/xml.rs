//! The XML form: one element a flow or expectation, on one line, without blanks between the elements.
//!
//! Elements and their order are those of upstream, but for its evident defects: the states of SCTP and DCCP have their
//! own names, and texts are escaped.

use super::write::{address, field, number, two_digits};
use super::{CivilTime, Extent, LocalTime, Sides};
use crate::{
    Direction, EventKind, Expectation, ExpectationFlags, FlowRead, LabelMap, Ports, ProtoInfo,
    Protocol, Status, Tuple,
};

/// Begins a document of flows.
pub const FLOWS_HEADER: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n";
/// Ends it.
pub const FLOWS_FOOTER: &str = "</conntrack>\n";
/// Begins a document of expectations.
pub const EXPECTATIONS_HEADER: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<expect>\n";
/// Ends it.
pub const EXPECTATIONS_FOOTER: &str = "</expect>\n";

/// The tuple of an unknown reply direction, as upstream has it.
const NO_TUPLE: &str = "<layer3 protonum=\"0\" protoname=\"unknown\"><src></src><dst></dst></layer3>\
                        <layer4 protonum=\"0\" protoname=\"unknown\"></layer4>";

/// What an element shows beyond the fixed parts.
#[derive(Clone, Copy)]
pub struct Format<'a> {
    /// Show `<timestamp>` (`-o ktimestamp`).
    pub timestamps: bool,
    /// Show `<when>`: the time of the event in seconds since 1970, and the time zone to show it in.
    pub when: Option<(u64, LocalTime<'a>)>,
    /// Show the labels that have a name here.
    pub labels: Option<&'a LabelMap>,
    /// Now, in seconds since 1970, asked only for the age of a flow that did not end yet.
    pub now_s: &'a dyn Fn() -> u64,
}

/// Appends a flow, without the line end.
pub fn write_flow(
    out: &mut Vec<u8>,
    flow: &impl FlowRead,
    event: Option<EventKind>,
    format: &Format<'_>,
) {
    write_parts(out, flow, event, Extent::Whole, format);
}

/// Appends a flow that a cache holds, without the line end: without timeout, counters and use count.
///
/// `now_s` is as in [`Format`].
pub fn write_cached_flow(
    out: &mut Vec<u8>,
    flow: &impl FlowRead,
    sides: Sides,
    now_s: &dyn Fn() -> u64,
) {
    let format = Format { timestamps: false, when: None, labels: None, now_s };
    write_parts(out, flow, None, Extent::Cached(sides), &format);
}

fn write_parts(
    out: &mut Vec<u8>,
    flow: &impl FlowRead,
    event: Option<EventKind>,
    extent: Extent,
    format: &Format<'_>,
) {
    open_flow(out, event);
    text(out, "<meta direction=\"original\">");
    tuple_of(out, flow, Direction::Original, extent);
    text(out, "</meta><meta direction=\"reply\">");
    if extent.shows_reply() {
        tuple_of(out, flow, Direction::Reply, extent);
    } else {
        text(out, NO_TUPLE);
    }
    text(out, "</meta>");
    let start = out.len();
    text(out, "<meta direction=\"independent\">");
    let empty = out.len();
    independent(out, flow, extent, format);
    if out.len() == empty {
        out.truncate(start);
    } else {
        text(out, "</meta>");
    }
    if let Some((seconds, local)) = format.when {
        when(out, local(seconds));
    }
    if let Some(helper) = flow.helper() {
        text_element(out, "helper", helper.as_bytes());
    }
    text(out, "</flow>");
}

/// Appends an expectation, without the line end. `when` is as in [`Format`].
pub fn write_expectation(
    out: &mut Vec<u8>,
    expectation: &Expectation,
    event: Option<EventKind>,
    when_shown: Option<(u64, LocalTime<'_>)>,
) {
    write_expectation_parts(out, expectation, expectation.timeout_s, event, when_shown);
}

/// Appends an expectation that a cache holds, without the line end: without timeout.
pub fn write_cached_expectation(out: &mut Vec<u8>, expectation: &Expectation) {
    write_expectation_parts(out, expectation, None, None, None);
}

fn write_expectation_parts(
    out: &mut Vec<u8>,
    expectation: &Expectation,
    timeout_s: Option<u32>,
    event: Option<EventKind>,
    when_shown: Option<(u64, LocalTime<'_>)>,
) {
    open_flow(out, event);
    let parts = [
        ("expected", &expectation.tuple),
        ("mask", &expectation.mask),
        ("master", &expectation.master),
    ];
    open_layer3(out, &expectation.tuple);
    for (name, tuple) in parts {
        element(out, name, |out| addresses(out, tuple));
    }
    text(out, "</layer3>");
    open_layer4(out, expectation.tuple.protocol);
    for (name, tuple) in parts {
        element(out, name, |out| key(out, tuple));
    }
    text(out, "</layer4><meta>");
    if let Some(helper) = &expectation.helper {
        text_element(out, "helper-name", helper.as_bytes());
    }
    for (name, value) in [
        ("timeout", timeout_s),
        ("class", expectation.class),
        ("zone", expectation.zone.map(|zone| u32::from(zone.0))),
    ] {
        if let Some(value) = value {
            element(out, name, |out| number(out, value));
        }
    }
    if let Some((seconds, local)) = when_shown {
        when(out, local(seconds));
    }
    let flags = expectation.flags.unwrap_or_default();
    for (flag, name) in [
        (ExpectationFlags::PERMANENT, "<permanent/>"),
        (ExpectationFlags::INACTIVE, "<inactive/>"),
        (ExpectationFlags::USERSPACE, "<userspace/>"),
    ] {
        if flags.contains(flag) {
            text(out, name);
        }
    }
    text(out, "</meta></flow>");
}

fn open_flow(out: &mut Vec<u8>, event: Option<EventKind>) {
    text(
        out,
        match event {
            None => "<flow>",
            Some(EventKind::New) => "<flow type=\"new\">",
            Some(EventKind::Update) => "<flow type=\"update\">",
            Some(EventKind::Destroy) => "<flow type=\"destroy\">",
        },
    );
}

fn tuple_of(out: &mut Vec<u8>, flow: &impl FlowRead, direction: Direction, extent: Extent) {
    let tuple = flow.tuple(direction);
    open_layer3(out, &tuple);
    addresses(out, &tuple);
    text(out, "</layer3>");
    open_layer4(out, tuple.protocol);
    key(out, &tuple);
    text(out, "</layer4>");
    if let Some(zone) = flow.tuple_zone(direction) {
        element(out, "zone", |out| number(out, zone.0));
    }
    if let Some(counters) = flow.counters(direction).filter(|_| extent.is_whole()) {
        element(out, "counters", |out| {
            element(out, "packets", |out| number(out, counters.packets));
            element(out, "bytes", |out| number(out, counters.bytes));
        });
    }
}

fn open_layer3(out: &mut Vec<u8>, tuple: &Tuple) {
    let family = tuple.addresses.family();
    field(out, "<layer3 protonum=\"", family.number());
    text(out, "\" protoname=\"");
    text(out, family.name());
    text(out, "\">");
}

fn open_layer4(out: &mut Vec<u8>, protocol: Protocol) {
    field(out, "<layer4 protonum=\"", protocol.number());
    text(out, "\" protoname=\"");
    text(out, protocol.name().unwrap_or("unknown"));
    text(out, "\">");
}

fn addresses(out: &mut Vec<u8>, tuple: &Tuple) {
    element(out, "src", |out| address(out, tuple.addresses.src()));
    element(out, "dst", |out| address(out, tuple.addresses.dst()));
}

/// Ports or keys. Upstream's form has no place for the parts of an ICMP tuple.
fn key(out: &mut Vec<u8>, tuple: &Tuple) {
    match tuple.protocol {
        Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Sctp | Protocol::Dccp => {
            let Ports { src, dst } = tuple.key.ports().unwrap_or_default();
            element(out, "sport", |out| number(out, src));
            element(out, "dport", |out| number(out, dst));
        }
        Protocol::Gre => {
            let Ports { src, dst } = tuple.key.ports().unwrap_or_default();
            element(out, "srckey", |out| text(out, &format!("{src:#x}")));
            element(out, "dstkey", |out| text(out, &format!("{dst:#x}")));
        }
        Protocol::Icmp | Protocol::Icmpv6 | Protocol::Other(_) => {}
    }
}

fn independent(out: &mut Vec<u8>, flow: &impl FlowRead, extent: Extent, format: &Format<'_>) {
    if let Some(state) = flow.protoinfo().as_ref().and_then(ProtoInfo::state_name) {
        element(out, "state", |out| text(out, state));
    }
    let timeout_s = flow.timeout_s().filter(|_| extent.is_whole());
    number_elements(out, [("timeout", timeout_s), ("mark", flow.mark().map(|mark| mark.0))]);
    if let (Some(map), Some(labels)) = (format.labels, flow.labels()) {
        element(out, "labels", |out| {
            for name in labels.bits().filter_map(|bit| map.name(bit)) {
                text_element(out, "label", name.as_bytes());
            }
        });
    }
    number_elements(out, [("secmark", flow.secmark())]);
    if let Some(secctx) = flow.secctx() {
        text_element(out, "secctx", secctx);
    }
    number_elements(
        out,
        [
            ("zone", flow.zone().map(|zone| u32::from(zone.0))),
            ("use", flow.use_count().filter(|_| extent.is_whole())),
            ("id", flow.id().map(|id| id.0)),
        ],
    );
    if let Some(status) = flow.status() {
        if status.contains(Status::ASSURED) {
            text(out, "<assured/>");
        }
        if !status.contains(Status::SEEN_REPLY) {
            text(out, "<unreplied/>");
        }
    }
    times(out, flow, format);
}

fn number_elements<const N: usize>(out: &mut Vec<u8>, numbers: [(&str, Option<u32>); N]) {
    for (name, value) in numbers {
        if let Some(value) = value {
            element(out, name, |out| number(out, value));
        }
    }
}

fn times(out: &mut Vec<u8>, flow: &impl FlowRead, format: &Format<'_>) {
    if format.timestamps && (flow.start().is_some() || flow.stop().is_some()) {
        element(out, "timestamp", |out| {
            for (name, time) in [("start", flow.start()), ("stop", flow.stop())] {
                if let Some(time) = time {
                    element(out, name, |out| number(out, time.0));
                }
            }
        });
    }
    if let Some(start) = flow.start() {
        let age_s = match flow.stop() {
            Some(stop) => stop.0.saturating_sub(start.0) / 1_000_000_000,
            None => (format.now_s)().saturating_sub(start.seconds()),
        };
        element(out, "deltatime", |out| number(out, age_s));
    }
}

fn when(out: &mut Vec<u8>, time: CivilTime) {
    element(out, "when", |out| {
        element(out, "hour", |out| number(out, time.hour));
        element(out, "min", |out| two_digits(out, time.minute, b'0'));
        element(out, "sec", |out| two_digits(out, time.second, b'0'));
        element(out, "wday", |out| number(out, time.weekday.saturating_add(1)));
        element(out, "day", |out| number(out, time.day));
        element(out, "month", |out| number(out, time.month));
        element(out, "year", |out| number(out, time.year));
    });
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn element(out: &mut Vec<u8>, name: &str, content: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'<');
    text(out, name);
    out.push(b'>');
    content(out);
    text(out, "</");
    text(out, name);
    out.push(b'>');
}

/// An element with a text that came from outside.
fn text_element(out: &mut Vec<u8>, name: &str, content: &[u8]) {
    element(out, name, |out| {
        for byte in content {
            match byte {
                b'&' => text(out, "&amp;"),
                b'<' => text(out, "&lt;"),
                b'>' => text(out, "&gt;"),
                // XML has no form for these, not even escaped.
                0..=8 | 11 | 12 | 14..=31 => out.push(b'?'),
                other => out.push(*other),
            }
        }
    });
}
