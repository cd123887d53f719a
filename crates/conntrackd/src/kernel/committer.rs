//! A commit in a thread of its own: the kernel makes flows there, while the events of those it has made are read here.
//!
//! Without it each waits for the other: the kernel needs 4 to 6 µs for a flow and the event of it, the daemon 2 µs to read
//! the event. The thread is there while a commit of some length runs. It has nothing of the daemon's state: it gets a batch
//! and gives it back, with what became of it. One batch is worked off and one waits, so that a commit is one batch ahead of
//! the loop, and no more events come at once than those two make.

use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Entry, Failure, Tally, Writer};

/// Fewer entries than this are not worth a thread.
const LARGE: usize = 32;
/// Batches that the thread has at most.
const MOST: usize = 2;

/// Entries to commit, then what became of them.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    tally: Tally,
    refused: Vec<(Entry, Failure)>,
}

impl Batch {
    fn work(&mut self, writer: &Mutex<Writer>) {
        let Self { entries, tally, refused } = self;
        refused.clear();
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        *tally = writer.commit(entries, |entry, failure| refused.push((entry.clone(), failure)));
    }

    /// What became of them.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Those that were refused for good.
    pub fn refused(&self) -> &[(Entry, Failure)] {
        &self.refused
    }
}

/// The thread, and what it was given.
#[derive(Debug)]
struct Ahead {
    to: SyncSender<Batch>,
    done: Receiver<Batch>,
    thread: JoinHandle<()>,
    batches: usize,
}

/// Puts entries into the kernel's tables, one batch behind those who ask for it.
#[derive(Debug)]
pub struct Committer {
    /// Nobody waits for the lock: while there is a thread, only it writes. It is shared because the system may give no
    /// thread, and the writer is needed here then.
    writer: Arc<Mutex<Writer>>,
    port_id: u32,
    ahead: Option<Ahead>,
    under_way: usize,
    /// A batch that was worked off: its memory serves the next time.
    spare: Batch,
}

impl Committer {
    /// Commits with this writer.
    pub fn new(writer: Writer) -> Self {
        let port_id = writer.port_id();
        let writer = Arc::new(Mutex::new(writer));
        Self { writer, port_id, ahead: None, under_way: 0, spare: Batch::default() }
    }

    /// The port that the events of these changes carry.
    pub fn port_id(&self) -> u32 {
        self.port_id
    }

    /// Entries of which is not known yet what became of them.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Takes the entries. `done` is called for each batch that was worked off meanwhile, perhaps not yet for this one. The
    /// call waits until no more than one batch is under way.
    ///
    /// What holds for the entries of [`Writer::commit`] holds for them.
    pub fn commit(&mut self, entries: &mut Vec<Entry>, mut done: impl FnMut(&Batch)) {
        let mut batch = std::mem::take(&mut self.spare);
        batch.entries.clear();
        std::mem::swap(&mut batch.entries, entries);
        if self.ahead.is_none() && batch.entries.len() >= LARGE {
            // If the system gives no thread it is done here.
            self.ahead = Ahead::start(&self.writer).ok();
        }
        let len = batch.entries.len();
        let here = match &mut self.ahead {
            None => Some(batch),
            Some(ahead) => match ahead.to.send(batch) {
                Ok(()) => {
                    ahead.batches += 1;
                    self.under_way = self.under_way.saturating_add(len);
                    None
                }
                Err(SendError(batch)) => Some(batch),
            },
        };
        if let Some(mut batch) = here {
            // Without a thread, or one that is gone: what made it end is told by joining it.
            self.finish(&mut done);
            batch.work(&self.writer);
            done(&batch);
            self.spare = batch;
        } else {
            self.wait(1, done);
        }
    }

    /// Waits for all that is under way.
    pub fn finish(&mut self, done: impl FnMut(&Batch)) {
        self.wait(0, done);
        if let Some(Ahead { to, thread, .. }) = self.ahead.take() {
            // Without sender its loop ends.
            drop(to);
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }

    /// Waits until so many batches are under way.
    fn wait(&mut self, batches: usize, mut done: impl FnMut(&Batch)) {
        let Some(ahead) = &mut self.ahead else { return };
        while ahead.batches > batches
            && let Ok(batch) = ahead.done.recv()
        {
            ahead.batches -= 1;
            self.under_way = self.under_way.saturating_sub(batch.entries.len());
            done(&batch);
            self.spare = batch;
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        // Not in the middle of a batch.
        self.finish(|_| ());
    }
}

impl Ahead {
    fn start(writer: &Arc<Mutex<Writer>>) -> std::io::Result<Self> {
        let (to, batches) = sync_channel::<Batch>(MOST);
        let (back, done) = sync_channel(MOST);
        let writer = Arc::clone(writer);
        let thread = thread::Builder::new().name("commit".to_owned()).spawn(move || {
            for mut batch in batches {
                batch.work(&writer);
                if back.send(batch).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { to, done, thread, batches: 0 })
    }
}
