//! The manual pages name every option, statement, mode and helper that the program knows, with its default.

#![cfg(test)]

use std::ffi::{OsStr, OsString};
use std::path::Path;

use conntrackd::command_line;
use conntrackd::config::keyword::Keyword;
use conntrackd::config::{Config, HelperKind, LINKS_MAX, Mode, Role, Source, read};
use conntrackd::help::{Reader, usage};

fn manual(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Whether the page sets this word in a macro for keywords.
fn names(manual: &str, word: &str) -> bool {
    let macro_lines = manual.lines().filter(|line| line.starts_with('.'));
    let mut words = macro_lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.any(|words| {
        let set = words.iter().position(|item| matches!(*item, "Ic" | ".Ic" | "Cm" | ".Cm"));
        set.is_some_and(|start| words.iter().skip(start + 1).any(|item| *item == word))
    })
}

/// The text of the item that begins with this statement.
fn item<'a>(manual: &'a str, statement: &str) -> &'a str {
    let head = format!("\n.It Ic {statement} ");
    let (_, text) = manual.split_once(&head).unwrap_or_else(|| panic!("no item {statement}"));
    text.split_once("\n.It ").map_or(text, |(text, _)| text)
}

#[test]
fn the_manual_names_every_keyword_and_mode() {
    let manual = manual("conntrackd.conf.5");
    let keywords = Keyword::ALL.iter().map(|keyword| keyword.text());
    let modes = ["FTFW", "NOTRACK", "ALARM", "NACK", "persistent"];
    let missing: Vec<_> = keywords.chain(modes).filter(|word| !names(&manual, word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!names(&manual, "NoSuchStatement"));
}

#[test]
fn the_manual_names_every_helper_with_its_protocols() {
    let manual = manual("conntrackd.conf.5");
    for (_, name, protocols) in HelperKind::ALL {
        let head = format!(".It Cm {name} Ta ");
        let line = manual.lines().find_map(|line| line.strip_prefix(&head)).unwrap();
        let mut named: Vec<_> = line.split(", ").map(str::to_owned).collect();
        let mut known: Vec<_> =
            protocols.iter().map(|protocol| format!("{protocol:?}").to_lowercase()).collect();
        named.sort();
        known.sort();
        assert_eq!(named, known, "{name}");
    }
}

fn config(mode: &str) -> Config {
    let link = "UDP { IPv4_Destination_Address 192.0.2.2 Port 3780 Interface lo }";
    let text = format!("Sync {{ Mode {mode} {{ }} {link} }}");
    read(text.as_bytes()).config.unwrap()
}

#[test]
fn the_manual_has_the_defaults() {
    let ftfw = config("FTFW");
    let general = &ftfw.general;
    let Role::Sync(sync) = &ftfw.role else { panic!() };
    let Mode::Ftfw(mode) = &sync.mode else { panic!() };
    let Role::Sync(alarm) = config("ALARM").role else { panic!() };
    let Mode::Alarm(alarm) = alarm.mode else { panic!() };
    let Source::Events(events) = &general.source else { panic!() };
    let manual = manual("conntrackd.conf.5");
    for (statement, default) in [
        ("HashSize", general.hash_size.to_string()),
        ("HashLimit", general.hash_limit.to_string()),
        ("LockFile", general.lock_file.display().to_string()),
        ("UNIX", general.control_socket.display().to_string()),
        ("EventIterationLimit", general.iteration_limit.to_string()),
        ("NetlinkBufferSizeMaxGrowth", events.buffer_max_bytes.to_string()),
        ("NetlinkOverrunResync", events.overrun_resync.unwrap().as_secs().to_string()),
        ("PurgeTimeout", sync.purge_timeout.as_secs().to_string()),
        ("ResendQueueSize", mode.resend_queue_size.to_string()),
        ("ACKWindowSize", mode.ack_window_size.to_string()),
        ("RefreshTime", alarm.refresh_time.as_secs().to_string()),
        ("CacheTimeout", alarm.cache_timeout.as_secs().to_string()),
    ] {
        let text = item(&manual, statement);
        let words = text.split([' ', '\n', ',', ';']);
        let mut words = words.map(|word| word.trim_end_matches('.'));
        assert!(words.any(|word| word == default), "{statement} {default}: {text}");
    }
    assert_eq!(LINKS_MAX, 4);
    assert!(manual.contains("one to four links"));
}

#[test]
fn the_manual_names_every_option() {
    let manual = manual("conntrackd.8");
    let usage = String::from_utf8(usage(Reader::Person, OsStr::new("conntrackd"))).unwrap();
    let options: Vec<_> = usage
        .lines()
        .filter_map(|line| line.strip_prefix("  -"))
        .map(|line| line.split([',', ' ']).next().unwrap())
        .collect();
    assert!(options.len() > 15, "{options:?}");
    for option in options {
        let macros = option.replace('-', "Fl ");
        let head = format!(".It Fl {macros}");
        let is_item = |line: &str| line == head || line.starts_with(&format!("{head} "));
        assert!(manual.lines().any(is_item), "-{option}");
    }
}

/// Both ways: what is named is taken, and what is taken is named.
#[test]
fn the_manual_names_the_kinds_of_statistics() {
    let takes = |word: &str| {
        let words = ["-s", word].map(OsString::from);
        command_line::parse(&words, &mut Vec::new()).is_ok()
    };
    let manual = manual("conntrackd.8");
    let (_, text) = manual.split_once("\n.It Fl s Op Ar what\n").unwrap();
    let text = text.split_once("\n.Ss ").unwrap().0;
    let mut named: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix(".It Cm ").or_else(|| line.strip_prefix(".Cm ")))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    named.sort_unstable();
    named.dedup();
    for word in &named {
        assert!(takes(word), "{word}");
    }
    let usage = String::from_utf8(usage(Reader::Program, OsStr::new("conntrackd"))).unwrap();
    let (_, list) = usage.split_once("-s  [").unwrap();
    let list = list.split_once(']').unwrap().0;
    // The usage, which is upstream's, leaves out two.
    for word in list.split('|').chain(["process", "multicast"]) {
        assert!(takes(word) && named.contains(&word), "{word}");
    }
}
