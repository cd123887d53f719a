use std::ffi::OsString;

use ctnetlink::TimeoutValues;
use flow::{Family, Protocol};

use super::{Call, Command, Form, HelperCommand, Selected, TimeoutCommand};
use crate::usage_error::{Syntax, UsageError};

const FILE: &[u8] =
    b"icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nesp 50 IPSEC-ESP\nipv6-icmp 58 IPv6-ICMP\n";

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn parse(line: &str) -> Result<Call, UsageError> {
    Call::parse(&words(line), &|| Some(FILE.to_vec()))
}

fn timeout(line: &str) -> TimeoutCommand {
    match parse(line).unwrap().command {
        Command::Timeout(command) => command,
        other => panic!("{other:?}"),
    }
}

fn helper(line: &str) -> HelperCommand {
    match parse(line).unwrap().command {
        Command::Helper(command) => command,
        other => panic!("{other:?}"),
    }
}

fn error(line: &str) -> UsageError {
    parse(line).unwrap_err()
}

#[test]
fn values_are_ascending_and_the_last_of_a_state_counts() {
    let line = "add timeout t inet6 TCP close 1 syn_sent 2 CLOSE 3s unacknowledged -1";
    let values = TimeoutValues {
        family: Family::Ipv6,
        protocol: Protocol::Tcp,
        timeouts_s: vec![(1, 2), (8, 3), (11, u32::MAX)],
    };
    assert_eq!(timeout(line), TimeoutCommand::Add { name: b"t".to_vec(), values });
}

#[test]
fn a_policy_without_values_is_left_to_the_kernel_but_defaults_are_not() {
    assert!(matches!(
        timeout("add timeout t inet udp"),
        TimeoutCommand::Add { values, .. } if values.timeouts_s.is_empty()
    ));
    let missing = UsageError::MissingParameters(Syntax::DefaultSet);
    assert_eq!(error("default-set timeout inet udp"), missing);
    assert_eq!(error("default-set timeout inet"), missing);
    // The third word is the state whose value is missing.
    assert_eq!(error("default-set timeout inet udp replied"), UsageError::NoValue);
}

#[test]
fn errors_come_in_the_order_of_the_words() {
    let state = |state: &str, protocol: &str| UsageError::WrongState {
        state: state.into(),
        protocol: protocol.into(),
    };
    for (line, wanted) in [
        ("add timeout t ipv4 nosuch", UsageError::UnknownLayer3),
        ("add timeout t inet nosuch x", UsageError::UnknownLayer4),
        ("add timeout t inet Udp", UsageError::UnknownLayer4),
        ("add timeout t inet 17", UsageError::UnknownLayer4),
        ("add timeout t inet udp x 1 replied", state("x", "udp")),
        ("add timeout t inet UDP replied 1 TIMEOUT 1", state("TIMEOUT", "UDP")),
        ("add timeout t inet esp timeout 5", state("timeout", "esp")),
        ("add timeout t inet udp replied 1 unreplied", UsageError::NoValue),
        ("add timeout t inet udp x", UsageError::NoValue),
        ("add timeout t inet", UsageError::MissingParameters(Syntax::AddTimeout)),
        ("default-get timeout inet", UsageError::MissingParameters(Syntax::DefaultGet)),
        ("default-get timeout x udp", UsageError::UnknownLayer3),
        ("get timeout", UsageError::NoTimeoutName),
        ("delete timeout a b", UsageError::TooManyArguments),
        ("flush timeout x", UsageError::TooManyArguments),
        ("disable timeout x y", UsageError::NotForTimeouts),
        ("add helper ftp x nosuch", UsageError::UnknownLayer3),
        ("add helper nosuch inet sctp", UsageError::UnsupportedLayer4),
        ("add helper nosuch inet tcp", UsageError::UnknownHelper),
        ("add helper ftp inet udp", UsageError::UnknownHelper),
        ("add helper ftp inet", UsageError::MissingParameters(Syntax::AddHelper)),
        ("disable helper", UsageError::MissingParameters(Syntax::DisableHelper)),
        ("get helper", UsageError::NoHelperName),
        ("get helper x inet tcp y", UsageError::TooManyArguments),
        ("delete helper x y nosuch", UsageError::UnknownLayer3),
        ("delete helper x inet TCP", UsageError::UnsupportedLayer4),
        ("list helper x", UsageError::TooManyArguments),
        ("default-g helper", UsageError::NotForHelpers("helper".into())),
        ("helper default-g", UsageError::NotForHelpers("default-g".into())),
        ("list", UsageError::TooFewWords),
        ("", UsageError::TooFewWords),
    ] {
        assert_eq!(error(line), wanted, "{line}");
    }
}

#[test]
fn further_words_are_ignored_where_upstream_ignores_them() {
    let defaults = TimeoutCommand::DefaultGet(Family::Ipv4, Protocol::Udp);
    assert_eq!(timeout("default-get timeout inet udp x y z"), defaults);
    assert!(matches!(
        helper("add helper dhcpv6 inet udp x"),
        HelperCommand::Add(Family::Ipv4, known) if known.name == "dhcpv6"
    ));
    assert!(matches!(helper("disable helper rpc inet6 tcp x"), HelperCommand::Disable(..)));
    assert_eq!(parse("add version x").unwrap().command, Command::Version);
}

#[test]
fn a_family_alone_is_protocol_zero() {
    let selected = |tuple| Selected { name: b"x".to_vec(), tuple };
    assert_eq!(helper("get helper x"), HelperCommand::Get(selected(None)));
    let family = Some((Family::Ipv6, 0));
    assert_eq!(helper("get helper x inet6"), HelperCommand::Get(selected(family)));
    let both = Some((Family::Ipv4, 17));
    assert_eq!(helper("delete helper x inet udp"), HelperCommand::Delete(selected(both)));
}

#[test]
fn long_names_are_cut() {
    let long = "x".repeat(40);
    let call = parse(&format!("get timeout {long}")).unwrap();
    assert_eq!(call.cut_to, Some(31));
    assert_eq!(call.command, Command::Timeout(TimeoutCommand::Get(vec![b'x'; 31])));
    let call = parse(&format!("delete helper {long}")).unwrap();
    assert_eq!(call.cut_to, Some(15));
    assert_eq!(helper(&format!("get helper {long}")), {
        HelperCommand::Get(Selected { name: vec![b'x'; 15], tuple: None })
    });
    let fits = "x".repeat(31);
    assert_eq!(parse(&format!("get timeout {fits}")).unwrap().cut_to, None);
    assert_eq!(parse(&format!("default-get timeout inet udp {long}")).unwrap().cut_to, None);
}

#[test]
fn protocols_are_those_of_the_file_and_two_more() {
    let protocol = |word: &str, file: Option<&[u8]>| {
        let line = words(&format!("default-get timeout inet {word}"));
        let call = Call::parse(&line, &|| file.map(<[u8]>::to_vec));
        call.map(|call| match call.command {
            Command::Timeout(TimeoutCommand::DefaultGet(_, protocol)) => protocol.number(),
            other => panic!("{other:?}"),
        })
    };
    let unknown = Err(UsageError::UnknownLayer4);
    for (word, in_file, in_empty_file, without_file) in [
        ("udp", Ok(17), unknown.clone(), Ok(17)),
        ("UDP", Ok(17), unknown.clone(), unknown.clone()),
        ("esp", Ok(50), unknown.clone(), unknown.clone()),
        ("sctp", unknown.clone(), unknown.clone(), Ok(132)),
        ("ipv6-icmp", Ok(58), unknown.clone(), Ok(58)),
        ("icmpv6", Ok(58), Ok(58), Ok(58)),
        ("generic", Ok(255), Ok(255), Ok(255)),
        ("raw", unknown.clone(), unknown.clone(), unknown.clone()),
    ] {
        assert_eq!(protocol(word, Some(FILE)), in_file, "{word}");
        assert_eq!(protocol(word, Some(b"")), in_empty_file, "{word}");
        assert_eq!(protocol(word, None), without_file, "{word}");
    }
}

#[test]
fn json_stands_first_or_behind_all_that_is_needed() {
    for line in [
        "--json list timeout",
        "--json helper list",
        "list timeout --json",
        "get timeout t --json",
        "get helper ftp --json",
        "get helper ftp inet tcp --json",
        "default-get timeout inet udp --json",
        "default-get timeout inet udp x --json",
        "--json get timeout t --json",
    ] {
        assert_eq!(parse(line).unwrap().form, Form::Json, "{line}");
    }
    assert_eq!(timeout("get timeout t --json"), TimeoutCommand::Get(b"t".to_vec()));
}

#[test]
fn json_is_a_word_like_any_other_elsewhere() {
    let name = b"--json".to_vec();
    let call = parse("get timeout --json").unwrap();
    assert_eq!(call.form, Form::Text);
    assert_eq!(call.command, Command::Timeout(TimeoutCommand::Get(name.clone())));
    assert_eq!(timeout("delete timeout --json"), TimeoutCommand::Delete(name));
    assert!(matches!(timeout("add timeout --json inet udp"), TimeoutCommand::Add { .. }));
    for (line, wanted) in [
        ("delete timeout t --json", UsageError::TooManyArguments),
        ("flush helper --json", UsageError::TooManyArguments),
        ("add timeout t inet udp --json", UsageError::NoValue),
        ("list --json timeout", UsageError::UnknownSubsystem("list".into())),
        ("list timeout --json x", UsageError::TooManyArguments),
        ("default-get timeout inet --json", UsageError::UnknownLayer4),
        ("--json", UsageError::TooFewWords),
        ("--json list", UsageError::TooFewWords),
        ("--json flush timeout", UsageError::JsonWithoutAnswer),
        ("--json default-get helper", UsageError::JsonWithoutAnswer),
        ("--json list version", UsageError::JsonWithoutAnswer),
        ("--json --json list timeout", UsageError::UnknownSubsystem("--json".into())),
    ] {
        assert_eq!(error(line), wanted, "{line}");
    }
}
