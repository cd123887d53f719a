//! Signals as a readable descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal as Number, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// A signal that a program takes in its own time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// `SIGINT` or `SIGTERM`: end.
    End,
    /// `SIGHUP`: open the log files again.
    Reopen,
    /// `SIGUSR1` or `SIGUSR2`.
    User,
}

/// Signals that are from now on held back from their default action and readable here instead.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Holds back all kinds. Call it before other threads start, and after a fork: the descriptor is the process's own.
    pub fn hold() -> io::Result<Self> {
        Self::hold_those(&[
            Number::SIGINT,
            Number::SIGTERM,
            Number::SIGHUP,
            Number::SIGUSR1,
            Number::SIGUSR2,
        ])
    }

    fn hold_those(numbers: &[Number]) -> io::Result<Self> {
        let signals: SigSet = numbers.iter().copied().collect();
        signals.thread_block()?;
        let fd = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { fd })
    }

    /// Takes one signal that has come.
    pub fn take(&self) -> io::Result<Option<Signal>> {
        let Some(info) = self.fd.read_signal()? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).ok().and_then(|n| Number::try_from(n).ok());
        Ok(Some(match number {
            Some(Number::SIGHUP) => Signal::Reopen,
            Some(Number::SIGUSR1 | Number::SIGUSR2) => Signal::User,
            _ => Signal::End,
        }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A signal that wishes the end of a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndSignal {
    /// `SIGINT`.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
}

impl EndSignal {
    /// Ends the process as the signal does that nobody holds back, so that who waits for it knows why. Returns only if
    /// that fails.
    pub fn end_process(self) -> io::Result<()> {
        let number = match self {
            Self::Interrupt => Number::SIGINT,
            Self::Terminate => Number::SIGTERM,
        };
        // It waits until it is no longer held back.
        raise(number)?;
        Ok(SigSet::from(number).thread_unblock()?)
    }
}

/// A signal to a tool that goes on until its end is wished.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ToolSignal {
    /// End.
    End(EndSignal),
    /// `SIGUSR1`: say how it goes.
    Report,
}

/// `SIGINT` and `SIGTERM`, and `SIGUSR1` if that is wanted too, held back like [`Signals`].
#[derive(Debug)]
pub struct EndSignals(SignalFd);

impl EndSignals {
    /// Begins to hold them back. Call it before other threads start.
    pub fn hold() -> io::Result<Self> {
        Signals::hold_those(&[Number::SIGINT, Number::SIGTERM]).map(|Signals { fd }| Self(fd))
    }

    /// The same with `SIGUSR1`.
    pub fn hold_with_report() -> io::Result<Self> {
        let numbers = [Number::SIGINT, Number::SIGTERM, Number::SIGUSR1];
        Signals::hold_those(&numbers).map(|Signals { fd }| Self(fd))
    }

    /// Takes one signal that has come.
    pub fn take(&self) -> io::Result<Option<ToolSignal>> {
        let Some(info) = self.0.read_signal()? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).ok().and_then(|n| Number::try_from(n).ok());
        Ok(Some(match number {
            Some(Number::SIGUSR1) => ToolSignal::Report,
            Some(Number::SIGTERM) => ToolSignal::End(EndSignal::Terminate),
            _ => ToolSignal::End(EndSignal::Interrupt),
        }))
    }
}

impl AsFd for EndSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
