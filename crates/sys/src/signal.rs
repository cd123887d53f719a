//! Signals as a readable descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGINT and SIGTERM, from now on held back from ending the process and readable here instead.
#[derive(Debug)]
pub struct EndSignals {
    fd: SignalFd,
}

impl EndSignals {
    /// Begins to hold them back. Call it before other threads start.
    pub fn hold() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block()?;
        let fd = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { fd })
    }

    /// Takes one signal that has come; whether there was one.
    pub fn take(&self) -> io::Result<bool> {
        Ok(self.fd.read_signal()?.is_some())
    }
}

impl AsFd for EndSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
