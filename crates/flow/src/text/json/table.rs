//! What is known of a table as a whole.

use super::{optional, string};
use crate::text::write::field;

/// Appends the number of entries of a table, and how many it may hold if that is known.
pub fn write_count(out: &mut Vec<u8>, count: u64, max: Option<u64>) {
    field(out, "{\"version\":1,\"count\":", count);
    optional(out, ",\"max\":", max);
    out.push(b'}');
}

/// Appends the counters of a CPU.
pub fn write_cpu<'n>(out: &mut Vec<u8>, cpu: u64, counters: impl Iterator<Item = (&'n str, u32)>) {
    field(out, "{\"cpu\":", cpu);
    for (name, value) in counters {
        out.push(b',');
        string(out, name.as_bytes());
        field(out, ":", value);
    }
    out.push(b'}');
}
