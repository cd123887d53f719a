//! One deadline for each slot of a cache (ALARM mode).
//!
//! To arm a timer again for later costs no more than to write the time down: the heap holds at most the earliest deadline
//! that was valid for each slot, and looks again when that comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::cache::Slot;
use crate::time::Instant;

/// The timers of a cache.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    slots: Vec<Timer>,
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Timer {
    due: Option<Instant>,
    scheduled: Option<Instant>,
}

impl Timers {
    /// Sets the deadline of a slot, instead of the one that it had.
    pub(crate) fn arm(&mut self, slot: Slot, due: Instant) {
        let Ok(index) = usize::try_from(slot.0) else { return };
        if self.slots.len() <= index {
            self.slots.resize(index.saturating_add(1), Timer::default());
        }
        let Some(timer) = self.slots.get_mut(index) else { return };
        timer.due = Some(due);
        if timer.scheduled.is_none_or(|scheduled| due < scheduled) {
            timer.scheduled = Some(due);
            self.heap.push(Reverse((due, slot.0)));
        }
    }

    /// A slot without deadline.
    pub(crate) fn disarm(&mut self, slot: Slot) {
        if let Some(timer) = usize::try_from(slot.0).ok().and_then(|i| self.slots.get_mut(i)) {
            timer.due = None;
        }
    }

    /// The deadline of a slot.
    pub(crate) fn due(&self, slot: Slot) -> Option<Instant> {
        self.slots.get(usize::try_from(slot.0).ok()?)?.due
    }

    /// Nothing is due before this.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes a slot whose deadline has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Slot> {
        while let Some(Reverse((scheduled, slot))) = self.heap.peek().copied() {
            if scheduled > now {
                return None;
            }
            self.heap.pop();
            let timer = usize::try_from(slot).ok().and_then(|i| self.slots.get_mut(i))?;
            if timer.scheduled != Some(scheduled) {
                continue;
            }
            timer.scheduled = None;
            match timer.due {
                Some(due) if due > now => {
                    timer.scheduled = Some(due);
                    self.heap.push(Reverse((due, slot)));
                }
                Some(_) => {
                    timer.due = None;
                    return Some(Slot(slot));
                }
                None => {}
            }
        }
        None
    }
}
