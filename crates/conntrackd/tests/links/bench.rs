//! Nodes that only have links, and the loop that drives them.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use conntrackd::config::{self, Role};
use conntrackd::link::{Counters, LinkError, Links, Notice, Received, Sent, SocketReady};
use conntrackd::wake::Wake;
use ctsync::LinkId;
use ctsync::time::Instant;
use sys::epoll::{Poller, Ready};

use crate::net::{Net, Side};

/// When a condition is given up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn now() -> Instant {
    static START: LazyLock<std::time::Instant> = LazyLock::new(clock);
    Instant(u64::try_from((clock() - *START).as_nanos()).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the kernel's devices have their own time")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

/// The links of a node in one of the namespaces.
pub(crate) struct Node<'a> {
    net: &'a Net,
    side: Side,
    poller: Poller,
    pub(crate) links: Links,
    ready: Vec<Ready>,
    /// What has come: datagrams, and of messages of a stream the body.
    pub(crate) received: Vec<(u8, Vec<u8>)>,
    /// Errors that ended streams.
    pub(crate) errors: usize,
    /// The notices without their values.
    pub(crate) notices: Vec<String>,
    /// The most that came in one turn.
    pub(crate) most: usize,
}

impl<'a> Node<'a> {
    /// Links as the text of a `Sync` section has them.
    pub(crate) fn new(net: &'a Net, side: Side, text: &str) -> Self {
        Self::open(net, side, text).unwrap()
    }

    pub(crate) fn open(net: &'a Net, side: Side, text: &str) -> Result<Self, LinkError> {
        net.enter(side);
        let text = format!("Sync {{ Mode NOTRACK {{ }} {text} }}");
        let reading = config::read(text.as_bytes());
        let Some(config) = reading.config else { panic!("{:?}", reading.diagnostics) };
        let Role::Sync(sync) = config.role else { panic!("{config:?}") };
        let poller = Poller::new().unwrap();
        let limit = NonZeroU32::new(20).unwrap();
        Ok(Self {
            net,
            side,
            links: Links::open(&sync.links, limit, now(), &poller)?,
            poller,
            ready: Vec::new(),
            received: Vec::new(),
            errors: 0,
            notices: Vec::new(),
            most: 0,
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Sent {
        self.links.send(&self.poller, now(), bytes)
    }

    /// Sends what must not be held.
    pub(crate) fn send_all(&mut self, all: &[&[u8]]) {
        for bytes in all {
            assert_eq!(self.send(bytes), Sent::Done);
        }
    }

    pub(crate) fn use_link(&mut self, link: u8) {
        self.links.use_link(&self.poller, now(), LinkId(link));
    }

    /// Does what there is to do, or waits a moment.
    pub(crate) fn turn(&mut self) {
        self.net.enter(self.side);
        if self.links.next_deadline().is_some_and(|at| now() >= at) {
            self.links.on_deadline(&self.poller, now());
            assert!(self.links.next_deadline().is_none_or(|at| now() < at), "a deadline stays");
        }
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(Some(Duration::from_millis(2)), &mut ready).unwrap();
        for Ready { token, readable, writable } in ready.iter().copied() {
            match Wake::from_token(token).unwrap() {
                Wake::Devices => self.links.on_devices(&self.poller, now()),
                Wake::Link { link, socket } => {
                    let (is_readable, is_writable) = (readable, writable);
                    let ready = SocketReady { link, socket, is_readable, is_writable };
                    let before = self.received.len();
                    let take = &mut |LinkId(link), received: Received<'_>| match received {
                        Received::Datagram(bytes) => self.received.push((link, bytes.to_vec())),
                        Received::Frame(Ok(frame)) => {
                            self.received.push((link, frame.body.to_vec()));
                        }
                        Received::Frame(Err(_)) => self.errors += 1,
                    };
                    self.links.on_ready(&self.poller, now(), ready, take);
                    self.most = self.most.max(self.received.len() - before);
                }
                other => panic!("{other:?}"),
            }
        }
        self.ready = ready;
        while let Some(notice) = self.links.next_notice() {
            self.notices.push(match notice {
                Notice::Activated { link } => format!("activated {}", link.0),
                Notice::NoneAvailable => "none".into(),
                Notice::SendFailed { error, .. } => format!("send: {:?}", error.kind()),
                Notice::ReceiveFailed { error, .. } => format!("receive: {:?}", error.kind()),
                Notice::StrangerRefused { from, .. } => format!("stranger {from}"),
                Notice::StreamBroken { .. } => "broken".into(),
                Notice::NotReopened { step, .. } => format!("not reopened: {step:?}"),
                Notice::Reopened { .. } => "reopened".into(),
                Notice::LimitChanged(limit) => format!("{limit:?}"),
                other => panic!("{other:?}"),
            });
        }
    }

    pub(crate) fn counters(&self, link: u8) -> Counters {
        self.links.view(LinkId(link)).unwrap().counters
    }

    /// What has come, without the links, and forgets it.
    pub(crate) fn taken(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.received).into_iter().map(|(_, bytes)| bytes).collect()
    }
}

/// Lets all nodes work until there is what is waited for.
#[track_caller]
pub(crate) fn until<const N: usize>(
    what: &str,
    nodes: &mut [&mut Node<'_>; N],
    mut is_done: impl FnMut(&mut [&mut Node<'_>; N]) -> bool,
) {
    let end = clock() + PATIENCE;
    while !is_done(nodes) {
        assert!(
            clock() < end,
            "too late: {what}; {:?}",
            nodes.each_ref().map(|node| (&node.notices, node.links.views().collect::<Vec<_>>()))
        );
        for node in nodes.iter_mut() {
            node.turn();
        }
    }
}

/// Lets all nodes work for a while, to see what does not happen.
pub(crate) fn rest<const N: usize>(milliseconds: u64, nodes: &mut [&mut Node<'_>; N]) {
    let end = clock() + Duration::from_millis(milliseconds);
    while clock() < end {
        for node in nodes.iter_mut() {
            node.turn();
        }
    }
}

/// A message of the protocol with this body.
pub(crate) fn message(body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&[0x1a, 0x10, high, low, 0, 0, 0, 1], body].concat()
}
