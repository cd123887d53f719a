//! ALARM mode: everything is sent again and again, and forgotten when it is not heard of any more.

use crate::cache::{Cache, Life, Slot};
use crate::outbound::Outbound;
use crate::queue::Item;
use crate::time::{Duration, Instant};
use crate::timers::Timers;

/// Steps of the fraction of a second that is added to the time of a repetition.
const REFRESH_STEP: Duration = Duration::from_millis(200);

/// State of the mode. Of each pair of timers the first is for flows, the second for expectations.
#[derive(Debug)]
pub(crate) struct Alarm {
    refresh_s: u32,
    lifetime: Duration,
    random: u64,
    refresh: [Timers; 2],
    expiry: [Timers; 2],
}

impl Alarm {
    pub(crate) fn new(refresh_s: u32, cache_timeout_s: u32, seed: u64) -> Self {
        Self {
            refresh_s,
            lifetime: Duration::from_secs(cache_timeout_s),
            random: seed | 1,
            refresh: Default::default(),
            expiry: Default::default(),
        }
    }

    /// An entry of the internal cache was made, changed or sent again.
    pub(crate) fn arm_refresh(&mut self, now: Instant, item: Item) {
        let due = self.next_refresh(now);
        if let Some((timers, slot)) = self.refresh_of(item) {
            timers.arm(slot, due);
        }
    }

    /// An entry of the internal cache ended.
    pub(crate) fn disarm_refresh(&mut self, item: Item) {
        if let Some((timers, slot)) = self.refresh_of(item) {
            timers.disarm(slot);
        }
    }

    /// The peer spoke of an entry.
    pub(crate) fn arm_expiry(&mut self, now: Instant, which: usize, slot: Slot) {
        let due = now.after(self.lifetime);
        if let Some(timers) = self.expiry.get_mut(which) {
            timers.arm(slot, due);
        }
    }

    /// An entry of the external cache is gone.
    pub(crate) fn disarm_expiry(&mut self, which: usize, slot: Slot) {
        if let Some(timers) = self.expiry.get_mut(which) {
            timers.disarm(slot);
        }
    }

    /// When an entry of the external cache ends.
    pub(crate) fn expires(&self, which: usize, slot: Slot) -> Option<Instant> {
        self.expiry.get(which)?.due(slot)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.refresh.iter().chain(&self.expiry).filter_map(Timers::next).min()
    }

    pub(crate) fn on_deadline(
        &mut self,
        now: Instant,
        out: &mut Outbound,
        external: &mut [Cache; 2],
    ) {
        while let Some(item) = self.pop_refresh(now) {
            if out.entry(item).is_some_and(|entry| entry.life != Life::Dead) {
                out.transmit(item);
                self.arm_refresh(now, item);
            }
        }
        for (timers, cache) in self.expiry.iter_mut().zip(external) {
            while let Some(slot) = timers.pop(now) {
                cache.remove(slot);
            }
        }
    }

    fn pop_refresh(&mut self, now: Instant) -> Option<Item> {
        let [flows, expectations] = &mut self.refresh;
        let due = flows.pop(now).map(Item::Flow);
        due.or_else(|| expectations.pop(now).map(Item::Expectation))
    }

    fn refresh_of(&mut self, item: Item) -> Option<(&mut Timers, Slot)> {
        let [flows, expectations] = &mut self.refresh;
        match item {
            Item::Flow(slot) => Some((flows, slot)),
            Item::Expectation(slot) => Some((expectations, slot)),
            Item::Control(_) => None,
        }
    }

    /// Between 1.2 seconds and the refresh time and one second.
    fn next_refresh(&mut self, now: Instant) -> Instant {
        // xorshift64: only to spread the load.
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            let x = self.random;
            self.random ^= if left { x << by } else { x >> by };
        }
        let whole = u32::try_from(self.random % u64::from(self.refresh_s.max(1))).unwrap_or(0);
        let steps = self.random >> 40;
        let fraction = Duration((steps % 5).saturating_add(1).saturating_mul(REFRESH_STEP.0));
        now.after(Duration::from_secs(whole.saturating_add(1))).after(fraction)
    }
}
