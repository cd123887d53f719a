//! How many messages go into one datagram.
//!
//! A message joins those before it while the sum stays below the limit; else they are sent and it begins the next
//! datagram. A message that fits into no datagram at all is an error, where upstream never ends.

/// A message is not below the limit of a datagram: the MTU is too small.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a message of {len} bytes, only less than {limit} fit into a datagram")]
pub struct TooLong {
    /// Its length.
    pub len: usize,
    /// The limit.
    pub limit: usize,
}

/// What carries messages over the link.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Carrier {
    /// UDP over IPv4, multicast or not.
    UdpIpv4,
    /// UDP over IPv6.
    UdpIpv6,
    /// TCP over IPv4.
    TcpIpv4,
    /// TCP over IPv6.
    TcpIpv6,
}

impl Carrier {
    /// Bytes of its headers in a packet.
    fn overhead(self) -> usize {
        match self {
            Self::UdpIpv4 => 28,
            Self::UdpIpv6 => 48,
            Self::TcpIpv4 => 40,
            Self::TcpIpv6 => 60,
        }
    }
}

/// Datagrams are shorter than this.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct DatagramLimit(usize);

/// Where a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// To those that wait.
    Joins,
    /// Into the next datagram: those that wait are to be sent first.
    Begins,
}

impl DatagramLimit {
    /// The limit of an interface with this MTU.
    pub fn of(mtu: usize, carrier: Carrier) -> Self {
        Self(mtu.saturating_sub(carrier.overhead()))
    }

    /// Where a message of `len` bytes goes when `waiting` bytes wait already.
    pub fn room(self, waiting: usize, len: usize) -> Result<Room, TooLong> {
        let Self(limit) = self;
        if len >= limit {
            Err(TooLong { len, limit })
        } else if waiting.saturating_add(len) < limit {
            Ok(Room::Joins)
        } else {
            Ok(Room::Begins)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Carrier, DatagramLimit, Room, TooLong};

    #[test]
    fn the_sum_stays_below_the_limit() {
        let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
        assert_eq!(limit.room(1471 - 76, 76), Ok(Room::Joins));
        assert_eq!(limit.room(1472 - 76, 76), Ok(Room::Begins));
        assert_eq!(limit.room(0, 1471), Ok(Room::Joins));
        assert_eq!(limit.room(0, 1472), Err(TooLong { len: 1472, limit: 1472 }));
    }

    #[test]
    fn a_small_mtu_is_an_error_and_not_a_loop() {
        let limit = DatagramLimit::of(100, Carrier::UdpIpv4);
        assert_eq!(limit.room(0, 84), Err(TooLong { len: 84, limit: 72 }));
        assert_eq!(limit.room(0, 71), Ok(Room::Joins));
        assert!(DatagramLimit::of(10, Carrier::TcpIpv6).room(0, 0).is_err());
    }
}
