//! The manual page names every command and option that the program has.

#![cfg(test)]

use std::path::Path;

use conntrack::options::{COMMANDS, OPTIONS};

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
