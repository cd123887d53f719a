//! Counters and notices of one link.
//!
//! What may happen with each packet is said once in [`INTERVAL`] only; the counters have all of it.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;

use ctsync::LinkId;
use ctsync::time::{Duration, Instant};
use sys::datagram::OpenError;

use super::values::{Counters, Notice};

/// Time between two notices of one kind.
const INTERVAL: Duration = Duration::from_secs(60);
/// Notices that wait to be taken. There are not so many kinds of them.
const NOTICES_MAX: usize = 16;

/// Counters and notices of one link.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) id: LinkId,
    pub(super) counters: Counters,
    pub(super) notices: VecDeque<Notice>,
    send: Said,
    receive: Said,
    stranger: Said,
    broken: Said,
    reopen: Said,
}

impl Report {
    pub(super) fn new(id: LinkId) -> Self {
        Self {
            id,
            counters: Counters::default(),
            notices: VecDeque::new(),
            send: Said::default(),
            receive: Said::default(),
            stranger: Said::default(),
            broken: Said::default(),
            reopen: Said::default(),
        }
    }

    pub(super) fn sent(&mut self, len: usize) {
        self.counters.sent_packets += 1;
        self.counters.sent_bytes += u64::try_from(len).unwrap_or(0);
    }

    pub(super) fn received(&mut self, len: usize) {
        self.counters.received_packets += 1;
        self.counters.received_bytes += u64::try_from(len).unwrap_or(0);
    }

    pub(super) fn send_failed(&mut self, now: Instant, error: io::Error) {
        self.counters.send_errors += 1;
        if self.send.is_time(now) {
            self.push(Notice::SendFailed { link: self.id, error });
        }
    }

    pub(super) fn receive_failed(&mut self, now: Instant, error: io::Error) {
        self.counters.receive_errors += 1;
        if self.receive.is_time(now) {
            self.push(Notice::ReceiveFailed { link: self.id, error });
        }
    }

    pub(super) fn refused(&mut self, now: Instant, from: IpAddr) {
        self.counters.refused_connections += 1;
        if self.stranger.is_time(now) {
            self.push(Notice::StrangerRefused { link: self.id, from });
        }
    }

    pub(super) fn broken(&mut self, now: Instant) {
        self.counters.broken_streams += 1;
        if self.broken.is_time(now) {
            self.push(Notice::StreamBroken { link: self.id });
        }
    }

    pub(super) fn not_reopened(&mut self, now: Instant, error: OpenError) {
        if self.reopen.is_time(now) {
            let OpenError { step, error } = error;
            self.push(Notice::NotReopened { link: self.id, step, error });
        }
    }

    pub(super) fn reopened(&mut self) {
        self.push(Notice::Reopened { link: self.id });
    }

    fn push(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES_MAX {
            self.notices.push_back(notice);
        }
    }
}

/// When a kind of notice was said last.
#[derive(Debug, Default)]
struct Said(Option<Instant>);

impl Said {
    fn is_time(&mut self, now: Instant) -> bool {
        let Self(last) = self;
        let is_time = last.is_none_or(|last| now >= last.after(INTERVAL));
        if is_time {
            *last = Some(now);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use ctsync::LinkId;
    use ctsync::time::{Duration, Instant};

    use super::Report;

    #[test]
    fn all_is_counted_and_once_a_minute_something_is_said() {
        let mut report = Report::new(LinkId(0));
        for second in 0..180 {
            let now = Instant::default().after(Duration::from_secs(second));
            report.send_failed(now, std::io::ErrorKind::NetworkDown.into());
        }
        assert_eq!(report.counters.send_errors, 180);
        assert_eq!(report.notices.len(), 3);
    }
}
