//! When to compare with the kernel's table after events were lost.

use ctsync::time::{Duration, Instant};

/// The timer of `NetlinkOverrunResync`.
///
/// It runs from the first loss and is not put off by later ones: under a lasting load the comparison comes again and
/// again. (Upstream begins anew at each loss, so that it never comes as long as the load lasts.)
///
/// It waits until the buffer was empty once after the last loss. Until then the kernel adds nothing to it and does not
/// complain again, so changes go on being lost; and what is still in it is older than what was lost, so the end of a flow
/// may be among the lost and its beginning among what is yet to be read. A comparison that begins earlier would not
/// see to either, and nothing would ask for another one.
#[derive(Clone, Copy, Debug)]
pub struct OverrunResync {
    after: Option<Duration>,
    due: Option<Instant>,
    /// The buffer was not empty since the last loss.
    is_behind: bool,
}

impl OverrunResync {
    /// A timer of so long; `None` switches it off.
    pub fn new(after: Option<std::time::Duration>) -> Self {
        let nanoseconds = |after: std::time::Duration| u64::try_from(after.as_nanos());
        let after = after.map(|after| Duration(nanoseconds(after).unwrap_or(u64::MAX)));
        Self { after, due: None, is_behind: false }
    }

    /// Events were lost.
    pub fn lost(&mut self, now: Instant) {
        if let Some(after) = self.after {
            self.due.get_or_insert(now.after(after));
            self.is_behind = true;
        }
    }

    /// The buffer is empty, or was when it was read last.
    pub fn caught_up(&mut self) {
        self.is_behind = false;
    }

    /// Whether the comparison would begin now if all events were read.
    pub fn awaits_reading(&self, now: Instant) -> bool {
        self.is_behind && self.due.is_some_and(|due| due <= now)
    }

    /// When [`OverrunResync::take`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the comparison is to begin now.
    pub fn take(&mut self, now: Instant) -> bool {
        !self.is_behind && self.due.take_if(|due| *due <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration as StdDuration;

    use ctsync::time::{Duration, Instant};

    use super::OverrunResync;

    fn at(seconds: u32) -> Instant {
        Instant(Duration::from_secs(seconds).0)
    }

    #[test]
    fn later_losses_do_not_put_it_off_and_begin_the_next_one() {
        let mut resync = OverrunResync::new(Some(StdDuration::from_secs(30)));
        for second in 0..29 {
            resync.lost(at(second));
            resync.caught_up();
            assert!(!resync.take(at(second)));
        }
        assert_eq!(resync.deadline(), Some(at(30)));
        assert!(resync.take(at(31)));
        assert!(!resync.take(at(99)));
        resync.lost(at(40));
        resync.caught_up();
        assert_eq!(resync.deadline(), Some(at(70)));
    }

    #[test]
    fn it_waits_until_the_buffer_was_empty_after_the_last_loss() {
        let mut resync = OverrunResync::new(Some(StdDuration::from_secs(2)));
        resync.lost(at(0));
        resync.caught_up();
        assert!(!resync.awaits_reading(at(2)));
        // Another loss just before the first one is due.
        resync.lost(at(1));
        assert_eq!((resync.deadline(), resync.awaits_reading(at(1))), (Some(at(2)), false));
        assert!(!resync.take(at(2)) && resync.awaits_reading(at(2)));
        resync.caught_up();
        assert!(resync.take(at(2)));
        resync.caught_up();
        assert!(!resync.take(at(99)));
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut resync = OverrunResync::new(None);
        resync.lost(at(1));
        assert_eq!(resync.deadline(), None);
        assert!(!resync.take(at(1000)) && !resync.awaits_reading(at(1000)));
    }
}
