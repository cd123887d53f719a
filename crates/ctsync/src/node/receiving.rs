//! The receiving half: messages into the external cache, or into requests to the kernel.

use flow::EventKind;

use super::commit::COMMIT_TIMEOUT_S;
use super::sending::Asker;
use super::{CacheName, ExternalCache, KernelRequest, LinkId, Node, Output, Replication};
use crate::Sequence;
use crate::cache::{Found, Key, Life, Slot};
use crate::ftfw::Verdict;
use crate::wire::{
    Content, Control, Counter, DecodeError, ExpectationRecord, Frame, Header, Message, Mode,
    Record, RestoreOptions, Stamp,
};

impl Node {
    pub(super) fn frame(&mut self, from: LinkId, frame: Result<Frame<'_>, DecodeError>) {
        let taken = frame
            .and_then(|frame| frame.message())
            .and_then(|message| self.message(from, &message));
        if let Err(error) = taken {
            self.statistics.count(error.counter());
            self.bad_message(error);
        }
    }

    pub(super) fn message(
        &mut self,
        from: LinkId,
        message: &Message<'_>,
    ) -> Result<(), DecodeError> {
        self.statistics.received_messages += 1;
        let content = match &mut self.replication {
            Replication::Ftfw(ftfw) => match ftfw.receive(self.now, &mut self.out, message)? {
                Verdict::Take(content) => content,
                Verdict::Drop => return Ok(()),
            },
            Replication::Notrack(notrack) => {
                notrack.count(message.sequence);
                let content = message.content(Mode::Notrack)?;
                notrack.last = Some(message.sequence);
                content
            }
            Replication::Alarm(_) => message.content(Mode::Alarm)?,
        };
        if self.link != Some(from) {
            self.link = Some(from);
            self.new_link = Some(from);
        }
        match content {
            Content::Flow(event, body) => self.take_flow(event, body),
            Content::Expectation(event, body) => self.take_expectation(event, body),
            Content::Control(Control::Resync) => {
                self.ask_bulk(Asker::Peer);
                Ok(())
            }
            Content::Control(_) | Content::Ignored => Ok(()),
        }
    }

    pub(super) fn take_flow(&mut self, event: EventKind, body: &[u8]) -> Result<(), DecodeError> {
        let mut record = Record::decode(body)?;
        if self.config.external == ExternalCache::Injected {
            let options = self.restore_options(record.timeout_s);
            self.push(Output::Kernel(KernelRequest::Inject(event, record.restore(options))));
            return Ok(());
        }
        let key = Key::of_record(&record);
        let [cache, _] = &mut self.external;
        let found = cache.find(&key);
        if event == EventKind::Destroy {
            self.end_external(0, found);
            return Ok(());
        }
        if let (EventKind::Update, Some(slot)) = (event, found.slot)
            && let Ok(mut known) = Record::decode(cache.body(slot))
        {
            known.update(&record);
            // Without internal cache a sender tells only what has changed. The others leave out only labels that are gone.
            if self.mode != Mode::Notrack {
                known.labels = record.labels;
            }
            record = known;
        }
        self.scratch.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut self.scratch);
        self.take(0, event, &key, found);
        Ok(())
    }

    pub(super) fn take_expectation(
        &mut self,
        event: EventKind,
        body: &[u8],
    ) -> Result<(), DecodeError> {
        let record = ExpectationRecord::decode(body)?;
        if self.config.external == ExternalCache::Injected {
            let expectation = record.restore(record.timeout_s);
            self.push(Output::Kernel(KernelRequest::InjectExpectation(event, expectation)));
            return Ok(());
        }
        let key = Key::of_expectation(&record);
        let [_, cache] = &mut self.external;
        let found = cache.find(&key);
        if event == EventKind::Destroy {
            self.end_external(1, found);
            return Ok(());
        }
        self.scratch.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut self.scratch);
        self.take(1, event, &key, found);
        Ok(())
    }

    fn take(&mut self, which: usize, event: EventKind, key: &Key, found: Found) {
        let Some(cache) = self.external.get_mut(which) else { return };
        let life = if event == EventKind::New { Life::New } else { Life::Updated };
        let body = self.scratch.get(Header::LEN..).unwrap_or_default();
        let slot = match found.slot {
            Some(slot) => {
                cache.replace(self.now, slot, life, body, &[]);
                Some(slot)
            }
            None => cache.insert(self.now, (key, found.fingerprint), body, &[]),
        };
        let Some(slot) = slot else { return self.found_no_room(CacheName::External) };
        if let Replication::Alarm(alarm) = &mut self.replication {
            alarm.arm_expiry(self.now, which, slot);
        }
    }

    fn end_external(&mut self, which: usize, found: Found) {
        if let Some(slot) = found.slot {
            self.remove_external(which, slot);
        }
    }

    /// Removes an entry of the external cache.
    pub(super) fn remove_external(&mut self, which: usize, slot: Slot) {
        if let Some(cache) = self.external.get_mut(which) {
            cache.remove(slot);
        }
        if let Replication::Alarm(alarm) = &mut self.replication {
            alarm.disarm_expiry(which, slot);
        }
    }

    fn bad_message(&mut self, first: DecodeError) {
        let counter = first.counter();
        for (bad, _) in self.bad.iter_mut().zip(Counter::ALL).filter(|(_, kind)| *kind == counter) {
            let (_, count) = bad.get_or_insert((first, 0));
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn restore_options(&self, timeout_s: Option<u32>) -> RestoreOptions {
        RestoreOptions {
            timeout_s: Some(timeout_s.unwrap_or(COMMIT_TIMEOUT_S)),
            window_tracking: self.config.window_tracking,
        }
    }
}
