//! Answers to the statistics requests: values in, upstream's bytes out.
//!
//! Layout observed with Debian's conntrackd 1.4.7. Numbers of 12 or 20 columns grow beyond them; nothing is cut. A block
//! ends with an empty line.

mod blocks;
mod links;
mod queues;
mod runtime;

pub use blocks::{
    Bypass, Cache, Inject, Network, Tracking, Traffic, cache, cache_extended, external_inject,
    internal_bypass, message_tracking, network, traffic,
};
pub use links::{Link, LinkKind, LinkRole, LinkStatus, Sessions, Transfer, link, link_extended};
pub use queues::{
    Process, ProcessKind, Queue, ResendElement, process, queue, queue_nodes, resend_element,
    resend_queue,
};
pub use runtime::{Losses, Netlink, Runtime, runtime};

use std::io::Write as _;

/// Appends a number, right aligned in so many columns.
fn columns(out: &mut Vec<u8>, width: usize, value: u64) {
    // Writing to memory does not fail.
    let _ = write!(out, "{value:width$}");
}

/// Appends lines of a label and a number.
fn rows<const N: usize>(out: &mut Vec<u8>, width: usize, rows: [(&str, u64); N]) {
    for (label, value) in rows {
        out.extend_from_slice(label.as_bytes());
        columns(out, width, value);
        out.push(b'\n');
    }
}

/// Appends lines of a label and how often it was done, and how often it failed.
fn counted<const N: usize>(out: &mut Vec<u8>, rows: [(&str, u64, u64); N]) {
    for (label, done, failed) in rows {
        out.extend_from_slice(label.as_bytes());
        columns(out, 12, done);
        out.extend_from_slice(b"\tfailed:\t");
        columns(out, 12, failed);
        out.push(b'\n');
    }
}

/// Appends the line `%20llu LABEL %20llu LABEL`.
fn pair<const N: usize>(out: &mut Vec<u8>, rows: [(u64, &str, u64, &str); N]) {
    for (first, first_label, second, second_label) in rows {
        columns(out, 20, first);
        out.extend_from_slice(first_label.as_bytes());
        columns(out, 20, second);
        out.extend_from_slice(second_label.as_bytes());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
