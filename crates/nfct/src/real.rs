//! The real surroundings.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ctnetlink::client::Transport;
use sys::netlink::{OpenError, Socket};
use sys::wait::{Interest, wait};

use crate::surroundings::{Kernel, System};

/// The kernel that runs.
#[derive(Debug)]
pub struct RealKernel;

impl Kernel for RealKernel {
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError> {
        Ok(Box::new(Socket::open(0)?))
    }
}

/// The system that runs.
#[derive(Debug)]
pub struct RealSystem;

impl System for RealSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the edge where the clock is read")]
    fn now_s(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// Standard output. The program writes large blocks, so lines need no buffer; a reader that takes its time is waited
/// for, also if the descriptor does not block.
#[derive(Debug)]
pub struct RealStdout;

impl Write for RealStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stdout = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
        loop {
            match stdout.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait([(stdout.as_fd(), Interest::Writable)])?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
