//! A batch file in blocks of whole lines.

use std::io::{self, Read, SeekFrom};

use super::words::{MAX_LINE, take_line};
use crate::surroundings::Text;

/// Most bytes of a block; more than a line can have.
const BLOCK_BYTES: usize = 64 * 1024;
/// Most lines of a block. As many requests as travel together, so that a block of creations is one batch.
pub(super) const BLOCK_LINES: usize = 256;

/// Where a block begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Position {
    /// Bytes before it.
    at: u64,
    /// Number of its first line, less one.
    lines_before: usize,
}

impl Position {
    /// Number of the first line, from 1 on.
    pub(super) fn line(self) -> usize {
        self.lines_before.saturating_add(1)
    }
}

/// Reads blocks. Bound: one block.
pub(super) struct Blocks {
    text: Box<dyn Text>,
    /// Where the next one begins.
    position: Position,
    /// What is read of it and of those behind it.
    ahead: Vec<u8>,
}

impl Blocks {
    pub(super) fn new(text: Box<dyn Text>) -> Self {
        Self { text, position: Position::default(), ahead: Vec::new() }
    }

    /// Where the next block begins.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Goes to the begin of a block.
    pub(super) fn go_to(&mut self, position: Position) -> io::Result<()> {
        self.ahead.clear();
        self.position = position;
        self.text.seek(SeekFrom::Start(position.at)).map(|_| ())
    }

    /// Puts the next block into `text`, which then is empty at the end of the file only, and says where it begins.
    ///
    /// A block ends with a line, or where a line that is too long is cut.
    pub(super) fn next(&mut self, text: &mut Vec<u8>) -> io::Result<Position> {
        let wanted = BLOCK_BYTES.saturating_sub(self.ahead.len());
        let limit = u64::try_from(wanted).unwrap_or(u64::MAX);
        let is_end = self.text.by_ref().take(limit).read_to_end(&mut self.ahead)? < wanted;
        let mut rest = self.ahead.as_slice();
        let mut lines = 0;
        while lines < BLOCK_LINES {
            let before = rest;
            take_line(&mut rest);
            let consumed = before.len().saturating_sub(rest.len());
            if before.get(..consumed).is_none_or(|line| line.last() != Some(&b'\n')) {
                rest = before;
                break;
            }
            lines = lines.saturating_add(1);
        }
        let whole_lines = self.ahead.len().saturating_sub(rest.len());
        let len = match whole_lines {
            _ if is_end && lines < BLOCK_LINES => self.ahead.len(),
            0 => self.ahead.len() / MAX_LINE * MAX_LINE,
            whole_lines => whole_lines,
        };
        text.clear();
        text.extend(self.ahead.drain(..len));
        let began = self.position;
        self.position = Position {
            at: began.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX)),
            lines_before: began.lines_before.saturating_add(lines),
        };
        Ok(began)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::words::lines;
    use super::{BLOCK_BYTES, BLOCK_LINES, Blocks, MAX_LINE, Position};

    fn blocks(text: &[u8]) -> (Blocks, Vec<(Position, Vec<u8>)>) {
        let mut blocks = Blocks::new(Box::new(Cursor::new(text.to_vec())));
        let mut found = Vec::new();
        loop {
            let mut block = Vec::new();
            let position = blocks.next(&mut block).unwrap();
            if block.is_empty() {
                return (blocks, found);
            }
            found.push((position, block));
        }
    }

    /// Lines of which some are far too long.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let len = prop_oneof![
            60 => 0_usize..300,
            1 => MAX_LINE - 1..MAX_LINE + 2,
            1 => BLOCK_BYTES - 2..BLOCK_BYTES + 2,
            1 => 0..3 * BLOCK_BYTES,
        ];
        (proptest::collection::vec(len, 0..700), any::<bool>()).prop_map(|(lens, is_ended)| {
            let mut text = Vec::new();
            for (number, len) in lens.into_iter().enumerate() {
                text.extend((0..len).map(|at| b'a' + u8::try_from((number + at) % 26).unwrap()));
                text.push(b'\n');
            }
            if !is_ended {
                text.pop();
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn blocks_have_the_lines_of_the_file_with_their_numbers(text in texts()) {
            let (mut reader, found) = blocks(&text);
            let whole: Vec<_> = lines(&text, 1).filter(|(_, line)| !line.is_empty()).collect();
            let parts: Vec<_> = found
                .iter()
                .flat_map(|(position, block)| lines(block, position.line()))
                .filter(|(_, line)| !line.is_empty())
                .collect();
            prop_assert!(whole == parts);
            prop_assert!(found.iter().all(|(_, block)| block.len() <= BLOCK_BYTES));
            let line_count = |block| lines(block, 1).last().map_or(0, |(number, _)| number);
            prop_assert!(found.iter().all(|(_, block)| line_count(block) <= BLOCK_LINES));
            // Any of them can be gone back to.
            for (position, block) in found.iter().step_by(3) {
                let mut again = Vec::new();
                reader.go_to(*position).unwrap();
                prop_assert_eq!(reader.next(&mut again).unwrap(), *position);
                prop_assert!(again == *block);
            }
        }
    }
}
