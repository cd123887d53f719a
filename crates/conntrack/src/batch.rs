//! `-R`, `--load-file`: a file of command lines.
//!
//! The whole file is checked before the first line runs: an error in it means that nothing was done. Then the lines
//! run in order until one fails; what was done before it stays.
//!
//! So a file is parsed twice, in blocks that are forgotten again: memory does not grow with it. The first blocks are
//! kept from the first time, which for most files is all. Of a long file other threads parse, the second time while the
//! kernel is given the blocks before. Standard input cannot be read twice, so its text is held. A file that is changed
//! meanwhile is run as it is when it is read the second time.

mod block;
mod crew;
mod text;
mod words;

use std::ffi::{OsStr, OsString};
use std::io::{self, Cursor, Write};
use std::path::Path;

use self::block::{Block, Purpose};
use self::crew::{Next, Parsing, for_each_block};
use self::text::{Blocks, Position};
use crate::report::{Exit, Failure};
use crate::run::{Context, Idle};
use crate::surroundings::{Surroundings, Text};

pub use self::words::word_lines;

/// So many blocks stay in memory from the check until they run. A file of more is a long one.
const KEPT: usize = 4;

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
    let parsing = Parsing { context: &context, purpose: Purpose::Run, unreadable: &unreadable };
    let begin = check(&mut blocks, &parsing, surroundings.stderr)?;
    surroundings.kernel.hold_end().map_err(Failure::Signals)?;
    let mut idle = Idle::default();
    for block in begin.blocks {
        if block.run(surroundings, &mut idle)? == Exit::Interrupted {
            return Ok(Exit::Interrupted);
        }
    }
    let Some(rest) = begin.rest else { return Ok(Exit::Success) };
    blocks.go_to(rest).map_err(unreadable)?;
    let mut exit = Exit::Success;
    for_each_block(&mut blocks, &parsing, |block| {
        exit = block.run(surroundings, &mut idle)?;
        match block.failure.take() {
            _ if exit == Exit::Interrupted => Ok(Next::Stop),
            Some(failure) => Err(failure),
            None => Ok(Next::Block),
        }
    })?;
    Ok(exit)
}

/// The begin of a file that has no error in it.
struct Begin {
    blocks: Vec<Block>,
    /// Where the rest begins, if there is one.
    rest: Option<Position>,
}

fn check(
    blocks: &mut Blocks,
    parsing: &Parsing<'_>,
    stderr: &mut dyn Write,
) -> Result<Begin, Failure> {
    let (mut begin, mut text) = (Vec::new(), Vec::new());
    let mut take = |block: &mut Block| {
        // What cannot be said does not matter.
        let _ = stderr.write_all(&block.said);
        block.failure.take().map_or(Ok(Next::Block), Err)
    };
    while begin.len() < KEPT {
        let mut block = Block::default();
        if parsing.next(blocks, &mut text, &mut block)? == Next::Stop {
            return Ok(Begin { blocks: begin, rest: None });
        }
        take(&mut block)?;
        begin.push(block);
    }
    let rest = blocks.position();
    let checking = Parsing { purpose: Purpose::Check, ..*parsing };
    for_each_block(blocks, &checking, take)?;
    Ok(Begin { blocks: begin, rest: Some(rest) })
}
