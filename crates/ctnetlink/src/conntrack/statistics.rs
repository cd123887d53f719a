//! Statistics of the table (`CTA_STATS_*`) and of each CPU.

use crate::DecodeError;
use crate::fields::{Field, Fields, Form, field, numbers};
use crate::wire::RawMessage;

/// Names of the per-CPU counters in the order of their attribute numbers, from 1 on.
///
/// Linux 6.18 sends numbers up to 15. The last four have no name yet; upstream prints them like this.
const NAMES: [&str; 19] = [
    "searched",
    "found",
    "new",
    "invalid",
    "ignore",
    "delete",
    "delete_list",
    "insert",
    "insert_failed",
    "drop",
    "early_drop",
    "error",
    "search_restart",
    "clash_resolve",
    "chaintoolong",
    "unknown1",
    "unknown2",
    "unknown3",
    "unknown4",
];

static CPU_TABLE: [Option<Field>; NAMES.len() + 1] = numbers("CTA_STATS_*");

static TABLE_TABLE: [Option<Field>; 3] = [
    None,
    field("CTA_STATS_GLOBAL_ENTRIES", 0, Form::Be32),
    field("CTA_STATS_GLOBAL_MAX_ENTRIES", 1, Form::Be32),
];

/// Counters of one CPU. Which ones there are is the kernel's choice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CpuStatistics {
    /// Number of the CPU.
    pub cpu: u16,
    counters: [Option<u32>; NAMES.len()],
}

impl CpuStatistics {
    /// Reads a message of kind `IPCTNL_MSG_CT_GET_STATS_CPU`.
    pub fn parse(message: &RawMessage<'_>) -> Result<Self, DecodeError> {
        let cpu = message.netfilter_header()?.resource_id;
        let fields = Fields::<{ NAMES.len() + 1 }>::parse(message.body, &CPU_TABLE)?;
        Ok(Self { cpu, counters: std::array::from_fn(|before| fields.be32(before + 1)) })
    }

    /// The counters that are there, with their names, in the kernel's order.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        NAMES.iter().zip(self.counters).filter_map(|(name, counter)| Some((*name, counter?)))
    }
}

/// Size of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TableStatistics {
    /// `CTA_STATS_GLOBAL_ENTRIES`: flows in it, those included whose end is not reported yet.
    pub entries: u32,
    /// `CTA_STATS_GLOBAL_MAX_ENTRIES`: how many it may hold. Since Linux 4.18.
    pub max_entries: Option<u32>,
}

impl TableStatistics {
    /// Reads a message of kind `IPCTNL_MSG_CT_GET_STATS`.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::<2>::parse(body, &TABLE_TABLE)?;
        let entries = fields.be32(0).ok_or(DecodeError::Missing {
            attribute: "IPCTNL_MSG_CT_GET_STATS",
            missing: "CTA_STATS_GLOBAL_ENTRIES",
        })?;
        Ok(Self { entries, max_entries: fields.be32(1) })
    }
}
