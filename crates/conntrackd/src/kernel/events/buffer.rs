//! What is to be said of the receive buffer, which `ctnetlink::client::EventSocket` makes larger.

use ctnetlink::client::Growth;

/// What is to be said of the receive buffer of the event socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BufferNotice {
    /// `NetlinkBufferSize is either not set or is greater than NetlinkBufferSizeMaxGrowth. Using current system buffer
    /// size`.
    OfSystem,
    /// `netlink event socket buffer size has been set to N bytes`.
    Set {
        /// As the kernel accounts for it.
        bytes: usize,
    },
    /// `netlink event socket buffer size has been doubled to N bytes`.
    Doubled {
        /// As the kernel accounts for it.
        bytes: usize,
    },
    /// A warning: `netlink event socket buffer size cannot be doubled further…`. Said once.
    CannotGrow,
}

impl BufferNotice {
    /// What a full buffer led to, unless there is nothing new to say.
    pub(super) fn of(growth: Growth) -> Option<Self> {
        match growth {
            Growth::Doubled { bytes } => Some(Self::Doubled { bytes }),
            Growth::Ended => Some(Self::CannotGrow),
            Growth::None => None,
        }
    }
}
