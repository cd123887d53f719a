//! `-R`, `--load-file`: a file of command lines.
//!
//! The whole file is checked before the first line runs: an error in it means that nothing was done. Then the lines run in
//! order until one fails; what was done before it stays.
//!
//! So a file is parsed twice, in blocks that are forgotten again: memory does not grow with it. The begin of it is kept from
//! the first time, which for most files is all ([`KEPT_BYTES`]). Of a long file other threads parse the next blocks while
//! the kernel is given one. Standard input cannot be read twice, so its text is held. A file that is changed meanwhile is
//! run as it is when it is read the second time.

mod block;
mod crew;
mod text;
mod words;

use std::ffi::{OsStr, OsString};
use std::io::{self, Cursor};
use std::path::Path;

use self::block::Block;
use self::crew::{Next, for_each_block};
use self::text::{Blocks, Position};
use crate::report::{Exit, Failure};
use crate::run::{Context, Idle};
use crate::surroundings::{Surroundings, Text};

pub use self::words::word_lines;

/// Parsed lines of about so many bytes stay in memory from the check until they run.
const KEPT_BYTES: usize = 512 * 1024;
/// A file of more blocks is a long one: other threads parse what follows.
const SHORT: usize = 8;

/// Where the lines are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BatchFile(OsString);

impl BatchFile {
    /// The file of a command line that begins with `-R FILE`. Elsewhere the option does not exist.
    pub fn from_words(args: &[OsString]) -> Option<Self> {
        match args {
            [_, option, file, ..] if option == "-R" || option == "--load-file" => {
                Some(Self(file.clone()))
            }
            _ => None,
        }
    }

    fn open(&self, surroundings: &mut Surroundings<'_>) -> io::Result<Box<dyn Text>> {
        if self.0 == OsStr::new("-") {
            let mut text = Vec::new();
            surroundings.stdin.read_to_end(&mut text)?;
            return Ok(Box::new(Cursor::new(text)));
        }
        surroundings.system.open(Path::new(&self.0))
    }

    fn unreadable(&self, error: io::Error) -> Failure {
        Failure::BatchFile { name: self.0.to_string_lossy().into_owned(), error }
    }
}

/// Runs the lines of a file.
pub fn run(file: &BatchFile, surroundings: &mut Surroundings<'_>) -> Result<Exit, Failure> {
    let context = Context::new(surroundings.system);
    let text = file.open(surroundings).map_err(|error| file.unreadable(error))?;
    let mut blocks = Blocks::new(text);
    let unreadable = |error| file.unreadable(error);
    let checked = check(&mut blocks, &context, surroundings, &unreadable)?;
    surroundings.kernel.hold_end().map_err(Failure::Signals)?;
    let mut idle = Idle::default();
    for block in checked.kept {
        if block.run(surroundings, &mut idle)? == Exit::Interrupted {
            return Ok(Exit::Interrupted);
        }
    }
    let Some(rest) = checked.rest else { return Ok(Exit::Success) };
    blocks.go_to(rest).map_err(unreadable)?;
    let mut exit = Exit::Success;
    for_each_block(&mut blocks, 0, &context, &unreadable, |block| {
        exit = block.run(surroundings, &mut idle)?;
        match block.failure.take() {
            _ if exit == Exit::Interrupted => Ok(Next::Stop),
            Some(failure) => Err(failure),
            None => Ok(Next::Block),
        }
    })?;
    Ok(exit)
}

/// A file without an error in it.
struct Checked {
    /// Its begin, parsed.
    kept: Vec<Block>,
    /// Where the part begins that is to be parsed again.
    rest: Option<Position>,
}

fn check(
    blocks: &mut Blocks,
    context: &Context<'_>,
    surroundings: &mut Surroundings<'_>,
    unreadable: &(dyn Fn(io::Error) -> Failure + Sync),
) -> Result<Checked, Failure> {
    let mut checked = Checked { kept: Vec::new(), rest: None };
    let mut room = KEPT_BYTES;
    for_each_block(blocks, SHORT, context, unreadable, |block| {
        // What cannot be said does not matter.
        let _ = surroundings.stderr.write_all(&block.said);
        if let Some(failure) = block.failure.take() {
            return Err(failure);
        }
        if checked.rest.is_none() {
            match room.checked_sub(block.byte_len()) {
                Some(left) => {
                    room = left;
                    checked.kept.push(std::mem::take(block));
                }
                None => checked.rest = Some(block.position),
            }
        }
        Ok(Next::Block)
    })?;
    Ok(checked)
}
