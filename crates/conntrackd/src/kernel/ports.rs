//! Who caused an event: the socket whose request made the change.

use ctsync::Origin;

/// What a change means to this daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventCause {
    /// Traffic, a timeout, or another program: the peer is to know.
    Others,
    /// A commit or a flush of this daemon: the internal cache is to know, not the peer.
    Own,
    /// A change that the peer told of and that was put into the table at once: nobody is to know.
    Injected,
}

impl EventCause {
    /// What a node is told; `None` if it is not told of this at all.
    pub fn origin(self) -> Option<Origin> {
        match self {
            Self::Others => Some(Origin::Others),
            Self::Own => Some(Origin::Own),
            Self::Injected => None,
        }
    }
}

/// Ports of the sockets that this daemon makes changes with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ports {
    /// Of commits.
    pub commit: u32,
    /// Of flushes, filtered or not.
    pub flush: u32,
    /// Of injected changes.
    pub inject: u32,
}

impl Ports {
    /// The cause of an event with this port; the kernel's own have 0.
    pub fn cause(&self, port_id: u32) -> EventCause {
        match port_id {
            0 => EventCause::Others,
            port if port == self.inject => EventCause::Injected,
            port if port == self.commit || port == self.flush => EventCause::Own,
            _ => EventCause::Others,
        }
    }
}

#[cfg(test)]
mod tests {
    use ctsync::Origin;

    use super::{EventCause, Ports};

    #[test]
    fn own_changes_are_known_by_their_port() {
        let ports = Ports { commit: 11, flush: 12, inject: 13 };
        for (port, cause, origin) in [
            (0, EventCause::Others, Some(Origin::Others)),
            (11, EventCause::Own, Some(Origin::Own)),
            (12, EventCause::Own, Some(Origin::Own)),
            (13, EventCause::Injected, None),
            (14, EventCause::Others, Some(Origin::Others)),
        ] {
            assert_eq!(ports.cause(port), cause);
            assert_eq!(cause.origin(), origin);
        }
    }
}
