//! Expectations.

use super::{
    Event, bit_names, family_and_protocol, open_event, optional, string, text, tuple_fields,
    whole_tuple,
};
use crate::text::write::field;
use crate::{Direction, Expectation, ExpectationNat};

/// Names of the flags, from `NF_CT_EXPECT_PERMANENT` on.
const FLAG_NAMES: [&str; 3] = ["PERMANENT", "INACTIVE", "USERSPACE"];

/// Appends an expectation.
pub fn write_expectation(out: &mut Vec<u8>, expectation: &Expectation) {
    family_and_protocol(out, &expectation.tuple);
    optional(out, ",\"timeout_s\":", expectation.timeout_s);
    for (name, tuple) in [(",\"tuple\":{", &expectation.tuple), (",\"mask\":{", &expectation.mask)]
    {
        text(out, name);
        tuple_fields(out, tuple);
        out.push(b'}');
    }
    text(out, ",\"master\":");
    whole_tuple(out, &expectation.master);
    nat(out, expectation.nat);
    flags(out, expectation);
    optional(out, ",\"class\":", expectation.class);
    for (name, value) in [
        (",\"helper\":", expectation.helper.as_deref()),
        (",\"function\":", expectation.function.as_deref()),
    ] {
        text(out, name);
        match value {
            Some(value) => string(out, value.as_bytes()),
            None => text(out, "null"),
        }
    }
    optional(out, ",\"zone\":", expectation.zone.map(|zone| zone.0));
    optional(out, ",\"id\":", expectation.id.map(|id| id.0));
    out.push(b'}');
}

/// Appends an event about an expectation.
pub fn write_expectation_event(out: &mut Vec<u8>, expectation: &Expectation, event: &Event<'_>) {
    open_event(out, event);
    text(out, ",\"expectation\":");
    write_expectation(out, expectation);
    out.push(b'}');
}

/// What the source of the expected flow is to become again.
fn nat(out: &mut Vec<u8>, nat: Option<ExpectationNat>) {
    let Some(ExpectationNat { direction, tuple }) = nat else {
        text(out, ",\"nat\":null");
        return;
    };
    text(
        out,
        match direction {
            Direction::Original => ",\"nat\":{\"direction\":\"original\",\"tuple\":",
            Direction::Reply => ",\"nat\":{\"direction\":\"reply\",\"tuple\":",
        },
    );
    whole_tuple(out, &tuple);
    out.push(b'}');
}

fn flags(out: &mut Vec<u8>, expectation: &Expectation) {
    match expectation.flags {
        Some(flags) => {
            text(out, ",\"flags\":");
            bit_names(out, flags.bits(), &FLAG_NAMES);
            field(out, ",\"flag_bits\":", flags.bits());
        }
        None => text(out, ",\"flags\":null,\"flag_bits\":null"),
    }
}
