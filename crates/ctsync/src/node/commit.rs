//! The external cache into the kernel's table, and the external cache away.

use super::{Cursor, KernelRequest, Node, Notice, Output, Replication, Which};
use crate::wire::{ExpectationRecord, Record};

/// What a commit gives a flow whose time would be over.
pub(super) const COMMIT_TIMEOUT_S: u32 = 60;

impl Node {
    /// Hands out the next flow of a commit: those without a master, those with one, expectations.
    pub(super) fn commit_step(&mut self) {
        const PASSES: u8 = 3;
        while let Some(mut cursor) = self.commit
            && self.commit_budget > 0
        {
            let skipped = (cursor.pass < 2 && cursor.which == Which::Expectations)
                || (cursor.pass == 2 && cursor.which == Which::Flows);
            let [flows, expectations] = &self.external;
            let cache = if cursor.pass < 2 { flows } else { expectations };
            let Some(slot) = cache.next_slot(cursor.next).filter(|_| !skipped) else {
                cursor = Cursor { pass: cursor.pass + 1, next: 0, ..cursor };
                self.commit = (cursor.pass < PASSES).then_some(cursor);
                if self.commit.is_none() {
                    self.notice(Notice::CommitFinished(cursor.which));
                }
                continue;
            };
            cursor.next = slot.0.saturating_add(1);
            self.commit = Some(cursor);
            self.commit_budget -= 1;
            let age =
                cache.entry(slot).map_or(0, |e| self.now.seconds().saturating_sub(e.updated_s));
            let left = |timeout_s: Option<u32>| {
                let left = timeout_s.map(|timeout| match timeout.checked_sub(age) {
                    Some(0) => timeout,
                    Some(left) => left,
                    None => COMMIT_TIMEOUT_S,
                });
                self.config.commit_timeout_s.or(left)
            };
            let request = if cursor.pass < 2 {
                let record = Record::decode(cache.body(slot)).ok();
                record.filter(|record| record.master.is_some() == (cursor.pass == 1)).map(
                    |record| {
                        let options = self.restore_options(left(record.timeout_s));
                        KernelRequest::Commit(record.restore(options))
                    },
                )
            } else {
                let record = ExpectationRecord::decode(cache.body(slot)).ok();
                record.map(|record| {
                    let timeout_s = left(record.timeout_s);
                    KernelRequest::CommitExpectation(record.restore(timeout_s))
                })
            };
            if let Some(request) = request {
                self.push(Output::Kernel(request));
                return;
            }
        }
    }

    pub(super) fn flush_external(&mut self, both: bool) {
        if self.commit.is_some() {
            self.notice(Notice::FlushIgnored);
            return;
        }
        self.purge_at = None;
        self.notice(Notice::FlushingExternal);
        let count = if both { 2 } else { 1 };
        for (number, cache) in self.external.iter_mut().enumerate().take(count) {
            let mut next = 0;
            while let Some(slot) = cache.next_slot(next) {
                next = slot.0.saturating_add(1);
                cache.remove(slot);
                if let Replication::Alarm(alarm) = &mut self.replication {
                    alarm.disarm_expiry(number, slot);
                }
            }
        }
    }
}
