//! What a link needs of the configuration, and its addresses as sockets take them.
//!
//! An address of one network segment (link-local) is only one together with a device, and a device that comes back has
//! another index. So addresses are made when a socket is opened.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;

use sys::datagram::{Checksum, Group};

use crate::config;

/// What links of all kinds have.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) interface: String,
    pub(super) port: u16,
    pub(super) send_buffer_bytes: Option<u32>,
    pub(super) receive_buffer_bytes: Option<u32>,
    pub(super) checksum: Checksum,
}

impl Settings {
    pub(super) fn of<A>(link: &config::Link<A>) -> Self {
        Self {
            interface: link.interface.0.clone(),
            port: link.port,
            send_buffer_bytes: link.send_buffer_bytes.map(NonZeroU32::get),
            receive_buffer_bytes: link.receive_buffer_bytes.map(NonZeroU32::get),
            checksum: if link.checksum { Checksum::On } else { Checksum::Off },
        }
    }
}

/// The own address and that of the peer.
pub(super) fn ends(ends: config::Ends) -> (IpAddr, IpAddr) {
    match ends {
        config::Ends::V4 { own, peer } => (own.into(), peer.into()),
        config::Ends::V6 { own, peer } => (own.into(), peer.into()),
    }
}

/// An address with the index of the device. The kernel heeds it where the address needs it.
pub(super) fn scoped(address: IpAddr, port: u16, device: u32) -> SocketAddr {
    match address {
        IpAddr::V4(address) => SocketAddr::new(address.into(), port),
        IpAddr::V6(address) => SocketAddrV6::new(address, port, 0, device).into(),
    }
}

/// Whether an address means nothing without a device.
pub(super) fn needs_device(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// A group and the device that joins it.
pub(super) fn group(group: config::Group, device: u32) -> Group {
    match group {
        config::Group::V4 { group, own } => Group::V4 { group, own, device },
        config::Group::V6(group) => Group::V6 { group, device },
    }
}
