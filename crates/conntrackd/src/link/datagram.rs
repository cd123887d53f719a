//! A link that sends datagrams: UDP to one node or to a group.
//!
//! Its sockets go on whatever happens to the device, but those that belong to a device by its index: members of a group,
//! and those with an address of one network segment. They are opened again when the device comes back, and if that fails,
//! each second.

use std::io::{self, ErrorKind};

use ctsync::time::{Duration, Instant};
use sys::datagram::{Batch, OpenError, Receiver, Sender};
use sys::epoll::{Interest, Poller};
use sys::interface::Device;

use super::report::Report;
use super::settings::{self, Settings};
use crate::config;
use crate::wake::Wake;

/// Number of the socket that receives.
pub(super) const RECEIVER: u8 = 0;
/// Number of the socket that sends. It is waited for only while its buffer is full.
pub(super) const SENDER: u8 = 1;
/// Receive buffer where none is configured, in bytes. The system's default holds some hundred datagrams, which a bulk
/// sends in a few milliseconds.
const RECEIVE_BUFFER: u32 = 1 << 20;
/// Time between two attempts to open sockets again.
const RETRY: Duration = Duration::from_secs(1);

/// Who receives the datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addresses {
    Group(config::Group),
    Ends(config::Ends),
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It was sent, or lost and counted.
    Gone,
    /// There is no room for it.
    Full,
}

/// A link that sends datagrams.
#[derive(Debug)]
pub(super) struct DatagramLink {
    pub(super) settings: Settings,
    addresses: Addresses,
    sockets: Option<(Receiver, Sender)>,
    /// Whether the sender is waited for.
    awaits_room: bool,
    /// What they were opened for.
    device: Device,
    retry_at: Option<Instant>,
}

impl DatagramLink {
    pub(super) fn open(
        settings: Settings,
        addresses: Addresses,
        device: Device,
    ) -> Result<Self, OpenError> {
        let mut link =
            Self { settings, addresses, sockets: None, awaits_room: false, device, retry_at: None };
        link.sockets = Some(link.open_sockets(device)?);
        Ok(link)
    }

    fn open_sockets(&self, device: Device) -> Result<(Receiver, Sender), OpenError> {
        let Settings { port, send_buffer_bytes, receive_buffer_bytes, checksum, .. } =
            self.settings;
        let receive_buffer_bytes = receive_buffer_bytes.or(Some(RECEIVE_BUFFER));
        match self.addresses {
            Addresses::Group(group) => {
                let group = settings::group(group, device.index);
                let sender = Sender::to_group(group, port, send_buffer_bytes, checksum)?;
                Ok((Receiver::join(group, port, receive_buffer_bytes)?, sender))
            }
            Addresses::Ends(ends) => {
                let (own, peer) = settings::ends(ends);
                let (own, peer) = (
                    settings::scoped(own, port, device.index),
                    settings::scoped(peer, port, device.index),
                );
                let sender = Sender::to_node(peer, send_buffer_bytes, checksum)?;
                Ok((Receiver::bind(own, receive_buffer_bytes)?, sender))
            }
        }
    }

    /// Waits for datagrams.
    pub(super) fn register(&self, poller: &Poller, link: u8) -> io::Result<()> {
        let Some((receiver, _)) = &self.sockets else { return Ok(()) };
        poller.add(receiver, Wake::Link { link, socket: RECEIVER }.token(), Interest::Read)
    }

    /// Takes datagrams, at most `most`. Whether there was any.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        batch: &mut Batch,
        most: usize,
        report: &mut Report,
        mut take: impl FnMut(&[u8]),
    ) -> bool {
        let Some((receiver, _)) = &self.sockets else { return false };
        let mut left = most;
        while left > 0 {
            let wanted = left.min(Batch::DATAGRAMS);
            if let Err(error) = receiver.receive(batch, wanted) {
                if error.kind() != ErrorKind::WouldBlock {
                    report.receive_failed(now, error);
                }
                break;
            }
            for datagram in batch.datagrams() {
                report.received(datagram.len());
                take(datagram);
            }
            left = left.saturating_sub(batch.len());
            if batch.len() < wanted {
                break;
            }
        }
        left < most
    }

    pub(super) fn send(&mut self, now: Instant, datagram: &[u8], report: &mut Report) -> Outcome {
        let result = match &self.sockets {
            Some((_, sender)) => sender.send(datagram),
            None => Err(ErrorKind::NetworkDown.into()),
        };
        match result {
            Ok(()) => report.sent(datagram.len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Outcome::Full,
            Err(error) => report.send_failed(now, error),
        }
        Outcome::Gone
    }

    /// Begins or ends to wait for room. Whether that is possible.
    pub(super) fn await_room(&mut self, poller: &Poller, link: u8, is_full: bool) -> bool {
        let Some((_, sender)) = &self.sockets else { return !is_full };
        if self.awaits_room == is_full {
            return true;
        }
        let token = Wake::Link { link, socket: SENDER }.token();
        let result = if is_full {
            poller.add(sender, token, Interest::Write)
        } else {
            poller.remove(sender)
        };
        self.awaits_room = is_full;
        result.is_ok()
    }

    /// The device is there and has changed: whether the sockets are of no use any more.
    pub(super) fn needs_new_sockets(&self, device: Device, was_there: bool) -> bool {
        let is_another = device.index != self.device.index || !was_there;
        // The kernel takes a family off a device whose MTU is too small for it, and with it the memberships.
        let lost = |least: u32| device.mtu >= least && self.device.mtu < least;
        match self.addresses {
            Addresses::Group(config::Group::V4 { .. }) => is_another || lost(68),
            Addresses::Group(config::Group::V6(_)) => is_another || lost(1280),
            Addresses::Ends(ends) => {
                let (own, peer) = settings::ends(ends);
                is_another && (settings::needs_device(own) || settings::needs_device(peer))
            }
        }
    }

    /// The state of the device, which is not the one that the sockets were opened for if these do not belong to it.
    pub(super) fn set_device(&mut self, device: Device) {
        self.device = device;
    }

    /// Opens the sockets again for a device. The old ones are closed, and with them what waits there is lost.
    pub(super) fn reopen(
        &mut self,
        now: Instant,
        device: Device,
        poller: &Poller,
        report: &mut Report,
    ) {
        self.sockets = None;
        self.awaits_room = false;
        self.device = device;
        self.retry_at = None;
        match self.open_sockets(device) {
            Ok(sockets) => {
                self.sockets = Some(sockets);
                match self.register(poller, report.id.0) {
                    Ok(()) => report.reopened(),
                    Err(error) => {
                        self.retry_later(now);
                        report.receive_failed(now, error);
                    }
                }
            }
            Err(error) => {
                self.retry_later(now);
                report.not_reopened(now, error);
            }
        }
    }

    fn retry_later(&mut self, now: Instant) {
        self.sockets = None;
        self.retry_at = Some(now.after(RETRY));
    }

    /// When [`reopen`](Self::reopen) is to be called again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The device has gone: there is nothing to try until it is back.
    pub(super) fn give_up(&mut self) {
        self.retry_at = None;
    }
}
