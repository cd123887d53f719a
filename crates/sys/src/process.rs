//! The process itself: going to the background, its scheduling, random numbers.

use std::fs::File;
use std::io::{self, Read};

use nix::errno::Errno;

/// A real-time scheduling policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RealTime {
    /// `SCHED_RR`
    RoundRobin,
    /// `SCHED_FIFO`
    Fifo,
}

impl RealTime {
    fn number(self) -> libc::c_int {
        match self {
            Self::RoundRobin => libc::SCHED_RR,
            Self::Fifo => libc::SCHED_FIFO,
        }
    }

    /// The highest priority of the policy (`sched_get_priority_max`).
    #[expect(unsafe_code, reason = "nix has no face for scheduling")]
    pub fn highest(self) -> io::Result<i32> {
        // SAFETY: takes a number and touches no memory of ours.
        let highest = unsafe { libc::sched_get_priority_max(self.number()) };
        Ok(Errno::result(highest)?)
    }
}

/// Schedules this process in real time with the priority, and its children as usual: an editor started by a script
/// must not run before everything else.
#[expect(unsafe_code, reason = "nix has no face for scheduling")]
pub fn schedule(policy: RealTime, priority: i32) -> io::Result<()> {
    // SAFETY: `sched_param` is numbers, for which zero is valid.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    let policy = policy.number() | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the pointer is to a live `sched_param` that the call only reads; 0 is this process.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    Errno::result(result)?;
    Ok(())
}

/// Goes on in the background: the caller is from now on a child without terminal, in the directory `/`, whose standard
/// streams lead nowhere; the parent has ended with exit code 0. The process must have one thread.
pub fn into_background() -> io::Result<()> {
    Ok(nix::unistd::daemon(false, false)?)
}

/// Leaves the working directory, so that it can be unmounted.
pub fn leave_directory() -> io::Result<()> {
    Ok(nix::unistd::chdir("/")?)
}

/// A random number that nobody can guess.
pub fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::{RealTime, random, schedule};

    #[test]
    fn a_priority_above_the_highest_is_refused() {
        let highest = RealTime::Fifo.highest().unwrap();
        assert!(highest > 0);
        assert!(schedule(RealTime::Fifo, highest + 1).is_err());
        assert!(schedule(RealTime::RoundRobin, 0).is_err());
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random().unwrap(), random().unwrap());
    }
}
