//! Parsing ahead: threads that parse blocks, which come out in order.
//!
//! Where there is one CPU the blocks are parsed by who wants them. Bound: [`BLOCKS`] blocks, which go round.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::block::{Block, Purpose};
use super::text::Blocks;
use crate::report::Failure;
use crate::run::Context;

/// Threads that parse: as many as can keep two CPUs busy while all is only checked.
const THREADS: usize = 2;
/// Blocks that go round.
const BLOCKS: usize = 6;
/// Stack of a thread.
const STACK_BYTES: usize = 256 * 1024;

/// What is to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// The next block, if there is one.
    Block,
    /// Nothing.
    Stop,
}

/// How blocks are read and parsed.
pub(super) struct Parsing<'p> {
    pub(super) context: &'p Context<'p>,
    pub(super) purpose: Purpose,
    /// What is wrong if the file cannot be read.
    pub(super) unreadable: &'p (dyn Fn(io::Error) -> Failure + Sync),
}

impl Parsing<'_> {
    /// The next block in the place of that one, unless the file is at its end.
    pub(super) fn next(
        &self,
        blocks: &mut Blocks,
        text: &mut Vec<u8>,
        block: &mut Block,
    ) -> Result<Next, Failure> {
        let position = blocks.next(text).map_err(self.unreadable)?;
        if text.is_empty() {
            return Ok(Next::Stop);
        }
        block.parse(position, text, self.context, self.purpose);
        Ok(Next::Block)
    }
}

/// Parses blocks up to the end of the file, each of them before `each` gets it, in their order.
pub(super) fn for_each_block(
    blocks: &mut Blocks,
    parsing: &Parsing<'_>,
    mut each: impl FnMut(&mut Block) -> Result<Next, Failure>,
) -> Result<(), Failure> {
    if thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1)
        && let Some(ended) = in_threads(blocks, parsing, &mut each)
    {
        return ended;
    }
    let (mut block, mut text) = (Block::default(), Vec::new());
    while parsing.next(blocks, &mut text, &mut block)? == Next::Block {
        if each(&mut block)? == Next::Stop {
            break;
        }
    }
    Ok(())
}

/// What the threads share: where the text and the blocks come from, and which number the next block has.
struct Supply<'b> {
    blocks: &'b mut Blocks,
    empty: Receiver<Block>,
    next: u64,
}

/// A parsed block with its number, nothing at the end of the file, or why it cannot be read.
type Parsed = (u64, io::Result<Option<Block>>);

/// `None` if no thread could be had, and nothing was done.
fn in_threads(
    blocks: &mut Blocks,
    parsing: &Parsing<'_>,
    each: &mut impl FnMut(&mut Block) -> Result<Next, Failure>,
) -> Option<Result<(), Failure>> {
    let (give_back, empty) = channel();
    for _ in 0..BLOCKS {
        let _ = give_back.send(Block::default());
    }
    let supply = Mutex::new(Supply { blocks, empty, next: 0 });
    thread::scope(|scope| {
        let (give, parsed) = channel();
        let mut has_thread = false;
        for _ in 0..THREADS {
            let (supply, give) = (&supply, give.clone());
            let builder = thread::Builder::new().name("parser".to_owned()).stack_size(STACK_BYTES);
            has_thread |=
                builder.spawn_scoped(scope, move || parse(supply, parsing, &give)).is_ok();
        }
        drop(give);
        has_thread.then(|| {
            let ended = in_order(&parsed, &give_back, parsing.unreadable, each);
            // A thread that waits for an empty block gets none any more, and ends.
            drop(give_back);
            ended
        })
    })
}

/// Hands blocks on in their order.
fn in_order(
    parsed: &Receiver<Parsed>,
    give_back: &Sender<Block>,
    unreadable: &(dyn Fn(io::Error) -> Failure + Sync),
    each: &mut impl FnMut(&mut Block) -> Result<Next, Failure>,
) -> Result<(), Failure> {
    let mut early = BTreeMap::new();
    let mut wanted = 0;
    while let Ok((number, block)) = parsed.recv() {
        early.insert(number, block);
        while let Some(block) = early.remove(&wanted) {
            let Some(mut block) = block.map_err(unreadable)? else { return Ok(()) };
            if each(&mut block)? == Next::Stop {
                return Ok(());
            }
            wanted = wanted.wrapping_add(1);
            // The threads may have ended by now.
            let _ = give_back.send(block);
        }
    }
    // All threads are gone and none came to the end of the file. Where a panic does not end the program, the scope goes
    // on with it; but in no case may lines that were not done look as if they were.
    Err(unreadable(io::Error::other("not all of it was parsed")))
}

/// Parses whatever block is next, until there is none, or nobody wants one.
fn parse(supply: &Mutex<Supply<'_>>, parsing: &Parsing<'_>, give: &Sender<Parsed>) {
    let mut text = Vec::new();
    loop {
        let (number, block, position) = {
            let mut supply = supply.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(block) = supply.empty.recv() else { return };
            let number = supply.next;
            supply.next = number.wrapping_add(1);
            (number, block, supply.blocks.next(&mut text))
        };
        let mut block = block;
        let parsed = position.map(|position| {
            (!text.is_empty()).then(|| {
                block.parse(position, &text, parsing.context, parsing.purpose);
                block
            })
        });
        let is_last = !matches!(parsed, Ok(Some(_)));
        if give.send((number, parsed)).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_are_missing_at_the_end_are_an_error() {
        let unreadable = |error| Failure::BatchFile { name: "file".to_owned(), error };
        let (give_back, _empty) = channel();
        let (mut count, all) = (0, [0, 1, 3]);
        let mut run = |end: Option<Parsed>| {
            let (give, parsed) = channel();
            for number in all {
                give.send((number, Ok(Some(Block::default())))).unwrap();
            }
            if let Some(end) = end {
                give.send(end).unwrap();
            }
            drop(give);
            let mut each = |_: &mut Block| {
                count += 1;
                Ok(Next::Block)
            };
            in_order(&parsed, &give_back, &unreadable, &mut each)
        };
        // The thread that had the third one is gone.
        assert!(matches!(run(None), Err(Failure::BatchFile { .. })));
        assert!(run(Some((2, Ok(None)))).is_ok());
        assert_eq!(count, 4);
    }
}
