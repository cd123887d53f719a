//! What goes into the links and comes out of them.

use std::io;
use std::net::IpAddr;

use ctsync::LinkId;
use ctsync::wire::{DatagramLimit, DecodeError, Frame};

/// How the links carry messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants speak for themselves")]
pub enum Kind {
    Multicast,
    Udp,
    Tcp,
}

/// A socket of a link that is ready: a [`Wake::Link`](crate::wake::Wake::Link) and what the poller said of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SocketReady {
    /// Which link.
    pub link: u8,
    /// Which of its sockets.
    pub socket: u8,
    /// A read does not block.
    pub is_readable: bool,
    /// A write does not block.
    pub is_writable: bool,
}

/// What has come over a link.
#[derive(Debug)]
pub enum Received<'a> {
    /// A datagram. May be empty.
    Datagram(&'a [u8]),
    /// A message of a stream, or the error that ends the stream.
    Frame(Result<Frame<'a>, DecodeError>),
}

/// What became of bytes that were to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Sent {
    /// They are gone, or wait for a connection, or were lost and counted. More can be sent.
    Done,
    /// The socket is full; the links keep them. Send no more while [`Links::is_held`](super::Links::is_held).
    Held,
}

/// The counters of a link, as upstream counts them but for the last two.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Datagrams sent, or buffers written to a stream.
    pub sent_packets: u64,
    /// What could not be sent, and attempts to connect that failed.
    pub send_errors: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Datagrams received, or reads of a stream.
    pub received_packets: u64,
    /// Failures to receive and to accept.
    pub receive_errors: u64,
    /// Connections that were refused, as they were not the peer's and there was one already.
    pub refused_connections: u64,
    /// Connections that were closed, as a message's length was wrong.
    pub broken_streams: u64,
}

/// State of a link's device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// It is up and can carry packets: `RUNNING`.
    Running,
    /// It is up: `NO-CARRIER`.
    NoCarrier,
    /// It is not up, or there is none: `DOWN`.
    Down,
}

/// What a link is for at the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It sends and receives: `ACTIVE`.
    Active,
    /// It receives: `BACKUP`.
    Backup,
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants speak for themselves")]
pub enum ConnectionState {
    Connected,
    Disconnected,
}

/// The two connections of a TCP link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connections {
    /// The accepted one, which receives: `server=`.
    pub server: ConnectionState,
    /// The own one, which sends: `client=`.
    pub client: ConnectionState,
}

/// What is told of a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LinkView<'a> {
    /// Its number.
    pub id: LinkId,
    /// Name of its device.
    pub interface: &'a str,
    /// State of its device.
    pub status: Status,
    /// What it is for.
    pub role: Role,
    /// Its counters.
    pub counters: Counters,
    /// Of a TCP link.
    pub connections: Option<Connections>,
    /// Datagrams, or buffers, for this link are shorter than this.
    pub limit: DatagramLimit,
}

/// The queue of buffers that wait for a connection: `errorq`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ErrorQueueFigures {
    /// How many wait.
    pub current: usize,
    /// The most that may wait.
    pub maximum: usize,
    /// How many were dropped, as there was no room.
    pub no_space: u64,
}

/// Something to log or test.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// ``device `IF' becomes dedicated link``
    Activated {
        /// The link that sends from now on.
        link: LinkId,
    },
    /// `no dedicated links available!`
    NoneAvailable,
    /// Nothing could be sent over a link, or not connected. At most once a minute.
    SendFailed {
        /// Which.
        link: LinkId,
        /// Why.
        error: io::Error,
    },
    /// Receiving or accepting failed. At most once a minute.
    ReceiveFailed {
        /// Which.
        link: LinkId,
        /// Why.
        error: io::Error,
    },
    /// A connection from elsewhere was refused, as there was one already. At most once a minute.
    StrangerRefused {
        /// Which.
        link: LinkId,
        /// Where it came from.
        from: IpAddr,
    },
    /// A connection was closed, as a message's length was wrong. At most once a minute.
    StreamBroken {
        /// Which.
        link: LinkId,
    },
    /// Its device has come back, but its sockets could not be opened again; they are tried each second. At most once a
    /// minute.
    NotReopened {
        /// Which.
        link: LinkId,
        /// The step that failed.
        step: sys::datagram::Step,
        /// Why.
        error: io::Error,
    },
    /// Its sockets were opened again for a device that has come back.
    Reopened {
        /// Which.
        link: LinkId,
    },
    /// The MTU of a device has changed: [`Links::limit`](super::Links::limit) is this now.
    LimitChanged(DatagramLimit),
}

/// A step of opening a link that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Its device.
    Device,
    /// One of its sockets.
    Socket(sys::datagram::Step),
    /// To wait for it.
    Register,
}

/// Links that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The watch over the devices.
    #[error("devices cannot be watched")]
    Watch(#[source] io::Error),
    /// A link.
    #[error("link {} over {interface} cannot be opened: {step:?}", link.0)]
    Open {
        /// Which.
        link: LinkId,
        /// Name of its device.
        interface: String,
        /// The step that failed.
        step: Step,
        /// Why.
        source: io::Error,
    },
}

impl LinkError {
    /// The system's reason: upstream says no more.
    pub fn reason(&self) -> &io::Error {
        match self {
            Self::Watch(error) | Self::Open { source: error, .. } => error,
        }
    }
}
