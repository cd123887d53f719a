//! The attribute tree of flow messages: which slot holds what.

use super::tuple;
use crate::fields::{Field, Form, field};

/// Slots of a flow message.
pub(crate) mod slot {
    use super::tuple::SLOTS as TUPLE;

    pub(crate) const ORIGINAL: usize = 0;
    pub(crate) const REPLY: usize = ORIGINAL + TUPLE;
    pub(crate) const MASTER: usize = REPLY + TUPLE;
    pub(crate) const NAT_SRC: usize = MASTER + TUPLE;
    pub(crate) const NAT_DST: usize = NAT_SRC + nat::SLOTS;
    pub(crate) const COUNTERS_ORIG: usize = NAT_DST + nat::SLOTS;
    pub(crate) const COUNTERS_REPLY: usize = COUNTERS_ORIG + counters::SLOTS;
    pub(crate) const SEQ_ADJ_ORIG: usize = COUNTERS_REPLY + counters::SLOTS;
    pub(crate) const SEQ_ADJ_REPLY: usize = SEQ_ADJ_ORIG + sequence::SLOTS;
    pub(crate) const SYNPROXY: usize = SEQ_ADJ_REPLY + sequence::SLOTS;
    pub(crate) const PROTOINFO: usize = SYNPROXY + synproxy::SLOTS;
    const SINGLE: usize = PROTOINFO + protoinfo::SLOTS;
    pub(crate) const STATUS: usize = SINGLE;
    pub(crate) const TIMEOUT: usize = SINGLE + 1;
    pub(crate) const MARK: usize = SINGLE + 2;
    pub(crate) const USE: usize = SINGLE + 3;
    pub(crate) const ID: usize = SINGLE + 4;
    pub(crate) const SECMARK: usize = SINGLE + 5;
    pub(crate) const ZONE: usize = SINGLE + 6;
    pub(crate) const MARK_MASK: usize = SINGLE + 7;
    pub(crate) const LABELS: usize = SINGLE + 8;
    pub(crate) const LABELS_MASK: usize = SINGLE + 9;
    pub(crate) const STATUS_MASK: usize = SINGLE + 10;
    pub(crate) const TIMESTAMP_EVENT: usize = SINGLE + 11;
    pub(crate) const HELP_NAME: usize = SINGLE + 12;
    pub(crate) const HELP_INFO: usize = SINGLE + 13;
    pub(crate) const SECCTX_NAME: usize = SINGLE + 14;
    pub(crate) const TIMESTAMP_START: usize = SINGLE + 15;
    pub(crate) const TIMESTAMP_STOP: usize = SINGLE + 16;
    pub(crate) const FILTER_ORIG_FLAGS: usize = SINGLE + 17;
    pub(crate) const FILTER_REPLY_FLAGS: usize = SINGLE + 18;
    /// Presence of a tuple attribute, whatever is in it.
    pub(crate) const HAS_ORIGINAL: usize = SINGLE + 19;
    pub(crate) const HAS_REPLY: usize = SINGLE + 20;
    pub(crate) const HAS_MASTER: usize = SINGLE + 21;
    /// For nests of which only the content matters.
    pub(crate) const UNUSED: usize = SINGLE + 22;
    pub(crate) const COUNT: usize = SINGLE + 23;

    pub(crate) mod nat {
        pub(crate) const HERE: usize = 0;
        pub(crate) const V4_MINIP: usize = 1;
        pub(crate) const V4_MAXIP: usize = 2;
        pub(crate) const V6_MINIP: usize = 3;
        pub(crate) const V6_MAXIP: usize = 4;
        pub(crate) const PROTO: usize = 5;
        pub(crate) const PORT_MIN: usize = 6;
        pub(crate) const PORT_MAX: usize = 7;
        pub(crate) const SLOTS: usize = 8;
    }

    pub(crate) mod counters {
        pub(crate) const PACKETS: usize = 0;
        pub(crate) const BYTES: usize = 1;
        pub(crate) const PACKETS32: usize = 2;
        pub(crate) const BYTES32: usize = 3;
        pub(crate) const SLOTS: usize = 4;
    }

    pub(crate) mod sequence {
        pub(crate) const CORRECTION_POS: usize = 0;
        pub(crate) const OFFSET_BEFORE: usize = 1;
        pub(crate) const OFFSET_AFTER: usize = 2;
        pub(crate) const SLOTS: usize = 3;
    }

    pub(crate) mod synproxy {
        pub(crate) const ISN: usize = 0;
        pub(crate) const ITS: usize = 1;
        pub(crate) const TSOFF: usize = 2;
        pub(crate) const SLOTS: usize = 3;
    }

    pub(crate) mod protoinfo {
        pub(crate) const TCP: usize = 0;
        pub(crate) const DCCP: usize = 1;
        pub(crate) const SCTP: usize = 2;
        pub(crate) const TCP_STATE: usize = 3;
        pub(crate) const TCP_WSCALE_ORIGINAL: usize = 4;
        pub(crate) const TCP_WSCALE_REPLY: usize = 5;
        pub(crate) const TCP_FLAGS_ORIGINAL: usize = 6;
        pub(crate) const TCP_FLAGS_REPLY: usize = 7;
        pub(crate) const DCCP_STATE: usize = 8;
        pub(crate) const DCCP_ROLE: usize = 9;
        pub(crate) const DCCP_HANDSHAKE_SEQ: usize = 10;
        pub(crate) const SCTP_STATE: usize = 11;
        pub(crate) const SCTP_VTAG_ORIGINAL: usize = 12;
        pub(crate) const SCTP_VTAG_REPLY: usize = 13;
        pub(crate) const SLOTS: usize = 14;
    }
}

use slot::{counters, nat, protoinfo, sequence, synproxy};

static TCP: [Option<Field>; 6] = [
    None,
    field("CTA_PROTOINFO_TCP_STATE", protoinfo::TCP_STATE, Form::U8),
    field("CTA_PROTOINFO_TCP_WSCALE_ORIGINAL", protoinfo::TCP_WSCALE_ORIGINAL, Form::U8),
    field("CTA_PROTOINFO_TCP_WSCALE_REPLY", protoinfo::TCP_WSCALE_REPLY, Form::U8),
    field("CTA_PROTOINFO_TCP_FLAGS_ORIGINAL", protoinfo::TCP_FLAGS_ORIGINAL, Form::FlagsAndMask),
    field("CTA_PROTOINFO_TCP_FLAGS_REPLY", protoinfo::TCP_FLAGS_REPLY, Form::FlagsAndMask),
];

static DCCP: [Option<Field>; 4] = [
    None,
    field("CTA_PROTOINFO_DCCP_STATE", protoinfo::DCCP_STATE, Form::U8),
    field("CTA_PROTOINFO_DCCP_ROLE", protoinfo::DCCP_ROLE, Form::U8),
    field("CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ", protoinfo::DCCP_HANDSHAKE_SEQ, Form::Be64),
];

static SCTP: [Option<Field>; 4] = [
    None,
    field("CTA_PROTOINFO_SCTP_STATE", protoinfo::SCTP_STATE, Form::U8),
    field("CTA_PROTOINFO_SCTP_VTAG_ORIGINAL", protoinfo::SCTP_VTAG_ORIGINAL, Form::Be32),
    field("CTA_PROTOINFO_SCTP_VTAG_REPLY", protoinfo::SCTP_VTAG_REPLY, Form::Be32),
];

static PROTOINFO: [Option<Field>; 4] = [
    None,
    field("CTA_PROTOINFO_TCP", protoinfo::TCP, Form::Nest(&TCP, 0)),
    field("CTA_PROTOINFO_DCCP", protoinfo::DCCP, Form::Nest(&DCCP, 0)),
    field("CTA_PROTOINFO_SCTP", protoinfo::SCTP, Form::Nest(&SCTP, 0)),
];

static HELP: [Option<Field>; 3] = [
    None,
    field("CTA_HELP_NAME", slot::HELP_NAME, Form::Text(15)),
    field("CTA_HELP_INFO", slot::HELP_INFO, Form::Bytes(32)),
];

static NAT_PORTS: [Option<Field>; 3] = [
    None,
    field("CTA_PROTONAT_PORT_MIN", nat::PORT_MIN, Form::Be16),
    field("CTA_PROTONAT_PORT_MAX", nat::PORT_MAX, Form::Be16),
];

static NAT: [Option<Field>; 6] = [
    None,
    field("CTA_NAT_V4_MINIP", nat::V4_MINIP, Form::V4),
    field("CTA_NAT_V4_MAXIP", nat::V4_MAXIP, Form::V4),
    field("CTA_NAT_PROTO", nat::PROTO, Form::Nest(&NAT_PORTS, 0)),
    field("CTA_NAT_V6_MINIP", nat::V6_MINIP, Form::V6),
    field("CTA_NAT_V6_MAXIP", nat::V6_MAXIP, Form::V6),
];

static COUNTERS: [Option<Field>; 5] = [
    None,
    field("CTA_COUNTERS_PACKETS", counters::PACKETS, Form::Be64),
    field("CTA_COUNTERS_BYTES", counters::BYTES, Form::Be64),
    field("CTA_COUNTERS32_PACKETS", counters::PACKETS32, Form::Be32),
    field("CTA_COUNTERS32_BYTES", counters::BYTES32, Form::Be32),
];

static SEQUENCE: [Option<Field>; 4] = [
    None,
    field("CTA_SEQADJ_CORRECTION_POS", sequence::CORRECTION_POS, Form::Be32),
    field("CTA_SEQADJ_OFFSET_BEFORE", sequence::OFFSET_BEFORE, Form::Be32),
    field("CTA_SEQADJ_OFFSET_AFTER", sequence::OFFSET_AFTER, Form::Be32),
];

static SYNPROXY: [Option<Field>; 4] = [
    None,
    field("CTA_SYNPROXY_ISN", synproxy::ISN, Form::Be32),
    field("CTA_SYNPROXY_ITS", synproxy::ITS, Form::Be32),
    field("CTA_SYNPROXY_TSOFF", synproxy::TSOFF, Form::Be32),
];

static SECCTX: [Option<Field>; 2] =
    [None, field("CTA_SECCTX_NAME", slot::SECCTX_NAME, Form::Terminated(4096))];

static TIMESTAMP: [Option<Field>; 3] = [
    None,
    field("CTA_TIMESTAMP_START", slot::TIMESTAMP_START, Form::Be64),
    field("CTA_TIMESTAMP_STOP", slot::TIMESTAMP_STOP, Form::Be64),
];

static FILTER: [Option<Field>; 3] = [
    None,
    field("CTA_FILTER_ORIG_FLAGS", slot::FILTER_ORIG_FLAGS, Form::Host32),
    field("CTA_FILTER_REPLY_FLAGS", slot::FILTER_REPLY_FLAGS, Form::Host32),
];

/// Top-level attributes, by number (`enum ctattr_type`).
pub(crate) static FLOW: [Option<Field>; 28] = [
    None,
    field("CTA_TUPLE_ORIG", slot::HAS_ORIGINAL, tuple::form(slot::ORIGINAL)),
    field("CTA_TUPLE_REPLY", slot::HAS_REPLY, tuple::form(slot::REPLY)),
    field("CTA_STATUS", slot::STATUS, Form::Be32),
    field("CTA_PROTOINFO", slot::UNUSED, Form::Nest(&PROTOINFO, slot::PROTOINFO)),
    field("CTA_HELP", slot::UNUSED, Form::Nest(&HELP, 0)),
    field("CTA_NAT_SRC", slot::NAT_SRC + nat::HERE, Form::Nest(&NAT, slot::NAT_SRC)),
    field("CTA_TIMEOUT", slot::TIMEOUT, Form::Be32),
    field("CTA_MARK", slot::MARK, Form::Be32),
    field("CTA_COUNTERS_ORIG", slot::UNUSED, Form::Nest(&COUNTERS, slot::COUNTERS_ORIG)),
    field("CTA_COUNTERS_REPLY", slot::UNUSED, Form::Nest(&COUNTERS, slot::COUNTERS_REPLY)),
    field("CTA_USE", slot::USE, Form::Be32),
    field("CTA_ID", slot::ID, Form::Be32),
    field("CTA_NAT_DST", slot::NAT_DST + nat::HERE, Form::Nest(&NAT, slot::NAT_DST)),
    field("CTA_TUPLE_MASTER", slot::HAS_MASTER, tuple::form(slot::MASTER)),
    field("CTA_SEQ_ADJ_ORIG", slot::UNUSED, Form::Nest(&SEQUENCE, slot::SEQ_ADJ_ORIG)),
    field("CTA_SEQ_ADJ_REPLY", slot::UNUSED, Form::Nest(&SEQUENCE, slot::SEQ_ADJ_REPLY)),
    field("CTA_SECMARK", slot::SECMARK, Form::Be32),
    field("CTA_ZONE", slot::ZONE, Form::Be16),
    field("CTA_SECCTX", slot::UNUSED, Form::Nest(&SECCTX, 0)),
    field("CTA_TIMESTAMP", slot::UNUSED, Form::Nest(&TIMESTAMP, 0)),
    field("CTA_MARK_MASK", slot::MARK_MASK, Form::Be32),
    field("CTA_LABELS", slot::LABELS, Form::Labels),
    field("CTA_LABELS_MASK", slot::LABELS_MASK, Form::Labels),
    field("CTA_SYNPROXY", slot::UNUSED, Form::Nest(&SYNPROXY, slot::SYNPROXY)),
    field("CTA_FILTER", slot::UNUSED, Form::Nest(&FILTER, 0)),
    field("CTA_STATUS_MASK", slot::STATUS_MASK, Form::Be32),
    field("CTA_TIMESTAMP_EVENT", slot::TIMESTAMP_EVENT, Form::Be64),
];
