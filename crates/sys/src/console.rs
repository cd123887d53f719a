//! Writing to a standard stream without ever waiting for who reads it.
//!
//! A terminal or a pipe is opened anew: a description of its own can be `O_NONBLOCK`, while that flag on the shared one would
//! be seen by every program that has the terminal. What cannot be opened anew (a socket, the terminal of another user) is
//! looked at before each write. A file never waits, and is written to where the others who have it go on.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use nix::libc;

use crate::wait::{self, Interest};

/// A way to a stream of this process. A write that would have to wait is [`io::ErrorKind::WouldBlock`].
#[derive(Debug)]
pub struct Console {
    file: File,
    /// Room is looked for before each write.
    is_shared: bool,
}

impl Console {
    /// A way to this stream.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
    pub fn open(stream: impl AsFd) -> io::Result<Self> {
        let shared = File::from(stream.as_fd().try_clone_to_owned()?);
        let kind = shared.metadata()?.file_type();
        if (kind.is_fifo() || shared.is_terminal())
            && let Ok(file) = open_anew(&shared)
        {
            return Ok(Self { file, is_shared: false });
        }
        Ok(Self { file: shared, is_shared: !kind.is_file() })
    }
}

fn open_anew(shared: &File) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(format!("/proc/self/fd/{}", shared.as_raw_fd()))
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_shared {
            return self.file.write(bytes);
        }
        let [is_ready] = wait::wait_at_most([(self.file.as_fd(), Interest::Writable)], 0)?;
        if !is_ready {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // So much has room when there is any.
        let len = bytes.len().min(libc::PIPE_BUF);
        self.file.write(bytes.get(..len).unwrap_or_default())
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

    use super::Console;

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
