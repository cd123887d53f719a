//! Which link sends.
//!
//! The active link gives way when its device cannot carry packets and another one can. Upstream never goes back to the
//! link marked `Default`; here it is used again when its device has been able to carry packets for [`STEADY`], but only
//! if it was left because of the own device. If the peer left it, the peer has a reason that cannot be seen from here.
//! And if the peer does not follow within [`TRIAL`], the link that it still uses is taken again.

use ctsync::time::{Duration, Instant};

use crate::config::LINKS_MAX;

/// How long a device must have been fine before its link is trusted again.
const STEADY: Duration = Duration::from_secs(1);
/// How long the peer may take to follow. It says something each second in the modes that expect an answer.
const TRIAL: Duration = Duration::from_secs(3);
/// What comes over another link so long after the return was sent after it.
const FOLLOWED: Duration = Duration::from_millis(1500);

/// What has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// This link sends from now on.
    Activated(usize),
    /// The active link cannot, and no other either.
    NoneAvailable,
}

/// Why the active link is the active one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reason {
    /// It is the default.
    Default,
    /// The device of another one failed.
    Failure,
    /// The peer uses it.
    Peer,
}

/// The time after a return to the default.
#[derive(Clone, Copy, Debug)]
struct Trial {
    since: Instant,
    /// The link that the peer still uses.
    elsewhere: Option<usize>,
}

/// Which link sends, and why.
#[derive(Debug)]
pub(super) struct Selection {
    default: usize,
    active: usize,
    reason: Reason,
    /// Since when the device of each link has been able to carry packets.
    fit_since: [Option<Instant>; LINKS_MAX],
    trial: Option<Trial>,
    none_said: bool,
}

impl Selection {
    pub(super) fn new(default: usize) -> Self {
        Self {
            default,
            active: default,
            reason: Reason::Default,
            fit_since: [None; LINKS_MAX],
            trial: None,
            none_said: false,
        }
    }

    pub(super) fn active(&self) -> usize {
        self.active
    }

    /// The device of a link can carry packets, or cannot.
    pub(super) fn set_fit(&mut self, now: Instant, link: usize, is_fit: bool) {
        if let Some(since) = self.fit_since.get_mut(link) {
            *since = if is_fit { since.or(Some(now)) } else { None };
        }
    }

    /// The peer uses a link. Whether it is the active one now and was not before.
    pub(super) fn follow(&mut self, link: usize) -> bool {
        let follows = link != self.active && self.is_fit(link);
        if follows {
            self.change(link, Reason::Peer);
        }
        follows
    }

    /// Something has come over a link.
    pub(super) fn heard(&mut self, now: Instant, link: usize) {
        let Some(trial) = &mut self.trial else { return };
        if link == self.active {
            self.trial = None;
        } else if now >= trial.since.after(FOLLOWED) {
            trial.elsewhere = Some(link);
        }
    }

    /// To be called when a device has changed or a deadline has come.
    pub(super) fn decide(&mut self, now: Instant) -> Option<Change> {
        if !self.is_fit(self.active) {
            return self.leave();
        }
        self.none_said = false;
        if let Some(trial) = self.trial
            && now >= trial.since.after(TRIAL)
        {
            self.trial = None;
            let elsewhere = trial.elsewhere.filter(|&link| self.is_fit(link))?;
            return Some(self.change(elsewhere, Reason::Peer));
        }
        if now >= self.return_at()? {
            let change = self.change(self.default, Reason::Default);
            self.trial = Some(Trial { since: now, elsewhere: None });
            return Some(change);
        }
        None
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        if !self.is_fit(self.active) {
            return None;
        }
        let end_of_trial = self.trial.map(|trial| trial.since.after(TRIAL));
        end_of_trial.into_iter().chain(self.return_at()).min()
    }

    /// The active link cannot send any more.
    fn leave(&mut self) -> Option<Change> {
        let mut candidates = std::iter::once(self.default).chain(0..LINKS_MAX);
        if let Some(next) = candidates.find(|&link| self.is_fit(link)) {
            return Some(self.change(next, Reason::Failure));
        }
        let is_news = !self.none_said;
        self.none_said = true;
        is_news.then_some(Change::NoneAvailable)
    }

    /// When the default link is to be used again.
    fn return_at(&self) -> Option<Instant> {
        let since = self.fit_since.get(self.default).copied().flatten()?;
        (self.reason == Reason::Failure).then(|| since.after(STEADY))
    }

    fn change(&mut self, link: usize, reason: Reason) -> Change {
        self.active = link;
        self.reason = if link == self.default { Reason::Default } else { reason };
        self.trial = None;
        self.none_said = false;
        Change::Activated(link)
    }

    fn is_fit(&self, link: usize) -> bool {
        self.fit_since.get(link).is_some_and(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use ctsync::time::{Duration, Instant};

    use super::{Change, Selection};

    fn at(milliseconds: u32) -> Instant {
        Instant::default().after(Duration::from_millis(milliseconds))
    }

    /// Three links, all of them fine, the second one is the default.
    fn fine() -> Selection {
        let mut selection = Selection::new(1);
        for link in 0..3 {
            selection.set_fit(at(0), link, true);
        }
        assert_eq!(selection.decide(at(0)), None);
        selection
    }

    #[test]
    fn the_next_that_can_takes_over_and_gives_back() {
        let mut selection = fine();
        selection.set_fit(at(1000), 1, false);
        selection.set_fit(at(1000), 0, false);
        assert_eq!(selection.decide(at(1000)), Some(Change::Activated(2)));
        assert_eq!(selection.decide(at(1000)), None);
        assert_eq!(selection.next_deadline(), None);
        selection.set_fit(at(2000), 1, true);
        // The first one is no better than the one in use.
        selection.set_fit(at(2000), 0, true);
        assert_eq!(selection.next_deadline(), Some(at(3000)));
        assert_eq!(selection.decide(at(2999)), None);
        assert_eq!(selection.decide(at(3000)), Some(Change::Activated(1)));
        assert_eq!(selection.next_deadline(), Some(at(6000)));
        assert_eq!(selection.decide(at(6000)), None);
        assert_eq!(selection.next_deadline(), None);
    }

    #[test]
    fn a_device_that_comes_and_goes_is_not_trusted() {
        let mut selection = fine();
        selection.set_fit(at(0), 1, false);
        assert_eq!(selection.decide(at(0)), Some(Change::Activated(0)));
        for start in [100, 900, 1700] {
            selection.set_fit(at(start), 1, true);
            assert_eq!(selection.decide(at(start + 700)), None);
            selection.set_fit(at(start + 700), 1, false);
            assert_eq!(selection.decide(at(start + 700)), None);
        }
    }

    #[test]
    fn that_there_is_none_is_said_once_each_time() {
        let mut selection = fine();
        for round in 0..2 {
            for link in 0..3 {
                selection.set_fit(at(round * 100), link, false);
            }
            assert_eq!(selection.decide(at(round * 100)), Some(Change::NoneAvailable));
            assert_eq!(selection.decide(at(round * 100 + 1)), None);
            assert_eq!((selection.active(), selection.next_deadline()), (1, None));
            // The one that was active can again: that is no news.
            selection.set_fit(at(round * 100 + 2), 1, true);
            assert_eq!(selection.decide(at(round * 100 + 2)), None);
        }
        selection.set_fit(at(500), 1, false);
        assert_eq!(selection.decide(at(500)), Some(Change::NoneAvailable));
        selection.set_fit(at(600), 2, true);
        assert_eq!(selection.decide(at(600)), Some(Change::Activated(2)));
    }

    #[test]
    fn the_peer_is_followed_and_not_left() {
        let mut selection = fine();
        assert!(selection.follow(2));
        assert!(!selection.follow(2));
        assert_eq!(selection.active(), 2);
        // It had a reason to leave the default.
        assert_eq!((selection.next_deadline(), selection.decide(at(9000))), (None, None));
        selection.set_fit(at(9000), 0, false);
        assert!(!selection.follow(0), "a link that cannot send");
        assert!(selection.follow(1));
        assert_eq!((selection.next_deadline(), selection.active()), (None, 1));
    }

    #[test]
    fn a_return_that_the_peer_does_not_follow_is_taken_back() {
        for (heard, then) in [
            (&[(1, 2500)][..], 1),
            (&[(0, 2400), (0, 3000)], 1),
            (&[(0, 3000), (0, 4000)], 0),
            (&[(0, 4000), (1, 4500)], 1),
            (&[], 1),
        ] {
            let mut selection = fine();
            selection.set_fit(at(0), 1, false);
            assert_eq!(selection.decide(at(0)), Some(Change::Activated(0)));
            selection.set_fit(at(1000), 1, true);
            assert_eq!(selection.decide(at(2000)), Some(Change::Activated(1)));
            for &(link, moment) in heard {
                selection.heard(at(moment), link);
            }
            let change = selection.decide(at(5000));
            assert_eq!((selection.active(), change.is_some()), (then, then == 0), "{heard:?}");
            assert_eq!((selection.next_deadline(), selection.decide(at(99_000))), (None, None));
        }
    }
}
