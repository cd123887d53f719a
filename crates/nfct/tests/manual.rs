//! The manual page names every command, helper and state that the program has.

#![cfg(test)]

use std::path::Path;

use flow::Protocol;
use nfct::helper::HELPERS;
use nfct::timeout::{GENERIC, states};
use nfct::words::{ACTIONS, SUBSYSTEMS};

fn manual() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man/nfct.8");
    std::fs::read_to_string(path).unwrap()
}

/// Whether the word stands in the text by itself.
fn names(text: &str, word: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c));
    words.any(|other| other == word)
}

#[test]
fn the_manual_names_all_that_can_be_typed() {
    let manual = manual();
    let protocols = Protocol::NAMED.into_iter().chain([Protocol::from(GENERIC)]);
    let wanted = ACTIONS
        .map(|(name, _)| name)
        .into_iter()
        .chain(SUBSYSTEMS.map(|(name, _)| name))
        .chain(HELPERS.map(|helper| helper.name))
        .chain(protocols.clone().flat_map(states).copied())
        .chain(protocols.filter_map(Protocol::name));
    let missing: Vec<_> = wanted.filter(|word| !names(&manual, word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!names(&manual, "SYN_SENT3"));
}
