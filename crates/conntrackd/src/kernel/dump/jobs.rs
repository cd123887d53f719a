//! What dumps are wanted for, and the order in which they come.

use std::collections::VecDeque;

use ctnetlink::Table;

use crate::wake::ClientId;

/// The most dumps for clients that wait. Of every other kind there is one at most for each table.
pub const MOST_JOBS: usize = 64;

/// What the entries are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// They go into the internal cache, and the peer is not told (the start, and `-R`).
    FillCache,
    /// They are compared with the internal cache after a loss of events, and the peer is told.
    AfterOverrun,
    /// The same, now and then (`PollSecs`).
    Poll,
    /// They are sent to the peer without an internal cache (`-B`, and at its request).
    Bulk,
    /// Those that pass the filter are deleted (`-F`, `-t`).
    Flush,
    /// They are shown to a client, as there is no internal cache (`-i`).
    Print(ClientId),
}

/// A dump that is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Job {
    /// What for.
    pub purpose: Purpose,
    /// Of which table.
    pub table: Table,
}

impl Job {
    fn is_for_client(&self) -> bool {
        matches!(self.purpose, Purpose::Print(_))
    }
}

/// What became of the wish for a dump.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Asked {
    /// It comes behind those that wait.
    Waits,
    /// The same dump waits already and has not begun: it will do for both.
    Merged,
    /// It is for a client, and [`MOST_JOBS`] wait already.
    Refused,
}

/// Dumps that wait, in the order in which they were asked for, but those for clients behind all others: a client may
/// read as slowly as it likes.
#[derive(Debug, Default)]
pub(super) struct Jobs(VecDeque<Job>);

impl Jobs {
    /// One that runs already is not merged with: it may have passed what the new one is to see.
    pub(super) fn ask(&mut self, job: Job) -> Asked {
        if self.0.contains(&job) {
            Asked::Merged
        } else if job.is_for_client() && self.0.len() >= MOST_JOBS {
            Asked::Refused
        } else {
            let place = if job.is_for_client() { self.0.len() } else { self.first_for_client() };
            self.0.insert(place, job);
            Asked::Waits
        }
    }

    pub(super) fn take(&mut self) -> Option<Job> {
        self.0.pop_front()
    }

    /// Puts a dump that failed back in front of its like: one for a client stays behind all others.
    pub(super) fn put_back(&mut self, job: Job) {
        if !self.0.contains(&job) {
            let place = if job.is_for_client() { self.first_for_client() } else { 0 };
            self.0.insert(place, job);
        }
    }

    /// Where the dumps for clients begin.
    fn first_for_client(&self) -> usize {
        self.0.iter().position(Job::is_for_client).unwrap_or(self.0.len())
    }

    pub(super) fn forget(&mut self, job: Job) {
        self.0.retain(|waiting| *waiting != job);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use ctnetlink::Table;

    use super::{Asked, Job, Jobs, MOST_JOBS, Purpose};
    use crate::wake::ClientId;

    #[test]
    fn clients_cannot_keep_other_dumps_out() {
        let mut jobs = Jobs::default();
        let job = |purpose| Job { purpose, table: Table::Flows };
        for number in 0..MOST_JOBS {
            let client = ClientId(u32::try_from(number).unwrap());
            assert_eq!(jobs.ask(job(Purpose::Print(client))), Asked::Waits);
        }
        assert_eq!(jobs.ask(job(Purpose::Print(ClientId(1000)))), Asked::Refused);
        assert_eq!(jobs.ask(job(Purpose::Bulk)), Asked::Waits);
        assert_eq!(jobs.ask(job(Purpose::Bulk)), Asked::Merged);
        jobs.forget(job(Purpose::Print(ClientId(0))));
        jobs.forget(job(Purpose::Print(ClientId(1))));
        assert_eq!(jobs.ask(job(Purpose::Print(ClientId(1000)))), Asked::Waits);
    }

    #[test]
    fn dumps_for_clients_come_behind_all_others() {
        let mut jobs = Jobs::default();
        let job = |purpose| Job { purpose, table: Table::Flows };
        let asked = [
            Purpose::Flush,
            Purpose::Print(ClientId(1)),
            Purpose::Print(ClientId(2)),
            Purpose::AfterOverrun,
            Purpose::Bulk,
        ];
        for purpose in asked {
            assert_eq!(jobs.ask(job(purpose)), Asked::Waits);
        }
        let [flush, first, second, overrun, bulk] = asked;
        let taken = std::iter::from_fn(|| jobs.take()).map(|job| job.purpose);
        assert_eq!(taken.collect::<Vec<_>>(), [flush, overrun, bulk, first, second]);
    }

    #[test]
    fn a_dump_that_failed_comes_back_in_front_of_its_like() {
        let mut jobs = Jobs::default();
        let job = |purpose| Job { purpose, table: Table::Flows };
        let [first, second] = [1, 2].map(|client| Purpose::Print(ClientId(client)));
        for purpose in [first, second] {
            assert_eq!(jobs.ask(job(purpose)), Asked::Waits);
        }
        let failed = jobs.take().unwrap();
        assert_eq!(jobs.ask(job(Purpose::Bulk)), Asked::Waits);
        jobs.put_back(failed);
        assert_eq!(jobs.take(), Some(job(Purpose::Bulk)));
        assert_eq!(jobs.ask(job(Purpose::Flush)), Asked::Waits);
        jobs.put_back(job(Purpose::Bulk));
        let taken = std::iter::from_fn(|| jobs.take()).map(|job| job.purpose);
        assert_eq!(taken.collect::<Vec<_>>(), [Purpose::Bulk, Purpose::Flush, first, second]);
        // Alone it is the next one.
        jobs.put_back(failed);
        assert_eq!(jobs.take(), Some(failed));
    }
}
