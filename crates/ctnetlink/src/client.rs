//! Requests over a socket: [`Exchange`] driven by a [`Transport`].

mod batch;
mod event_socket;

use std::io;

use crate::wire::{RawMessage, Sequence};
use crate::{Exchange, ExchangeError, Expects, KernelError, Reply, Request};

/// Larger than any datagram of the kernel: dumps fill at most 32 KiB, a refusal echoes its request.
const BUFFER_LEN: usize = 64 * 1024;

/// A way to the kernel. Tests put a scripted one in its place.
pub trait Transport {
    /// Sends one datagram of requests.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;
    /// Waits for a datagram and returns its length, which is more than the buffer's if it did not fit.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A way to the kernel that need not be waited for.
pub trait PollTransport: Transport {
    /// Takes a datagram that waits, and returns its length as [`Transport::receive`] does; `None` if none waits.
    fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>>;
}

impl PollTransport for sys::netlink::Socket {
    fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match sys::netlink::Socket::try_receive(self, buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Transport for sys::netlink::Socket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        sys::netlink::Socket::send(self, datagram)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        sys::netlink::Socket::receive(self, buffer)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        (**self).send(datagram)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).receive(buffer)
    }
}

impl<T: PollTransport + ?Sized> PollTransport for Box<T> {
    fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        (**self).try_receive(buffer)
    }
}

pub use batch::{BatchBounds, BatchClient, open_for_batches};
pub use event_socket::{EventSocket, EventsTaken, Growth, attach_filter};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The kernel refused it, or its answer is malformed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The socket failed.
    #[error("netlink socket: {0}")]
    Socket(#[from] io::Error),
    /// A datagram did not fit into the buffer.
    #[error("the kernel sent a datagram of {len} bytes, {BUFFER_LEN} fit")]
    Truncated {
        /// Its length.
        len: usize,
    },
    /// The kernel acknowledged where it had to answer.
    #[error("the kernel gave no answer")]
    NoAnswer,
}

impl ClientError {
    /// The kernel's refusal, if that is what it is.
    pub fn kernel(&self) -> Option<&KernelError> {
        match self {
            Self::Exchange(ExchangeError::Kernel(error)) => Some(error),
            _ => None,
        }
    }
}

/// What a complete dump says about itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum DumpOutcome {
    /// The kernel saw no disturbance.
    Complete,
    /// Entries may be missing or doubled.
    Interrupted,
}

/// Sends requests, one at a time, and reads what they bring.
#[derive(Debug)]
pub struct Client<T> {
    transport: T,
    sequence: Sequence,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl<T: Transport> Client<T> {
    /// A client of this transport. Its requests are numbered from `first` on.
    pub fn new(transport: T, first: Sequence) -> Self {
        Self { transport, sequence: first, request: Vec::new(), buffer: vec![0; BUFFER_LEN] }
    }

    /// The transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Sends a request that is acknowledged, and waits for that.
    pub fn execute(&mut self, request: &Request<'_>) -> Result<(), ClientError> {
        let mut exchange = self.begin(request, Expects::Acknowledgement)?;
        loop {
            let datagram = receive(&mut self.transport, &mut self.buffer)?;
            for reply in exchange.replies(datagram) {
                if let Reply::End { .. } = reply? {
                    return Ok(());
                }
            }
        }
    }

    /// Sends a request that is answered by one message, and reads that.
    pub fn fetch<R>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(&RawMessage<'_>) -> R,
    ) -> Result<R, ClientError> {
        let mut exchange = self.begin(request, Expects::Message)?;
        loop {
            let datagram = receive(&mut self.transport, &mut self.buffer)?;
            if let Some(reply) = exchange.replies(datagram).next() {
                return match reply? {
                    Reply::Message(message) => Ok(read(&message)),
                    Reply::End { .. } => Err(ClientError::NoAnswer),
                };
            }
        }
    }

    /// Sends a dump request and hands each message of the answer to `each`, in the receive buffer.
    ///
    /// An error of `each` ends it at once; the client must then be dropped, since the rest of the dump is still coming.
    pub fn dump<E: From<ClientError>>(
        &mut self,
        request: &Request<'_>,
        mut each: impl FnMut(&RawMessage<'_>) -> Result<(), E>,
    ) -> Result<DumpOutcome, E> {
        let mut exchange = self.begin(request, Expects::Dump)?;
        loop {
            let datagram = receive(&mut self.transport, &mut self.buffer)?;
            for reply in exchange.replies(datagram) {
                match reply.map_err(ClientError::from)? {
                    Reply::Message(message) => each(&message)?,
                    Reply::End { interrupted: false } => return Ok(DumpOutcome::Complete),
                    Reply::End { interrupted: true } => return Ok(DumpOutcome::Interrupted),
                }
            }
        }
    }

    fn begin(&mut self, request: &Request<'_>, expects: Expects) -> Result<Exchange, ClientError> {
        let sequence = self.sequence;
        self.sequence = Sequence(sequence.0.wrapping_add(1));
        self.request.clear();
        request.encode(sequence, &mut self.request);
        self.transport.send(&self.request)?;
        Ok(Exchange::new(sequence, expects))
    }
}

fn receive<'b>(
    transport: &mut impl Transport,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], ClientError> {
    let len = transport.receive(buffer)?;
    buffer.get(..len).ok_or(ClientError::Truncated { len })
}

#[cfg(test)]
mod tests;
