use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::{
    ArgumentKind, Getopt, GrammarError, Letters, LongOption, Names, OptionTable, ShortOption,
};

const SHORT: [ShortOption<&str>; 4] = [
    short(b'a', ArgumentKind::None, "a"),
    short(b'b', ArgumentKind::Required, "b"),
    short(b'c', ArgumentKind::NextWord, "c"),
    short(b'[', ArgumentKind::Required, "["),
];

/// No two names of one meaning: `getopt(1)` cannot give them, see the unit test for that rule.
const LONG: [LongOption<&str>; 5] = [
    long("none", ArgumentKind::None, "none"),
    long("nonesuch", ArgumentKind::Required, "nonesuch"),
    long("need", ArgumentKind::Required, "need"),
    long("may", ArgumentKind::NextWord, "may"),
    long("maybe", ArgumentKind::None, "maybe"),
];

static LETTERS: LazyLock<Letters<&str>> = LazyLock::new(|| Letters::new(SHORT));
static NAMES: LazyLock<Names<&str>> = LazyLock::new(|| Names::new(LONG));
static NO_NAMES: LazyLock<Names<&str>> = LazyLock::new(|| Names::new([]));

fn table() -> OptionTable<'static, &'static str> {
    OptionTable { short: &LETTERS, long: [&NAMES, &NO_NAMES] }
}

const fn short(letter: u8, argument: ArgumentKind, meaning: &str) -> ShortOption<&str> {
    ShortOption { letter, argument, meaning }
}

const fn long(
    name: &'static str,
    argument: ArgumentKind,
    meaning: &'static str,
) -> LongOption<&'static str> {
    LongOption { name, argument, meaning }
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

/// All options with their values, up to and without the first error, and whether there was one.
fn options(words: &[OsString], posixly_correct: bool) -> (Vec<(String, String)>, bool) {
    let mut getopt = Getopt::new(words, posixly_correct);
    let mut found = Vec::new();
    while let Some(step) = getopt.next_option(&table()) {
        let Ok(option) = step else {
            return (found, true);
        };
        let value = option.value.unwrap_or_default().to_str().unwrap();
        found.push((option.meaning.to_owned(), value.to_owned()));
    }
    (found, false)
}

fn first_error(line: &str) -> GrammarError {
    let words = words(line);
    let mut getopt = Getopt::new(&words, false);
    loop {
        match getopt.next_option(&table()) {
            Some(Err(error)) => return error,
            Some(Ok(_)) => {}
            None => panic!("{line} is correct"),
        }
    }
}

#[test]
fn error_names_the_word_as_typed() {
    for (line, word) in [
        ("x -y", "-y"),
        ("-ay", "-ay"),
        ("--none=1", "--none=1"),
        ("--nosuch=3", "--nosuch=3"),
        ("--n", "--n"),
        ("--=", "--="),
    ] {
        assert_eq!(first_error(line), GrammarError::UnknownOption(word.into()));
    }
    for (line, word) in [("-b", "-b"), ("-ab", "-ab"), ("x --nee", "--nee")] {
        assert_eq!(first_error(line), GrammarError::MissingArgument(word.into()));
    }
}

#[test]
fn error_in_a_cluster_that_goes_on_names_the_letter() {
    for (line, word) in [("-ya", "-y"), ("-aya", "-y"), ("-a-b", "--")] {
        assert_eq!(first_error(line), GrammarError::UnknownOption(word.into()));
    }
}

#[test]
fn abbreviation_may_have_several_names_of_one_meaning() {
    let always = Names::new([
        long("src", ArgumentKind::Required, "s"),
        long("orig-src", ArgumentKind::Required, "s"),
    ]);
    let of_protocol = Names::new([
        long("orig-srv", ArgumentKind::Required, "s"),
        long("orig-none", ArgumentKind::None, "s"),
    ]);
    let table = OptionTable { short: &LETTERS, long: [&always, &of_protocol] };
    let find = |word: &str| {
        let words = [word, "x"];
        let found = Getopt::new(&words, false).next_option(&table).unwrap();
        found.is_ok()
    };
    assert!(find("--orig-s"));
    assert!(find("--orig-n"));
    assert!(!find("--orig"), "not all take a value");
}

#[test]
fn next_word_is_taken_unless_it_looks_like_an_option() {
    for (line, taken) in [
        ("-c x", Some("x")),
        ("--may x", Some("x")),
        ("-ac x", Some("x")),
        ("-c", None),
        ("-c -a", None),
        ("-c -", None),
        ("-c --", None),
        ("-c !x", None),
    ] {
        let words = words(line);
        let mut getopt = Getopt::new(&words, false);
        while let Some(step) = getopt.next_option(&table()) {
            if ["c", "may"].contains(&step.unwrap().meaning) {
                break;
            }
        }
        assert_eq!(getopt.take_next_word(), taken.map(OsStr::new), "{line}");
    }
}

#[test]
fn cluster_has_no_next_word_before_its_end() {
    let words = words("-aa x");
    let mut getopt = Getopt::new(&words, false);
    assert!(getopt.next_option(&table()).is_some());
    assert_eq!(getopt.take_next_word(), None);
    assert!(getopt.next_option(&table()).is_some());
    assert_eq!(getopt.take_next_word(), Some(OsStr::new("x")));
}

/// What `getopt(1)` of util-linux, which calls the C library, makes of the words; `None` if it is not there.
fn reference(words: &[OsString], posixly_correct: bool) -> Option<(Vec<(String, String)>, bool)> {
    let mut command = Command::new("getopt");
    command
        .args(["-q", "-u", "-o", "ab:c::[:"])
        .args(["-l", "none,nonesuch:,need:,may::,maybe", "--"])
        .args(words)
        .env_remove("POSIXLY_CORRECT")
        .env_remove("GETOPT_COMPATIBLE");
    if posixly_correct {
        command.env("POSIXLY_CORRECT", "1");
    }
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.strip_suffix('\n')?.split(' ').skip(1);
    let mut found = Vec::new();
    while let Some(word) = words.next().filter(|word| *word != "--") {
        let name = word.trim_start_matches('-');
        // In unquoted output an option that takes a value is followed by it, even if it is empty.
        let takes_value = ["b", "c", "[", "nonesuch", "need", "may"].contains(&name);
        let value = if takes_value { words.next()? } else { "" };
        found.push((name.to_owned(), value.to_owned()));
    }
    Some((found, !output.status.success()))
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "-", "--", "-a", "-b", "-c", "-[", "-y", "x", "--none", "--non", "--none=1", "--n",
            "--nones", "--need", "--need=", "--ne=5", "--may", "--may=7", "--mayb", "--m", "--=",
            "--maybe=", "--nosuch", "-ab", "-b-a", "-cx", "-ac", "-ca", "-aab", "-[x", "!x",
        ])
        .prop_map(str::to_owned),
        "-[abcy\\[-]{1,4}",
        "--(none|nonesuch|need|may|maybe|n|ma)(=[ab-]{0,2})?",
        "[ab!]{1,2}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Compared up to the first error, after which the two go different ways.
    #[test]
    fn agrees_with_the_c_library(
        line in proptest::collection::vec(word(), 0..7),
        posixly_correct: bool,
    ) {
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        // It is part of util-linux, without which no Debian boots.
        let (expected, expected_failure) =
            reference(&words, posixly_correct).expect("getopt(1) is installed");
        let (found, failure) = options(&words, posixly_correct);
        prop_assert_eq!(failure, expected_failure);
        let count = if failure { found.len() } else { expected.len() };
        prop_assert_eq!(&found[..], &expected[..count]);
    }
}
