//! The JSON form (RFC 8259), as `docs/schema/conntrack-v1.schema.json` describes it.
//!
//! Fields come in the order of the schema. Those that most flows have are always there, `null` where the kernel did not
//! say; the rarer ones are left out instead. No number stands for one that the kernel did not send. Each object is
//! one line without its end, so that lines can be a document of their own or part of one.
//!
//! The schema describes version 1. A new optional field does not make another version; a field that changes its meaning
//! or goes away does.

mod expectation;
mod string;
mod table;
mod time;

pub use expectation::{write_expectation, write_expectation_event};
pub use table::{write_count, write_cpu};

use super::write::{address, field, number};
use crate::{
    DccpInfo, DccpRole, Direction, Endpoint, EventKind, FlowRead, IcmpKey, L4Key, LabelMap, Labels,
    PerDirection, Ports, ProtoInfo, Protocol, SctpInfo, SequenceAdjustment, Status, Synproxy,
    TcpFlags, TcpInfo, TimeNs, Translation, Tuple,
};
use string::string;
pub use string::string as write_string;

/// What a document has around its entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Document {
    /// Stands before the first entry.
    pub begin: &'static str,
    /// Stands between two.
    pub between: &'static str,
    /// Stands after the last one.
    pub end: &'static str,
    /// The whole document if there is no entry.
    pub empty: &'static str,
    /// Stands after the last one of a list that is not whole.
    pub cut: &'static str,
    /// The whole document if no entry is known of a list that is not whole.
    pub empty_cut: &'static str,
}

impl Document {
    /// A list of flows.
    pub const FLOWS: Self = Self {
        begin: "{\"version\":1,\"flows\":[\n",
        between: ",\n",
        end: "\n]}\n",
        empty: "{\"version\":1,\"flows\":[]}\n",
        cut: "\n],\"complete\":false}\n",
        empty_cut: "{\"version\":1,\"flows\":[],\"complete\":false}\n",
    };
    /// A list of expectations.
    pub const EXPECTATIONS: Self = Self {
        begin: "{\"version\":1,\"expectations\":[\n",
        empty: "{\"version\":1,\"expectations\":[]}\n",
        empty_cut: "{\"version\":1,\"expectations\":[],\"complete\":false}\n",
        ..Self::FLOWS
    };
    /// A list of CPUs with their counters.
    pub const CPUS: Self = Self {
        begin: "{\"version\":1,\"cpus\":[\n",
        empty: "{\"version\":1,\"cpus\":[]}\n",
        empty_cut: "{\"version\":1,\"cpus\":[],\"complete\":false}\n",
        ..Self::FLOWS
    };
}

/// What a flow is written with that it does not know itself.
#[derive(Clone, Copy)]
pub struct Format<'a> {
    /// Names of label bits.
    pub labels: Option<&'a LabelMap>,
    /// Now, in seconds since 1970, asked only for the age of a flow that did not end yet.
    pub now_s: &'a dyn Fn() -> u64,
}

/// What an event is beside the flow or expectation that it is about.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub time: TimeNs,
    /// Which program did it; `None` if a packet or the kernel did.
    pub program: Option<Program<'a>>,
}

/// A program that changed the table.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Its netlink port, by default its process id.
    pub port_id: u32,
    /// Its name, unless it has ended already.
    pub name: Option<&'a str>,
}

/// Appends a flow.
pub fn write_flow(out: &mut Vec<u8>, flow: &impl FlowRead, format: &Format<'_>) {
    let original = flow.tuple(Direction::Original);
    let reply = flow.tuple(Direction::Reply);
    let status = flow.status();
    let protoinfo = flow.protoinfo();
    family_and_protocol(out, &original);
    match protoinfo.as_ref().and_then(ProtoInfo::state_name) {
        Some(state) => quoted(out, ",\"state\":", state),
        None => text(out, ",\"state\":null"),
    }
    optional(out, ",\"timeout_s\":", flow.timeout_s());
    for (name, direction, tuple) in [
        (",\"original\":{", Direction::Original, &original),
        (",\"reply\":{", Direction::Reply, &reply),
    ] {
        text(out, name);
        tuple_fields(out, tuple);
        direction_fields(out, flow, direction);
        out.push(b'}');
    }
    status_fields(out, status);
    optional(out, ",\"mark\":", flow.mark().map(|mark| mark.0));
    optional(out, ",\"zone\":", flow.zone().map(|zone| zone.0));
    if let Some(labels) = flow.labels() {
        label_list(out, &labels, format.labels);
    }
    match flow.helper() {
        Some(helper) => {
            text(out, ",\"helper\":");
            string(out, helper.as_bytes());
        }
        None => text(out, ",\"helper\":null"),
    }
    optional(out, ",\"id\":", flow.id().map(|id| id.0));
    optional(out, ",\"use\":", flow.use_count());
    times(out, flow, format.now_s);
    translations(out, status, &original, &reply);
    rare_fields(out, flow);
    if let Some(protoinfo) = protoinfo {
        tracker_fields(out, &protoinfo);
    }
    out.push(b'}');
}

/// Appends an event about a flow.
pub fn write_flow_event(
    out: &mut Vec<u8>,
    flow: &impl FlowRead,
    event: &Event<'_>,
    format: &Format<'_>,
) {
    open_event(out, event);
    text(out, ",\"flow\":");
    write_flow(out, flow, format);
    out.push(b'}');
}

/// Appends a record of events that were lost here, which was noticed at this time.
pub fn write_lost_events(out: &mut Vec<u8>, count: u64, time: TimeNs) {
    text(out, "{\"event\":\"lost\"");
    time::both_forms(out, ",\"time\":", ",\"time_ns\":", time);
    field(out, ",\"count\":", count);
    out.push(b'}');
}

fn open_event(out: &mut Vec<u8>, event: &Event<'_>) {
    text(
        out,
        match event.kind {
            EventKind::New => "{\"event\":\"new\"",
            EventKind::Update => "{\"event\":\"update\"",
            EventKind::Destroy => "{\"event\":\"destroy\"",
        },
    );
    time::both_forms(out, ",\"time\":", ",\"time_ns\":", event.time);
    let Some(program) = event.program else {
        text(out, ",\"program\":null");
        return;
    };
    field(out, ",\"program\":{\"port_id\":", program.port_id);
    text(out, ",\"name\":");
    match program.name {
        Some(name) => string(out, name.as_bytes()),
        None => text(out, "null"),
    }
    out.push(b'}');
}

/// The beginning of an object, without a comma after it.
fn family_and_protocol(out: &mut Vec<u8>, tuple: &Tuple) {
    quoted(out, "{\"family\":", tuple.addresses.family().name());
    text(out, ",\"protocol\":");
    protocol(out, tuple.protocol);
}

fn protocol(out: &mut Vec<u8>, protocol: Protocol) {
    field(out, "{\"number\":", protocol.number());
    match protocol.name() {
        Some(name) => quoted(out, ",\"name\":", name),
        None => text(out, ",\"name\":null"),
    }
    out.push(b'}');
}

/// Addresses and key, the first field without a comma. A key that the kernel did not send is left out.
fn tuple_fields(out: &mut Vec<u8>, tuple: &Tuple) {
    text(out, "\"src\":\"");
    address(out, tuple.addresses.src());
    text(out, "\",\"dst\":\"");
    address(out, tuple.addresses.dst());
    out.push(b'"');
    match tuple.key {
        L4Key::Ports(Ports { src, dst }) if tuple.protocol == Protocol::Gre => {
            field(out, ",\"srckey\":", src);
            field(out, ",\"dstkey\":", dst);
        }
        L4Key::Ports(Ports { src, dst }) => {
            field(out, ",\"sport\":", src);
            field(out, ",\"dport\":", dst);
        }
        L4Key::Icmp(IcmpKey { kind, code, id }) | L4Key::Icmpv6(IcmpKey { kind, code, id }) => {
            field(out, ",\"icmp\":{\"type\":", kind);
            field(out, ",\"code\":", code);
            field(out, ",\"id\":", id);
            out.push(b'}');
        }
        L4Key::None => {}
    }
}

/// What a direction has beside its tuple.
fn direction_fields(out: &mut Vec<u8>, flow: &impl FlowRead, direction: Direction) {
    if let Some(zone) = flow.tuple_zone(direction) {
        field(out, ",\"zone\":", zone.0);
    }
    if let Some(counters) = flow.counters(direction) {
        field(out, ",\"packets\":", counters.packets);
        field(out, ",\"bytes\":", counters.bytes);
    }
}

/// Names of the status bits, from `IPS_EXPECTED` on.
const STATUS_NAMES: [&str; 16] = [
    "EXPECTED",
    "SEEN_REPLY",
    "ASSURED",
    "CONFIRMED",
    "SRC_NAT",
    "DST_NAT",
    "SEQ_ADJUST",
    "SRC_NAT_DONE",
    "DST_NAT_DONE",
    "DYING",
    "FIXED_TIMEOUT",
    "TEMPLATE",
    "UNTRACKED",
    "HELPER",
    "OFFLOAD",
    "HW_OFFLOAD",
];

/// Names of the flags of a TCP direction, from `IP_CT_TCP_FLAG_WINDOW_SCALE` on.
const TCP_FLAG_NAMES: [&str; 8] = [
    "WINDOW_SCALE",
    "SACK_PERM",
    "CLOSE_INIT",
    "BE_LIBERAL",
    "DATA_UNACKNOWLEDGED",
    "MAXACK_SET",
    "CHALLENGE_ACK",
    "SIMULTANEOUS_OPEN",
];

fn status_fields(out: &mut Vec<u8>, status: Option<Status>) {
    let Some(status) = status else {
        text(out, ",\"status\":null,\"status_bits\":null");
        return;
    };
    text(out, ",\"status\":");
    bit_names(out, status.bits(), &STATUS_NAMES);
    field(out, ",\"status_bits\":", status.bits());
}

/// A list of the names of the bits that are set; `bit N` for one of a newer kernel.
fn bit_names(out: &mut Vec<u8>, bits: u32, names: &[&str]) {
    let mut rest = bits;
    let mut before = "[\"";
    while rest != 0 {
        let bit = rest.trailing_zeros();
        rest &= rest - 1;
        text(out, before);
        match usize::try_from(bit).ok().and_then(|bit| names.get(bit)) {
            Some(name) => text(out, name),
            None => field(out, "bit ", bit),
        }
        before = "\",\"";
    }
    text(out, if bits == 0 { "[]" } else { "\"]" });
}

fn label_list(out: &mut Vec<u8>, labels: &Labels, map: Option<&LabelMap>) {
    text(out, ",\"labels\":[");
    let mut before = "";
    for bit in labels.bits() {
        text(out, before);
        field(out, "{\"bit\":", bit);
        text(out, ",\"name\":");
        match map.and_then(|map| map.name(bit)) {
            Some(name) => string(out, name.as_bytes()),
            None => text(out, "null"),
        }
        out.push(b'}');
        before = ",";
    }
    out.push(b']');
}

fn times(out: &mut Vec<u8>, flow: &impl FlowRead, now_s: &dyn Fn() -> u64) {
    let (start, stop) = (flow.start(), flow.stop());
    if let Some(start) = start {
        time::both_forms(out, ",\"start\":", ",\"start_ns\":", start);
    }
    if let Some(stop) = stop {
        time::both_forms(out, ",\"stop\":", ",\"stop_ns\":", stop);
    }
    if let Some(start) = start {
        let age_s = match stop {
            Some(stop) => stop.0.saturating_sub(start.0) / 1_000_000_000,
            None => now_s().saturating_sub(start.seconds()),
        };
        field(out, ",\"delta_time_s\":", age_s);
    }
}

/// Without a status nobody knows whether anything is translated.
fn translations(out: &mut Vec<u8>, status: Option<Status>, original: &Tuple, reply: &Tuple) {
    let Some(status) = status else {
        text(out, ",\"nat\":null");
        return;
    };
    text(out, ",\"nat\":{\"src\":");
    let src = Translation::of_source(status, original, reply).result();
    translation(out, original, src);
    text(out, ",\"dst\":");
    let dst = Translation::of_destination(status, original, reply).result();
    translation(out, original, dst);
    out.push(b'}');
}

fn translation(out: &mut Vec<u8>, tuple: &Tuple, became: Option<Endpoint>) {
    let Some(Endpoint { address: to, key }) = became else {
        text(out, "null");
        return;
    };
    text(out, "{\"address\":\"");
    address(out, to);
    out.push(b'"');
    let (port, other) = match tuple.key {
        L4Key::Ports(_) if tuple.protocol == Protocol::Gre => (None, ",\"key\":"),
        L4Key::Ports(_) | L4Key::None => (key, ""),
        L4Key::Icmp(_) | L4Key::Icmpv6(_) => (None, ",\"icmp_id\":"),
    };
    optional(out, ",\"port\":", port);
    if let (None, Some(key)) = (port, key) {
        field(out, other, key);
    }
    out.push(b'}');
}

/// What few flows have.
fn rare_fields(out: &mut Vec<u8>, flow: &impl FlowRead) {
    if let Some(secmark) = flow.secmark() {
        field(out, ",\"secmark\":", secmark);
    }
    if let Some(secctx) = flow.secctx() {
        text(out, ",\"secctx\":");
        string(out, secctx);
    }
    if let Some(master) = flow.master() {
        text(out, ",\"master\":");
        whole_tuple(out, &master);
    }
    let adjustments = PerDirection::from_fn(|direction| {
        let adjusted = flow.sequence_adjustment(direction);
        adjusted.filter(|adjusted| *adjusted != SequenceAdjustment::default())
    });
    sides_of(out, ",\"sequence_adjustment\":", adjustments, |out, adjusted| {
        field(out, "{\"correction_position\":", adjusted.correction_position);
        field(out, ",\"offset_before\":", adjusted.offset_before);
        field(out, ",\"offset_after\":", adjusted.offset_after);
        out.push(b'}');
    });
    // The kernel sends zeros for each flow that a program made.
    if let Some(synproxy) = flow.synproxy().filter(|synproxy| *synproxy != Synproxy::default()) {
        field(out, ",\"synproxy\":{\"initial_sequence\":", synproxy.initial_sequence);
        field(out, ",\"initial_timestamp\":", synproxy.initial_timestamp);
        field(out, ",\"timestamp_offset\":", synproxy.timestamp_offset);
        out.push(b'}');
    }
}

/// A tuple with its protocol, which need not be that of the flow it stands in.
fn whole_tuple(out: &mut Vec<u8>, tuple: &Tuple) {
    text(out, "{\"protocol\":");
    protocol(out, tuple.protocol);
    out.push(b',');
    tuple_fields(out, tuple);
    out.push(b'}');
}

/// What the tracker of the protocol keeps beside the state, if the kernel sent any of it.
fn tracker_fields(out: &mut Vec<u8>, protoinfo: &ProtoInfo) {
    match protoinfo {
        ProtoInfo::Tcp(TcpInfo { window_scale, flags, .. }) => {
            let sides = PerDirection::from_fn(|direction| {
                let (scale, flags) = (window_scale[direction], flags[direction]);
                (scale.is_some() || flags.is_some()).then_some((scale, flags))
            });
            sides_of(out, ",\"tcp\":", sides, |out, (scale, flags)| {
                optional(out, "{\"window_scale\":", scale);
                text(out, ",\"flags\":");
                match flags {
                    Some(masked) => tcp_flags(out, masked.flags),
                    None => text(out, "null"),
                }
                out.push(b'}');
            });
        }
        ProtoInfo::Sctp(SctpInfo { vtags, .. }) => {
            sides_of(out, ",\"sctp\":", *vtags, |out, vtag| {
                field(out, "{\"vtag\":", vtag);
                out.push(b'}');
            });
        }
        ProtoInfo::Dccp(DccpInfo { role, handshake_sequence, .. }) => {
            if role.is_some() || handshake_sequence.is_some() {
                text(out, ",\"dccp\":{\"role\":");
                dccp_role(out, *role);
                optional(out, ",\"handshake_sequence\":", *handshake_sequence);
                out.push(b'}');
            }
        }
    }
}

fn tcp_flags(out: &mut Vec<u8>, flags: TcpFlags) {
    bit_names(out, u32::from(flags.bits()), &TCP_FLAG_NAMES);
}

fn dccp_role(out: &mut Vec<u8>, role: Option<DccpRole>) {
    match role {
        Some(DccpRole::CLIENT) => text(out, "\"client\""),
        Some(DccpRole::SERVER) => text(out, "\"server\""),
        Some(DccpRole(other)) => {
            field(out, "\"role ", other);
            out.push(b'"');
        }
        None => text(out, "null"),
    }
}

/// A field with a value for each direction, left out if neither has one.
fn sides_of<T>(
    out: &mut Vec<u8>,
    name: &str,
    sides: PerDirection<Option<T>>,
    write: impl Fn(&mut Vec<u8>, T),
) {
    if sides.original.is_none() && sides.reply.is_none() {
        return;
    }
    text(out, name);
    for (name, side) in [("{\"original\":", sides.original), (",\"reply\":", sides.reply)] {
        text(out, name);
        match side {
            Some(side) => write(out, side),
            None => text(out, "null"),
        }
    }
    out.push(b'}');
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// A name of our own, which needs no escape.
fn quoted(out: &mut Vec<u8>, name: &str, value: &str) {
    text(out, name);
    out.push(b'"');
    text(out, value);
    out.push(b'"');
}

fn optional(out: &mut Vec<u8>, name: &str, value: Option<impl itoa::Integer>) {
    text(out, name);
    match value {
        Some(value) => number(out, value),
        None => text(out, "null"),
    }
}
