//! Names that the vectors give to messages, attributes and errors.

use ctnetlink::wire::MessageKind;

use crate::case::Class;

/// Name of a netfilter message.
pub(crate) fn message(kind: MessageKind) -> &'static str {
    let names: &[&str] = match kind.subsystem.0 {
        1 => {
            &["CT_NEW", "CT_GET", "CT_DELETE", "CT_GET_CTRZERO", "CT_GET_STATS_CPU", "CT_GET_STATS"]
        }
        2 => &["EXP_NEW", "EXP_GET", "EXP_DELETE", "EXP_GET_STATS_CPU"],
        8 => &["TIMEOUT_NEW", "TIMEOUT_GET", "TIMEOUT_DELETE", "TIMEOUT_DEFAULT_SET"],
        _ => &["OTHER"],
    };
    names[usize::from(kind.message)]
}

/// Names of the top-level attributes by number; `None` for messages without attributes.
pub(crate) fn attributes(class: Class) -> Option<&'static [&'static str]> {
    match class {
        Class::Flow | Class::MalformedFlow => Some(&FLOW),
        Class::Expectation => Some(&EXPECTATION),
        Class::TimeoutPolicy => Some(&TIMEOUT_POLICY),
        Class::CpuStatistics => Some(&CPU_STATISTICS),
        Class::TableStatistics => Some(&["", "STATS_GLOBAL_ENTRIES", "STATS_GLOBAL_MAX_ENTRIES"]),
        Class::ExpectationStatistics => {
            Some(&["", "STATS_EXP_NEW", "STATS_EXP_CREATE", "STATS_EXP_DELETE"])
        }
        Class::Refusal | Class::DumpEnd | Class::UnknownSubsystem => None,
    }
}

const FLOW: [&str; 28] = [
    "",
    "TUPLE_ORIG",
    "TUPLE_REPLY",
    "STATUS",
    "PROTOINFO",
    "HELP",
    "NAT_SRC",
    "TIMEOUT",
    "MARK",
    "COUNTERS_ORIG",
    "COUNTERS_REPLY",
    "USE",
    "ID",
    "NAT_DST",
    "TUPLE_MASTER",
    "SEQ_ADJ_ORIG",
    "SEQ_ADJ_REPLY",
    "SECMARK",
    "ZONE",
    "SECCTX",
    "TIMESTAMP",
    "MARK_MASK",
    "LABELS",
    "LABELS_MASK",
    "SYNPROXY",
    "FILTER",
    "STATUS_MASK",
    "TIMESTAMP_EVENT",
];

const EXPECTATION: [&str; 12] = [
    "",
    "EXPECT_MASTER",
    "EXPECT_TUPLE",
    "EXPECT_MASK",
    "EXPECT_TIMEOUT",
    "EXPECT_ID",
    "EXPECT_HELP_NAME",
    "EXPECT_ZONE",
    "EXPECT_FLAGS",
    "EXPECT_CLASS",
    "EXPECT_NAT",
    "EXPECT_FN",
];

const TIMEOUT_POLICY: [&str; 6] =
    ["", "TIMEOUT_NAME", "TIMEOUT_L3PROTO", "TIMEOUT_L4PROTO", "TIMEOUT_DATA", "TIMEOUT_USE"];

const CPU_STATISTICS: [&str; 16] = [
    "",
    "STATS_SEARCHED",
    "STATS_FOUND",
    "STATS_NEW",
    "STATS_INVALID",
    "STATS_IGNORE",
    "STATS_DELETE",
    "STATS_DELETE_LIST",
    "STATS_INSERT",
    "STATS_INSERT_FAILED",
    "STATS_DROP",
    "STATS_EARLY_DROP",
    "STATS_ERROR",
    "STATS_SEARCH_RESTART",
    "STATS_CLASH_RESOLVE",
    "STATS_CHAIN_TOOLONG",
];

/// Name of a counter that the library calls `name`.
pub(crate) fn counter(name: &str) -> String {
    match name.strip_prefix("expect_") {
        Some(rest) => format!("STATS_EXP_{}", rest.to_uppercase()),
        None if name == "chaintoolong" => "STATS_CHAIN_TOOLONG".to_owned(),
        None => format!("STATS_{}", name.to_uppercase()),
    }
}

/// Names of the timeouts of a protocol, from attribute 1 on (`linux/netfilter/nfnetlink_cttimeout.h`).
pub(crate) fn timeouts(protocol: u8) -> &'static [&'static str] {
    match protocol {
        6 => &[
            "SYN_SENT",
            "SYN_RECV",
            "ESTABLISHED",
            "FIN_WAIT",
            "CLOSE_WAIT",
            "LAST_ACK",
            "TIME_WAIT",
            "CLOSE",
            "SYN_SENT2",
            "RETRANS",
            "UNACK",
        ],
        17 | 47 | 136 => &["UNREPLIED", "REPLIED"],
        132 => &[
            "CLOSED",
            "COOKIE_WAIT",
            "COOKIE_ECHOED",
            "ESTABLISHED",
            "SHUTDOWN_SENT",
            "SHUTDOWN_RECD",
            "SHUTDOWN_ACK_SENT",
            "HEARTBEAT_SENT",
            "HEARTBEAT_ACKED",
        ],
        _ => &["TIMEOUT"],
    }
}

/// Name of an errno that occurs in the vectors (`ENOTSUP` is another name of `EOPNOTSUPP`).
pub(crate) fn errno(errno: i32) -> &'static str {
    match errno {
        0 => "OK",
        2 => "ENOENT",
        16 => "EBUSY",
        17 => "EEXIST",
        22 => "EINVAL",
        34 => "ERANGE",
        95 => "ENOTSUP",
        other => panic!("no name for errno {other}"),
    }
}
