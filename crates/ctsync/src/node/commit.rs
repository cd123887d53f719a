//! The external cache into the kernel's table, and the external cache away.

use super::{Cursor, ExternalCache, KernelRequest, Node, Notice, Output, Which};
use crate::cache::Slot;
use crate::wire::{ExpectationRecord, Record};

/// What a commit gives a flow whose time would be over.
pub(super) const COMMIT_TIMEOUT_S: u32 = 60;

/// Passes of a commit: flows without a master, flows with one, expectations.
const MASTERS: u8 = 0;
const RELATED: u8 = 1;
const EXPECTATIONS: u8 = 2;

impl Node {
    pub(super) fn begin_commit(&mut self, which: Which) {
        if self.config.external == ExternalCache::Injected {
            self.notice(Notice::NothingToCommit);
        } else if self.commit.is_some() {
            self.notice(Notice::CommitInProgress);
        } else {
            self.purge_at = None;
            let pass = if which == Which::Expectations { EXPECTATIONS } else { MASTERS };
            self.commit = Some(Cursor { pass, next: 0, which });
            self.notice(Notice::CommitStarted(which));
        }
    }

    /// Hands out the next flow or expectation of a commit, or says that it is over.
    pub(super) fn commit_step(&mut self) {
        while let Some(cursor) = self.commit
            && self.pending.is_empty()
            && self.commit_budget > 0
        {
            let [flows, expectations] = &self.external;
            let cache = if cursor.pass == EXPECTATIONS { expectations } else { flows };
            let Some(slot) = cache.next_slot(cursor.next) else {
                self.end_commit_pass(cursor);
                continue;
            };
            self.commit = Some(Cursor { next: slot.0.saturating_add(1), ..cursor });
            self.commit_budget -= 1;
            if let Some(request) = self.committed(cursor.pass, slot) {
                self.push(Output::Kernel(request));
            }
        }
    }

    fn end_commit_pass(&mut self, cursor: Cursor) {
        let Cursor { pass, which, .. } = cursor;
        if pass == RELATED {
            self.notice(Notice::FlowsCommitted);
        }
        let next = match (pass, which) {
            (MASTERS, _) => Some(RELATED),
            (RELATED, Which::All) => Some(EXPECTATIONS),
            _ => None,
        };
        self.commit = next.map(|pass| Cursor { pass, next: 0, which });
        if next.is_none() {
            self.notice(Notice::CommitFinished(which));
        }
    }

    fn committed(&self, pass: u8, slot: Slot) -> Option<KernelRequest> {
        let [flows, expectations] = &self.external;
        if pass == EXPECTATIONS {
            let record = ExpectationRecord::decode(expectations.body(slot)).ok()?;
            let updated_s = expectations.entry(slot)?.updated_s;
            let timeout_s = self.timeout_left(record.timeout_s, updated_s);
            return Some(KernelRequest::CommitExpectation(record.restore(timeout_s)));
        }
        let record = Record::decode(flows.body(slot)).ok()?;
        if record.master.is_some() != (pass == RELATED) {
            return None;
        }
        let timeout_s = self.timeout_left(record.timeout_s, flows.entry(slot)?.updated_s);
        Some(KernelRequest::Commit(record.restore(self.restore_options(timeout_s))))
    }

    /// `CommitTimeout`, or what is left of the timeout that was received; that itself if nothing is left.
    fn timeout_left(&self, timeout_s: Option<u32>, updated_s: u32) -> Option<u32> {
        let age_s = self.now.seconds().saturating_sub(updated_s);
        let left = timeout_s.map(|timeout| match timeout.checked_sub(age_s) {
            Some(0) => timeout,
            Some(left) => left,
            None => COMMIT_TIMEOUT_S,
        });
        self.config.commit_timeout_s.or(left)
    }

    /// Empties the external cache: flows, or both. 262,144 flows take about 5 ms.
    pub(super) fn flush_external(&mut self, which: Which) {
        let count = if which == Which::All { 2 } else { 1 };
        for number in 0..count {
            let mut next = 0;
            while let Some(slot) = self.external.get(number).and_then(|cache| cache.next_slot(next))
            {
                next = slot.0.saturating_add(1);
                self.remove_external(number, slot);
            }
        }
    }
}
