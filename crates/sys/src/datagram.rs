//! UDP sockets of a dedicated link: one that receives, one that sends. None of them blocks.
//!
//! The sender is neither bound nor connected: the route chooses its address, and a peer that is away is no error. The
//! receiver takes datagrams in batches. Options are those of upstream, seen with `strace`; in addition a member of a
//! group takes only packets that came in by the device that joined.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockType, SockaddrStorage, recvmmsg, setsockopt, sockopt,
};

use crate::inet::{
    self, AllGroups4, BindToIndex, Join4, Join6, Loop6, NoChecksum, SendBy4, SendBy6, bind_to, set,
    set_receive_buffer, set_send_buffer, try_set,
};
pub use crate::inet::{Checksum, OpenError, Step};

/// A multicast group and who joins it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// IPv4.
    V4 {
        /// The group.
        group: Ipv4Addr,
        /// The own address whose device joins and that datagrams are sent from. `None` leaves it to the index.
        own: Option<Ipv4Addr>,
        /// Index of the device.
        device: u32,
    },
    /// IPv6. A group of one link is that of the device.
    V6 {
        /// The group.
        group: Ipv6Addr,
        /// Index of the device.
        device: u32,
    },
}

impl Group {
    fn address(self, port: u16) -> SocketAddr {
        match self {
            Self::V4 { group, .. } => SocketAddr::new(IpAddr::V4(group), port),
            Self::V6 { group, device } => SocketAddrV6::new(group, port, 0, device).into(),
        }
    }
}

/// Index as the kernel's structures have it.
fn index(device: u32) -> Result<libc::c_int, OpenError> {
    let no_device = |_| OpenError::at(Step::Configure)(Errno::ENODEV);
    libc::c_int::try_from(device).map_err(no_device)
}

/// The group by the device of the address, or by the device if there is none.
fn membership(
    group: Ipv4Addr,
    own: Option<Ipv4Addr>,
    device: u32,
) -> Result<libc::ip_mreqn, OpenError> {
    // Octets of an address stay in the order of the network.
    let address = |a: Ipv4Addr| libc::in_addr { s_addr: u32::from_ne_bytes(a.octets()) };
    Ok(libc::ip_mreqn {
        imr_multiaddr: address(group),
        imr_address: address(own.unwrap_or(Ipv4Addr::UNSPECIFIED)),
        imr_ifindex: if own.is_some() { 0 } else { index(device)? },
    })
}

/// A socket that receives datagrams.
#[derive(Debug)]
pub struct Receiver {
    fd: OwnedFd,
}

impl Receiver {
    /// A socket of an own address. The device of a link-local one is its scope.
    pub fn bind(local: SocketAddr, buffer_bytes: Option<u32>) -> Result<Self, OpenError> {
        let fd = inet::open(&local, SockType::Datagram)?;
        set_receive_buffer(&fd, buffer_bytes)?;
        bind_to(&fd, &local)?;
        Ok(Self { fd })
    }

    /// A member of a group. It is bound to the group, so that datagrams to an own address do not reach it.
    pub fn join(group: Group, port: u16, buffer_bytes: Option<u32>) -> Result<Self, OpenError> {
        let local = group.address(port);
        let fd = inet::open(&local, SockType::Datagram)?;
        set(&fd, sockopt::ReuseAddr, &true)?;
        set_receive_buffer(&fd, buffer_bytes)?;
        match group {
            Group::V4 { .. } => try_set(&fd, AllGroups4, &false)?,
            Group::V6 { device, .. } => try_set(&fd, BindToIndex, &index(device)?)?,
        }
        bind_to(&fd, &local)?;
        match group {
            Group::V4 { group, own, device } => {
                setsockopt(&fd, Join4, &membership(group, own, device)?)
            }
            Group::V6 { group, device } => {
                let ipv6mr_multiaddr = libc::in6_addr { s6_addr: group.octets() };
                let ipv6mr_interface = index(device)?.unsigned_abs();
                setsockopt(&fd, Join6, &libc::ipv6_mreq { ipv6mr_multiaddr, ipv6mr_interface })
            }
        }
        .map_err(OpenError::at(Step::Join))?;
        Ok(Self { fd })
    }

    /// Replaces the content of the batch by datagrams that wait, at most as many as it holds and no more than `most`.
    /// `WouldBlock` if none waits. After an error the batch is empty.
    pub fn receive(&self, batch: &mut Batch, most: usize) -> io::Result<()> {
        batch.len = 0;
        let mut chunks = batch.buffer.chunks_exact_mut(Batch::DATAGRAM_BYTES);
        let mut slices: [[IoSliceMut<'_>; 1]; Batch::DATAGRAMS] =
            std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
        let (fd, flags) = (self.fd.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let wanted = slices.iter_mut().take(most);
        let received = recvmmsg(fd, &mut batch.headers, wanted, flags, None)?;
        for (len, message) in batch.lens.iter_mut().zip(received) {
            *len = message.bytes;
            batch.len += 1;
        }
        Ok(())
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Room for datagrams of any size, which is used again and again.
pub struct Batch {
    // Reused as they are: an address has room for every family.
    headers: MultiHeaders<SockaddrStorage>,
    buffer: Box<[u8]>,
    lens: [usize; Self::DATAGRAMS],
    len: usize,
}

impl Batch {
    /// How many datagrams one system call takes at most.
    pub const DATAGRAMS: usize = 16;
    /// The longest datagram of both families is shorter.
    const DATAGRAM_BYTES: usize = 1 << 16;

    /// An empty one. Memory that no datagram needed stays unused.
    pub fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(Self::DATAGRAMS, None),
            buffer: vec![0; Self::DATAGRAMS * Self::DATAGRAM_BYTES].into(),
            lens: [0; Self::DATAGRAMS],
            len: 0,
        }
    }

    /// How many datagrams it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was received last.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let chunks = self.buffer.chunks_exact(Self::DATAGRAM_BYTES);
        chunks.zip(self.lens).take(self.len).map(|(chunk, len)| chunk.get(..len).unwrap_or(chunk))
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("len", &self.len).finish_non_exhaustive()
    }
}

/// A socket that sends datagrams to one address.
#[derive(Debug)]
pub struct Sender {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Sender {
    /// To one node. The device of a link-local address is its scope.
    pub fn to_node(
        to: SocketAddr,
        buffer_bytes: Option<u32>,
        checksum: Checksum,
    ) -> Result<Self, OpenError> {
        let fd = inet::open(&to, SockType::Datagram)?;
        set_send_buffer(&fd, buffer_bytes)?;
        try_set(&fd, NoChecksum, &(checksum == Checksum::Off))?;
        Ok(Self { socket: fd.into(), to })
    }

    /// To a group, one hop far (the kernel's default), and not to this machine.
    pub fn to_group(
        group: Group,
        port: u16,
        buffer_bytes: Option<u32>,
        checksum: Checksum,
    ) -> Result<Self, OpenError> {
        let to = group.address(port);
        let Self { socket, to } = Self::to_node(to, buffer_bytes, checksum)?;
        let fd = OwnedFd::from(socket);
        match group {
            Group::V4 { group, own, device } => {
                set(&fd, sockopt::IpMulticastLoop, &false)?;
                set(&fd, SendBy4, &membership(group, own, device)?)?;
            }
            Group::V6 { device, .. } => {
                set(&fd, Loop6, &false)?;
                set(&fd, SendBy6, &index(device)?)?;
            }
        }
        Ok(Self { socket: fd.into(), to })
    }

    /// Sends a datagram. `WouldBlock` if the socket's buffer is full.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        loop {
            match self.socket.send_to(datagram, self.to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(drop),
            }
        }
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{SocketAddr, UdpSocket};

    use super::{Batch, Checksum, Group, Receiver, Sender, Step};

    fn pair(address: &str) -> (Sender, Receiver) {
        // A free port: taken and given back.
        let port = UdpSocket::bind((address, 0)).unwrap().local_addr().unwrap().port();
        let local = SocketAddr::new(address.parse().unwrap(), port);
        let receiver = Receiver::bind(local, Some(1 << 20)).unwrap();
        (Sender::to_node(local, Some(1 << 20), Checksum::Off).unwrap(), receiver)
    }

    #[test]
    fn a_batch_holds_what_waits_up_to_its_bound() {
        for address in ["127.0.0.1", "::1"] {
            let (sender, receiver) = pair(address);
            let mut batch = Batch::new();
            let none = receiver.receive(&mut batch, 16).unwrap_err();
            assert_eq!(none.kind(), ErrorKind::WouldBlock);
            for len in [0, 1, 65_000].into_iter().chain(10..30) {
                sender.send(&vec![7; len]).unwrap();
            }
            let mut lens = Vec::new();
            for (most, taken) in [(2, 2), (100, 16), (100, 5)] {
                receiver.receive(&mut batch, most).unwrap();
                assert_eq!(batch.len(), taken, "{address}");
                lens.extend(batch.datagrams().map(<[u8]>::len));
            }
            assert_eq!(lens, [0, 1, 65_000].into_iter().chain(10..30).collect::<Vec<_>>());
            receiver.receive(&mut batch, 16).unwrap_err();
            assert!(batch.is_empty());
        }
    }

    #[test]
    fn a_port_where_nobody_listens_is_no_error() {
        let (sender, receiver) = pair("127.0.0.1");
        drop(receiver);
        for _ in 0..3 {
            sender.send(b"x").unwrap();
        }
    }

    #[test]
    fn the_step_that_fails_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = Receiver::bind(taken.local_addr().unwrap(), None).unwrap_err();
        assert_eq!(error.step, Step::Bind);
        let group = Group::V4 { group: [225, 0, 0, 50].into(), own: None, device: 1 << 30 };
        let error = Receiver::join(group, 3780, None).unwrap_err();
        assert_eq!((error.step, error.error.raw_os_error()), (Step::Join, Some(19)));
    }
}
