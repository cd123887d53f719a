//! Caches, traffic, messages: `-s`, `-s cache`, `-s network`, `-s expect`.

use super::{columns, counted, pair, rows};

/// Counters of a cache.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cache {
    /// Entries that live.
    pub active: u64,
    /// Entries of the table: also the dead ones whose end the peer has not acknowledged (FTFW).
    pub total: u64,
    /// Entries that take memory: upstream counts apart those that left the table and still wait in a queue.
    pub objects: u64,
    /// Entries made.
    pub created: u64,
    /// Entries that could not be made.
    pub create_failed: u64,
    /// Of these: no memory.
    pub no_memory: u64,
    /// Of these: the cache was full.
    pub no_space: u64,
    /// Entries changed.
    pub updated: u64,
    /// Entries ended.
    pub destroyed: u64,
}

/// Flows that were sent at once, as there is no internal cache.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bypass {
    /// As new.
    pub new: u64,
    /// As changed.
    pub updated: u64,
    /// As ended.
    pub destroyed: u64,
}

/// Flows of the peer that went into the kernel's table, as there is no external cache. Each with its failures.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Inject {
    /// Made.
    pub created: u64,
    /// Not made.
    pub create_failed: u64,
    /// Changed.
    pub updated: u64,
    /// Not changed.
    pub update_failed: u64,
    /// Deleted.
    pub destroyed: u64,
    /// Not deleted.
    pub destroy_failed: u64,
}

/// What the logged flows carried, or in sync mode what the kernel told of the ended ones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Bytes in both directions.
    pub bytes: u64,
    /// Packets in both directions.
    pub packets: u64,
}

/// Messages that did not arrive as they should.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tracking {
    /// Refused ones.
    pub malformed: u64,
    /// Those that are missing.
    pub lost: u64,
}

/// What was refused and missed on the dedicated links.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Network {
    /// Received messages that were refused, for any reason.
    pub malformed: u64,
    /// Of these: of another version of the protocol.
    pub wrong_version: u64,
    /// Of these: a header that is none.
    pub malformed_header: u64,
    /// Of these: content that is none.
    pub malformed_payload: u64,
    /// Of these: an unknown type.
    pub bad_type: u64,
    /// Of these: cut off.
    pub truncated: u64,
    /// Of these: a length that does not fit.
    pub bad_size: u64,
    /// Messages that could not be built.
    pub send_malformed: u64,
    /// Missing messages. Upstream counts two more at each gap.
    pub lost: u64,
    /// Messages that came again or late.
    pub before: u64,
}

/// The short block of a cache. The name is `internal`, `external` or `stats`.
pub fn cache(out: &mut Vec<u8>, name: &str, cache: &Cache) {
    line(out, &["cache ", name, ":\n"]);
    rows(out, 12, [("current active connections:\t", cache.active)]);
    counted(
        out,
        [
            ("connections created:\t\t", cache.created, cache.create_failed),
            // These two never fail.
            ("connections updated:\t\t", cache.updated, 0),
            ("connections destroyed:\t\t", cache.destroyed, 0),
        ],
    );
    out.push(b'\n');
}

/// The block of `-s cache`.
pub fn cache_extended(out: &mut Vec<u8>, name: &str, cache: &Cache) {
    line(out, &["cache:", name]);
    rows(out, 12, [("\tactive objects:\t\t", cache.objects)]);
    ratio(out, "\tactive/total entries:\t\t", cache.active, cache.total);
    ratio(out, "\tcreation OK/failed:\t\t", cache.created, cache.create_failed);
    rows(
        out,
        12,
        [
            ("\t\tno memory available:\t", cache.no_memory),
            ("\t\tno space left in cache:\t", cache.no_space),
        ],
    );
    ratio(out, "\tupdate OK/failed:\t\t", cache.updated, 0);
    rows(out, 12, [("\t\tentry not found:\t", 0)]);
    ratio(out, "\tdeletion created/failed:\t", cache.destroyed, 0);
    rows(out, 12, [("\t\tentry not found:\t", 0)]);
    out.push(b'\n');
}

fn ratio(out: &mut Vec<u8>, label: &str, of: u64, all: u64) {
    out.extend_from_slice(label.as_bytes());
    columns(out, 12, of);
    out.push(b'/');
    columns(out, 12, all);
    out.push(b'\n');
}

/// The block that stands for the internal cache when there is none.
pub fn internal_bypass(out: &mut Vec<u8>, bypass: &Bypass) {
    line(out, &["internal bypass:\n"]);
    rows(
        out,
        12,
        [
            ("connections new:\t\t", bypass.new),
            ("connections updated:\t\t", bypass.updated),
            ("connections destroyed:\t\t", bypass.destroyed),
        ],
    );
    out.push(b'\n');
}

/// The block that stands for the external cache when there is none.
pub fn external_inject(out: &mut Vec<u8>, inject: &Inject) {
    line(out, &["external inject:\n"]);
    counted(
        out,
        [
            ("connections created:\t\t", inject.created, inject.create_failed),
            ("connections updated:\t\t", inject.updated, inject.update_failed),
            ("connections destroyed:\t\t", inject.destroyed, inject.destroy_failed),
        ],
    );
    out.push(b'\n');
}

/// What the flows carried.
pub fn traffic(out: &mut Vec<u8>, traffic: Traffic) {
    line(out, &["traffic processed:\n"]);
    pair(out, [(traffic.bytes, " Bytes      ", traffic.packets, " Pckts")]);
    out.push(b'\n');
}

/// What went wrong with messages, in one line.
pub fn message_tracking(out: &mut Vec<u8>, tracking: Tracking) {
    line(out, &["message tracking:\n"]);
    pair(out, [(tracking.malformed, " Malformed msgs ", tracking.lost, " Lost msgs")]);
    out.push(b'\n');
}

/// The block of `-s network`. The active link follows it.
pub fn network(out: &mut Vec<u8>, network: &Network) {
    line(out, &["network statistics:\n\trecv:\n"]);
    rows(
        out,
        20,
        [
            ("\t\tMalformed messages:\t", network.malformed),
            ("\t\tWrong protocol version:\t", network.wrong_version),
            ("\t\tMalformed header:\t", network.malformed_header),
            ("\t\tMalformed payload:\t", network.malformed_payload),
            ("\t\tBad message type:\t", network.bad_type),
            ("\t\tTruncated message:\t", network.truncated),
            ("\t\tBad message size:\t", network.bad_size),
            ("\tsend:\n\t\tMalformed messages:\t", network.send_malformed),
        ],
    );
    line(out, &["\nsequence tracking statistics:\n\trecv:\n"]);
    rows(
        out,
        20,
        [("\t\tPackets lost:\t\t", network.lost), ("\t\tPackets before:\t\t", network.before)],
    );
    out.push(b'\n');
}

fn line(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}
