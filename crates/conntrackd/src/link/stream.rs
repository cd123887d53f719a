//! A link of two TCP connections: the own one sends, the accepted one receives.
//!
//! The own one is made again and again, at most once a second. What could not be written whole waits until there is room;
//! if the connection ends before, it goes to the error queue whole, so that no message is cut. The accepted connection
//! has a buffer that is cleared when it ends. The peer's address displaces any connection; others get in only while there
//! is none.
//!
//! Bounds: one buffer that is being written; [`READ_BYTES`] and [`ACCEPT_MAX`] connections a turn.

use std::io::{self, ErrorKind};
use std::net::IpAddr;

use ctsync::time::{Duration, Instant};
use ctsync::wire::{DecodeError, Frame, StreamBuffer};
use sys::datagram::OpenError;
use sys::epoll::{Interest, Poller};
use sys::stream::{Connection, Listener};

use super::error_queue::ErrorQueue;
use super::report::Report;
use super::settings::{self, Settings, needs_device, scoped};
use super::values::{ConnectionState, Connections};
use crate::config;
use crate::wake::Wake;

/// Number of the socket that listens.
pub(super) const LISTENER: u8 = 0;
/// Number of the own connection.
pub(super) const CONNECTOR: u8 = 1;
/// Number of the accepted connection.
pub(super) const ACCEPTED: u8 = 2;
/// Time between two attempts.
const RETRY: Duration = Duration::from_secs(1);
/// How long an attempt may take: the kernel would go on for minutes, more and more seldom.
const PATIENCE: Duration = Duration::from_secs(3);
/// A turn reads no more after so many bytes.
const READ_BYTES: usize = StreamBuffer::CAPACITY;
/// Connections that a turn accepts.
const ACCEPT_MAX: usize = 16;

#[derive(Debug)]
enum Connector {
    Idle,
    /// The attempt is under way.
    Connecting(Connection),
    Connected {
        connection: Connection,
        awaits_room: bool,
    },
}

/// A link of two TCP connections.
#[derive(Debug)]
pub(super) struct StreamLink {
    pub(super) settings: Settings,
    own: IpAddr,
    peer: IpAddr,
    /// Index of the device.
    device: u32,
    listener: Option<Listener>,
    /// When to listen again.
    listen_at: Option<Instant>,
    accepted: Option<Connection>,
    buffer: StreamBuffer,
    connector: Connector,
    /// When the last attempt to connect began.
    attempted_at: Instant,
    /// What is being written, and how much of it was.
    pending: Vec<u8>,
    written: usize,
}

impl StreamLink {
    /// Listens. [`connect`](Self::connect) is still to be called.
    pub(super) fn open(
        now: Instant,
        settings: Settings,
        ends: config::Ends,
        device: u32,
    ) -> Result<Self, OpenError> {
        let (own, peer) = settings::ends(ends);
        let local = scoped(own, settings.port, device);
        let listener = Listener::open(local, settings.receive_buffer_bytes)?;
        Ok(Self {
            settings,
            own,
            peer,
            device,
            listener: Some(listener),
            listen_at: None,
            accepted: None,
            buffer: StreamBuffer::new(),
            connector: Connector::Idle,
            attempted_at: now,
            pending: Vec::new(),
            written: 0,
        })
    }

    /// Waits for connections.
    pub(super) fn register(&self, poller: &Poller, link: u8) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        poller.add(listener, listener_token(link), Interest::Read)
    }

    pub(super) fn connections(&self) -> Connections {
        let state = |is_connected| {
            if is_connected { ConnectionState::Connected } else { ConnectionState::Disconnected }
        };
        Connections {
            server: state(self.accepted.is_some()),
            client: state(matches!(self.connector, Connector::Connected { .. })),
        }
    }

    /// The device has gone, and with it connections that mean nothing without it.
    pub(super) fn give_up(&mut self, queue: Option<&mut ErrorQueue>) {
        if needs_device(self.peer) {
            self.lose(queue);
            self.close_accepted();
        }
    }

    /// The device is there. It may have come back, perhaps with another index.
    pub(super) fn set_device(
        &mut self,
        now: Instant,
        device: u32,
        was_there: bool,
        queue: Option<&mut ErrorQueue>,
    ) {
        let is_another = device != self.device || !was_there;
        self.device = device;
        if is_another && needs_device(self.peer) {
            self.lose(queue);
        }
        if is_another && needs_device(self.own) {
            self.listener = None;
            self.close_accepted();
            self.listen_at = Some(now);
        }
    }
}

/// Receiving.
impl StreamLink {
    pub(super) fn accept(&mut self, now: Instant, poller: &Poller, report: &mut Report) {
        for _ in 0..ACCEPT_MAX {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((connection, from)) => {
                    self.take_in(now, connection, from.ip(), poller, report);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    _ => {
                        // No descriptor is free, perhaps. The listener would be ready again at once, so it rests.
                        report.receive_failed(now, error);
                        let token = listener_token(report.id.0);
                        if poller.change(listener, token, Interest::Hangup).is_err() {
                            self.listener = None;
                        }
                        self.listen_at = Some(now.after(RETRY));
                        return;
                    }
                },
            }
        }
    }

    fn take_in(
        &mut self,
        now: Instant,
        connection: Connection,
        from: IpAddr,
        poller: &Poller,
        report: &mut Report,
    ) {
        if self.accepted.is_some() && from != self.peer {
            report.refused(now, from);
            return;
        }
        self.close_accepted();
        let token = Wake::Link { link: report.id.0, socket: ACCEPTED }.token();
        match poller.add(&connection, token, Interest::Read) {
            Ok(()) => self.accepted = Some(connection),
            Err(error) => report.receive_failed(now, error),
        }
    }

    /// Reads messages. Whether there was any.
    pub(super) fn read(
        &mut self,
        now: Instant,
        report: &mut Report,
        mut take: impl FnMut(Result<Frame<'_>, DecodeError>),
    ) -> bool {
        let (mut total, mut heard) = (0_usize, false);
        while total < READ_BYTES {
            let Some(accepted) = &self.accepted else { break };
            let spare = self.buffer.spare();
            let room = spare.len();
            match accepted.read(spare) {
                Ok(0) => {
                    self.close_accepted();
                    break;
                }
                Ok(len) => {
                    report.received(len);
                    self.buffer.received(len);
                    while let Some(frame) = self.buffer.next_frame() {
                        heard |= frame.is_ok();
                        take(frame);
                    }
                    if self.buffer.is_broken() {
                        report.broken(now);
                        self.close_accepted();
                        break;
                    }
                    total = total.saturating_add(len);
                    if len < room {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    report.receive_failed(now, error);
                    self.close_accepted();
                    break;
                }
            }
        }
        heard
    }

    /// The fragment that waits for its rest goes with its connection.
    fn close_accepted(&mut self) {
        self.accepted = None;
        self.buffer.clear();
    }

    fn listen(&mut self, now: Instant, poller: &Poller, report: &mut Report) {
        self.listen_at = None;
        if let Some(listener) = &self.listener
            && poller.change(listener, listener_token(report.id.0), Interest::Read).is_ok()
        {
            return;
        }
        // The port is free only when the old one is closed.
        self.listener = None;
        let local = scoped(self.own, self.settings.port, self.device);
        let opened = Listener::open(local, self.settings.receive_buffer_bytes);
        match opened {
            Ok(listener) => {
                self.listener = Some(listener);
                match self.register(poller, report.id.0) {
                    Ok(()) => {
                        report.reopened();
                        return;
                    }
                    Err(error) => report.receive_failed(now, error),
                }
            }
            Err(error) => report.not_reopened(now, error),
        }
        self.listener = None;
        self.listen_at = Some(now.after(RETRY));
    }
}

/// Sending. `queue` is given to the active link only.
impl StreamLink {
    /// Whether no more should be sent: something waits for room.
    pub(super) fn is_held(&self, queue: &ErrorQueue) -> bool {
        matches!(self.connector, Connector::Connected { .. })
            && (!self.pending.is_empty() || !queue.is_empty())
    }

    /// Sends over the connection, or leaves it to the queue. Not while [`is_held`](Self::is_held).
    pub(super) fn send(
        &mut self,
        now: Instant,
        bytes: &[u8],
        queue: &mut ErrorQueue,
        poller: &Poller,
        report: &mut Report,
    ) {
        if !matches!(self.connector, Connector::Connected { .. }) {
            queue.push(bytes);
            return;
        }
        self.pending.extend_from_slice(bytes);
        self.flush(now, Some(queue), poller, report);
    }

    /// Writes what waits.
    pub(super) fn flush(
        &mut self,
        now: Instant,
        mut queue: Option<&mut ErrorQueue>,
        poller: &Poller,
        report: &mut Report,
    ) {
        let Connector::Connected { connection, awaits_room } = &mut self.connector else { return };
        let failure = loop {
            if self.pending.is_empty() {
                self.written = 0;
                let has_more = queue.as_mut().is_some_and(|queue| queue.take(&mut self.pending));
                if !has_more {
                    break None;
                }
            }
            let rest = self.pending.get(self.written..).unwrap_or_default();
            match connection.write(rest) {
                Ok(0) => break None,
                Ok(len) => self.written = self.written.saturating_add(len),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break None,
                Err(error) => break Some(error),
            }
            if self.written >= self.pending.len() {
                report.sent(self.pending.len());
                self.pending.clear();
            }
        };
        let failure = failure.or_else(|| {
            let is_full = !self.pending.is_empty();
            if is_full == *awaits_room {
                return None;
            }
            *awaits_room = is_full;
            let interest = if is_full { Interest::ReadWrite } else { Interest::Read };
            let token = connector_token(report.id.0);
            poller.change(&*connection, token, interest).err()
        });
        if let Some(error) = failure {
            report.send_failed(now, error);
            self.lose(queue);
        }
    }

    /// The own connection is ready for something.
    pub(super) fn on_connector(
        &mut self,
        now: Instant,
        is_readable: bool,
        mut queue: Option<&mut ErrorQueue>,
        poller: &Poller,
        report: &mut Report,
    ) {
        match &self.connector {
            Connector::Idle => return,
            Connector::Connecting(_) => {
                self.end_attempt(now, queue.is_some(), poller, report);
            }
            // The peer sends nothing here, so this is the end of the connection.
            Connector::Connected { connection, .. } if is_readable => {
                match connection.read(&mut [0; 512]) {
                    Ok(0) => self.lose(queue.as_deref_mut()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => {
                        report.send_failed(now, error);
                        self.lose(queue.as_deref_mut());
                    }
                }
            }
            Connector::Connected { .. } => {}
        }
        self.flush(now, queue, poller, report);
    }

    fn end_attempt(&mut self, now: Instant, is_active: bool, poller: &Poller, report: &mut Report) {
        let Connector::Connecting(connection) = &self.connector else { return };
        let token = connector_token(report.id.0);
        let outcome = connection.is_made().and_then(|is_made| {
            if is_made {
                poller.change(connection, token, Interest::Read)?;
            }
            Ok(is_made)
        });
        match outcome {
            Ok(false) => {}
            Ok(true) => {
                if let Connector::Connecting(connection) =
                    std::mem::replace(&mut self.connector, Connector::Idle)
                {
                    self.connector = Connector::Connected { connection, awaits_room: false };
                }
            }
            Err(error) => {
                self.connector = Connector::Idle;
                if is_active {
                    report.send_failed(now, error);
                }
            }
        }
    }

    /// Begins an attempt. Failures of the active link are counted.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        is_active: bool,
        poller: &Poller,
        report: &mut Report,
    ) {
        self.attempted_at = now;
        self.connector = Connector::Idle;
        // The peer is to know the connection by the own address, if there is one.
        let from = (!self.own.is_unspecified()).then(|| scoped(self.own, 0, self.device));
        let to = scoped(self.peer, self.settings.port, self.device);
        let begun = Connection::begin(from, to, self.settings.send_buffer_bytes)
            .map_err(|OpenError { error, .. }| error)
            .and_then(|connection| {
                let token = connector_token(report.id.0);
                poller.add(&connection, token, Interest::Write)?;
                Ok(connection)
            });
        match begun {
            Ok(connection) => self.connector = Connector::Connecting(connection),
            Err(error) if is_active => report.send_failed(now, error),
            Err(_) => {}
        }
    }

    /// The connection is gone. What was not written whole waits for the next one.
    fn lose(&mut self, queue: Option<&mut ErrorQueue>) {
        self.connector = Connector::Idle;
        self.written = 0;
        match queue {
            Some(queue) if !self.pending.is_empty() => queue.put_back(&mut self.pending),
            _ => self.pending.clear(),
        }
    }

    /// The link is active no more: what it has not begun to write is for another one.
    pub(super) fn hand_over(&mut self, queue: &mut ErrorQueue) {
        if self.written == 0 && !self.pending.is_empty() {
            queue.put_back(&mut self.pending);
        }
    }
}

/// Deadlines.
impl StreamLink {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.listen_at.into_iter().chain(self.attempt_ends_at()).min()
    }

    pub(super) fn on_deadline(
        &mut self,
        now: Instant,
        is_active: bool,
        poller: &Poller,
        report: &mut Report,
    ) {
        if self.listen_at.is_some_and(|at| now >= at) {
            self.listen(now, poller, report);
        }
        if self.attempt_ends_at().is_some_and(|at| now >= at) {
            if matches!(self.connector, Connector::Connecting(_)) && is_active {
                report.send_failed(now, ErrorKind::TimedOut.into());
            }
            self.connect(now, is_active, poller, report);
        }
    }

    /// When the next attempt is due.
    fn attempt_ends_at(&self) -> Option<Instant> {
        match self.connector {
            Connector::Idle => Some(self.attempted_at.after(RETRY)),
            Connector::Connecting(_) => Some(self.attempted_at.after(PATIENCE)),
            Connector::Connected { .. } => None,
        }
    }
}

fn listener_token(link: u8) -> u64 {
    Wake::Link { link, socket: LISTENER }.token()
}

fn connector_token(link: u8) -> u64 {
    Wake::Link { link, socket: CONNECTOR }.token()
}
