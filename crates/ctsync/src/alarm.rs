//! ALARM mode: everything is sent again and again, and forgotten when it is not heard of any more.

use crate::cache::{Cache, Life, Slot};
use crate::outbound::Outbound;
use crate::queue::Item;
use crate::time::{Duration, Instant};
use crate::timers::Timers;

/// The shortest time to a repetition.
const SHORTEST_REFRESH: Duration = Duration::from_millis(1_200);
/// Times to a repetition differ by a multiple of this.
const REFRESH_STEP: Duration = Duration::from_millis(200);

/// State of the mode. Of each pair of timers the first is for flows, the second for expectations.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// How many times to a repetition there are to choose from: not zero.
    choices: u64,
    lifetime: Duration,
    random: u64,
    refresh: [Timers; 2],
    expiry: [Timers; 2],
}

impl Alarm {
    pub(crate) fn new(refresh_s: u32, cache_timeout_s: u32, seed: u64) -> Self {
        let lifetime = Duration::from_secs(cache_timeout_s);
        Self {
            choices: choices(Duration::from_secs(refresh_s), lifetime),
            lifetime,
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

    fn next_refresh(&mut self, now: Instant) -> Instant {
        // xorshift64: only to spread the load.
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            let x = self.random;
            self.random ^= if left { x << by } else { x >> by };
        }
        let steps = self.random.checked_rem(self.choices).unwrap_or(0);
        let more = Duration(steps.saturating_mul(REFRESH_STEP.0));
        now.after(SHORTEST_REFRESH).after(more)
    }
}

/// The number of times from 1.2 seconds to `refresh` and one second. Two fifths of the lifetime bound it: an upstream node
/// counts the lifetime from when it was last awake, which is the repetition before when the link is quiet, so that two
/// repetitions and a delay have to fit into it.
fn choices(refresh: Duration, lifetime: Duration) -> u64 {
    let asked = refresh.0.saturating_add(Duration::from_secs(1).0);
    let longest = asked.min(lifetime.0 / 5 * 2);
    (longest.saturating_sub(SHORTEST_REFRESH.0) / REFRESH_STEP.0).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_spread_up_to_the_refresh_time_and_a_second() {
        let seconds = Duration::from_secs;
        assert_eq!(choices(seconds(60), seconds(180)), 300);
        assert_eq!(choices(seconds(1), seconds(180)), 5);
        let mut alarm = Alarm::new(1, 180, 7);
        let start = Instant(0);
        let mut times: Vec<u64> =
            (0..200).map(|_| alarm.next_refresh(start).since(start).0 / 1_000_000).collect();
        times.sort_unstable();
        times.dedup();
        assert_eq!(times, [1200, 1400, 1600, 1800, 2000]);
    }

    #[test]
    fn two_repetitions_fit_into_a_short_lifetime() {
        for (refresh_s, lifetime_s) in [(1, 3), (60, 60), (5, 4), (u32::MAX, 10)] {
            let mut alarm = Alarm::new(refresh_s, lifetime_s, 3);
            let start = Instant(0);
            for _ in 0..200 {
                let time = alarm.next_refresh(start).since(start).0;
                assert!(time * 2 < alarm.lifetime.0 * 9 / 10, "{refresh_s} {lifetime_s}: {time}");
                assert!(time >= SHORTEST_REFRESH.0);
            }
        }
    }
}
