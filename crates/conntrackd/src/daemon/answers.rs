//! Answers that take more than one turn.
//!
//! A dump of a cache goes on as its client reads: a few hundred entries a turn, never more than what the client's buffer
//! takes. It is no snapshot; upstream forks for one.

use ctsync::{CacheCursor, CacheName, KnownFlow, Node, ResendCursor};

use crate::lines::{self, Age, WallClock};
use crate::statistics::{self, ResendElement};

/// Entries of one answer in one turn.
const STEP: usize = 256;

/// How a dump is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// A line an entry.
    Plain,
    /// An element an entry (`-x`).
    Xml,
}

/// What a cache of a node holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Content {
    /// Flows.
    Flows,
    /// Expectations.
    Expectations,
}

/// The rest of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The entries of a cache of a node.
    Cache {
        /// Which cache.
        name: CacheName,
        /// What it holds.
        content: Content,
        /// How they are printed.
        form: Form,
        /// Where to go on.
        cursor: CacheCursor,
    },
    /// The elements of the resend queue.
    ResendQueue(Option<ResendCursor>),
    /// Entries of the statistics mode's cache, from here on.
    Statistics(crate::stats_mode::Cursor, Form),
    /// Something else ends it: a commit, a dump of the kernel's table.
    Awaited,
}

/// Whether there is more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Rest {
    /// There is.
    More,
    /// That was all.
    Nothing,
}

/// Appends the next entries of a node's answer, as long as there is room.
pub(crate) fn advance(
    answer: &mut Answer,
    node: &Node,
    room: usize,
    out: &mut Vec<u8>,
    now_s: WallClock,
) -> Rest {
    let end = out.len().saturating_add(room);
    for _ in 0..STEP {
        if out.len() >= end {
            return Rest::More;
        }
        let has_more = match answer {
            Answer::Cache { name, content: Content::Flows, form, cursor } => {
                flow(node, *name, *form, cursor, out, now_s)
            }
            Answer::Cache { name, content: Content::Expectations, form, cursor } => {
                expectation(node, *name, *form, cursor, out)
            }
            Answer::ResendQueue(cursor) => resend_element(node, cursor, out),
            Answer::Statistics(..) | Answer::Awaited => return Rest::More,
        };
        if !has_more {
            return Rest::Nothing;
        }
    }
    Rest::More
}

fn flow(
    node: &Node,
    name: CacheName,
    form: Form,
    cursor: &mut CacheCursor,
    out: &mut Vec<u8>,
    now_s: WallClock,
) -> bool {
    let Some((next, cached)) = node.flow_after(name, *cursor) else { return false };
    *cursor = next;
    let age = Age { expires_in_s: cached.expires_in_s, active_s: cached.age_s };
    match (&cached.known, form) {
        (KnownFlow::Whole(flow), Form::Plain) => lines::internal(out, flow, age, now_s),
        (KnownFlow::Whole(flow), Form::Xml) => lines::internal_xml(out, flow, now_s),
        (KnownFlow::WithoutReply(flow), Form::Plain) => lines::external(out, flow, age, now_s),
        (KnownFlow::WithoutReply(flow), Form::Xml) => lines::external_xml(out, flow, now_s),
    }
    true
}

fn expectation(
    node: &Node,
    name: CacheName,
    form: Form,
    cursor: &mut CacheCursor,
    out: &mut Vec<u8>,
) -> bool {
    let Some((next, cached)) = node.expectation_after(name, *cursor) else { return false };
    *cursor = next;
    let age = Age { expires_in_s: cached.expires_in_s, active_s: cached.age_s };
    match form {
        Form::Plain => lines::expectation(out, &cached.expectation, age),
        Form::Xml => lines::expectation_xml(out, &cached.expectation),
    }
    true
}

fn resend_element(node: &Node, cursor: &mut Option<ResendCursor>, out: &mut Vec<u8>) -> bool {
    let Some((next, flags)) = node.resend_after(*cursor) else { return false };
    *cursor = Some(next);
    let sequence = next.sequence().0;
    let element = match flags {
        Some(flags) => ResendElement::Control { sequence, flags: flags.bits() },
        None => ResendElement::Object { sequence },
    };
    statistics::resend_element(out, element);
    true
}
