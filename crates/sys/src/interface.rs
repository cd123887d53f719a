//! Network devices: their state, and word of its changes.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

/// Whether there is a device of this name.
pub fn exists(name: &str) -> bool {
    nix::net::if_::if_nametoindex(name).is_ok()
}

/// State of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    /// Its number. One that vanishes and comes back has another.
    pub index: u32,
    /// It is switched on (`IFF_UP`).
    pub is_up: bool,
    /// It can carry packets (`IFF_RUNNING`): an Ethernet device has a carrier.
    pub is_running: bool,
    /// The longest packet in bytes.
    pub mtu: u32,
}

/// Tells the state of devices and when to look again. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Watcher {
    events: OwnedFd,
    asks: OwnedFd,
}

impl Watcher {
    /// Begins to watch (`RTMGRP_LINK` of rtnetlink). Needs no right.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let route = SockProtocol::NetlinkRoute;
        let events = socket(AddressFamily::Netlink, SockType::Raw, flags, route)?;
        let group = libc::RTMGRP_LINK.unsigned_abs();
        bind(events.as_raw_fd(), &NetlinkAddr::new(0, group))?;
        let protocol: Option<SockProtocol> = None;
        let asks = socket(AddressFamily::Inet, SockType::Datagram, flags, protocol)?;
        Ok(Self { events, asks })
    }

    /// Whether any device has changed since the last call. What exactly is for [`device`](Self::device) to say.
    ///
    /// At most 64 messages are passed over at a time; the rest makes the descriptor readable again.
    pub fn has_changed(&self) -> io::Result<bool> {
        let mut has_changed = false;
        for _ in 0..64 {
            match recv(self.events.as_raw_fd(), &mut [0; 16], MsgFlags::empty()) {
                // Lost messages are news as well.
                Ok(_) | Err(Errno::ENOBUFS) => has_changed = true,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(has_changed)
    }

    /// State of a device. `ENODEV` if there is none of this name.
    pub fn device(&self, name: &str) -> io::Result<Device> {
        let index = self.ask(name, libc::SIOCGIFINDEX)?;
        let mtu = self.ask(name, libc::SIOCGIFMTU)?;
        let [low, high, ..] = self.ask(name, libc::SIOCGIFFLAGS)?;
        let flags = libc::c_int::from(u16::from_ne_bytes([low, high]));
        Ok(Device {
            index: u32::from_ne_bytes(index),
            is_up: flags & libc::IFF_UP != 0,
            is_running: flags & libc::IFF_RUNNING != 0,
            mtu: u32::from_ne_bytes(mtu),
        })
    }

    /// The first bytes of the answer to a request about a device.
    fn ask(&self, name: &str, request: libc::c_ulong) -> io::Result<[u8; 4]> {
        let mut question = Question { name: [0; libc::IFNAMSIZ], answer: [0; 4], rest: [0; 20] };
        // The name has a zero at its end.
        if name.len() >= libc::IFNAMSIZ || name.is_empty() {
            return Err(Errno::ENODEV.into());
        }
        for (to, from) in question.name.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        let fd = self.asks.as_raw_fd();
        #[expect(unsafe_code, reason = "no safe face exists for requests about devices")]
        // SAFETY: the requests of this module read and write a `struct ifreq` behind the pointer. `Question` has its
        // layout and at least its size, and lives until the call returns; the descriptor is open as `self` owns it.
        let result = unsafe { libc::ioctl(fd, request, &raw mut question) };
        Errno::result(result)?;
        Ok(question.answer)
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

/// `struct ifreq`: the name, then a union that begins with the answers asked for here.
#[repr(C, align(8))]
struct Question {
    name: [u8; libc::IFNAMSIZ],
    answer: [u8; 4],
    rest: [u8; 20],
}

const _: () = assert!(size_of::<Question>() >= size_of::<libc::ifreq>());

#[cfg(test)]
mod tests {
    use super::Watcher;

    #[test]
    fn the_loopback_device_has_a_state_and_others_have_none() {
        let watcher = Watcher::open().unwrap();
        let device = watcher.device("lo").unwrap();
        assert_eq!(device.index, 1);
        assert!(device.mtu >= 1280);
        for name in ["", "nodevice0", "a-name-that-is-too-long-for-a-device"] {
            assert_eq!(watcher.device(name).unwrap_err().raw_os_error(), Some(19), "{name}");
        }
    }
}
