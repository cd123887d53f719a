//! Lines of the cache dumps (`-i`, `-e`, both with `-x`) and of the statistics log. Each ends with its newline.
//!
//! Observed with Debian's conntrackd 1.4.7: a cached flow has neither timeout nor counters nor use count, but the age
//! of a flow that was there before the daemon (`delta-time`, if the kernel keeps times). What a peer told has no reply
//! tuple. XML has no ages.

use flow::text::{LocalTime, Sides, plain, xml};
use flow::{Expectation, FlowRead};

use crate::kernel::Entry;

/// Now, in seconds since 1970.
pub type WallClock<'a> = &'a dyn Fn() -> u64;

/// How old a cached entry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Age {
    /// Seconds until it is forgotten, if its peer stays silent (external cache in ALARM mode).
    pub expires_in_s: Option<u32>,
    /// Seconds since it was added.
    pub active_s: u32,
}

/// A flow of the internal cache, or of that of the statistics mode.
pub fn internal(out: &mut Vec<u8>, flow: &impl FlowRead, age: Age, now_s: WallClock) {
    plain::write_cached_flow(out, flow, Sides::Both, now_s);
    end_with_age(out, age);
}

/// A flow of the external cache.
pub fn external(out: &mut Vec<u8>, flow: &impl FlowRead, age: Age, now_s: WallClock) {
    plain::write_cached_flow(out, flow, Sides::Original, now_s);
    end_with_age(out, age);
}

/// A flow of the internal cache as XML.
pub fn internal_xml(out: &mut Vec<u8>, flow: &impl FlowRead, now_s: WallClock) {
    xml::write_cached_flow(out, flow, Sides::Both, now_s);
    out.push(b'\n');
}

/// A flow of the external cache as XML.
pub fn external_xml(out: &mut Vec<u8>, flow: &impl FlowRead, now_s: WallClock) {
    xml::write_cached_flow(out, flow, Sides::Original, now_s);
    out.push(b'\n');
}

/// A flow of the kernel's table, which `-i` shows when there is no internal cache: all of it, and no age.
pub fn kernel(out: &mut Vec<u8>, flow: &impl FlowRead, now_s: WallClock) {
    let format = plain::Format { layer3: false, id: false, times: None, labels: None, now_s };
    plain::write_flow(out, flow, &format);
    out.push(b'\n');
}

/// The same as XML. Upstream ignores `-x` here.
pub fn kernel_xml(out: &mut Vec<u8>, flow: &impl FlowRead, now_s: WallClock) {
    let format = xml::Format { timestamps: false, when: None, labels: None, now_s };
    xml::write_flow(out, flow, None, &format);
    out.push(b'\n');
}

/// An expectation of either cache.
pub fn expectation(out: &mut Vec<u8>, expectation: &Expectation, age: Age) {
    plain::write_cached_expectation(out, expectation);
    end_with_age(out, age);
}

/// The same as XML.
pub fn expectation_xml(out: &mut Vec<u8>, expectation: &Expectation) {
    xml::write_cached_expectation(out, expectation);
    out.push(b'\n');
}

/// A flow that ended, as the statistics log has it behind the time, without the line end: what its last event says.
pub fn ended(out: &mut Vec<u8>, flow: &impl FlowRead, local: LocalTime, now_s: WallClock) {
    let format =
        plain::Format { layer3: false, id: false, times: Some(local), labels: None, now_s };
    plain::write_flow(out, flow, &format);
}

/// An entry that the kernel refused, as far as the peer told of it, without the line end.
pub fn entry(out: &mut Vec<u8>, entry: &Entry, now_s: WallClock) {
    match entry {
        Entry::Flow(restored) => {
            plain::write_cached_flow(out, &restored.flow, Sides::Original, now_s);
        }
        Entry::Expectation(expectation) => plain::write_cached_expectation(out, expectation),
    }
}

fn end_with_age(out: &mut Vec<u8>, age: Age) {
    if let Some(seconds) = age.expires_in_s {
        in_brackets(out, "expires in ", seconds);
    }
    in_brackets(out, "active since ", age.active_s);
    out.push(b'\n');
}

fn in_brackets(out: &mut Vec<u8>, what: &str, seconds: u32) {
    out.extend_from_slice(b" [");
    out.extend_from_slice(what.as_bytes());
    plain::write_number(out, seconds);
    out.extend_from_slice(b"s]");
}
