//! A netlink socket of the netfilter family (`NETLINK_NETFILTER`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockopt, recv,
    sendto, setsockopt, socket, sockopt,
};

/// Which step of opening a socket failed.
#[derive(Debug)]
pub enum OpenError {
    /// `socket`.
    Open(io::Error),
    /// `bind`, which also joins the groups.
    Bind(io::Error),
}

/// An open and bound socket.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Opens a socket that is a member of the multicast groups of this mask; 0 for none.
    ///
    /// Membership needs `CAP_NET_ADMIN`.
    pub fn open(groups: u32) -> Result<Self, OpenError> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkNetFilter,
        )
        .map_err(|errno| OpenError::Open(errno.into()))?;
        // Port 0: the kernel chooses.
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))
            .map_err(|errno| OpenError::Bind(errno.into()))?;
        Ok(Self { fd })
    }

    /// Sends one datagram to the kernel.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        retry(|| sendto(self.fd.as_raw_fd(), datagram, &kernel, MsgFlags::empty()))?;
        Ok(())
    }

    /// Waits for a datagram and returns its length, which is more than the buffer's if it did not fit.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| recv(self.fd.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC))
    }

    /// Like [`Socket::receive`], but `WouldBlock` if no datagram waits.
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
        retry(|| recv(self.fd.as_raw_fd(), buffer, flags))
    }

    /// Asks for a receive buffer of this many bytes and returns what the kernel made of it: twice as much, or less.
    ///
    /// The system's limit (`net.core.rmem_max`) is passed over where the right allows it.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<usize> {
        if setsockopt(&self.fd, sockopt::RcvBufForce, &bytes).is_err() {
            setsockopt(&self.fd, sockopt::RcvBuf, &bytes)?;
        }
        Ok(getsockopt(&self.fd, sockopt::RcvBuf)?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Socket;

    #[test]
    fn nothing_waits_on_a_new_socket_and_its_buffer_can_grow() {
        let socket = Socket::open(0).unwrap();
        let waiting = socket.try_receive(&mut [0; 16]).unwrap_err();
        assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
        assert!(socket.set_receive_buffer(100_000).unwrap() >= 100_000);
    }
}
