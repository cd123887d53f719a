//! Queues of what is to be sent, and of what was sent and is not acknowledged yet.
//!
//! They hold slots of cache entries, not copies, so what is sent is the newest state and many changes of one flow in a burst
//! are one message. An entry is in at most one queue, at one place: hence there are never more nodes than entries and control
//! messages. The resend queue is in the order of numbers (wrapping `u32`, RFC 1982), as everything gets the next number when
//! it is sent.

use crate::Sequence;
use crate::cache::{NONE, Slot};
use crate::time::Instant;
use crate::wire::Control;

/// What is to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Item {
    /// A flow of the internal cache.
    Flow(Slot),
    /// An expectation of the internal cache.
    Expectation(Slot),
    /// A control message.
    Control(Control),
}

/// Which queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum List {
    /// To be sent.
    Transmit,
    /// Sent, not acknowledged.
    Resend,
    /// Sent, not acknowledged, and pushed out of the full resend queue: sent again as soon as there is room.
    Parked,
    /// Too long for any datagram: sent when a larger one fits the link.
    TooLong,
}

const LISTS: usize = 4;
/// Control messages that wait to be sent before no further acknowledgements join them.
pub(crate) const CONTROLS: usize = 256;

/// An element of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) item: Item,
    /// Number with which it was last sent.
    pub(crate) sequence: Sequence,
    /// When that was.
    pub(crate) sent: Instant,
    /// It was sent while the peer had not greeted back: no acknowledgement of it counts.
    pub(crate) with_hello: bool,
    pub(crate) list: List,
    previous: u32,
    next: u32,
}

impl Node {
    /// One, if it is a control message in the transmit queue.
    fn waiting_control(&self) -> usize {
        usize::from(self.list == List::Transmit && matches!(self.item, Item::Control(_)))
    }
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    head: u32,
    tail: u32,
    len: usize,
}

/// The queues of a node.
#[derive(Debug)]
pub(crate) struct Queues {
    nodes: Vec<Node>,
    free: u32,
    lists: [Ends; LISTS],
    /// Control messages in the transmit queue.
    controls: usize,
}

fn index(node: u32) -> usize {
    usize::try_from(node).unwrap_or(usize::MAX)
}

impl Queues {
    pub(crate) fn new() -> Self {
        let empty = Ends { head: NONE, tail: NONE, len: 0 };
        Self { nodes: Vec::new(), free: NONE, lists: [empty; LISTS], controls: 0 }
    }

    fn ends(&mut self, list: List) -> &mut Ends {
        let [transmit, resend, parked, too_long] = &mut self.lists;
        match list {
            List::Transmit => transmit,
            List::Resend => resend,
            List::Parked => parked,
            List::TooLong => too_long,
        }
    }

    pub(crate) fn len(&self, list: List) -> usize {
        let [transmit, resend, parked, too_long] = &self.lists;
        match list {
            List::Transmit => transmit.len,
            List::Resend => resend.len,
            List::Parked => parked.len,
            List::TooLong => too_long.len,
        }
    }

    /// Whether many control messages wait to be sent: the link takes nothing, or the peer makes us talk.
    pub(crate) fn is_crowded(&self) -> bool {
        self.controls >= CONTROLS
    }

    pub(crate) fn head(&self, list: List) -> Option<u32> {
        let [transmit, resend, parked, too_long] = &self.lists;
        let ends = match list {
            List::Transmit => transmit,
            List::Resend => resend,
            List::Parked => parked,
            List::TooLong => too_long,
        };
        (ends.head != NONE).then_some(ends.head)
    }

    pub(crate) fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(index(node))
    }

    pub(crate) fn node_mut(&mut self, node: u32) -> Option<&mut Node> {
        self.nodes.get_mut(index(node))
    }

    /// The element after this one in its queue.
    pub(crate) fn next(&self, node: u32) -> Option<u32> {
        self.node(node).map(|node| node.next).filter(|next| *next != NONE)
    }

    /// Appends a new element.
    pub(crate) fn push(&mut self, list: List, item: Item) -> u32 {
        let node = Node {
            item,
            sequence: Sequence(0),
            sent: Instant(0),
            with_hello: false,
            list,
            previous: NONE,
            next: NONE,
        };
        let number = if let Some(free) = self.nodes.get_mut(index(self.free)) {
            let number = std::mem::replace(&mut self.free, free.next);
            *free = node;
            number
        } else {
            self.nodes.push(node);
            u32::try_from(self.nodes.len().saturating_sub(1)).unwrap_or(NONE)
        };
        self.link(list, number);
        number
    }

    /// Moves an element to the end of a queue.
    pub(crate) fn shift(&mut self, node: u32, to: List) {
        self.unlink(node);
        self.link(to, node);
    }

    /// Removes an element.
    pub(crate) fn remove(&mut self, node: u32) {
        self.unlink(node);
        let free = std::mem::replace(&mut self.free, node);
        if let Some(node) = self.nodes.get_mut(index(node)) {
            node.next = free;
        }
    }

    fn link(&mut self, list: List, number: u32) {
        let ends = self.ends(list);
        let previous = std::mem::replace(&mut ends.tail, number);
        ends.len = ends.len.saturating_add(1);
        if previous == NONE {
            ends.head = number;
        }
        if let Some(node) = self.nodes.get_mut(index(number)) {
            (node.list, node.previous, node.next) = (list, previous, NONE);
            self.controls = self.controls.saturating_add(node.waiting_control());
        }
        if let Some(node) = self.nodes.get_mut(index(previous)) {
            node.next = number;
        }
    }

    fn unlink(&mut self, number: u32) {
        let Some(&node) = self.nodes.get(index(number)) else { return };
        let Node { list, previous, next, .. } = node;
        self.controls = self.controls.saturating_sub(node.waiting_control());
        match self.nodes.get_mut(index(previous)) {
            Some(node) => node.next = next,
            None => self.ends(list).head = next,
        }
        match self.nodes.get_mut(index(next)) {
            Some(node) => node.previous = previous,
            None => self.ends(list).tail = previous,
        }
        let ends = self.ends(list);
        ends.len = ends.len.saturating_sub(1);
    }
}
