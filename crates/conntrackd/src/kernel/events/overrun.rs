//! When to compare with the kernel's table after events were lost.

use ctsync::time::{Duration, Instant};

/// The timer of `NetlinkOverrunResync`.
///
/// It runs from the first loss and is not put off by later ones: under a lasting load the comparison comes again and
/// again. (Upstream begins anew at each loss, so that it never comes as long as the load lasts.)
#[derive(Clone, Copy, Debug)]
pub struct OverrunResync {
    after: Option<Duration>,
    due: Option<Instant>,
}

impl OverrunResync {
    /// A timer of so long; `None` switches it off.
    pub fn new(after: Option<std::time::Duration>) -> Self {
        let nanoseconds = |after: std::time::Duration| u64::try_from(after.as_nanos());
        let after = after.map(|after| Duration(nanoseconds(after).unwrap_or(u64::MAX)));
        Self { after, due: None }
    }

    /// Events were lost.
    pub fn lost(&mut self, now: Instant) {
        if let Some(after) = self.after {
            self.due.get_or_insert(now.after(after));
        }
    }

    /// When [`OverrunResync::take`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the comparison is to begin now.
    pub fn take(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
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
            assert!(!resync.take(at(second)));
        }
        assert_eq!(resync.deadline(), Some(at(30)));
        assert!(resync.take(at(31)));
        assert!(!resync.take(at(99)));
        resync.lost(at(40));
        assert_eq!(resync.deadline(), Some(at(70)));
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut resync = OverrunResync::new(None);
        resync.lost(at(1));
        assert_eq!(resync.deadline(), None);
        assert!(!resync.take(at(1000)));
    }
}
