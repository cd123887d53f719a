//! The sending half: what waits in the queues into datagrams, and bulks into the queues.

use super::{BULK_PAUSE, Cursor, KernelRequest, Node, Notice, Output, Replication, Which};
use crate::cache::{Life, Slot};
use crate::ftfw::DEAD_AT_LEAST;
use crate::queue::{Item, List};
use crate::time::Instant;
use crate::wire::{Control, DatagramLimit, Flags, Header, Mode, Room, TooLong};

/// Who asks for everything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asker {
    Operator,
    Peer,
}

impl Node {
    pub(super) fn fill_datagram(&mut self) {
        self.datagram.clear();
        while let Some(rest) = self.direct.get(self.direct_at..).filter(|rest| !rest.is_empty()) {
            let len = Header::read(rest).map_or(rest.len(), |(_, len)| usize::from(len));
            match self.config.limit.room(self.datagram.len(), len) {
                Ok(Room::Begins) => return,
                Ok(Room::Joins) => {
                    self.datagram.extend_from_slice(rest.get(..len).unwrap_or_default());
                }
                Err(error) => self.too_long(error),
            }
            self.direct_at = self.direct_at.saturating_add(len.max(1));
        }
        self.direct.clear();
        self.direct_at = 0;
        while let Some(number) = self.out.queues.head(List::Transmit) {
            let Some(item) = self.out.queues.node(number).map(|node| node.item) else { return };
            let len = self.out.message_len(item);
            match self.config.limit.room(self.datagram.len(), len) {
                Ok(Room::Begins) => break,
                Ok(Room::Joins) => {}
                Err(error) => {
                    self.lay_aside(number, item);
                    self.too_long(error);
                    continue;
                }
            }
            let greeting = match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.greet(),
                Replication::Notrack(_) | Replication::Alarm(_) => Flags::empty(),
            };
            let sequence = self.out.encode(item, greeting, &mut self.datagram);
            self.statistics.sent_messages += 1;
            match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.sent(self.now, &mut self.out, number, sequence),
                Replication::Notrack(_) | Replication::Alarm(_) => self.out.release(number),
            }
        }
        if !self.datagram.is_empty() {
            match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.ran(self.now),
                Replication::Notrack(notrack) => notrack.sent_at = self.now,
                Replication::Alarm(_) => {}
            }
        }
    }

    /// Too long for any datagram: what the peer must learn sooner or later waits for larger ones.
    fn lay_aside(&mut self, number: u32, item: Item) {
        let dead = self.out.flows.len().saturating_sub(self.out.flows.alive());
        let keeps = match self.out.entry(item).map(|entry| entry.life) {
            Some(Life::Dead) => dead <= DEAD_AT_LEAST,
            Some(_) => true,
            None => false,
        };
        if keeps {
            self.out.queues.shift(number, List::TooLong);
        } else {
            self.out.release(number);
        }
    }

    /// Datagrams have another limit: what was too long is tried again if it is larger.
    pub(super) fn change_limit(&mut self, limit: DatagramLimit) {
        let before = std::mem::replace(&mut self.config.limit, limit);
        if limit <= before {
            return;
        }
        while let Some(number) = self.out.queues.head(List::TooLong) {
            self.out.queues.shift(number, List::Transmit);
        }
    }

    fn too_long(&mut self, first: TooLong) {
        let (_, count) = self.too_long.get_or_insert((first, 0));
        *count = count.saturating_add(1);
    }

    pub(super) fn ask_resync(&mut self) {
        if self.mode != Mode::Alarm {
            self.notice(Notice::ResyncRequested);
            self.out.transmit(Item::Control(Control::Resync));
        }
    }

    /// Begins a bulk, or notes that one more is to follow: however many are asked for while one runs, and by the peer within
    /// a second after one began.
    pub(super) fn ask_bulk(&mut self, asker: Asker) {
        if self.mode == Mode::Alarm {
            return;
        }
        let lately = self.bulk_began.is_some_and(|began| self.now < began.after(BULK_PAUSE));
        let waits = self.bulk_runs() || (lately && asker == Asker::Peer);
        if asker == Asker::Peer && !self.bulk_again {
            self.notice(Notice::ResyncRequestedByPeer);
        }
        if waits {
            self.bulk_again = true;
        } else {
            self.begin_bulk();
        }
    }

    fn begin_bulk(&mut self) {
        self.bulk_began = Some(self.now);
        self.bulk_again = false;
        self.notice(Notice::BulkStarted);
        if self.config.mode.has_internal_cache() {
            self.bulk = Some(Cursor { pass: 0, next: 0, which: Which::All });
        } else {
            self.bulk_dump = true;
            self.push(Output::Kernel(KernelRequest::DumpForBulk));
        }
    }

    fn bulk_runs(&self) -> bool {
        self.bulk.is_some() || self.bulk_dump
    }

    /// When a bulk that was put off is due.
    pub(super) fn bulk_due(&self) -> Option<Instant> {
        let began = self.bulk_began.filter(|_| self.bulk_again && !self.bulk_runs())?;
        Some(began.after(BULK_PAUSE))
    }

    pub(super) fn bulk_deadline(&mut self) {
        if self.bulk_due().is_some_and(|due| self.now >= due) {
            self.begin_bulk();
        }
    }

    pub(super) fn bulk_step(&mut self) {
        while let Some(cursor) = &mut self.bulk
            && self.bulk_budget > 0
        {
            let (cache, item): (_, fn(Slot) -> Item) = match cursor.pass {
                0 => (&self.out.flows, Item::Flow),
                _ => (&self.out.expectations, Item::Expectation),
            };
            if let Some(slot) = cache.next_slot(cursor.next) {
                cursor.next = slot.0.saturating_add(1);
                self.bulk_budget -= 1;
                self.out.transmit(item(slot));
            } else if cursor.pass == 0 {
                (cursor.pass, cursor.next) = (1, 0);
            } else {
                self.bulk = None;
            }
        }
    }
}
