//! A netlink socket of the netfilter family (`NETLINK_NETFILTER`).
//!
//! Everything that is received comes from the kernel: a datagram of another program (sender's port not 0) is passed over.

mod options;
mod receiving;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname,
    getsockopt, sendto, setsockopt, socket, sockopt,
};

use options::{
    AddMembership, BroadcastError, CapAcknowledgement, ExtendedAcknowledgement, MemoryInfo,
    NoBufferError,
};

pub use receiving::{Datagram, Slots};

/// Which step of opening a socket failed.
#[derive(Debug)]
pub enum OpenError {
    /// `socket`.
    Open(io::Error),
    /// `bind`, which also joins the groups.
    Bind(io::Error),
}

impl From<OpenError> for io::Error {
    /// For whom the step is all the same.
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Open(error) | OpenError::Bind(error) => error,
        }
    }
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

    /// Joins a multicast group by its number (`NFNLGRP_*`). Needs `CAP_NET_ADMIN`.
    pub fn join(&self, group: u32) -> io::Result<()> {
        Ok(setsockopt(&self.fd, AddMembership, &group)?)
    }

    /// The port that the kernel gave this socket: changes that are made over it carry it in their events.
    pub fn port_id(&self) -> io::Result<u32> {
        Ok(getsockname::<NetlinkAddr>(self.fd.as_raw_fd())?.pid())
    }

    /// Sends one datagram to the kernel, which has handled its requests when this returns.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        retry(|| sendto(self.fd.as_raw_fd(), datagram, &kernel, MsgFlags::empty()))?;
        Ok(())
    }

    /// Waits for a datagram and returns its length, which is more than the buffer's if it did not fit.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        receiving::one(self.fd.as_fd(), buffer, MsgFlags::empty())
    }

    /// Like [`Socket::receive`], but `WouldBlock` if no datagram waits.
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        receiving::one(self.fd.as_fd(), buffer, MsgFlags::MSG_DONTWAIT)
    }

    /// Takes the datagrams that wait, at most `most` and as many as there are slots, and hands them to `each`.
    ///
    /// Returns how many were taken; `WouldBlock` if none waits. Error 105 (`ENOBUFS`) says that some were lost before
    /// those that still wait; it comes once.
    pub fn try_receive_many(
        &self,
        slots: &mut Slots,
        most: usize,
        each: impl FnMut(Datagram<'_>),
    ) -> io::Result<usize> {
        receiving::many(self.fd.as_fd(), slots, most, each)
    }

    /// Asks for a receive buffer of this many bytes and returns what the kernel made of it: twice as much, or less.
    ///
    /// The system's limit (`net.core.rmem_max`) is passed over where the right allows it.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<usize> {
        if setsockopt(&self.fd, sockopt::RcvBufForce, &bytes).is_err() {
            setsockopt(&self.fd, sockopt::RcvBuf, &bytes)?;
        }
        self.receive_buffer()
    }

    /// Size of the receive buffer in bytes, as the kernel accounts for it.
    pub fn receive_buffer(&self) -> io::Result<usize> {
        Ok(getsockopt(&self.fd, sockopt::RcvBuf)?)
    }

    /// Size of the send buffer in bytes. A longer datagram cannot be sent.
    pub fn send_buffer(&self) -> io::Result<usize> {
        Ok(getsockopt(&self.fd, sockopt::SndBuf)?)
    }

    /// The kernel keeps what does not fit and tries again, as far as it can (`NETLINK_BROADCAST_ERROR`), and no longer
    /// reports a full buffer here (`NETLINK_NO_ENOBUFS`).
    pub fn set_reliable(&self) -> io::Result<()> {
        setsockopt(&self.fd, BroadcastError, &true)?;
        Ok(setsockopt(&self.fd, NoBufferError, &true)?)
    }

    /// A refusal holds the header of its request alone (`NETLINK_CAP_ACK`), so that many fit into the buffer.
    pub fn set_short_refusals(&self) -> io::Result<()> {
        Ok(setsockopt(&self.fd, CapAcknowledgement, &true)?)
    }

    /// A refusal of a malformed attribute is explained (`NETLINK_EXT_ACK`).
    pub fn set_explained_refusals(&self) -> io::Result<()> {
        Ok(setsockopt(&self.fd, ExtendedAcknowledgement, &true)?)
    }

    /// How much of the receive buffer is taken, in bytes.
    pub fn waiting_bytes(&self) -> io::Result<usize> {
        let [taken, ..] = getsockopt(&self.fd, MemoryInfo)?;
        Ok(usize::try_from(taken).unwrap_or(usize::MAX))
    }

    /// How many datagrams did not fit into the receive buffer since the socket was opened. It wraps.
    pub fn drops(&self) -> io::Result<u32> {
        let [.., drops] = getsockopt(&self.fd, MemoryInfo)?;
        Ok(drops)
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
mod tests;
