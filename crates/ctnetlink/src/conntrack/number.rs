//! Attribute numbers (`enum ctattr_*`, `linux/netfilter/nfnetlink_conntrack.h`).

pub(crate) const TUPLE_ORIG: u16 = 1;
pub(crate) const TUPLE_REPLY: u16 = 2;
pub(crate) const STATUS: u16 = 3;
pub(crate) const PROTOINFO: u16 = 4;
pub(crate) const HELP: u16 = 5;
pub(crate) const NAT_SRC: u16 = 6;
pub(crate) const TIMEOUT: u16 = 7;
pub(crate) const MARK: u16 = 8;
pub(crate) const COUNTERS_ORIG: u16 = 9;
pub(crate) const COUNTERS_REPLY: u16 = 10;
pub(crate) const USE: u16 = 11;
pub(crate) const ID: u16 = 12;
pub(crate) const NAT_DST: u16 = 13;
pub(crate) const TUPLE_MASTER: u16 = 14;
pub(crate) const SEQ_ADJ_ORIG: u16 = 15;
pub(crate) const SEQ_ADJ_REPLY: u16 = 16;
pub(crate) const SECMARK: u16 = 17;
pub(crate) const ZONE: u16 = 18;
pub(crate) const SECCTX: u16 = 19;
pub(crate) const TIMESTAMP: u16 = 20;
pub(crate) const MARK_MASK: u16 = 21;
pub(crate) const LABELS: u16 = 22;
pub(crate) const LABELS_MASK: u16 = 23;
pub(crate) const SYNPROXY: u16 = 24;
pub(crate) const FILTER: u16 = 25;
pub(crate) const STATUS_MASK: u16 = 26;
pub(crate) const TIMESTAMP_EVENT: u16 = 27;

/// Inside `CTA_PROTOINFO`.
pub(crate) mod protoinfo {
    pub(crate) const TCP: u16 = 1;
    pub(crate) const DCCP: u16 = 2;
    pub(crate) const SCTP: u16 = 3;

    pub(crate) const STATE: u16 = 1;
    pub(crate) const TCP_WSCALE_ORIGINAL: u16 = 2;
    pub(crate) const TCP_WSCALE_REPLY: u16 = 3;
    pub(crate) const TCP_FLAGS_ORIGINAL: u16 = 4;
    pub(crate) const TCP_FLAGS_REPLY: u16 = 5;
    pub(crate) const DCCP_ROLE: u16 = 2;
    pub(crate) const DCCP_HANDSHAKE_SEQ: u16 = 3;
    pub(crate) const SCTP_VTAG_ORIGINAL: u16 = 2;
    pub(crate) const SCTP_VTAG_REPLY: u16 = 3;
}

/// Inside `CTA_HELP`.
pub(crate) mod help {
    pub(crate) const NAME: u16 = 1;
    pub(crate) const INFO: u16 = 2;
}

/// Inside `CTA_NAT_SRC` and `CTA_NAT_DST`.
pub(crate) mod nat {
    pub(crate) const V4_MINIP: u16 = 1;
    pub(crate) const V4_MAXIP: u16 = 2;
    pub(crate) const PROTO: u16 = 3;
    pub(crate) const V6_MINIP: u16 = 4;
    pub(crate) const V6_MAXIP: u16 = 5;

    pub(crate) const PORT_MIN: u16 = 1;
    pub(crate) const PORT_MAX: u16 = 2;
}

/// Inside `CTA_COUNTERS_*`.
pub(crate) mod counters {
    pub(crate) const PACKETS: u16 = 1;
    pub(crate) const BYTES: u16 = 2;
}

/// Inside `CTA_SEQ_ADJ_*`.
pub(crate) mod sequence {
    pub(crate) const CORRECTION_POS: u16 = 1;
    pub(crate) const OFFSET_BEFORE: u16 = 2;
    pub(crate) const OFFSET_AFTER: u16 = 3;
}

/// Inside `CTA_SYNPROXY`.
pub(crate) mod synproxy {
    pub(crate) const ISN: u16 = 1;
    pub(crate) const ITS: u16 = 2;
    pub(crate) const TSOFF: u16 = 3;
}

/// Inside `CTA_TIMESTAMP`.
pub(crate) mod timestamp {
    pub(crate) const START: u16 = 1;
    pub(crate) const STOP: u16 = 2;
}

/// Inside `CTA_SECCTX`.
pub(crate) const SECCTX_NAME: u16 = 1;

/// Inside `CTA_FILTER`.
pub(crate) mod filter {
    pub(crate) const ORIG_FLAGS: u16 = 1;
    pub(crate) const REPLY_FLAGS: u16 = 2;
}
