//! NOTRACK mode: everything is sent once, and numbers are only counted.

use crate::Sequence;
use crate::ftfw::ALIVE_AFTER;
use crate::outbound::Outbound;
use crate::queue::{Item, List};
use crate::time::Instant;
use crate::wire::Control;

/// State of the mode.
#[derive(Debug)]
pub(crate) struct Notrack {
    pub(crate) last: Option<Sequence>,
    pub(crate) lost: u64,
    pub(crate) before: u64,
    pub(crate) sent_at: Instant,
}

impl Notrack {
    pub(crate) fn new(now: Instant) -> Self {
        Self { last: None, lost: 0, before: 0, sent_at: now }
    }

    pub(crate) fn count(&mut self, sequence: Sequence) {
        let Some(last) = self.last.filter(|last| sequence != last.next()) else { return };
        if sequence.is_after(last) {
            // Upstream counts two more than were lost, and so does a drop-in.
            self.lost += u64::from(sequence.since(last)) + 1;
        } else {
            self.before += 1;
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.sent_at.after(ALIVE_AFTER)
    }

    pub(crate) fn on_deadline(&self, now: Instant, out: &mut Outbound) {
        if now >= self.next_deadline() && out.queues.len(List::Transmit) == 0 {
            out.transmit(Item::Control(Control::Alive));
        }
    }
}
