//! Answers as upstream writes them. What the kernel did not say is left out.

use ctnetlink::{HelperAttributes, HelperStatus, TimeoutPolicyAttributes};

use crate::timeout::states;

/// What the program says of itself.
pub const VERSION_TEXT: &str = include_str!("text/version.txt");

/// Appends a timeout policy. Its name is written as it is, whatever its bytes.
pub fn write_policy(out: &mut Vec<u8>, policy: &TimeoutPolicyAttributes<'_>) {
    out.push(b'.');
    out.extend_from_slice(policy.name().unwrap_or_default());
    out.extend_from_slice(b" = {\n");
    write_defaults(out, policy);
}

/// Appends the defaults of a protocol: a policy without its first line, so that the last brace closes nothing (sic).
pub fn write_defaults(out: &mut Vec<u8>, defaults: &TimeoutPolicyAttributes<'_>) {
    let protocol = defaults.protocol();
    number(out, "\t.l3proto = ", defaults.layer3().map(u32::from));
    number(out, "\t.l4proto = ", protocol.map(|protocol| protocol.number().into()));
    out.extend_from_slice(b"\t.policy = {\n");
    let names = protocol.map_or(&[][..], states);
    for (kind, seconds) in defaults.timeouts_s() {
        // Attribute numbers begin at 1. States of newer kernels have no name here.
        let position = usize::from(kind).checked_sub(1);
        if let Some(name) = position.and_then(|position| names.get(position)) {
            out.extend_from_slice(b"\t\t.");
            out.extend_from_slice(name.as_bytes());
            number(out, " = ", Some(seconds));
        }
    }
    out.extend_from_slice(b"\t},\n};\n");
}

/// Appends a helper.
pub fn write_helper(out: &mut Vec<u8>, helper: &HelperAttributes<'_>) {
    out.extend_from_slice(b"{\n\t.name = ");
    out.extend_from_slice(helper.name().unwrap_or_default());
    out.extend_from_slice(b",\n");
    number(out, "\t.queuenum = ", helper.queue());
    number(out, "\t.l3protonum = ", helper.layer3().map(u32::from));
    let protocol = helper.protocol().map(|protocol| protocol.number().into());
    number(out, "\t.l4protonum = ", protocol);
    number(out, "\t.priv_data_len = ", helper.private_data_len());
    let status = match helper.status() {
        Some(HelperStatus::Enabled) => "enabled",
        _ => "disabled",
    };
    out.extend_from_slice(format!("\t.status = {status},\n}};\n").as_bytes());
}

/// Appends a line with a number, if there is one.
fn number(out: &mut Vec<u8>, begin: &str, number: Option<u32>) {
    if let Some(number) = number {
        out.extend_from_slice(begin.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        out.extend_from_slice(b",\n");
    }
}
