//! Waiting for descriptors (`poll`).

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interest {
    /// Something to read, or an error.
    Readable,
    /// That its reader is gone (a pipe or socket that is written to).
    ReaderGone,
    /// Room for at least `PIPE_BUF` bytes, or an error.
    Writable,
}

/// Waits without limit until at least one descriptor is ready, and tells which are.
pub fn wait<const N: usize>(descriptors: [(BorrowedFd<'_>, Interest); N]) -> io::Result<[bool; N]> {
    wait_until(descriptors, PollTimeout::NONE)
}

/// The same, but at most so many milliseconds; then none may be ready. A signal that is not held back begins them anew.
pub fn wait_at_most<const N: usize>(
    descriptors: [(BorrowedFd<'_>, Interest); N],
    milliseconds: u8,
) -> io::Result<[bool; N]> {
    wait_until(descriptors, PollTimeout::from(milliseconds))
}

fn wait_until<const N: usize>(
    descriptors: [(BorrowedFd<'_>, Interest); N],
    timeout: PollTimeout,
) -> io::Result<[bool; N]> {
    let mut entries = descriptors.map(|(fd, interest)| {
        // Errors and hang-ups are always reported.
        let events = match interest {
            Interest::Readable => PollFlags::POLLIN,
            Interest::ReaderGone => PollFlags::empty(),
            Interest::Writable => PollFlags::POLLOUT,
        };
        PollFd::new(fd, events)
    });
    loop {
        match poll(&mut entries, timeout) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => break,
        }
    }
    Ok(entries.map(|entry| entry.revents().is_some_and(|events| !events.is_empty())))
}
