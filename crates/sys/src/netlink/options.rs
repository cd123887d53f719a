//! Socket options that nix has no type for, by its own macros.

use nix::libc;
use nix::sys::socket::sockopt::{GetStruct, SetBool, SetStruct};
use nix::{getsockopt_impl, setsockopt_impl};

/// Numbers of [`MemoryInfo`] (`SK_MEMINFO_VARS`, `linux/sock_diag.h`); the last one is `SK_MEMINFO_DROPS`.
const MEMORY_NUMBERS: usize = 9;

/// `NETLINK_ADD_MEMBERSHIP`.
#[derive(Clone, Copy)]
pub(super) struct AddMembership;
setsockopt_impl!(
    AddMembership,
    libc::SOL_NETLINK,
    libc::NETLINK_ADD_MEMBERSHIP,
    u32,
    SetStruct<'_, u32>
);

/// `NETLINK_BROADCAST_ERROR`.
#[derive(Clone, Copy)]
pub(super) struct BroadcastError;
setsockopt_impl!(BroadcastError, libc::SOL_NETLINK, libc::NETLINK_BROADCAST_ERROR, bool, SetBool);

/// `NETLINK_NO_ENOBUFS`.
#[derive(Clone, Copy)]
pub(super) struct NoBufferError;
setsockopt_impl!(NoBufferError, libc::SOL_NETLINK, libc::NETLINK_NO_ENOBUFS, bool, SetBool);

/// `NETLINK_CAP_ACK`.
#[derive(Clone, Copy)]
pub(super) struct CapAcknowledgement;
setsockopt_impl!(CapAcknowledgement, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, bool, SetBool);

/// `NETLINK_EXT_ACK`.
#[derive(Clone, Copy)]
pub(super) struct ExtendedAcknowledgement;
setsockopt_impl!(ExtendedAcknowledgement, libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, bool, SetBool);

/// `SO_MEMINFO` (Linux 4.12): memory of the socket, and how many datagrams found no room.
#[derive(Clone, Copy)]
pub(super) struct MemoryInfo;
getsockopt_impl!(
    MemoryInfo,
    libc::SOL_SOCKET,
    libc::SO_MEMINFO,
    [u32; MEMORY_NUMBERS],
    GetStruct<[u32; MEMORY_NUMBERS]>
);
