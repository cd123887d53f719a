//! The manual page names every command, option and list item that the program has.

#![cfg(test)]

use std::ffi::OsString;
use std::path::Path;

use conntrack::options::{COMMANDS, Environment, OPTIONS, Options};
use conntrack::values::{EventMask, OutputFlags};
use flow::Status;

fn manual() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man/conntrack.8");
    std::fs::read_to_string(path).unwrap()
}

fn names_long_option(manual: &str, name: &str) -> bool {
    manual.split("Fl Fl ").any(|after| after.split([' ', '\n']).next() == Some(name))
}

#[test]
fn the_manual_names_every_long_option_and_command() {
    let manual = manual();
    let options = OPTIONS.iter().flat_map(|option| option.long);
    let commands = COMMANDS.iter().map(|command| &command.long);
    let missing: Vec<_> =
        options.chain(commands).filter(|name| !names_long_option(&manual, name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!names_long_option(&manual, "no-such-option"));
}

#[test]
fn the_manual_names_every_letter() {
    let manual = manual();
    let letters = OPTIONS.iter().filter_map(|option| option.letter);
    let letters = letters.chain(COMMANDS.iter().map(|command| command.letter));
    // The brackets that stand in for letters of some options are the program's own affair.
    for letter in letters.filter(u8::is_ascii_alphabetic) {
        let letter = char::from(letter);
        assert!(manual.contains(&format!(".It Fl {letter}")), "-{letter}");
    }
}

/// Whether the program takes these words and has nothing to say about them.
fn accepts(words: &[&str]) -> bool {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let environment = Environment { posixly_correct: false, protocols: &Vec::new };
    Options::scan(&words, &environment).is_ok_and(|options| options.warnings.is_empty())
}

/// The words of the `.Cm` lines in the item or section that begins with this line, up to the next of its kind.
fn literals<'a>(manual: &'a str, first_line: &str, next: &str) -> Vec<&'a str> {
    let (_, text) = manual.split_once(&format!("\n{first_line}\n")).unwrap();
    let text = text.split_once(&format!("\n{next}")).unwrap().0;
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(".Cm ").or_else(|| line.strip_prefix(".It Cm ")));
    lines.flat_map(str::split_whitespace).filter(|word| !matches!(*word, "," | ".")).collect()
}

/// Both ways: what the program takes is named, and what is named it takes.
#[track_caller]
fn same_items(named: &[&str], items: &[String], command: &str, option: &str) {
    for item in items {
        assert!(accepts(&[command, option, item]), "{option} {item}");
        assert!(named.contains(&item.as_str()), "{option} {item} is not named: {named:?}");
    }
    for item in named {
        assert!(accepts(&[command, option, item]), "{option} {item} is named");
    }
}

#[test]
fn the_manual_names_the_items_of_output() {
    let items: Vec<_> =
        OutputFlags::all().iter_names().map(|(name, _)| name.to_lowercase()).collect();
    assert!(items.len() > 10);
    let manual = manual();
    let named = literals(&manual, ".Sh OUTPUT", ".Sh ");
    same_items(&named, &items, "-L", "-o");
}

#[test]
fn the_manual_names_the_states() {
    // The kernel has more states than `-u` takes.
    let states = Status::all().iter_names().map(|(name, _)| name.to_owned());
    let mut items: Vec<_> = states.filter(|name| accepts(&["-L", "-u", name])).collect();
    assert!(items.len() > 5, "{items:?}");
    items.extend(["UNSET", "UNREPLIED"].map(str::to_owned));
    let manual = manual();
    let named = literals(&manual, ".It Fl u , Fl Fl status Ar list", ".It ");
    same_items(&named, &items, "-L", "-u");
}

#[test]
fn the_manual_names_the_kinds_of_events() {
    let kinds = EventMask::all().iter_names().map(|(name, _)| name.to_owned());
    let items: Vec<_> = kinds.chain(["ALL".to_owned()]).collect();
    let manual = manual();
    let named = literals(&manual, ".It Fl e , Fl Fl event-mask Ar list", ".It ");
    same_items(&named, &items, "-E", "-e");
}
