//! Changes of the peer that go into the kernel's table at once (`DisableExternalCache`).

use flow::EventKind;
use sys::error_text::error_text;

use crate::daemon::context::{Context, say};
use crate::daemon::words::Line;
use crate::kernel::{Change, Entry, Failure, Stage};
use crate::lines;
use crate::statistics::Inject;

/// Changes that were not made yet, and what became of the others.
#[derive(Debug, Default)]
pub(super) struct Injection {
    /// Changes for the next call, in order.
    changes: Vec<Change>,
    pub(super) counters: Counters,
}

/// What became of changes.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) flows: Inject,
    pub(super) expectations: Inject,
}

impl Counters {
    fn of(&mut self, entry: &Entry) -> &mut Inject {
        match entry {
            Entry::Flow(_) => &mut self.flows,
            Entry::Expectation(_) => &mut self.expectations,
        }
    }
}

/// Counters of what was done and of what was refused.
fn of_kind(counters: &mut Inject, kind: EventKind) -> (&mut u64, &mut u64) {
    match kind {
        EventKind::New => (&mut counters.created, &mut counters.create_failed),
        EventKind::Update => (&mut counters.updated, &mut counters.update_failed),
        EventKind::Destroy => (&mut counters.destroyed, &mut counters.destroy_failed),
    }
}

impl Injection {
    /// Takes a change.
    pub(super) fn push(&mut self, kind: EventKind, entry: Entry) {
        self.changes.push(Change { kind, entry });
    }

    /// How many changes wait.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Makes the changes that were collected.
    pub(super) fn apply(&mut self, context: &mut Context) {
        let Self { changes, counters } = self;
        if changes.is_empty() {
            return;
        }
        for change in changes.iter() {
            *of_kind(counters.of(&change.entry), change.kind).0 += 1;
        }
        let (log, now, clock) = (&mut *context.log, context.now, context.wall_clock);
        // What has become of a helper or master is told of commits; here it would be told for each flow.
        let _tally = context.kernel.inject.inject(changes, |change, failure| {
            let (done, failed) = of_kind(counters.of(&change.entry), change.kind);
            *done = done.saturating_sub(1);
            *failed += 1;
            let line = Line::warning(failure_text(&change.entry, failure))
                .limited("changes of the other node that can't be made");
            if say(log, now, &line) {
                log.flow(|out| lines::entry(out, &change.entry, clock));
            }
        });
        context.kernel.injected(changes.len());
        changes.clear();
    }
}

/// Upstream's text of a refused change.
fn failure_text(entry: &Entry, Failure { stage, errno }: Failure) -> String {
    let name = match entry {
        Entry::Flow(_) => "ct",
        Entry::Expectation(_) => "exp",
    };
    let reason = error_text(&std::io::Error::from_raw_os_error(errno));
    let even = match stage {
        Stage::Add | Stage::Update | Stage::Destroy => "",
        Stage::UpdateByCreate => ", even if creating it instead",
        Stage::AddAfterDelete | Stage::UpdateAfterDelete => ", even when deleting it first",
    };
    let verb = match (stage, entry) {
        (Stage::Add | Stage::AddAfterDelete, _) => "add new",
        (Stage::Update | Stage::UpdateByCreate | Stage::UpdateAfterDelete, _) => "update",
        (Stage::Destroy, Entry::Flow(_)) => "destroy",
        (Stage::Destroy, Entry::Expectation(_)) => "delete",
    };
    format!("could not {verb} {name} entry{even}: {reason}")
}

#[cfg(test)]
mod tests {
    use ctsync::wire::{Record, RestoreOptions};
    use flow::{AddressPair, L4Key, Ports, Protocol, Tuple};

    use super::{Counters, failure_text, of_kind};
    use crate::kernel::{Entry, Failure, Stage};

    fn flow() -> Entry {
        let original = Tuple {
            addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
            protocol: Protocol::Udp,
            key: L4Key::Ports(Ports { src: 1, dst: 2 }),
        };
        let options = RestoreOptions { timeout_s: Some(60), window_tracking: false };
        Entry::Flow(Record::new(original).restore(options))
    }

    #[test]
    fn each_stage_has_upstreams_text() {
        for (stage, text) in [
            (Stage::Add, "could not add new ct entry: File exists"),
            (
                Stage::AddAfterDelete,
                "could not add new ct entry, even when deleting it first: File exists",
            ),
            (Stage::Update, "could not update ct entry: File exists"),
            (
                Stage::UpdateByCreate,
                "could not update ct entry, even if creating it instead: File exists",
            ),
            (
                Stage::UpdateAfterDelete,
                "could not update ct entry, even when deleting it first: File exists",
            ),
            (Stage::Destroy, "could not destroy ct entry: File exists"),
        ] {
            assert_eq!(failure_text(&flow(), Failure { stage, errno: 17 }), text);
        }
    }

    #[test]
    fn kinds_are_counted_apart() {
        use flow::EventKind;
        let mut counters = Counters::default();
        for (kind, times) in [(EventKind::New, 3), (EventKind::Update, 2), (EventKind::Destroy, 1)]
        {
            let (done, failed) = of_kind(counters.of(&flow()), kind);
            *done += times;
            *failed += 1;
        }
        let flows = counters.flows;
        assert_eq!((flows.created, flows.updated, flows.destroyed), (3, 2, 1));
        assert_eq!((flows.create_failed, flows.update_failed, flows.destroy_failed), (1, 1, 1));
    }
}
