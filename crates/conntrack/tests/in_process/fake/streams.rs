//! Standard output that ends when it is told to, and what was written until then.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// Bytes that the test and the kernel can look at while the program runs.
pub(crate) type Pipe = Rc<RefCell<Vec<u8>>>;

/// Keeps what is written.
#[derive(Default)]
pub(crate) struct Sink {
    bytes: Pipe,
    limit: Option<(usize, i32)>,
    fails_once: Option<i32>,
}

impl Sink {
    pub(crate) fn bytes(&self) -> Pipe {
        Rc::clone(&self.bytes)
    }

    /// Fails with this errno once so many bytes are there.
    pub(crate) fn fail_after(&mut self, bytes: usize, errno: i32) {
        self.limit = Some((bytes, errno));
    }

    /// Fails the next write with this errno, and no other.
    pub(crate) fn fail_once(&mut self, errno: i32) {
        self.fails_once = Some(errno);
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(errno) = self.fails_once.take() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let mut kept = self.bytes.borrow_mut();
        let part = match self.limit {
            None => bytes,
            Some((limit, errno)) => {
                let room = limit.saturating_sub(kept.len());
                if room == 0 {
                    return Err(io::Error::from_raw_os_error(errno));
                }
                &bytes[..room.min(bytes.len())]
            }
        };
        kept.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
