//! Status bits of a flow (`enum ip_conntrack_status`, `linux/netfilter/nf_conntrack_common.h`).

bitflags::bitflags! {
    /// Status bits. Bits of newer kernels survive without a name.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
    pub struct Status: u32 {
        /// `IPS_EXPECTED`: opened by an expectation.
        const EXPECTED = 1;
        /// `IPS_SEEN_REPLY`: packets went both ways.
        const SEEN_REPLY = 1 << 1;
        /// `IPS_ASSURED`: never evicted early.
        const ASSURED = 1 << 2;
        /// `IPS_CONFIRMED`: is in the table.
        const CONFIRMED = 1 << 3;
        /// `IPS_SRC_NAT`: the source is translated.
        const SRC_NAT = 1 << 4;
        /// `IPS_DST_NAT`: the destination is translated.
        const DST_NAT = 1 << 5;
        /// `IPS_SEQ_ADJUST`: TCP sequence numbers are adjusted.
        const SEQ_ADJUST = 1 << 6;
        /// `IPS_SRC_NAT_DONE`: source translation was decided, perhaps to none.
        const SRC_NAT_DONE = 1 << 7;
        /// `IPS_DST_NAT_DONE`: destination translation was decided, perhaps to none.
        const DST_NAT_DONE = 1 << 8;
        /// `IPS_DYING`: it ends. Set before its end is reported and before it is taken out of the table, in this order.
        const DYING = 1 << 9;
        /// `IPS_FIXED_TIMEOUT`: packets do not renew the timeout.
        const FIXED_TIMEOUT = 1 << 10;
        /// `IPS_TEMPLATE`: a template of a rule.
        const TEMPLATE = 1 << 11;
        /// `IPS_UNTRACKED`: no longer used by kernels.
        const UNTRACKED = 1 << 12;
        /// `IPS_HELPER`: a helper was attached explicitly.
        const HELPER = 1 << 13;
        /// `IPS_OFFLOAD`: forwarded by the software flow table.
        const OFFLOAD = 1 << 14;
        /// `IPS_HW_OFFLOAD`: forwarded by hardware.
        const HW_OFFLOAD = 1 << 15;

        const _ = !0;
    }
}
