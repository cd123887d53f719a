//! `-R`, `--load-file`: a file of command lines.
//!
//! The whole file is parsed before the first line runs: an error in it means that nothing was done. Then the lines run
//! in order until one fails; what was done before it stays.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::command::Command;
use crate::labels::LabelOptions;
use crate::options::{CommandName, Options, Table};
use crate::report::{BatchError, Exit, Failure};
use crate::run::{Idle, Mode, Puts, Session, parse};
use crate::surroundings::Surroundings;

/// A line is cut here; the rest counts as the next line.
const MAX_LINE: usize = 10_239;
/// A word must be shorter than this.
const MAX_WORD: usize = 1024;
/// With the name of the program that upstream puts in front, 254 words are too many.
const MAX_WORDS: usize = 253;

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

    fn read(&self, surroundings: &mut Surroundings<'_>) -> Result<Vec<u8>, Failure> {
        let read = if self.0 == OsStr::new("-") {
            let mut text = Vec::new();
            surroundings.stdin.read_to_end(&mut text).map(|_| text)
        } else {
            surroundings.system.read(Path::new(&self.0))
        };
        read.map_err(|error| Failure::BatchFile {
            name: self.0.to_string_lossy().into_owned(),
            error,
        })
    }
}

/// A line that is ready to run.
struct Line {
    number: usize,
    name: CommandName,
    options: Options,
    labels: LabelOptions,
    command: Command,
}

/// What is to be done, in order.
enum Step {
    /// `-I` and `-A` lines in a row.
    Puts(Puts),
    Line(Box<Line>),
}

/// Runs the lines of a file.
pub fn run(file: &BatchFile, surroundings: &mut Surroundings<'_>) -> Result<Exit, Failure> {
    let steps = prepare(&file.read(surroundings)?, surroundings)?;
    surroundings.kernel.hold_end().map_err(Failure::Signals)?;
    let mut idle = Idle::default();
    for step in &steps {
        if surroundings.kernel.end_is_wished() {
            return Ok(Exit::Interrupted);
        }
        let exit = match step {
            Step::Puts(puts) => puts.run(surroundings, &mut idle)?,
            Step::Line(line) => line.run(surroundings, &mut idle).map_err(at_line(line.number))?,
        };
        if exit == Exit::Interrupted {
            return Ok(exit);
        }
    }
    Ok(Exit::Success)
}

fn prepare(text: &[u8], surroundings: &mut Surroundings<'_>) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    for (number, words) in word_lines(text) {
        let line = words.map_err(Failure::Batch);
        let line = line.and_then(|words| Line::prepare(number, &words, surroundings));
        let line = line.map_err(at_line(number))?;
        let Command::Create(request, mode) = &line.command else {
            steps.push(Step::Line(Box::new(line)));
            continue;
        };
        if !matches!(steps.last(), Some(Step::Puts(_))) {
            steps.push(Step::Puts(Puts::default()));
        }
        if let Some(Step::Puts(puts)) = steps.last_mut() {
            puts.push(number, request, *mode);
        }
    }
    Ok(steps)
}

fn at_line(line: usize) -> impl Fn(Failure) -> Failure {
    move |failure| Failure::AtLine { line, failure: Box::new(failure) }
}

impl Line {
    fn prepare(
        number: usize,
        words: &[Cow<'_, OsStr>],
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Self, Failure> {
        let (options, labels) = parse(words, surroundings.system, surroundings.stderr)?;
        let name = allowed(&options).map_err(Failure::Batch)?;
        let command = Command::new(&options, &labels);
        Ok(Self { number, name, options, labels, command })
    }

    fn run(&self, surroundings: &mut Surroundings<'_>, idle: &mut Idle) -> Result<Exit, Failure> {
        let mut session = Session {
            surroundings,
            name: self.name,
            table: Table::Conntrack,
            mode: Mode::BatchLine,
            flags: self.options.output,
            labels: &self.labels,
            idle,
        };
        session.run(&self.command)
    }
}

fn allowed(options: &Options) -> Result<CommandName, BatchError> {
    let Some((name, table)) = options.command else {
        return Err(BatchError::Command("unknown"));
    };
    let refused = match (name, table) {
        (
            CommandName::Create
            | CommandName::Add
            | CommandName::Update
            | CommandName::Delete
            | CommandName::Flush,
            Table::Conntrack,
        ) => return Ok(name),
        (CommandName::Create | CommandName::Add, _) => "-I expect",
        (CommandName::Update, _) => "-U expect",
        (CommandName::Delete, _) => "-D expect",
        (CommandName::Flush, _) => "-F expect",
        (CommandName::List, Table::Expect) => "-L expect",
        (CommandName::List, _) => "-L",
        (CommandName::Get, Table::Expect) => "-G expect",
        (CommandName::Get, _) => "-G",
        (CommandName::Event, Table::Expect) => "-E expect",
        (CommandName::Event, _) => "-E",
        (CommandName::Count, Table::Expect) => "-C expect",
        (CommandName::Count, _) => "-C",
        (CommandName::Stats, Table::Expect) => "-S expect",
        (CommandName::Stats, _) => "-S",
        (CommandName::Version, _) => "-V",
        (CommandName::Help, _) => "-h",
    };
    Err(BatchError::Command(refused))
}

/// The lines of a file that are not empty or comments, with their numbers, as words.
pub fn word_lines(
    text: &[u8],
) -> impl Iterator<Item = (usize, Result<Vec<Cow<'_, OsStr>>, BatchError>)> {
    physical_lines(text)
        .map(|(number, line)| (number, split_words(line)))
        .filter(|(_, words)| words.as_ref().map_or(true, |words| !words.is_empty()))
}

/// Lines with their numbers. One that is too long goes on as another of the same number.
fn physical_lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..)
        .zip(text.split(|byte| *byte == b'\n'))
        .flat_map(|(number, line)| line.chunks(MAX_LINE).map(move |part| (number, part)))
}

/// The words of a line; none for an empty one and for a comment.
///
/// Blanks and tabs part words. `"` opens and closes a quotation anywhere, in which `\` takes the next byte literally;
/// the closing one ends the word.
fn split_words(line: &[u8]) -> Result<Vec<Cow<'_, OsStr>>, BatchError> {
    let line = line.trim_ascii_start();
    let mut words = Words::default();
    if line.first() == Some(&b'#') {
        return Ok(Vec::new());
    }
    if !line.contains(&b'"') {
        for word in line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
        {
            words.push(Cow::Borrowed(OsStr::from_bytes(word)))?;
        }
        return Ok(words.done);
    }
    let mut quoted = false;
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted => {
                quoted = false;
                words.end_word(true)?;
            }
            b'"' => quoted = true,
            b'\\' if quoted => words.word.extend(bytes.next()),
            b' ' | b'\t' if !quoted => words.end_word(false)?,
            other => words.word.push(other),
        }
    }
    words.end_word(false)?;
    Ok(words.done)
}

#[derive(Default)]
struct Words<'t> {
    done: Vec<Cow<'t, OsStr>>,
    word: Vec<u8>,
}

impl<'t> Words<'t> {
    fn end_word(&mut self, even_if_empty: bool) -> Result<(), BatchError> {
        if self.word.is_empty() && !even_if_empty {
            return Ok(());
        }
        let word = OsString::from_vec(std::mem::take(&mut self.word));
        self.push(Cow::Owned(word))
    }

    fn push(&mut self, word: Cow<'t, OsStr>) -> Result<(), BatchError> {
        if word.len() >= MAX_WORD {
            return Err(BatchError::LongWord);
        }
        if self.done.len() >= MAX_WORDS {
            return Err(BatchError::ManyWords);
        }
        if self.done.is_empty() {
            self.done.reserve(32);
        }
        self.done.push(word);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::ffi::OsString;

    use super::{BatchError, physical_lines, split_words};

    fn words(line: &str) -> Vec<OsString> {
        let words = split_words(line.as_bytes()).unwrap();
        words.into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn quotes_join_and_end_words() {
        for (line, expected) in [
            ("-I -s 10.0.0.1", vec!["-I", "-s", "10.0.0.1"]),
            ("  \t-I\t-s  x ", vec!["-I", "-s", "x"]),
            ("u\"dp\"", vec!["udp"]),
            ("\"a\"b", vec!["a", "b"]),
            (r#""a \" b" c"#, vec!["a \" b", "c"]),
            (r"a\b", vec![r"a\b"]),
            ("\"\" x", vec!["", "x"]),
            ("\"open end", vec!["open end"]),
            ("# comment", vec![]),
            ("-F # no comment", vec!["-F", "#", "no", "comment"]),
            ("", vec![]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn too_long_a_word_and_too_many_words_are_errors() {
        assert_eq!(words(&"x".repeat(1023)).len(), 1);
        assert_eq!(split_words(&[b'x'; 1024]), Err(BatchError::LongWord));
        assert_eq!(words(&"x ".repeat(253)).len(), 253);
        assert_eq!(split_words("x ".repeat(254).as_bytes()), Err(BatchError::ManyWords));
    }

    #[test]
    fn lines_keep_their_numbers() {
        let numbers: Vec<_> = physical_lines(b"a\n\nb\n").map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 3]);
    }
}
