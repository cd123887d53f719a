//! What opening sockets of the internet families has in common: steps that can fail, options, buffers.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
// The macros of the options name `libc` and each other.
use nix::sys::socket::{
    AddressFamily, SetSockOpt, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, setsockopt,
    socket, sockopt,
};
use nix::{libc, setsockopt_impl, sockopt_impl};

/// A step of opening a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// `socket`
    Open,
    /// An option.
    Configure,
    /// `bind`
    Bind,
    /// Membership of a multicast group.
    Join,
    /// `listen`
    Listen,
    /// `connect`
    Connect,
}

/// A socket that could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// The step that failed.
    pub step: Step,
    /// Why.
    pub error: io::Error,
}

impl OpenError {
    pub(crate) fn at<E: Into<io::Error>>(step: Step) -> impl FnOnce(E) -> Self {
        move |error| Self { step, error: error.into() }
    }
}

/// Whether datagrams carry a checksum. Only IPv4 can do without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants speak for themselves")]
pub enum Checksum {
    On,
    Off,
}

/// An open socket that does not block, of the family of this address.
pub(crate) fn open(family: &SocketAddr, kind: SockType) -> Result<OwnedFd, OpenError> {
    let family = match family {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let protocol: Option<SockProtocol> = None;
    socket(family, kind, flags, protocol).map_err(OpenError::at(Step::Open))
}

pub(crate) fn set<O: SetSockOpt>(fd: &OwnedFd, option: O, value: &O::Val) -> Result<(), OpenError> {
    setsockopt(fd, option, value).map_err(OpenError::at(Step::Configure))
}

/// Sets an option that kernels may not have, or not allow.
pub(crate) fn try_set<O: SetSockOpt>(
    fd: &OwnedFd,
    option: O,
    value: &O::Val,
) -> Result<(), OpenError> {
    match setsockopt(fd, option, value) {
        Err(Errno::ENOPROTOOPT | Errno::EPERM) => Ok(()),
        result => result.map_err(OpenError::at(Step::Configure)),
    }
}

/// Binds, so that other sockets of an IPv6 address stay those of IPv4.
pub(crate) fn bind_to(fd: &OwnedFd, local: &SocketAddr) -> Result<(), OpenError> {
    if local.is_ipv6() {
        set(fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(*local)).map_err(OpenError::at(Step::Bind))
}

/// Asks for a send buffer, past the system's limit where the right allows it.
pub(crate) fn set_send_buffer(fd: &OwnedFd, bytes: Option<u32>) -> Result<(), OpenError> {
    let Some(bytes) = bytes.and_then(size) else { return Ok(()) };
    if setsockopt(fd, sockopt::SndBufForce, &bytes).is_err() {
        set(fd, sockopt::SndBuf, &bytes)?;
    }
    Ok(())
}

/// Asks for a receive buffer, past the system's limit where the right allows it.
pub(crate) fn set_receive_buffer(fd: &OwnedFd, bytes: Option<u32>) -> Result<(), OpenError> {
    let Some(bytes) = bytes.and_then(size) else { return Ok(()) };
    if setsockopt(fd, sockopt::RcvBufForce, &bytes).is_err() {
        set(fd, sockopt::RcvBuf, &bytes)?;
    }
    Ok(())
}

/// The kernel's type is a signed one.
fn size(bytes: u32) -> Option<usize> {
    usize::try_from(bytes.min(i32::MAX.unsigned_abs())).ok()
}

sockopt_impl!(
    /// `SO_NO_CHECK`
    NoChecksum,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_NO_CHECK,
    bool
);
sockopt_impl!(
    /// `SO_BINDTOIFINDEX`: only packets of this device (Linux 5.1).
    BindToIndex,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_BINDTOIFINDEX,
    libc::c_int
);
sockopt_impl!(
    /// `IP_ADD_MEMBERSHIP` by address or index.
    Join4,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_ADD_MEMBERSHIP,
    libc::ip_mreqn
);
sockopt_impl!(
    /// `IPV6_ADD_MEMBERSHIP` by index.
    Join6,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_ADD_MEMBERSHIP,
    libc::ipv6_mreq
);
sockopt_impl!(
    /// `IP_MULTICAST_IF` by address or index.
    SendBy4,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_MULTICAST_IF,
    libc::ip_mreqn
);
sockopt_impl!(
    /// `IP_MULTICAST_ALL`: off, only the groups and devices that this socket has joined.
    AllGroups4,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_MULTICAST_ALL,
    bool
);
sockopt_impl!(
    /// `IPV6_MULTICAST_IF`
    SendBy6,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_MULTICAST_IF,
    libc::c_int
);
sockopt_impl!(
    /// `IPV6_MULTICAST_LOOP`
    Loop6,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_MULTICAST_LOOP,
    bool
);
