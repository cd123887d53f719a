//! TCP sockets of a dedicated link. None of them blocks.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{Backlog, SockType, SockaddrStorage, connect, listen, sockopt};

use crate::inet::{self, bind_to, set, set_receive_buffer, set_send_buffer};
pub use crate::inet::{OpenError, Step};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;
/// After so many seconds of silence the other end is asked whether it lives, then every so many seconds, so many times.
const KEEP_ALIVE: [u32; 3] = [10, 5, 3];
/// Milliseconds after which what was sent must have been acknowledged.
const ACKNOWLEDGED_MS: u32 = 30_000;

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Listens on an own address. The device of a link-local one is its scope.
    pub fn open(local: SocketAddr, receive_buffer_bytes: Option<u32>) -> Result<Self, OpenError> {
        let fd = inet::open(&local, SockType::Stream)?;
        set(&fd, sockopt::ReuseAddr, &true)?;
        // Accepted connections inherit these.
        set(&fd, sockopt::KeepAlive, &true)?;
        let [idle, interval, count] = KEEP_ALIVE;
        set(&fd, sockopt::TcpKeepIdle, &idle)?;
        set(&fd, sockopt::TcpKeepInterval, &interval)?;
        set(&fd, sockopt::TcpKeepCount, &count)?;
        set_receive_buffer(&fd, receive_buffer_bytes)?;
        bind_to(&fd, &local)?;
        let backlog = Backlog::new(BACKLOG).map_err(OpenError::at(Step::Listen))?;
        listen(&fd, backlog).map_err(OpenError::at(Step::Listen))?;
        Ok(Self { socket: fd.into() })
    }

    /// Accepts a connection and tells where it comes from. `WouldBlock` if none waits.
    pub fn accept(&self) -> io::Result<(Connection, SocketAddr)> {
        let (socket, from) = self.socket.accept()?;
        socket.set_nonblocking(true)?;
        Ok((Connection { socket }, from))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A connection, or one that is being made.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
}

impl Connection {
    /// Begins to connect, from an address if one is given. When it is writable, [`is_made`](Self::is_made) tells the
    /// outcome.
    pub fn begin(
        from: Option<SocketAddr>,
        to: SocketAddr,
        send_buffer_bytes: Option<u32>,
    ) -> Result<Self, OpenError> {
        let fd: OwnedFd = inet::open(&to, SockType::Stream)?;
        set_send_buffer(&fd, send_buffer_bytes)?;
        // Messages are packed already, so waiting for more only delays them.
        set(&fd, sockopt::TcpNoDelay, &true)?;
        set(&fd, sockopt::TcpUserTimeout, &ACKNOWLEDGED_MS)?;
        if let Some(from) = from {
            bind_to(&fd, &from)?;
        }
        match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
            Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(Self { socket: fd.into() }),
            Err(errno) => Err(OpenError::at(Step::Connect)(errno)),
        }
    }

    /// Whether the connection is made; an error if it will not be.
    pub fn is_made(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what there is; 0 bytes at the end of the stream. `WouldBlock` if nothing waits.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| (&self.socket).read(buffer))
    }

    /// Writes what there is room for. `WouldBlock` if there is none.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| (&self.socket).write(bytes))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;

    use super::{Connection, Listener};
    use crate::epoll::{Interest, Poller};

    fn free(address: &str) -> SocketAddr {
        TcpListener::bind((address, 0)).unwrap().local_addr().unwrap()
    }

    /// Waits until the outcome of a connection is known.
    fn outcome(connection: &Connection) -> std::io::Result<bool> {
        let poller = Poller::new().unwrap();
        poller.add(connection, 0, Interest::Write).unwrap();
        poller.wait(Some(Duration::from_secs(10)), &mut Vec::new()).unwrap();
        connection.is_made()
    }

    #[test]
    fn a_connection_carries_bytes_until_there_is_no_room() {
        for address in ["127.0.0.1", "::1"] {
            let local = free(address);
            let listener = Listener::open(local, Some(4096)).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            let from = SocketAddr::new(local.ip(), 0);
            let sender = Connection::begin(Some(from), local, Some(4096)).unwrap();
            assert!(outcome(&sender).unwrap());
            let (receiver, from) = listener.accept().unwrap();
            assert_eq!(from.ip(), local.ip());
            let mut written = 0;
            let error = loop {
                match sender.write(&[1; 10_000]) {
                    Ok(len) => written += len,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            drop(sender);
            let mut read = 0;
            loop {
                match receiver.read(&mut [0; 5000]) {
                    Ok(0) => break,
                    Ok(len) => read += len,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            assert_eq!(read, written);
        }
    }

    #[test]
    fn a_port_where_nobody_listens_refuses() {
        let connection = Connection::begin(None, free("127.0.0.1"), None).unwrap();
        assert_eq!(outcome(&connection).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
