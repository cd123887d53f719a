//! The dedicated links: what goes to the peer and comes from it.
//!
//! ```text
//! Node ─ Output::Send ─► send ─► active link ─► socket ┐
//!                                 └─ full: kept, is_held │  (TCP without connection: error queue)
//! Node ◄─ Received ◄─ on_ready ◄─ any link ◄─ socket ◄──┘
//! rtnetlink ─► on_devices ─► which link is the active one
//! ```
//!
//! All links receive, the active one sends. The rule: after each call take [`Links::next_notice`] until there is none;
//! call [`Links::on_deadline`] at [`Links::next_deadline`]; while [`Links::is_held`] send nothing.
//!
//! Nothing that the network does ends a link: failures are counted, and said once a minute. A device may vanish and come
//! back. Only what is wrong at the start is an error.
//!
//! Bounds: at most `EventIterationLimit` datagrams, or little more than 64 KiB of a stream, a turn; one datagram that waits
//! for room, or one buffer a stream and `ErrorQueueLength` of them before there is a connection.
//! Facts: docs/sync-protocol.md; system calls of upstream's daemon.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use ctsync::LinkId;
use ctsync::time::Instant;
use ctsync::wire::{Carrier, DatagramLimit};
use sys::datagram::{Batch, OpenError};
use sys::epoll::Poller;
use sys::interface::{Device, Watcher};

use crate::config::{self, Ends, Group, LinkKind};
use crate::wake::Wake;

mod datagram;
mod error_queue;
mod report;
mod selection;
mod settings;
mod stream;
mod values;

use datagram::{Addresses, DatagramLink, Outcome};
use error_queue::ErrorQueue;
use report::Report;
use selection::{Change, Selection};
use settings::Settings;
use stream::StreamLink;
pub use values::{
    ConnectionState, Connections, Counters, ErrorQueueFigures, Kind, LinkError, LinkView, Notice,
    Received, Role, Sent, SocketReady, Status, Step,
};

/// Length of the error queue where it is not configured: `-s queue` shows it for all kinds of links.
const ERROR_QUEUE_LENGTH: usize = 128;
/// Neither datagrams nor messages are longer than what fits into this.
const MTU_MAX: u32 = 1 << 16;

#[derive(Debug)]
enum Transport {
    Datagram(DatagramLink),
    Stream(StreamLink),
}

#[derive(Debug)]
struct Link {
    /// `None` while there is none.
    device: Option<Device>,
    carrier: Carrier,
    limit: DatagramLimit,
    transport: Transport,
    report: Report,
}

impl Link {
    fn settings(&self) -> &Settings {
        match &self.transport {
            Transport::Datagram(link) => &link.settings,
            Transport::Stream(link) => &link.settings,
        }
    }

    fn status(&self) -> Status {
        match self.device {
            Some(Device { is_up: true, is_running: true, .. }) => Status::Running,
            Some(Device { is_up: true, .. }) => Status::NoCarrier,
            _ => Status::Down,
        }
    }

    /// The device is as this now. Whether the limit has changed.
    fn set_device(
        &mut self,
        now: Instant,
        device: Option<Device>,
        queue: Option<&mut ErrorQueue>,
        poller: &Poller,
    ) -> bool {
        let before = std::mem::replace(&mut self.device, device);
        let Some(device) = device else {
            match &mut self.transport {
                Transport::Datagram(link) => link.give_up(),
                Transport::Stream(link) => link.give_up(queue),
            }
            return false;
        };
        match &mut self.transport {
            Transport::Datagram(link) if link.needs_new_sockets(device, before.is_some()) => {
                link.reopen(now, device, poller, &mut self.report);
            }
            Transport::Datagram(link) => link.set_device(device),
            Transport::Stream(link) => link.set_device(now, device.index, before.is_some(), queue),
        }
        let limit = limit(device.mtu, self.carrier);
        std::mem::replace(&mut self.limit, limit) != limit
    }
}

fn limit(mtu: u32, carrier: Carrier) -> DatagramLimit {
    DatagramLimit::of(usize::try_from(mtu.min(MTU_MAX)).unwrap_or(usize::MAX), carrier)
}

/// The dedicated links of the daemon. See the module for the rule.
#[derive(Debug)]
pub struct Links {
    kind: Kind,
    all: Vec<Link>,
    selection: Selection,
    watcher: Watcher,
    batch: Batch,
    /// A datagram for which the active link has no room. Empty: there is none.
    waiting: Vec<u8>,
    queue: ErrorQueue,
    iteration_limit: usize,
    notices: VecDeque<Notice>,
}

impl Links {
    /// Opens all links. At most `iteration_limit` datagrams are taken from one of them at a time.
    pub fn open(
        config: &config::Links,
        iteration_limit: NonZeroU32,
        now: Instant,
        poller: &Poller,
    ) -> Result<Self, LinkError> {
        let watcher = Watcher::open().map_err(LinkError::Watch)?;
        poller
            .add(&watcher, Wake::Devices.token(), sys::epoll::Interest::Read)
            .map_err(LinkError::Watch)?;
        let mut queue_length = ERROR_QUEUE_LENGTH;
        let open = Opening { watcher: &watcher, now, poller };
        let (kind, links) = match &config.kind {
            LinkKind::Multicast(links) => (Kind::Multicast, open.groups(links)?),
            LinkKind::Udp(links) => (Kind::Udp, open.nodes(links)?),
            LinkKind::Tcp { links, error_queue_length } => {
                queue_length = usize::try_from(error_queue_length.get()).unwrap_or(usize::MAX);
                (Kind::Tcp, open.streams(links)?)
            }
        };
        let mut selection = Selection::new(config.first);
        for (number, link) in links.iter().enumerate() {
            selection.set_fit(now, number, link.status() == Status::Running);
        }
        let mut links = Self {
            kind,
            all: links,
            selection,
            watcher,
            batch: Batch::new(),
            waiting: Vec::new(),
            queue: ErrorQueue::new(queue_length),
            iteration_limit: usize::try_from(iteration_limit.get()).unwrap_or(usize::MAX),
            notices: VecDeque::new(),
        };
        links.select(now, poller);
        // Upstream says so only when a device changes.
        links.notices.retain(|notice| !matches!(notice, Notice::NoneAvailable));
        let active = links.selection.active();
        for (number, link) in links.all.iter_mut().enumerate() {
            if let Transport::Stream(stream) = &mut link.transport {
                stream.connect(now, number == active, poller, &mut link.report);
            }
        }
        Ok(links)
    }

    /// A socket of a link is ready. What has come goes to `take`.
    pub fn on_ready(
        &mut self,
        poller: &Poller,
        now: Instant,
        ready: SocketReady,
        take: &mut impl FnMut(LinkId, Received<'_>),
    ) {
        let number = usize::from(ready.link);
        let is_active = number == self.selection.active();
        let Some(link) = self.all.get_mut(number) else { return };
        let report = &mut link.report;
        let id = report.id;
        let heard = match (&mut link.transport, ready.socket) {
            (Transport::Datagram(link), datagram::RECEIVER) => {
                let take = |bytes: &[u8]| take(id, Received::Datagram(bytes));
                link.receive(now, &mut self.batch, self.iteration_limit, report, take)
            }
            (Transport::Stream(link), stream::ACCEPTED) => {
                link.read(now, report, |frame| take(id, Received::Frame(frame)))
            }
            (Transport::Stream(link), stream::LISTENER) => {
                link.accept(now, poller, report);
                false
            }
            (Transport::Stream(link), stream::CONNECTOR) => {
                let queue = is_active.then_some(&mut self.queue);
                link.on_connector(now, ready.is_readable, queue, poller, report);
                false
            }
            (Transport::Datagram(_), datagram::SENDER) if is_active => {
                self.send_waiting(now, poller);
                false
            }
            _ => false,
        };
        if heard {
            self.selection.heard(now, number);
        }
    }

    /// A device may have changed: [`Wake::Devices`].
    pub fn on_devices(&mut self, poller: &Poller, now: Instant) {
        // Failing to tell what has changed is no reason not to look.
        if matches!(self.watcher.has_changed(), Ok(false)) {
            return;
        }
        let mut is_new_limit = false;
        let active = self.selection.active();
        for (number, link) in self.all.iter_mut().enumerate() {
            let device = self.watcher.device(&link.settings().interface).ok();
            if device == link.device {
                continue;
            }
            let queue = (number == active).then_some(&mut self.queue);
            is_new_limit |= link.set_device(now, device, queue, poller);
            self.selection.set_fit(now, number, link.status() == Status::Running);
        }
        if is_new_limit {
            self.notices.push_back(Notice::LimitChanged(self.limit()));
        }
        self.select(now, poller);
        self.send_waiting(now, poller);
    }

    /// The time of [`next_deadline`](Self::next_deadline) has come.
    pub fn on_deadline(&mut self, poller: &Poller, now: Instant) {
        let active = self.selection.active();
        for (number, link) in self.all.iter_mut().enumerate() {
            let report = &mut link.report;
            match (&mut link.transport, link.device) {
                (Transport::Datagram(datagram), Some(device)) => {
                    if datagram.retry_at().is_some_and(|at| now >= at) {
                        datagram.reopen(now, device, poller, report);
                    }
                }
                (Transport::Datagram(_), None) => {}
                (Transport::Stream(stream), _) => {
                    stream.on_deadline(now, number == active, poller, report);
                }
            }
        }
        self.select(now, poller);
        self.send_waiting(now, poller);
    }

    /// When something is to be done next without any input.
    pub fn next_deadline(&self) -> Option<Instant> {
        let of_links = self.all.iter().filter_map(|link| match &link.transport {
            Transport::Datagram(datagram) => datagram.retry_at(),
            Transport::Stream(stream) => stream.next_deadline(),
        });
        of_links.chain(self.selection.next_deadline()).min()
    }

    /// Sends over the active link.
    ///
    /// Not while [`is_held`](Self::is_held): then the bytes are lost and counted as an error.
    pub fn send(&mut self, poller: &Poller, now: Instant, bytes: &[u8]) -> Sent {
        let is_held = self.is_held();
        let Some(link) = self.all.get_mut(self.selection.active()) else { return Sent::Done };
        let report = &mut link.report;
        if is_held {
            report.counters.send_errors += 1;
            return Sent::Held;
        }
        match &mut link.transport {
            Transport::Datagram(datagram) => {
                if datagram.send(now, bytes, report) == Outcome::Full {
                    if datagram.await_room(poller, report.id.0, true) {
                        self.waiting.extend_from_slice(bytes);
                    } else {
                        report.counters.send_errors += 1;
                    }
                }
            }
            Transport::Stream(stream) => {
                stream.send(now, bytes, &mut self.queue, poller, report);
            }
        }
        if self.is_held() { Sent::Held } else { Sent::Done }
    }

    /// Whether the active link has no room, so that nothing should be sent.
    pub fn is_held(&self) -> bool {
        match self.all.get(self.selection.active()).map(|link| &link.transport) {
            Some(Transport::Datagram(_)) => !self.waiting.is_empty(),
            Some(Transport::Stream(stream)) => stream.is_held(&self.queue),
            None => false,
        }
    }

    /// The peer uses this link ([`Output::UseLink`](ctsync::Output::UseLink)): it is the active one from now on, if its
    /// device can carry packets.
    pub fn use_link(&mut self, poller: &Poller, now: Instant, link: LinkId) {
        let before = self.selection.active();
        if self.selection.follow(usize::from(link.0)) {
            self.changed_from(before, now, poller);
        }
    }

    /// Something to log.
    pub fn next_notice(&mut self) -> Option<Notice> {
        let mut of_links = self.all.iter_mut();
        self.notices
            .pop_front()
            .or_else(|| of_links.find_map(|link| link.report.notices.pop_front()))
    }

    /// What the links are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The link that sends.
    pub fn active(&self) -> LinkId {
        let link = self.all.get(self.selection.active());
        link.map_or(LinkId(0), |link| link.report.id)
    }

    /// All links in the order of the configuration.
    pub fn views(&self) -> impl ExactSizeIterator<Item = LinkView<'_>> {
        let active = self.selection.active();
        self.all.iter().enumerate().map(move |(number, link)| LinkView {
            id: link.report.id,
            interface: &link.settings().interface,
            status: link.status(),
            role: if number == active { Role::Active } else { Role::Backup },
            counters: link.report.counters,
            connections: match &link.transport {
                Transport::Datagram(_) => None,
                Transport::Stream(stream) => Some(stream.connections()),
            },
            limit: link.limit,
        })
    }

    /// One link.
    pub fn view(&self, link: LinkId) -> Option<LinkView<'_>> {
        self.views().nth(usize::from(link.0))
    }

    /// The smallest limit of all links: what is packed for it fits whichever is used.
    pub fn limit(&self) -> DatagramLimit {
        let smallest = self.all.iter().map(|link| link.limit).min();
        smallest.unwrap_or(limit(0, Carrier::UdpIpv4))
    }

    /// The queue of what waits for a connection. Links of datagrams have an empty one.
    pub fn error_queue(&self) -> ErrorQueueFigures {
        self.queue.figures()
    }

    /// Looks whether another link is to be used.
    fn select(&mut self, now: Instant, poller: &Poller) {
        let before = self.selection.active();
        match self.selection.decide(now) {
            None => {}
            Some(Change::NoneAvailable) => self.notices.push_back(Notice::NoneAvailable),
            Some(Change::Activated(_)) => {
                self.notices.push_back(Notice::Activated { link: self.active() });
                self.changed_from(before, now, poller);
            }
        }
    }

    /// What waits for the link that was active goes over the new one.
    fn changed_from(&mut self, before: usize, now: Instant, poller: &Poller) {
        if let Some(link) = self.all.get_mut(before) {
            match &mut link.transport {
                Transport::Datagram(datagram) => {
                    if !self.waiting.is_empty() {
                        datagram.await_room(poller, link.report.id.0, false);
                    }
                }
                Transport::Stream(stream) => stream.hand_over(&mut self.queue),
            }
        }
        self.send_waiting(now, poller);
    }

    /// Sends what had no room, if there is room now.
    fn send_waiting(&mut self, now: Instant, poller: &Poller) {
        let Some(link) = self.all.get_mut(self.selection.active()) else { return };
        let report = &mut link.report;
        match &mut link.transport {
            Transport::Datagram(datagram) => {
                if self.waiting.is_empty() {
                    return;
                }
                let is_full = datagram.send(now, &self.waiting, report) == Outcome::Full;
                let awaits_room = datagram.await_room(poller, report.id.0, is_full);
                if is_full && !awaits_room {
                    report.counters.send_errors += 1;
                }
                if !is_full || !awaits_room {
                    self.waiting.clear();
                }
            }
            Transport::Stream(stream) => stream.flush(now, Some(&mut self.queue), poller, report),
        }
    }
}

/// What opening a link needs.
struct Opening<'a> {
    watcher: &'a Watcher,
    now: Instant,
    poller: &'a Poller,
}

impl Opening<'_> {
    fn groups(&self, links: &[config::Link<Group>]) -> Result<Vec<Link>, LinkError> {
        self.each(links, |link, settings, device| {
            let addresses = Addresses::Group(link.addresses);
            let carrier = match link.addresses {
                Group::V4 { .. } => Carrier::UdpIpv4,
                Group::V6(_) => Carrier::UdpIpv6,
            };
            Ok((carrier, Transport::Datagram(DatagramLink::open(settings, addresses, device)?)))
        })
    }

    fn nodes(&self, links: &[config::Link<Ends>]) -> Result<Vec<Link>, LinkError> {
        self.each(links, |link, settings, device| {
            let addresses = Addresses::Ends(link.addresses);
            let carrier = match link.addresses {
                Ends::V4 { .. } => Carrier::UdpIpv4,
                Ends::V6 { .. } => Carrier::UdpIpv6,
            };
            Ok((carrier, Transport::Datagram(DatagramLink::open(settings, addresses, device)?)))
        })
    }

    fn streams(&self, links: &[config::Link<Ends>]) -> Result<Vec<Link>, LinkError> {
        self.each(links, |link, settings, device| {
            let carrier = match link.addresses {
                Ends::V4 { .. } => Carrier::TcpIpv4,
                Ends::V6 { .. } => Carrier::TcpIpv6,
            };
            let stream = StreamLink::open(self.now, settings, link.addresses, device.index)?;
            Ok((carrier, Transport::Stream(stream)))
        })
    }

    fn each<A>(
        &self,
        links: &[config::Link<A>],
        open: impl Fn(&config::Link<A>, Settings, Device) -> Result<(Carrier, Transport), OpenError>,
    ) -> Result<Vec<Link>, LinkError> {
        let opened = links.iter().zip(0..).map(|(config, number)| {
            let failed = |step| {
                let (link, interface) = (LinkId(number), config.interface.0.clone());
                move |source| LinkError::Open { link, interface, step, source }
            };
            let device = self.watcher.device(&config.interface.0).map_err(failed(Step::Device))?;
            let (carrier, transport) =
                open(config, Settings::of(config), device).map_err(|error| {
                    let OpenError { step, error } = error;
                    failed(Step::Socket(step))(error)
                })?;
            match &transport {
                Transport::Datagram(link) => link.register(self.poller, number),
                Transport::Stream(link) => link.register(self.poller, number),
            }
            .map_err(failed(Step::Register))?;
            Ok(Link {
                device: Some(device),
                carrier,
                limit: limit(device.mtu, carrier),
                transport,
                report: Report::new(LinkId(number)),
            })
        });
        opened.collect()
    }
}
