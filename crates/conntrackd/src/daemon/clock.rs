//! The two clocks of the daemon.

use std::time::{Instant as Moment, SystemTime};

use ctsync::Sequence;
use ctsync::time::Instant;

/// Time since the start, which never goes back.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Moment,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads this clock")]
    pub(crate) fn start() -> Self {
        Self { start: Moment::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        let nanoseconds = self.start.elapsed().as_nanos();
        Instant(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// The number of the first message: seconds since 1970, so that a node that starts again goes on above its old numbers.
#[expect(clippy::disallowed_methods, reason = "the one place that reads this clock")]
pub(crate) fn first_sequence() -> Sequence {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since_1970.map_or(0, |since| since.as_secs());
    let [.., a, b, c, d] = seconds.to_be_bytes();
    Sequence(u32::from_be_bytes([a, b, c, d]))
}
