//! The helpers that can be registered: those that upstream's daemon has.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use flow::Protocol;

/// What the kernel must know of a helper.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KnownHelper {
    /// Its name, also that of its only policy.
    pub name: &'static str,
    /// The protocol of its connections.
    pub protocol: Protocol,
    /// Bytes that the kernel keeps for each connection.
    pub private_data_len: u32,
    /// So many expectations a connection may have at once.
    pub expect_max: u32,
    /// So long an expectation lasts, in seconds.
    pub expect_timeout_s: u32,
}

const fn known(
    name: &'static str,
    protocol: Protocol,
    private_data_len: u32,
    [expect_max, expect_timeout_s]: [u32; 2],
) -> KnownHelper {
    KnownHelper { name, protocol, private_data_len, expect_max, expect_timeout_s }
}

/// All of them.
pub const HELPERS: [KnownHelper; 12] = [
    known("amanda", Protocol::Udp, 0, [3, 180]),
    known("dhcpv6", Protocol::Udp, 0, [1, 300]),
    known("ftp", Protocol::Tcp, 24, [1, 300]),
    known("mdns", Protocol::Udp, 0, [8, 30]),
    known("rpc", Protocol::Tcp, 16, [1, 300]),
    known("rpc", Protocol::Udp, 16, [1, 300]),
    known("sane", Protocol::Tcp, 4, [1, 300]),
    known("slp", Protocol::Udp, 0, [8, 16]),
    known("ssdp", Protocol::Udp, 0, [8, 300]),
    known("ssdp", Protocol::Tcp, 0, [8, 300]),
    known("tftp", Protocol::Udp, 0, [1, 300]),
    known("tns", Protocol::Tcp, 1, [1, 300]),
];

/// The helper of this name and protocol.
pub fn find(name: &OsStr, protocol: Protocol) -> Option<KnownHelper> {
    let is_it = |helper: &&KnownHelper| {
        helper.name.as_bytes() == name.as_bytes() && helper.protocol == protocol
    };
    HELPERS.iter().find(is_it).copied()
}
