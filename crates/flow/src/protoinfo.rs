//! State that the TCP, SCTP and DCCP trackers keep (`CTA_PROTOINFO`).
//!
//! Every part is optional: the kernel sends only the state in a DESTROY event, and a change may name just one part.

use crate::PerDirection;

/// Tracker state of a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum ProtoInfo {
    /// `CTA_PROTOINFO_TCP`.
    Tcp(TcpInfo),
    /// `CTA_PROTOINFO_SCTP`.
    Sctp(SctpInfo),
    /// `CTA_PROTOINFO_DCCP`.
    Dccp(DccpInfo),
}

impl ProtoInfo {
    /// Name of the state as the tools print it: `NONE` when the number has no name, `None` when no state is there.
    pub fn state_name(&self) -> Option<&'static str> {
        match self {
            Self::Tcp(tcp) => tcp.state.map(|state| state.name().unwrap_or("NONE")),
            Self::Sctp(sctp) => sctp.state.map(|state| state.name().unwrap_or("NONE")),
            Self::Dccp(dccp) => dccp.state.map(|state| state.name().unwrap_or("NONE")),
        }
    }
}

/// Defines a state number with the kernel's names: constants, `name` and `from_name`.
macro_rules! states {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
        pub struct $type(pub u8);

        impl $type {
            $(
                #[doc = concat!("State ", stringify!($value), ".")]
                pub const $name: Self = Self($value);
            )*

            /// The kernel's name of the state, `None` for a number of a newer kernel.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// The state of this name (upper case, whole).
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

states! {
    /// TCP state (`enum tcp_conntrack`).
    TcpState {
        NONE = 0,
        SYN_SENT = 1,
        SYN_RECV = 2,
        ESTABLISHED = 3,
        FIN_WAIT = 4,
        CLOSE_WAIT = 5,
        LAST_ACK = 6,
        TIME_WAIT = 7,
        CLOSE = 8,
        SYN_SENT2 = 9,
    }
}

states! {
    /// SCTP state (`enum sctp_conntrack`).
    SctpState {
        NONE = 0,
        CLOSED = 1,
        COOKIE_WAIT = 2,
        COOKIE_ECHOED = 3,
        ESTABLISHED = 4,
        SHUTDOWN_SENT = 5,
        SHUTDOWN_RECD = 6,
        SHUTDOWN_ACK_SENT = 7,
        HEARTBEAT_SENT = 8,
        HEARTBEAT_ACKED = 9,
    }
}

states! {
    /// DCCP state (`enum ct_dccp_states`).
    DccpState {
        NONE = 0,
        REQUEST = 1,
        RESPOND = 2,
        PARTOPEN = 3,
        OPEN = 4,
        CLOSEREQ = 5,
        CLOSING = 6,
        TIMEWAIT = 7,
        IGNORE = 8,
        INVALID = 9,
    }
}

bitflags::bitflags! {
    /// Flags of one direction of a TCP flow (`IP_CT_TCP_FLAG_*`).
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
    pub struct TcpFlags: u8 {
        /// The peer offers window scaling.
        const WINDOW_SCALE = 0x01;
        /// The peer permits selective acknowledgement.
        const SACK_PERM = 0x02;
        /// The peer closed first.
        const CLOSE_INIT = 0x04;
        /// Packets outside of the window are accepted.
        const BE_LIBERAL = 0x08;
        /// Data is not acknowledged yet.
        const DATA_UNACKNOWLEDGED = 0x10;
        /// The highest acknowledgement is known.
        const MAXACK_SET = 0x20;
        /// A challenge ACK was seen (RFC 5961).
        const CHALLENGE_ACK = 0x40;
        /// Both sides opened.
        const SIMULTANEOUS_OPEN = 0x80;

        const _ = !0;
    }
}

/// TCP flags with the mask of those that a change touches; the kernel sends the mask as 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct TcpFlagsMasked {
    /// The flags.
    pub flags: TcpFlags,
    /// Which of them a change sets or clears.
    pub mask: TcpFlags,
}

/// TCP tracker state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct TcpInfo {
    /// `CTA_PROTOINFO_TCP_STATE`.
    pub state: Option<TcpState>,
    /// `CTA_PROTOINFO_TCP_WSCALE_*`: window scale, a shift of 0 to 14 (RFC 7323).
    pub window_scale: PerDirection<Option<u8>>,
    /// `CTA_PROTOINFO_TCP_FLAGS_*`.
    pub flags: PerDirection<Option<TcpFlagsMasked>>,
}

/// SCTP tracker state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct SctpInfo {
    /// `CTA_PROTOINFO_SCTP_STATE`.
    pub state: Option<SctpState>,
    /// `CTA_PROTOINFO_SCTP_VTAG_*`: verification tags (RFC 9260 section 3.1), as numbers of the wire.
    pub vtags: PerDirection<Option<u32>>,
}

/// Which end of a DCCP flow the original direction comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct DccpRole(pub u8);

impl DccpRole {
    /// `CT_DCCP_ROLE_CLIENT`.
    pub const CLIENT: Self = Self(0);
    /// `CT_DCCP_ROLE_SERVER`.
    pub const SERVER: Self = Self(1);
}

/// DCCP tracker state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct DccpInfo {
    /// `CTA_PROTOINFO_DCCP_STATE`.
    pub state: Option<DccpState>,
    /// `CTA_PROTOINFO_DCCP_ROLE`.
    pub role: Option<DccpRole>,
    /// `CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ`, 48 bits (RFC 4340 section 7.1).
    pub handshake_sequence: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::{SctpState, TcpState};

    #[test]
    fn state_names_map_back_to_their_numbers() {
        for number in 0..=9 {
            let tcp = TcpState(number);
            assert_eq!(TcpState::from_name(tcp.name().unwrap()), Some(tcp));
            let sctp = SctpState(number);
            assert_eq!(SctpState::from_name(sctp.name().unwrap()), Some(sctp));
        }
        assert_eq!(TcpState(10).name(), None);
        assert_eq!(TcpState::from_name("established"), None);
    }
}
