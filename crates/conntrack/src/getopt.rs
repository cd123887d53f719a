//! Command line grammar: behaves as `getopt_long` of the GNU C library, as its manual documents it.
//!
//! Short options may be clustered and have their value attached; long ones may be abbreviated as long as all
//! candidates mean the same; operands may stand between options; `--` ends the options. Operands are passed over, as
//! no program here has any. The table is given at each step, because `-p` adds the options of its protocol.
//!
//! One rule is not the library's: the value of a [`ArgumentKind::NextWord`] option may also be the next word, which
//! only the caller knows to ask for, with [`Getopt::take_next_word`].

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

#[cfg(test)]
mod tests;

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ArgumentKind {
    /// No value. One attached to a long name is an error.
    None,
    /// A value, attached or in the next word, whatever that looks like.
    Required,
    /// A value if it is attached; else the next word if the caller asks for it (`optional_argument` of the C library).
    NextWord,
}

/// A long option. Several names may have one meaning.
#[derive(Clone, Copy, Debug)]
pub struct LongOption<M> {
    /// The name without dashes.
    pub name: &'static str,
    /// Whether it takes a value.
    pub argument: ArgumentKind,
    /// What it means.
    pub meaning: M,
}

/// A short option.
#[derive(Clone, Copy, Debug)]
pub struct ShortOption<M> {
    /// The letter.
    pub letter: u8,
    /// Whether it takes a value.
    pub argument: ArgumentKind,
    /// What it means.
    pub meaning: M,
}

/// The options that are known at one step.
#[derive(Clone, Copy, Debug)]
pub struct OptionTable<'t, M> {
    /// Letters.
    pub short: &'t Letters<M>,
    /// Names: those that are always there and those of the protocol. Of two equal ones the first counts.
    pub long: [&'t Names<M>; 2],
}

/// Short options, found by their letter.
#[derive(Clone, Debug)]
pub struct Letters<M>([Option<ShortOption<M>>; 128]);

impl<M: Copy> Letters<M> {
    /// These options. Of two equal letters the first counts; one that is not of ASCII is none.
    pub fn new(options: impl IntoIterator<Item = ShortOption<M>>) -> Self {
        let mut letters = [None; 128];
        for option in options {
            if let Some(place) = letters.get_mut(usize::from(option.letter)) {
                *place = place.or(Some(option));
            }
        }
        Self(letters)
    }

    fn find(&self, letter: u8) -> Option<&ShortOption<M>> {
        self.0.get(usize::from(letter))?.as_ref()
    }
}

/// Long options, found by their names.
#[derive(Clone, Debug)]
pub struct Names<M> {
    options: Vec<LongOption<M>>,
    /// Bit `n` of entry `l`: option `n` has a name of `l` bytes. A name has fewer than 32 bytes, and there are at most 64.
    of_length: [u64; 32],
}

impl<M: Copy + PartialEq> Names<M> {
    /// These options. More or longer ones than [`Names`] has room for would only be found as abbreviations.
    pub fn new(options: impl IntoIterator<Item = LongOption<M>>) -> Self {
        let options: Vec<_> = options.into_iter().collect();
        let mut of_length = [0_u64; 32];
        for (index, option) in (0_u32..).zip(&options) {
            if let Some(bits) = of_length.get_mut(option.name.len()) {
                *bits |= 1_u64.checked_shl(index).unwrap_or(0);
            }
        }
        Self { options, of_length }
    }

    /// The first option of exactly this name.
    fn exact(&self, name: &[u8]) -> Option<&LongOption<M>> {
        let mut bits = *self.of_length.get(name.len())?;
        while bits != 0 {
            let index = usize::try_from(bits.trailing_zeros()).ok()?;
            let option = self.options.get(index)?;
            let candidate = option.name.as_bytes();
            // Looking at both ends first saves most of the comparisons.
            if candidate.first() == name.first()
                && candidate.last() == name.last()
                && candidate == name
            {
                return Some(option);
            }
            bits &= bits - 1;
        }
        None
    }
}

/// An option that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found<'w, M> {
    /// What it means.
    pub meaning: M,
    /// Its value: always there if one is required, never if it takes none.
    pub value: Option<&'w OsStr>,
}

/// A word that does not fit the grammar.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GrammarError {
    /// No such option, more than one that it may stand for, or a value for an option that takes none.
    ///
    /// The word as typed, but of a cluster that goes on after the offender only that letter with a dash.
    UnknownOption(OsString),
    /// The words ended where a value should have been. The word as typed.
    MissingArgument(OsString),
}

/// A position in the words of a command line.
#[derive(Clone, Debug)]
pub struct Getopt<'w, W> {
    words: &'w [W],
    /// Index of the first word that is not read whole.
    next: usize,
    /// Letters that are left of the cluster `words[next]`.
    cluster: &'w [u8],
    /// Options end at the first operand.
    posixly_correct: bool,
}

impl<'w, W: AsRef<OsStr>> Getopt<'w, W> {
    /// At the begin of `words`, which do not contain the name of the program.
    pub fn new(words: &'w [W], posixly_correct: bool) -> Self {
        Self { words, next: 0, cluster: &[], posixly_correct }
    }

    /// The next option, `None` at the end of the options.
    pub fn next_option<M: Copy + PartialEq>(
        &mut self,
        table: &OptionTable<'_, M>,
    ) -> Option<Result<Found<'w, M>, GrammarError>> {
        if self.cluster.is_empty() {
            let word = self.next_option_word()?;
            match word.as_bytes() {
                [b'-', b'-', name @ ..] => {
                    self.next += 1;
                    return Some(self.long_option(table.long, word, name));
                }
                [_, letters @ ..] => self.cluster = letters,
                [] => return None,
            }
        }
        let (letter, rest) = self.cluster.split_first()?;
        Some(self.short_option(table.short, *letter, rest))
    }

    /// The next word as value of the option just found, unless it begins with `-` or `!`.
    ///
    /// Inside of a cluster the next word is the cluster itself, so there is no such value.
    pub fn take_next_word(&mut self) -> Option<&'w OsStr> {
        let word = self.words.get(self.next)?.as_ref();
        if matches!(word.as_bytes(), [b'-' | b'!', ..]) {
            return None;
        }
        self.next += 1;
        Some(word)
    }

    /// The next word that is an option or a cluster. Passes over operands and over the `--` that ends the options.
    fn next_option_word(&mut self) -> Option<&'w OsStr> {
        loop {
            let word = self.words.get(self.next)?.as_ref();
            match word.as_bytes() {
                b"--" => {
                    self.next = self.words.len();
                    return None;
                }
                [b'-', _, ..] => return Some(word),
                _ if self.posixly_correct => return None,
                _ => self.next += 1,
            }
        }
    }

    fn long_option<M: Copy + PartialEq>(
        &mut self,
        options: [&Names<M>; 2],
        word: &OsStr,
        name: &'w [u8],
    ) -> Result<Found<'w, M>, GrammarError> {
        let unknown = || GrammarError::UnknownOption(word.to_owned());
        // A whole name is the common case, and has no `=`.
        let (option, attached) = if let Some(option) = find_exact(options, name) {
            (option, None)
        } else {
            let end = name.iter().position(|byte| *byte == b'=');
            let (name, attached) = match end.and_then(|end| name.split_at_checked(end)) {
                Some((name, value)) => (name, value.split_first().map(|(_, value)| value)),
                None => (name, None),
            };
            (find_long(options, name).ok_or_else(unknown)?, attached)
        };
        let value = match (option.argument, attached) {
            (ArgumentKind::None, Some(_)) => return Err(unknown()),
            (ArgumentKind::None | ArgumentKind::NextWord, None) => None,
            (ArgumentKind::Required | ArgumentKind::NextWord, Some(value)) => {
                Some(OsStr::from_bytes(value))
            }
            (ArgumentKind::Required, None) => Some(self.required_word(word)?),
        };
        Ok(Found { meaning: option.meaning, value })
    }

    fn short_option<M: Copy + PartialEq>(
        &mut self,
        options: &Letters<M>,
        letter: u8,
        rest: &'w [u8],
    ) -> Result<Found<'w, M>, GrammarError> {
        let word = self.words.get(self.next).map(AsRef::as_ref);
        let option = options.find(letter);
        let attached = match option.map(|option| option.argument) {
            Some(ArgumentKind::Required | ArgumentKind::NextWord) if !rest.is_empty() => {
                self.cluster = &[];
                Some(OsStr::from_bytes(rest))
            }
            _ => {
                self.cluster = rest;
                None
            }
        };
        if self.cluster.is_empty() {
            self.next += 1;
        }
        let Some(option) = option else {
            return Err(GrammarError::UnknownOption(match word {
                Some(word) if rest.is_empty() => word.to_owned(),
                _ => OsStr::from_bytes(&[b'-', letter]).to_owned(),
            }));
        };
        let value = match (option.argument, attached, word) {
            (ArgumentKind::Required, None, Some(word)) => Some(self.required_word(word)?),
            (_, attached, _) => attached,
        };
        Ok(Found { meaning: option.meaning, value })
    }

    fn required_word(&mut self, option: &OsStr) -> Result<&'w OsStr, GrammarError> {
        let word = self.words.get(self.next);
        self.next += 1;
        word.map(AsRef::as_ref).ok_or_else(|| GrammarError::MissingArgument(option.to_owned()))
    }
}

/// The option of an exact name.
fn find_exact<'t, M: Copy + PartialEq>(
    [always, of_protocol]: [&'t Names<M>; 2],
    name: &[u8],
) -> Option<&'t LongOption<M>> {
    always.exact(name).or_else(|| of_protocol.exact(name))
}

/// The option of an exact name, else the one that the abbreviation stands for if all candidates are alike.
fn find_long<'t, M: Copy + PartialEq>(
    options: [&'t Names<M>; 2],
    name: &[u8],
) -> Option<&'t LongOption<M>> {
    if let Some(exact) = find_exact(options, name) {
        return Some(exact);
    }
    let options = options.into_iter().flat_map(|names| &names.options);
    let mut candidates = options.filter(|option| option.name.as_bytes().starts_with(name));
    let first = candidates.next()?;
    candidates
        .all(|other| other.meaning == first.meaning && other.argument == first.argument)
        .then_some(first)
}
