//! What the daemon waits for: each descriptor has a name, and its name is the token of the poller.

/// Number of a client of the control socket: those that come later have higher ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct ClientId(pub u32);

/// A descriptor that can wake the daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Wake {
    /// A signal has come.
    Signal,
    /// The kernel has events.
    Events,
    /// The kernel goes on with a dump.
    Dump,
    /// A network device has changed.
    Devices,
    /// A client connects to the control socket.
    Control,
    /// A client can be read from or written to.
    Client(ClientId),
    /// A socket of a dedicated link: number of the link, and of its socket.
    Link {
        /// Which link.
        link: u8,
        /// Which of its sockets; the link decides what the numbers mean.
        socket: u8,
    },
}

impl Wake {
    /// The token: the kind in the upper half, numbers in the lower.
    pub fn token(self) -> u64 {
        let (kind, number): (u32, u32) = match self {
            Self::Signal => (0, 0),
            Self::Events => (1, 0),
            Self::Dump => (2, 0),
            Self::Devices => (3, 0),
            Self::Control => (4, 0),
            Self::Client(ClientId(number)) => (5, number),
            Self::Link { link, socket } => (6, u32::from_be_bytes([0, 0, link, socket])),
        };
        (u64::from(kind) << 32) | u64::from(number)
    }

    /// The name of a token; `None` for a number that is none.
    pub fn from_token(token: u64) -> Option<Self> {
        let [_, _, _, kind, a, b, c, d] = token.to_be_bytes();
        Some(match kind {
            0 => Self::Signal,
            1 => Self::Events,
            2 => Self::Dump,
            3 => Self::Devices,
            4 => Self::Control,
            5 => Self::Client(ClientId(u32::from_be_bytes([a, b, c, d]))),
            6 => Self::Link { link: c, socket: d },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientId, Wake};

    #[test]
    fn a_token_leads_back_to_its_name() {
        for wake in [
            Wake::Signal,
            Wake::Events,
            Wake::Dump,
            Wake::Devices,
            Wake::Control,
            Wake::Client(ClientId(0)),
            Wake::Client(ClientId(u32::MAX)),
            Wake::Link { link: 3, socket: 2 },
        ] {
            assert_eq!(Wake::from_token(wake.token()), Some(wake));
        }
        assert_eq!(Wake::from_token(7 << 32), None);
    }
}
