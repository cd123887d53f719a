//! The socket that hears of changes: many events a system call, a buffer that grows, and a filter in the kernel.
//!
//! A full buffer is reported once, before the events that are still in it, and the kernel adds nothing until all of them
//! are read; so reading goes on. What was lost is counted by the kernel, for each socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use sys::netlink::{Datagram, OpenError, Slots, Socket};
use sys::socket_filter;

use crate::bpf::{Coverage, LONGEST, Program};

/// An event has some hundred bytes; a security context can be long.
const SLOT_BYTES: usize = 4096;
/// The buffer was full (`ENOBUFS`), the same number on nearly every machine that Linux runs on.
const NO_BUFFERS: i32 = 105;
/// `ENOMEM`, the same number on every machine that Linux runs on.
const OUT_OF_MEMORY: i32 = 12;
/// A program shorter than this is not worth another attempt.
const SHORTEST: usize = 64;

/// What a full buffer led to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Growth {
    /// It was made larger.
    Doubled {
        /// Its size now, as the kernel accounts for it.
        bytes: usize,
    },
    /// It cannot grow further. This is said once.
    Ended,
    /// That was said before.
    None,
}

/// What came of receiving.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventsTaken {
    /// So many datagrams, perhaps none.
    Datagrams(usize),
    /// Events were lost, after those that still wait. Nothing was taken.
    Overrun(Growth),
}

/// An open event socket. It hears nothing until it joins groups.
#[derive(Debug)]
pub struct EventSocket {
    socket: Socket,
    slots: Slots,
    limit: GrowthLimit,
    buffer_bytes: usize,
}

impl EventSocket {
    /// Opens a socket with the system's receive buffer, which grows up to `max_bytes` as the kernel accounts for it.
    ///
    /// # Errors
    ///
    /// If the socket cannot be opened.
    pub fn open(max_bytes: usize) -> Result<Self, OpenError> {
        let socket = Socket::open(0)?;
        let buffer_bytes = socket.receive_buffer().map_err(OpenError::Open)?;
        let slots = Slots::new(Slots::MOST, SLOT_BYTES);
        Ok(Self { socket, slots, limit: GrowthLimit::new(max_bytes), buffer_bytes })
    }

    /// The socket, for its options and groups.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Asks for a receive buffer of so many bytes and returns what it became ([`Socket::set_receive_buffer`]).
    ///
    /// # Errors
    ///
    /// If the kernel does not take the option.
    pub fn set_buffer(&mut self, bytes: usize) -> io::Result<usize> {
        self.buffer_bytes = self.socket.set_receive_buffer(bytes)?;
        Ok(self.buffer_bytes)
    }

    /// From now on the buffer keeps its size.
    pub fn keep_buffer(&mut self) {
        self.limit.has_ended = true;
    }

    /// Makes the buffer larger if what waits fills half of it, before anything is lost.
    ///
    /// # Errors
    ///
    /// If the kernel does not say what waits (before Linux 4.12).
    pub fn grow_if_filling(&mut self) -> io::Result<Growth> {
        let waiting = self.socket.waiting_bytes()?;
        Ok(if waiting > self.buffer_bytes / 2 { self.grow() } else { Growth::None })
    }

    /// Size of the receive buffer in bytes, as the kernel accounts for it.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Hands the datagrams that wait to `each`, at most `most` and [`Slots::MOST`]. Less than that says that no more
    /// waited. A full buffer is made larger.
    ///
    /// # Errors
    ///
    /// If the socket fails.
    pub fn receive(
        &mut self,
        most: usize,
        each: impl FnMut(Datagram<'_>),
    ) -> io::Result<EventsTaken> {
        match self.socket.try_receive_many(&mut self.slots, most, each) {
            Ok(taken) => Ok(EventsTaken::Datagrams(taken)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(EventsTaken::Datagrams(0))
            }
            Err(error) if error.raw_os_error() == Some(NO_BUFFERS) => {
                Ok(EventsTaken::Overrun(self.grow()))
            }
            Err(error) => Err(error),
        }
    }

    fn grow(&mut self) -> Growth {
        let socket = &self.socket;
        let growth = self.limit.grow(self.buffer_bytes, |bytes| {
            // The kernel makes it twice as large.
            socket.set_receive_buffer(bytes).unwrap_or(bytes)
        });
        if let Growth::Doubled { bytes } = growth {
            self.buffer_bytes = bytes;
        }
        growth
    }
}

impl AsFd for EventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// How far the buffer may grow.
#[derive(Clone, Copy, Debug)]
struct GrowthLimit {
    max_bytes: usize,
    has_ended: bool,
}

impl GrowthLimit {
    fn new(max_bytes: usize) -> Self {
        Self { max_bytes, has_ended: false }
    }

    /// The buffer was full: `double` makes one of this size twice as large and says what it became.
    fn grow(&mut self, bytes: usize, double: impl FnOnce(usize) -> usize) -> Growth {
        if self.has_ended {
            return Growth::None;
        }
        if bytes.checked_mul(2).is_some_and(|doubled| doubled <= self.max_bytes) {
            let now = double(bytes);
            // The system may refuse to go beyond its own limit.
            if now > bytes {
                return Growth::Doubled { bytes: now };
            }
        }
        self.has_ended = true;
        Growth::Ended
    }
}

/// Puts a program on a socket, and tells how much of the filter it holds. `compile` makes one of at most so many
/// instructions.
///
/// Events must be asked of the filter again in any case: some may wait already, and what is too long for the kernel is
/// left out. What is too long depends on its setting `net.core.optmem_max`.
///
/// # Errors
///
/// If the kernel takes no program that says anything.
pub fn attach_filter(
    socket: impl AsFd,
    compile: impl Fn(usize) -> Program,
) -> io::Result<Coverage> {
    let mut most = LONGEST;
    loop {
        let program = compile(most);
        let instructions =
            program.instructions.iter().map(|instruction| socket_filter::Instruction {
                code: instruction.code,
                skip_if_true: instruction.skip_if_true,
                skip_if_false: instruction.skip_if_false,
                operand: instruction.operand,
            });
        match socket_filter::attach(socket.as_fd(), instructions) {
            Ok(()) => return Ok(program.coverage),
            Err(error) if error.raw_os_error() != Some(OUT_OF_MEMORY) => return Err(error),
            Err(error) => {
                most = program.instructions.len().saturating_sub(1).min(most / 2);
                if most < SHORTEST {
                    return Err(error);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Growth, GrowthLimit};

    #[test]
    fn a_buffer_is_doubled_up_to_its_limit_and_the_end_is_said_once() {
        let mut limit = GrowthLimit::new(100);
        let mut bytes = 25;
        let mut said = Vec::new();
        for _ in 0..4 {
            let growth = limit.grow(bytes, |bytes| bytes * 2);
            if let Growth::Doubled { bytes: new } = growth {
                bytes = new;
            }
            said.push(growth);
        }
        assert_eq!(
            said,
            [
                Growth::Doubled { bytes: 50 },
                Growth::Doubled { bytes: 100 },
                Growth::Ended,
                Growth::None
            ]
        );
    }

    #[test]
    fn a_system_that_gives_no_more_ends_the_growth() {
        let mut limit = GrowthLimit::new(1000);
        assert_eq!(limit.grow(25, |bytes| bytes), Growth::Ended);
        assert_eq!(limit.grow(25, |_| panic!("it has ended")), Growth::None);
        assert_eq!(GrowthLimit::new(0).grow(1, |_| 0), Growth::Ended);
        assert_eq!(GrowthLimit::new(usize::MAX).grow(usize::MAX, |_| 0), Growth::Ended);
    }
}
