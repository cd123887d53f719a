//! The hint for those who list a table that nothing fills.
//!
//! The kernel tracks connections in a network namespace only where a rule asks for their state or translates addresses.
//! On a fresh machine without such a rule the table stays empty, which looks like a defect of the tool.

use std::path::Path;

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::{Request, TableStatistics};

use super::Session;
use crate::report::print_line;

const HINT: &str = "hint: nothing is tracked in this network namespace: no rule refers to connection state \
     (nftables: ct …, masquerade, snat, dnat; iptables: -m conntrack, -t nat).";

/// Names that make the kernel track: expressions of nftables, then matches and targets of iptables over it.
const TRACKING: [&[u8]; 23] = [
    b"ct\0",
    b"nat\0",
    b"masq\0",
    b"redir\0",
    b"synproxy\0",
    b"flow_offload\0",
    b"connlimit\0",
    b"cluster\0",
    b"connbytes\0",
    b"connlabel\0",
    b"connmark\0",
    b"conntrack\0",
    b"helper\0",
    b"state\0",
    b"CONNMARK\0",
    b"CONNSECMARK\0",
    b"CT\0",
    b"DNAT\0",
    b"MASQUERADE\0",
    b"NETMAP\0",
    b"REDIRECT\0",
    b"SNAT\0",
    b"SYNPROXY\0",
];

const EINVAL: i32 = 22;

/// Tables of the older iptables, whose rules cannot be read this way.
const LEGACY_TABLES: [&str; 2] = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];

impl Session<'_, '_> {
    /// Prints the hint if it is certain that nothing is tracked and no rule makes the kernel do it.
    ///
    /// A list can be empty for another reason: no flow of a filled table is as the command line wants it.
    pub(super) fn hint_if_untracked(&mut self) {
        if self.table_is_empty()
            && !self.has_legacy_tables()
            && self.tracks_by_rule() == Some(false)
        {
            print_line(self.surroundings.stderr, HINT);
        }
    }

    fn table_is_empty(&mut self) -> bool {
        let Ok(mut client) = self.connect() else {
            return false;
        };
        let statistics =
            client.fetch(&Request::TableStatistics, |message| TableStatistics::parse(message.body));
        matches!(statistics, Ok(Ok(TableStatistics { entries: 0, .. })))
    }

    fn has_legacy_tables(&self) -> bool {
        LEGACY_TABLES.iter().any(|path| {
            self.surroundings.system.read(Path::new(path)).is_ok_and(|text| !text.is_empty())
        })
    }

    /// Whether a rule of nftables names something that tracks; `None` if the rules cannot be read.
    fn tracks_by_rule(&mut self) -> Option<bool> {
        let mut client = self.connect().ok()?;
        let mut found = false;
        let dumped = client.dump(&Request::DumpRules, |message| {
            found |= names_tracking(message.body);
            Ok::<(), ClientError>(())
        });
        match dumped {
            Ok(DumpOutcome::Interrupted) if !found => None,
            Ok(_) => Some(found),
            // A kernel without nftables has no such rules.
            Err(error) => {
                (error.kernel().map(|refusal| refusal.errno) == Some(EINVAL)).then_some(false)
            }
        }
    }
}

/// Looks for the names as attribute payloads, which begin at a multiple of four.
fn names_tracking(body: &[u8]) -> bool {
    (0..body.len())
        .step_by(4)
        .filter_map(|at| body.get(at..))
        .any(|rest| TRACKING.iter().any(|name| rest.starts_with(name)))
}

#[cfg(test)]
mod tests {
    use super::names_tracking;

    #[test]
    fn a_name_counts_only_as_a_whole_payload() {
        assert!(names_tracking(b"\x07\0\x01\0ct\0\0"));
        assert!(!names_tracking(b"\x09\0\x01\0fact\0\0\0\0"));
        assert!(!names_tracking(b"\x0c\0\x01\0counter\0"));
        assert!(!names_tracking(b""));
    }
}
