//! Writing to a standard stream without ever waiting for who reads it.
//!
//! A terminal or a pipe is opened anew: a description of its own can be `O_NONBLOCK`, while that flag on the shared one
//! would be seen by every program that has the terminal. The terminal of another user is opened by `/dev/tty` if it
//! controls this process. If it does not, nothing is written to it: room for some bytes can be seen before a write,
//! but for no certain number of them. A socket has a flag for each write. What else cannot be opened anew (a pipe of
//! another user) is looked at before each write. A file never waits, and is written to where the others who have it go
//! on.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, send};
use nix::sys::termios::tcgetsid;

use crate::wait::{self, Interest};

/// A way to a stream of this process. A write that would have to wait is [`io::ErrorKind::WouldBlock`].
#[derive(Debug)]
pub struct Console {
    file: File,
    way: Way,
}

/// How it is kept from waiting.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The description does not wait.
    Own,
    /// A flag of each write.
    Socket,
    /// Room is looked for before each write.
    Looking,
    /// Not at all: a terminal that cannot be opened anew, and why.
    None(Errno),
}

impl Console {
    /// A way to this stream. If it is a terminal that cannot be opened anew, each write fails with the reason.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn open(stream: impl AsFd) -> io::Result<Self> {
        let shared = File::from(stream.as_fd().try_clone_to_owned()?);
        let kind = shared.metadata()?.file_type();
        let is_terminal = shared.is_terminal();
        let way = if kind.is_file() {
            Way::Own
        } else if kind.is_socket() {
            Way::Socket
        } else if kind.is_fifo() || is_terminal {
            match open_anew(&shared) {
                Ok(file) => return Ok(Self { file, way: Way::Own }),
                Err(error) if is_terminal => Way::None(error),
                Err(_) => Way::Looking,
            }
        } else {
            Way::Looking
        };
        Ok(Self { file: shared, way })
    }
}

fn open_anew(shared: &File) -> Result<File, Errno> {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let opened = options.open(format!("/proc/self/fd/{}", shared.as_raw_fd())).or_else(|error| {
        // Only of the terminal that controls this process a session is told.
        if tcgetsid(shared).is_ok() { options.open("/dev/tty") } else { Err(error) }
    });
    opened.map_err(|error| error.raw_os_error().map_or(Errno::ENXIO, Errno::from_raw))
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.way {
            Way::Own => self.file.write(bytes),
            Way::Socket => {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                Ok(send(self.file.as_raw_fd(), bytes, flags)?)
            }
            Way::Looking => {
                let writable = (self.file.as_fd(), Interest::Writable);
                let [is_ready] = wait::wait_at_most([writable], 0)?;
                if !is_ready {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                // A pipe that has any room has so much.
                let len = bytes.len().min(libc::PIPE_BUF);
                self.file.write(bytes.get(..len).unwrap_or_default())
            }
            Way::None(reason) => Err(reason.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{self, Read, Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::pty::openpty;
    use nix::sys::socket::{setsockopt, sockopt};

    use super::{Console, Errno, Way};

    const LINE: &[u8] = b"a line that nobody reads, and one more of them, and so on\n";

    /// Writes until it is refused; how many bytes were taken.
    fn fill(console: &mut Console) -> usize {
        let mut taken = 0;
        loop {
            match console.write(LINE) {
                Ok(count) => taken += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return taken;
                }
            }
        }
    }

    fn blocks(fd: impl AsFd) -> bool {
        let flags = fcntl(fd.as_fd(), FcntlArg::F_GETFL).unwrap();
        !OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK)
    }

    #[test]
    fn a_pipe_that_nobody_reads_refuses_and_takes_again() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut console = Console::open(&writer).unwrap();
        let taken = fill(&mut console);
        assert!(taken > 60_000, "{taken}");
        reader.read_exact(&mut vec![0; taken]).unwrap();
        assert_eq!(console.write(LINE).unwrap(), LINE.len());
        // Others who have it are not surprised.
        assert!(blocks(&writer));
    }

    #[test]
    fn a_terminal_that_nobody_reads_refuses_and_its_other_users_are_not_surprised() {
        let pair = openpty(None, None).unwrap();
        let mut console = Console::open(&pair.slave).unwrap();
        let mut taken = 0;
        let refused = loop {
            // To the last byte: a terminal takes parts.
            match console.write(LINE) {
                Ok(count) => taken += count,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(taken > 1000, "{taken}");
        assert!(blocks(&pair.slave));
    }

    #[test]
    fn a_terminal_that_cannot_be_opened_anew_is_not_written_to() {
        let pair = openpty(None, None).unwrap();
        let mut console = Console::open(&pair.slave).unwrap();
        // What `open` makes of it for who may not open it: root may always.
        console.way = Way::None(Errno::EACCES);
        for _ in 0..1000 {
            let refused = console.write(LINE).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        }
        assert!(blocks(&pair.slave));
    }

    #[test]
    fn a_socket_that_nobody_reads_refuses() {
        let (near, mut far) = UnixStream::pair().unwrap();
        setsockopt(&near, sockopt::SndBuf, &16_384).unwrap();
        let mut console = Console::open(&near).unwrap();
        let taken = fill(&mut console);
        assert!(taken > 0);
        far.read_exact(&mut vec![0; taken]).unwrap();
        assert_eq!(console.write(LINE).unwrap(), LINE.len());
        assert!(blocks(&near));
        drop(far);
        assert_eq!(console.write(LINE).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_file_goes_on_where_its_other_users_are() {
        let path = std::env::temp_dir().join(format!("console-{}", std::process::id()));
        let mut file = File::create_new(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(b"one\n").unwrap();
        let mut console = Console::open(&file).unwrap();
        console.write_all(b"two\n").unwrap();
        file.write_all(b"three\n").unwrap();
        assert_eq!(file.stream_position().unwrap(), 14);
    }
}
