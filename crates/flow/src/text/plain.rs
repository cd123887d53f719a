//! The plain form of a flow: one line, the form that scripts have parsed for years.
//!
//! Fields, their order and their conditions are those of upstream. A line has no end here: events add a suffix.

use std::net::IpAddr;

use super::write::{address, field, hexadecimal, number, padded, two_digits};
use super::{CivilTime, Extent, LocalTime, Sides};
use crate::{
    Direction, EventKind, Expectation, ExpectationFlags, FlowRead, IcmpKey, LabelMap, Labels,
    Ports, Protocol, Status, Tuple,
};

/// What a line shows beyond the fixed fields.
#[derive(Clone, Copy)]
pub struct Format<'a> {
    /// Begin with the layer 3 protocol (`-o extended`).
    pub layer3: bool,
    /// Show the id (`-o id`).
    pub id: bool,
    /// Show `[start=…]` and `[stop=…]` in this time zone (`-o ktimestamp`).
    pub times: Option<LocalTime<'a>>,
    /// Show the labels that have a name here.
    pub labels: Option<&'a LabelMap>,
    /// Now, in seconds since 1970, asked only for the age of a flow that did not end yet.
    pub now_s: &'a dyn Fn() -> u64,
}

/// Appends the line of a flow, without the line end.
pub fn write_flow(out: &mut Vec<u8>, flow: &impl FlowRead, format: &Format<'_>) {
    write_parts(out, flow, Extent::Whole, format);
}

/// Appends the line of a flow that a cache holds, without the line end: without timeout, counters and use count.
///
/// `now_s` is as in [`Format`].
pub fn write_cached_flow(
    out: &mut Vec<u8>,
    flow: &impl FlowRead,
    sides: Sides,
    now_s: &dyn Fn() -> u64,
) {
    let format = Format { layer3: false, id: false, times: None, labels: None, now_s };
    write_parts(out, flow, Extent::Cached(sides), &format);
}

fn write_parts(out: &mut Vec<u8>, flow: &impl FlowRead, extent: Extent, format: &Format<'_>) {
    let original = flow.tuple(Direction::Original);
    if format.layer3 {
        let family = original.addresses.family();
        padded(out, family.name(), 8);
        field(out, " ", family.number());
        out.push(b' ');
    }
    padded(out, original.protocol.name().unwrap_or("unknown"), 8);
    field(out, " ", original.protocol.number());
    if let Some(timeout_s) = flow.timeout_s().filter(|_| extent.is_whole()) {
        field(out, " ", timeout_s);
    }
    if let Some(state) = flow.protoinfo().as_ref().and_then(crate::ProtoInfo::state_name) {
        out.push(b' ');
        out.extend_from_slice(state.as_bytes());
    }
    let status = flow.status();
    direction(out, flow, Direction::Original, &original, extent);
    if status.is_some_and(|status| !status.contains(Status::SEEN_REPLY)) {
        out.extend_from_slice(b" [UNREPLIED]");
    }
    if extent.shows_reply() {
        direction(out, flow, Direction::Reply, &flow.tuple(Direction::Reply), extent);
    }
    if let Some(flag) = status.and_then(shown_status) {
        out.extend_from_slice(flag);
    }
    numbers_and_names(out, flow, format.now_s);
    if let Some(local) = format.times {
        times(out, flow, local);
    }
    if let Some(helper) = flow.helper() {
        out.extend_from_slice(b" helper=");
        out.extend_from_slice(helper.as_bytes());
    }
    if let Some(use_count) = flow.use_count().filter(|_| extent.is_whole()) {
        field(out, " use=", use_count);
    }
    if format.id
        && let Some(id) = flow.id()
    {
        field(out, " id=", id.0);
    }
    if let (Some(map), Some(labels)) = (format.labels, flow.labels()) {
        names_of(out, map, &labels);
    }
}

/// Appends the line of an expectation, without the line end.
pub fn write_expectation(out: &mut Vec<u8>, expectation: &Expectation) {
    if let Some(timeout_s) = expectation.timeout_s {
        number(out, timeout_s);
        out.push(b' ');
    }
    write_cached_expectation(out, expectation);
}

/// Appends the line of an expectation that a cache holds, without the line end: without timeout.
pub fn write_cached_expectation(out: &mut Vec<u8>, expectation: &Expectation) {
    field(out, "proto=", expectation.tuple.protocol.number());
    for (src, dst, tuple) in [
        (" src=", " dst=", &expectation.tuple),
        (" mask-src=", " mask-dst=", &expectation.mask),
        (" master-src=", " master-dst=", &expectation.master),
    ] {
        addresses(out, src, dst, tuple);
        key(out, tuple);
    }
    if let Some(zone) = expectation.zone {
        field(out, " zone=", zone.0);
    }
    if let Some(flags) = expectation.flags {
        expectation_flags(out, flags);
    }
    if let Some(class) = expectation.class {
        field(out, " class=", class);
    }
    if let Some(helper) = &expectation.helper {
        out.extend_from_slice(b" helper=");
        out.extend_from_slice(helper.as_bytes());
    }
}

fn expectation_flags(out: &mut Vec<u8>, flags: ExpectationFlags) {
    let mut before = b' ';
    for (flag, name) in [
        (ExpectationFlags::PERMANENT, "PERMANENT"),
        (ExpectationFlags::INACTIVE, "INACTIVE"),
        (ExpectationFlags::USERSPACE, "USERSPACE"),
    ] {
        if flags.contains(flag) {
            out.push(before);
            out.extend_from_slice(name.as_bytes());
            before = b',';
        }
    }
}

/// Appends a decimal number.
pub fn write_number(out: &mut Vec<u8>, value: u32) {
    number(out, value);
}

/// Appends an address in the form of `inet_ntop`.
pub fn write_address(out: &mut Vec<u8>, value: IpAddr) {
    address(out, value);
}

/// Appends the prefix that marks an event.
pub fn write_event_kind(out: &mut Vec<u8>, kind: EventKind) {
    out.extend_from_slice(match kind {
        EventKind::New => b"    [NEW] ",
        EventKind::Update => b" [UPDATE] ",
        EventKind::Destroy => b"[DESTROY] ",
    });
}

fn direction(
    out: &mut Vec<u8>,
    flow: &impl FlowRead,
    direction: Direction,
    tuple: &Tuple,
    extent: Extent,
) {
    addresses(out, " src=", " dst=", tuple);
    key(out, tuple);
    if let Some(zone) = flow.tuple_zone(direction) {
        let name = match direction {
            Direction::Original => " zone-orig=",
            Direction::Reply => " zone-reply=",
        };
        field(out, name, zone.0);
    }
    if let Some(counters) = flow.counters(direction).filter(|_| extent.is_whole()) {
        field(out, " packets=", counters.packets);
        field(out, " bytes=", counters.bytes);
    }
}

fn addresses(out: &mut Vec<u8>, src: &str, dst: &str, tuple: &Tuple) {
    out.extend_from_slice(src.as_bytes());
    address(out, tuple.addresses.src());
    out.extend_from_slice(dst.as_bytes());
    address(out, tuple.addresses.dst());
}

/// The part of a tuple that depends on its protocol. What the kernel did not send is printed as 0, as upstream does.
fn key(out: &mut Vec<u8>, tuple: &Tuple) {
    match tuple.protocol {
        Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Sctp | Protocol::Dccp => {
            let Ports { src, dst } = tuple.key.ports().unwrap_or_default();
            field(out, " sport=", src);
            field(out, " dport=", dst);
        }
        Protocol::Gre => {
            let Ports { src, dst } = tuple.key.ports().unwrap_or_default();
            hex_field(out, " srckey=0x", src);
            hex_field(out, " dstkey=0x", dst);
        }
        Protocol::Icmp | Protocol::Icmpv6 => {
            let IcmpKey { kind, code, id } = tuple.key.icmp().unwrap_or_default();
            field(out, " type=", kind);
            field(out, " code=", code);
            field(out, " id=", id);
        }
        Protocol::Other(_) => {}
    }
}

fn hex_field(out: &mut Vec<u8>, name: &str, value: u16) {
    out.extend_from_slice(name.as_bytes());
    hexadecimal(out, value);
}

/// Only one of these is shown, the first that holds.
fn shown_status(status: Status) -> Option<&'static [u8]> {
    if status.contains(Status::HW_OFFLOAD) {
        Some(b" [HW_OFFLOAD]")
    } else if status.contains(Status::OFFLOAD) {
        Some(b" [OFFLOAD]")
    } else if status.contains(Status::ASSURED) {
        Some(b" [ASSURED]")
    } else {
        None
    }
}

fn numbers_and_names(out: &mut Vec<u8>, flow: &impl FlowRead, now_s: &dyn Fn() -> u64) {
    if let Some(mark) = flow.mark() {
        field(out, " mark=", mark.0);
    }
    if let Some(secmark) = flow.secmark() {
        field(out, " secmark=", secmark);
    }
    if let Some(secctx) = flow.secctx() {
        out.extend_from_slice(b" secctx=");
        out.extend_from_slice(secctx);
    }
    if let Some(zone) = flow.zone() {
        field(out, " zone=", zone.0);
    }
    if let Some(start) = flow.start() {
        let end_s = flow.stop().map_or_else(now_s, crate::TimeNs::seconds);
        field(out, " delta-time=", end_s.saturating_sub(start.seconds()));
    }
}

fn times(out: &mut Vec<u8>, flow: &impl FlowRead, local: LocalTime<'_>) {
    for (name, time) in [(" [start=", flow.start()), (" [stop=", flow.stop())] {
        if let Some(time) = time {
            out.extend_from_slice(name.as_bytes());
            write_ctime(out, local(time.seconds()));
            out.push(b']');
        }
    }
}

/// Appends the form of the C function `ctime`, without its line end: `Sun Nov  2 09:05:00 2025`.
pub fn write_ctime(out: &mut Vec<u8>, time: CivilTime) {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = DAYS.get(usize::from(time.weekday)).unwrap_or(&"???");
    let month = MONTHS.get(usize::from(time.month.wrapping_sub(1))).unwrap_or(&"???");
    for name in [day, month] {
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
    }
    two_digits(out, time.day, b' ');
    for (before, value) in [(b' ', time.hour), (b':', time.minute), (b':', time.second)] {
        out.push(before);
        two_digits(out, value, b'0');
    }
    out.push(b' ');
    number(out, time.year);
}

/// Appends ` labels=a,b`: the names in the order of the bits. Bits without a name are left out.
///
/// Upstream cuts the equals sign off when there is no name (conformance case `labels/unnamed-bit`).
fn names_of(out: &mut Vec<u8>, map: &LabelMap, labels: &Labels) {
    out.extend_from_slice(b" labels=");
    for (position, name) in labels.bits().filter_map(|bit| map.name(bit)).enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
    }
}
