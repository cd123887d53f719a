//! The process itself: going to the background, its scheduling, random numbers.

use std::fs::File;
use std::io::{self, Read};

use nix::errno::Errno;
use nix::unistd::{self, ForkResult};

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

/// Schedules this process in real time with the priority, from 1 to [`RealTime::highest`]. A child goes on like it.
#[expect(unsafe_code, reason = "nix has no face for scheduling")]
pub fn schedule(policy: RealTime, priority: i32) -> io::Result<()> {
    // SAFETY: `sched_param` is numbers, for which zero is valid.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the pointer is to a live `sched_param` that the call only reads; 0 is this process.
    let result = unsafe { libc::sched_setscheduler(0, policy.number(), &raw const parameters) };
    Errno::result(result)?;
    Ok(())
}

/// Goes on in the background: the caller is from now on a child without terminal, in the directory `/`, whose standard
/// streams lead nowhere. The process must have one thread.
///
/// The parent calls `tell` with the child's number and ends with exit code 0, without destructors: all it had is the
/// child's. The child goes on behind that, so that who waits for the parent has heard of the child before the child speaks.
#[expect(unsafe_code, reason = "nix's daemon(3) tells the parent nothing")]
pub fn into_background(tell: impl FnOnce(u32)) -> io::Result<()> {
    // What can fail does so while there is one process.
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (mut parent_ended, parent_lives) = io::pipe()?;
    // SAFETY: there is one thread, so the child finds no lock that another one held.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => {
            tell(u32::try_from(child.as_raw()).unwrap_or_default());
            // SAFETY: ends this process and runs nothing of it.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Child => {
            drop(parent_lives);
            // Ends with the parent. If it cannot be read, the child is only early.
            let _ = parent_ended.read(&mut [0]);
            unistd::setsid()?;
            leave_directory()?;
            unistd::dup2_stdin(&null)?;
            unistd::dup2_stdout(&null)?;
            unistd::dup2_stderr(&null)?;
            Ok(())
        }
    }
}

/// Leaves the working directory, so that it can be unmounted.
pub fn leave_directory() -> io::Result<()> {
    Ok(unistd::chdir("/")?)
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
