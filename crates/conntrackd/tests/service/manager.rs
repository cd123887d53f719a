//! A stand-in for the service manager: a socket that hears what a daemon says, and from whom.

use std::ffi::OsString;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt,
};
use nix::unistd::Pid;

use crate::stage::Stage;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the socket is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Path,
    Abstract,
}

pub(crate) struct Manager {
    socket: UnixDatagram,
    /// What `NOTIFY_SOCKET` says.
    pub(crate) address: OsString,
}

/// A message and the process that sent it.
pub(crate) type Heard = (Pid, String);

impl Manager {
    pub(crate) fn new(stage: &Stage, kind: Kind) -> Self {
        let path = stage.path("notify");
        let (address, name) = match kind {
            Kind::Path => (SocketAddr::from_pathname(&path).unwrap(), path.into()),
            // Such names belong to the network namespace, which is the test's own.
            Kind::Abstract => (SocketAddr::from_abstract_name("notify").unwrap(), "@notify".into()),
        };
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        setsockopt(&socket, sockopt::PassCred, &true).unwrap();
        Self { socket, address: name }
    }

    /// Makes this one the manager of what the command starts, with a watchdog of so many microseconds.
    pub(crate) fn starts(&self, command: &mut Command, watchdog_us: u32) {
        command.env("NOTIFY_SOCKET", &self.address).env("WATCHDOG_USEC", watchdog_us.to_string());
    }

    /// The next message.
    pub(crate) fn hears(&self) -> Heard {
        self.hears_within(PATIENCE).expect("a message")
    }

    /// The next message, if it comes in time.
    pub(crate) fn hears_within(&self, time: Duration) -> Option<Heard> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut bytes = [0; 512];
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let mut space = nix::cmsg_space!(UnixCredentials);
        let flags = MsgFlags::empty();
        let fd = self.socket.as_raw_fd();
        let message = loop {
            match recvmsg::<()>(fd, &mut slices, Some(&mut space), flags) {
                Err(Errno::EAGAIN) => return None,
                // A child that is stopped or ends may interrupt it.
                Err(Errno::EINTR) => {}
                received => break received.unwrap(),
            }
        };
        let sender = message.cmsgs().unwrap().find_map(|control| match control {
            ControlMessageOwned::ScmCredentials(credentials) => Some(credentials.pid()),
            _ => None,
        });
        let len = message.bytes;
        Some((Pid::from_raw(sender.unwrap()), String::from_utf8(bytes[..len].to_vec()).unwrap()))
    }
}
