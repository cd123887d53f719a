//! Waiting for many descriptors (`epoll`, level-triggered).

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// What a descriptor is waited for. Errors and hang-ups are always reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    ReadWrite,
    /// Nothing but errors and hang-ups.
    Hangup,
}

impl Interest {
    fn flags(self) -> EpollFlags {
        match self {
            Self::Read => EpollFlags::EPOLLIN,
            Self::Write => EpollFlags::EPOLLOUT,
            Self::ReadWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            Self::Hangup => EpollFlags::empty(),
        }
    }
}

/// A descriptor that is ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ready {
    /// The token that it was registered with.
    pub token: u64,
    /// A read does not block. An error or a hang-up counts as that, since reading tells which.
    pub readable: bool,
    /// A write does not block.
    pub writable: bool,
}

/// A set of descriptors. One that is closed leaves it by itself.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)? })
    }

    /// Adds a descriptor under a token of the caller's choice.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(interest.flags(), token))?)
    }

    /// Waits for something else on a descriptor of the set.
    pub fn change(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(interest.flags(), token))?)
    }

    /// Takes a descriptor out.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    /// Waits until a descriptor is ready or the time is over, which is rounded up to milliseconds; `None` waits for ever.
    /// Those that are ready, at most 64, replace what is in `ready`. A signal ends the wait with none.
    pub fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        const MOST: usize = 64;
        let mut events = [EpollEvent::empty(); MOST];
        let timeout = timeout.map_or(EpollTimeout::NONE, |timeout| {
            let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
            i32::try_from(milliseconds)
                .ok()
                .and_then(|milliseconds| EpollTimeout::try_from(milliseconds).ok())
                .unwrap_or(EpollTimeout::MAX)
        });
        ready.clear();
        let count = match self.epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            result => result?,
        };
        ready.extend(events.iter().take(count).map(|event| Ready {
            token: event.data(),
            readable: event.events().intersects(
                EpollFlags::EPOLLIN
                    | EpollFlags::EPOLLERR
                    | EpollFlags::EPOLLHUP
                    | EpollFlags::EPOLLRDHUP,
            ),
            writable: event.events().contains(EpollFlags::EPOLLOUT),
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::{Interest, Poller, Ready};

    #[test]
    fn a_descriptor_is_ready_when_it_can_do_what_is_wanted() {
        let poller = Poller::new().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut ready = Vec::new();
        poller.add(&far, 7, Interest::Read).unwrap();
        poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready, []);
        near.write_all(b"x").unwrap();
        poller.wait(None, &mut ready).unwrap();
        assert_eq!(ready, [Ready { token: 7, readable: true, writable: false }]);
        poller.change(&far, 8, Interest::Write).unwrap();
        poller.wait(None, &mut ready).unwrap();
        assert_eq!(ready, [Ready { token: 8, readable: false, writable: true }]);
        poller.change(&far, 9, Interest::Hangup).unwrap();
        poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready, []);
        drop(near);
        poller.wait(None, &mut ready).unwrap();
        assert_eq!(ready.len(), 1);
        poller.remove(&far).unwrap();
        poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready, []);
    }
}
