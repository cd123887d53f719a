use std::ffi::OsString;

use super::{Action, CommandLine, UsageError, UsageWarning, parse};
use crate::control::Request;

fn parsed(line: &str) -> (Result<CommandLine, UsageError>, Vec<UsageWarning>) {
    let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let mut warnings = Vec::new();
    (parse(&words, &mut warnings), warnings)
}

fn action(line: &str) -> Action {
    match parsed(line).0 {
        Ok(CommandLine::Act { action, .. }) => action,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn each_request_has_its_code() {
    for (line, code) in [
        ("-F ct", 0),
        ("-R ct", 1),
        ("-i", 16),
        ("-i ct", 16),
        ("-e", 17),
        ("-c ct", 18),
        ("-k", 20),
        ("-s", 21),
        ("-s ct", 21),
        ("-B", 22),
        ("-n", 23),
        ("-i -x", 24),
        ("-e -x", 25),
        ("-e -x -x", 25),
        ("-t", 26),
        ("-s network", 28),
        ("-s c", 29),
        ("-s cache", 29),
        ("-s r", 30),
        ("-s link", 31),
        ("-s rsq", 32),
        ("-f internal", 33),
        ("-f ext", 34),
        ("-s p", 35),
        ("-s q", 36),
        ("-s expect", 37),
        ("-F expect", 38),
        ("-R e", 39),
        ("-i expect", 40),
        ("-e e", 41),
        ("-c exp", 42),
        ("-F", 43),
        ("-R", 44),
        ("-f", 45),
        ("-c", 46),
        ("-i expect -x", 47),
        ("-e expect -x", 48),
        ("-i -e", 17),
        ("-C x -s -C y", 21),
    ] {
        let Action::Ask(request) = action(line) else { panic!("{line}") };
        assert_eq!(request.code(), code, "{line}");
    }
}

#[test]
fn a_start_or_a_check_excludes_all_else() {
    assert_eq!(action(""), Action::Console);
    assert_eq!(action("-d"), Action::Daemon);
    assert_eq!(action("-C a --check"), Action::Check);
    for line in ["-d -s", "-s -d", "-d --check", "--check -d", "--check -k", "-i --check"] {
        assert_eq!(parsed(line).0, Err(UsageError::Invalid), "{line}");
    }
}

#[test]
fn words_that_are_no_option_are_refused() {
    for (line, word) in [
        ("-Z", "-Z"),
        ("--help", "--help"),
        ("--version", "--version"),
        ("-sx", "-sx"),
        ("xs", "xs"),
        ("-i bogus", "bogus"),
        ("-c internal", "internal"),
        ("-k now", "now"),
    ] {
        assert_eq!(parsed(line).0, Err(UsageError::UnknownOption(word.into())), "{line}");
    }
    let unknown = |option| UsageError::UnknownParameter { word: "bogus".into(), option };
    assert_eq!(parsed("-s bogus").0, Err(unknown("-s")));
    assert_eq!(parsed("-f bogus").0, Err(unknown("-f")));
    assert_eq!(parsed("-C").0, Err(UsageError::MissingConfig));
    for line in ["-x", "-x -i", "-c -x", "-d -x"] {
        assert_eq!(parsed(line).0, Err(UsageError::Invalid), "{line}");
    }
}

#[test]
fn help_and_version_act_at_once() {
    assert_eq!(parsed("-d -h -Z").0, Ok(CommandLine::Help));
    assert_eq!(parsed("-v -Z").0, Ok(CommandLine::Version));
}

#[test]
fn the_old_name_of_a_statistic_is_warned_of() {
    assert_eq!(action("-s multicast"), Action::Ask(Request::StatisticsLink));
    assert_eq!(parsed("-s m").1, [UsageWarning::Multicast]);
}

#[test]
fn a_long_path_is_cut() {
    let cut = |len: usize| {
        let (line, warnings) = parsed(&format!("-C {}", "p".repeat(len)));
        let Ok(CommandLine::Act { config, .. }) = line else { panic!("{line:?}") };
        (config.as_os_str().len(), warnings.len())
    };
    assert_eq!(cut(4095), (4095, 0));
    assert_eq!(cut(4096), (4095, 0));
    assert_eq!(cut(4097), (4095, 1));
}
