//! Receiving: one datagram, or many in one system call, of the kernel alone.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, NetlinkAddr, recvmmsg, recvmsg};

use super::retry;

/// The most datagrams that one system call takes.
const MOST: usize = 64;

/// Room for datagrams that are received together. It is used again and again.
pub struct Slots {
    headers: MultiHeaders<NetlinkAddr>,
    bytes: Box<[u8]>,
    slot_bytes: usize,
}

impl Slots {
    /// The most slots there can be.
    pub const MOST: usize = MOST;

    /// So many slots of so many bytes: at least one of each, at most [`Slots::MOST`].
    pub fn new(count: usize, slot_bytes: usize) -> Self {
        let (count, slot_bytes) = (count.clamp(1, MOST), slot_bytes.max(1));
        Self {
            headers: MultiHeaders::preallocate(count, None),
            bytes: vec![0; count.saturating_mul(slot_bytes)].into_boxed_slice(),
            slot_bytes,
        }
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("slot_bytes", &self.slot_bytes).finish_non_exhaustive()
    }
}

/// A datagram that was received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Datagram<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It was longer than its slot, and its end is lost.
    Cut(&'a [u8]),
    /// Another program sent it.
    Foreign,
}

/// Receives one datagram of the kernel and returns its length.
pub(super) fn one(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: MsgFlags) -> io::Result<usize> {
    loop {
        let (len, sender) = retry(|| {
            let mut parts = [IoSliceMut::new(buffer)];
            let flags = flags | MsgFlags::MSG_TRUNC;
            let received = recvmsg::<NetlinkAddr>(fd.as_raw_fd(), &mut parts, None, flags)?;
            Ok((received.bytes, received.address))
        })?;
        if is_kernel(sender) {
            return Ok(len);
        }
    }
}

/// Receives as many datagrams as wait, as fit, and as are wanted.
pub(super) fn many(
    fd: BorrowedFd<'_>,
    slots: &mut Slots,
    most: usize,
    mut each: impl FnMut(Datagram<'_>),
) -> io::Result<usize> {
    let Slots { headers, bytes, slot_bytes } = slots;
    let count = (bytes.len() / *slot_bytes).min(most).min(MOST);
    if count == 0 {
        return Ok(0);
    }
    let mut chunks = bytes.chunks_exact_mut(*slot_bytes);
    let mut parts: [_; MOST] =
        std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
    let flags = MsgFlags::MSG_DONTWAIT;
    // A call that does not wait is not interrupted by a signal.
    let received = recvmmsg(fd.as_raw_fd(), headers, parts.iter_mut().take(count), flags, None)?;
    let mut taken = 0;
    for datagram in received {
        taken += 1;
        let bytes = datagram.iovs().next().unwrap_or_default();
        each(if !is_kernel(datagram.address) {
            Datagram::Foreign
        } else if datagram.flags.contains(MsgFlags::MSG_TRUNC) {
            Datagram::Cut(bytes)
        } else {
            Datagram::Whole(bytes)
        });
    }
    Ok(taken)
}

fn is_kernel(sender: Option<NetlinkAddr>) -> bool {
    sender.is_some_and(|sender| sender.pid() == 0)
}
