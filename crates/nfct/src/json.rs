//! Answers as `docs/schema/nfct-v1.schema.json` describes them, each entry on a line of its own.
//!
//! `null` stands for what the kernel did not send. No number stands for that.

use ctnetlink::{HelperAttributes, HelperStatus, TimeoutPolicyAttributes};
use flow::text::json::{Document, write_string};
use flow::{Family, Protocol};

use crate::timeout::{GENERIC, states};

/// A list of timeout policies.
pub const POLICIES: Document = Document {
    begin: "{\"version\":1,\"timeout_policies\":[\n",
    empty: "{\"version\":1,\"timeout_policies\":[]}\n",
    empty_cut: "{\"version\":1,\"timeout_policies\":[],\"complete\":false}\n",
    ..Document::FLOWS
};

/// A list of default timeouts.
pub const DEFAULTS: Document = Document {
    begin: "{\"version\":1,\"timeout_defaults\":[\n",
    empty: "{\"version\":1,\"timeout_defaults\":[]}\n",
    empty_cut: "{\"version\":1,\"timeout_defaults\":[],\"complete\":false}\n",
    ..Document::FLOWS
};

/// A list of helpers.
pub const HELPERS: Document = Document {
    begin: "{\"version\":1,\"helpers\":[\n",
    empty: "{\"version\":1,\"helpers\":[]}\n",
    empty_cut: "{\"version\":1,\"helpers\":[],\"complete\":false}\n",
    ..Document::FLOWS
};

/// States that upstream neither sets nor shows: `CTA_TIMEOUT_SCTP_HEARTBEAT_SENT` (8) and `_ACKED` (9).
const MORE_SCTP_STATES: [&str; 2] = ["HEARTBEAT_SENT", "HEARTBEAT_ACKED"];

/// Appends a timeout policy.
pub fn write_policy(out: &mut Vec<u8>, policy: &TimeoutPolicyAttributes<'_>) {
    out.extend_from_slice(b"{\"name\":");
    name(out, policy.name());
    out.push(b',');
    write_timeouts(out, policy);
    number(out, ",\"use\":", policy.use_count());
    out.push(b'}');
}

/// Appends the defaults of a protocol.
pub fn write_defaults(out: &mut Vec<u8>, defaults: &TimeoutPolicyAttributes<'_>) {
    out.push(b'{');
    write_timeouts(out, defaults);
    out.push(b'}');
}

fn write_timeouts(out: &mut Vec<u8>, values: &TimeoutPolicyAttributes<'_>) {
    scope(out, values.layer3(), values.protocol());
    out.extend_from_slice(b",\"timeouts\":{");
    let protocol = values.protocol();
    for (position, (kind, seconds)) in values.timeouts_s().enumerate() {
        out.extend_from_slice(if position == 0 { b"\"" } else { b",\"" });
        match protocol.and_then(|protocol| state_name(protocol, kind)) {
            Some(name) => out.extend_from_slice(name.as_bytes()),
            // A state of a newer kernel: its attribute number.
            None => out.extend_from_slice(itoa::Buffer::new().format(kind).as_bytes()),
        }
        number(out, "\":", Some(seconds));
    }
    out.push(b'}');
}

/// Attribute numbers begin at 1.
fn state_name(protocol: Protocol, kind: u16) -> Option<&'static str> {
    let names = states(protocol);
    let more = if protocol == Protocol::Sctp { &MORE_SCTP_STATES[..] } else { &[] };
    names.iter().chain(more).nth(usize::from(kind).checked_sub(1)?).copied()
}

/// Appends a helper.
pub fn write_helper(out: &mut Vec<u8>, helper: &HelperAttributes<'_>) {
    out.extend_from_slice(b"{\"name\":");
    name(out, helper.name());
    out.push(b',');
    scope(out, helper.layer3(), helper.protocol());
    number(out, ",\"queue\":", helper.queue());
    number(out, ",\"private_data_len\":", helper.private_data_len());
    match helper.status() {
        Some(HelperStatus::Disabled) => out.extend_from_slice(b",\"status\":\"disabled\""),
        Some(HelperStatus::Enabled) => out.extend_from_slice(b",\"status\":\"enabled\""),
        Some(HelperStatus::Other(status)) => number(out, ",\"status\":", Some(status)),
        None => number(out, ",\"status\":", None),
    }
    out.extend_from_slice(b",\"policies\":[");
    for (position, policy) in helper.policies().enumerate() {
        out.extend_from_slice(if position == 0 { b"{\"name\":" } else { b",{\"name\":" });
        name(out, Some(policy.name));
        number(out, ",\"expect_max\":", Some(policy.expect_max));
        number(out, ",\"expect_timeout\":", Some(policy.expect_timeout_s));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// Family and protocol, by number and by name.
fn scope(out: &mut Vec<u8>, layer3: Option<u16>, protocol: Option<Protocol>) {
    number(out, "\"l3proto\":", layer3.map(u32::from));
    let family = layer3.and_then(|number| Family::from_number(u8::try_from(number).ok()?));
    out.extend_from_slice(b",\"family\":");
    name(out, family.map(|family| family.name().as_bytes()));
    out.extend_from_slice(b",\"protocol\":");
    let Some(protocol) = protocol else {
        return out.extend_from_slice(b"null");
    };
    number(out, "{\"number\":", Some(protocol.number().into()));
    out.extend_from_slice(b",\"name\":");
    let known = match protocol {
        Protocol::Other(GENERIC) => Some("generic"),
        other => other.name(),
    };
    name(out, known.map(str::as_bytes));
    out.push(b'}');
}

fn name(out: &mut Vec<u8>, name: Option<&[u8]>) {
    match name {
        Some(name) => write_string(out, name),
        None => out.extend_from_slice(b"null"),
    }
}

fn number(out: &mut Vec<u8>, begin: &str, number: Option<u32>) {
    out.extend_from_slice(begin.as_bytes());
    match number {
        Some(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}
