//! Growth of the receive buffer.

/// What is to be said of the receive buffer of the event socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BufferNotice {
    /// `NetlinkBufferSize is either not set or is greater than NetlinkBufferSizeMaxGrowth. Using current system buffer
    /// size`.
    OfSystem,
    /// `netlink event socket buffer size has been set to N bytes`.
    Set {
        /// As the kernel accounts for it.
        bytes: usize,
    },
    /// `netlink event socket buffer size has been doubled to N bytes`.
    Doubled {
        /// As the kernel accounts for it.
        bytes: usize,
    },
    /// A warning: `netlink event socket buffer size cannot be doubled further…`. Said once.
    CannotGrow,
}

/// How far the buffer may grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// `NetlinkBufferSizeMaxGrowth`.
    max_bytes: usize,
    has_ended: bool,
}

impl Growth {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, has_ended: false }
    }

    /// The buffer was full: `double` makes one of this size twice as large and says what it became.
    pub(super) fn grow(
        &mut self,
        bytes: usize,
        double: impl FnOnce(usize) -> usize,
    ) -> Option<BufferNotice> {
        if self.has_ended {
            return None;
        }
        if bytes.checked_mul(2).is_some_and(|doubled| doubled <= self.max_bytes) {
            let now = double(bytes);
            // The system may refuse to go beyond its own limit.
            if now > bytes {
                return Some(BufferNotice::Doubled { bytes: now });
            }
        }
        self.has_ended = true;
        Some(BufferNotice::CannotGrow)
    }
}

#[cfg(test)]
mod tests {
    use super::{BufferNotice, Growth};

    #[test]
    fn a_buffer_is_doubled_up_to_its_limit_and_the_end_is_said_once() {
        let mut growth = Growth::new(100);
        let mut bytes = 25;
        let mut said = Vec::new();
        for _ in 0..4 {
            let notice = growth.grow(bytes, |bytes| bytes * 2);
            if let Some(BufferNotice::Doubled { bytes: new }) = notice {
                bytes = new;
            }
            said.push(notice);
        }
        assert_eq!(
            said,
            [
                Some(BufferNotice::Doubled { bytes: 50 }),
                Some(BufferNotice::Doubled { bytes: 100 }),
                Some(BufferNotice::CannotGrow),
                None
            ]
        );
    }

    #[test]
    fn a_system_that_gives_no_more_ends_the_growth() {
        let mut growth = Growth::new(1000);
        assert_eq!(growth.grow(25, |bytes| bytes), Some(BufferNotice::CannotGrow));
        assert_eq!(growth.grow(25, |_| panic!("it has ended")), None);
        assert_eq!(Growth::new(0).grow(1, |_| 0), Some(BufferNotice::CannotGrow));
        assert_eq!(Growth::new(usize::MAX).grow(usize::MAX, |_| 0), Some(BufferNotice::CannotGrow));
    }
}
