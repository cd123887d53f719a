use proptest::prelude::*;

use super::parse;
use crate::config::diagnostic::{Diagnostic, Problem};
use crate::config::keyword::Keyword;
use crate::config::read;
use crate::config::render::render;

/// The symbols in the way, in the order of the text.
fn symbols(text: &str) -> Vec<String> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    parse(text.as_bytes(), &mut diagnostics);
    let symbol = |found: Diagnostic| match found.problem {
        Problem::Syntax { line, symbol, .. } => Some(format!("{line}:{symbol}")),
        _ => None,
    };
    diagnostics.into_iter().filter_map(symbol).collect()
}

#[test]
fn one_run_finds_all_errors() {
    for (text, expected) in [
        ("", &[][..]),
        ("General { HashSizes 10 HashSize x HashLimit 3 }", &["1:HashSizes", "1:x"]),
        (
            "General {\nHashSize\nHashLimit 3 }\nFoo { HashSize 3 }\nStats { on }",
            &["3:HashLimit", "4:Foo", "5:on"],
        ),
        (
            "Sync { Mode ODD { RefreshTime 3 } Mode FTFW { RefreshTime 3 } }",
            &["1:ODD", "1:RefreshTime"],
        ),
        ("Sync { Mode FTFW }\nGeneral { Nice 3 }", &["1:}", "2:3"]),
        (
            "General { UNIX { Path /a\nSync { Mode ALARM { } }\nHelper { Setup 1 }",
            &["2:Sync", "3:1"],
        ),
        ("General { HashSize 3", &["1:"]),
        ("General { UNIX { Path /a }", &["1:"]),
        ("General { UNIX { Backlog", &["1:"]),
        ("General { } } Stats { } } { Sync { } }", &["1:}", "1:}"]),
        ("General { Options { HashSize 3 } HashLimit on }", &["1:Options", "1:on"]),
        ("General { Filter { Address Ignore { 10.0.0.1 } } Nice 5 }", &["1:10.0.0.1", "1:5"]),
        (
            "General { Filter { Protocol Accept { TCP 6 UDP } State Ignore { for UDP } } }",
            &["1:6", "1:UDP"],
        ),
        ("\u{1b}", &["1:\\u{1b}"]),
    ] {
        assert_eq!(symbols(text), expected, "{text}");
    }
}

#[test]
fn errors_of_the_grammar_are_bounded() {
    assert_eq!(symbols(&"Stats { ; } ".repeat(1000)).len(), 100);
}

#[test]
fn a_statement_belongs_to_its_block() {
    for text in [
        "Sync { ACKWindowSize 3 }",
        "Sync { Mode ALARM { ResendQueueSize 3 } }",
        "Sync { Mode ALARM { StartupResync on } }",
        "Sync { Mode FTFW { DisableInternalCache on } }",
        "Sync { Mode NOTRACK { CacheTimeout 3 } }",
        "Sync { Multicast { Port 3 } }",
        "Sync { Multicast { IPv4_Destination_Address 1.1.1.1 } }",
        "Sync { UDP { Group 3 } }",
        "Sync { UDP { ErrorQueueLength 3 } }",
        "Sync { TCP { IPv4_interface 1.1.1.1 } }",
        "Stats { NetlinkEventsReliable on }",
        "General { Options { } }",
        "Helper { Type ftp inet tcp { Setup on } }",
    ] {
        assert_eq!(symbols(text).len(), 1, "{text}");
    }
}

#[test]
fn a_device_has_any_name_but_not_that_of_the_next_statement() {
    for name in ["e0", "fc1", "bad", "on", "alarm", "4g", "eth0:1", "eth0@x", "Group", "lo,x", "é"]
    {
        let text = format!("Sync {{ UDP {{ Interface {name} Port 3 }} }}");
        assert_eq!(symbols(&text), [""; 0], "{text}");
        let braces = format!("Sync{{UDP{{Interface {name}}}}}");
        assert_eq!(symbols(&braces), [""; 0], "{braces}");
    }
    assert_eq!(symbols("Sync { UDP { Interface\nPort 3 } }"), ["2:Port"]);
    assert_eq!(symbols("Sync { UDP { Interface \"lo\" } }"), ["1:\""]);
    assert_eq!(symbols("Sync { UDP { Interface /lo } }"), ["1:/lo"]);
    assert_eq!(symbols("Sync { UDP { Interface lo # note\nPort 3 } }"), [""; 0]);
}

#[test]
fn names_may_look_like_numbers_switches_and_modes() {
    let text = "Sync { Options { ExpectationSync { ftp bad q.931 on alarm } } }\
        General { Filter { Protocol Accept { fc TCP } } }";
    assert_eq!(symbols(text), [""; 0]);
    assert_eq!(symbols("Sync { Options { ExpectationSync { 4g } } }"), ["1:4"]);
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![Just(0), 1..100_u64, any::<u64>()].prop_map(|number| number.to_string())
}

fn switch() -> impl Strategy<Value = String> {
    "(on|ON|Yes|off|oFF|NO)"
}

fn path() -> impl Strategy<Value = String> {
    "/[a-z}#{é./]{0,12}"
}

fn address() -> impl Strategy<Value = String> {
    "([0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}|fe80::[0-9a-f]{1,4}|::|bad)(/[0-9]{1,3})?"
        .prop_filter("a name has no prefix", |text| !text.starts_with("bad/"))
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9._-]{0,8}"
}

fn with(
    keywords: &'static [&'static str],
    argument: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (proptest::sample::select(keywords), argument)
        .prop_map(|(keyword, argument)| format!("{keyword} {argument}"))
}

fn block(
    head: impl Strategy<Value = String>,
    statement: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let separator = proptest::sample::select(&[" ", "\n", "\r\n\t", " # note {\n"][..]);
    (head, prop::collection::vec(statement, 0..5), separator).prop_map(
        |(head, statements, separator)| {
            let body: String = statements.into_iter().map(|one| one + separator).collect();
            format!("{head}{separator}{{{separator}{body}}}")
        },
    )
}

fn filter() -> impl Strategy<Value = String> {
    let policy = || "(Accept|Ignore)";
    let names = prop::collection::vec(prop_oneof![word(), "(TCP|UDP)"], 0..4);
    let protocols = (policy(), names)
        .prop_map(|(policy, names)| format!("Protocol {policy} {{ {} }}", names.join(" ")));
    let networks = with(&["IPv4_address", "IPv6_address"], address());
    let addresses = block(policy().prop_map(|policy| format!("Address {policy}")), networks);
    let state =
        "(SYN_SENT|SYN_RECV|ESTABLISHED|FIN_WAIT|CLOSE_WAIT|LAST_ACK|TIME_WAIT|CLOSED?|LISTEN)";
    let states = (policy(), prop::collection::vec(state, 0..4))
        .prop_map(|(policy, states)| format!("State {policy} {{ {} for TCP }}", states.join(" ")));
    let head = "Filter( From (Userspace|Kernelspace))?";
    block(head, prop_oneof![protocols, addresses, states])
}

fn general() -> impl Strategy<Value = String> {
    let numbers = &[
        "HashSize",
        "HashLimit",
        "NetlinkBufferSize",
        "SocketBufferSize",
        "EventIterationLimit",
        "NetlinkBufferSizeMaxGrowth",
        "SocketBufferSizeMaxGrown",
        "SocketBufferSizeMaxGrowth",
        "NetlinkOverrunResync",
        "PollSecs",
    ];
    let unix = prop_oneof![with(&["Path"], path()), with(&["Backlog"], number())];
    let scheduler = prop_oneof![with(&["Type"], word()), with(&["Priority"], number())];
    block(
        Just("General".into()),
        prop_oneof![
            with(numbers, number()),
            with(&["LockFile", "LogFile"], path()),
            with(
                &["LogFile", "Syslog", "NetlinkEventsReliable", "NetlinkOverrunResync", "Systemd"],
                switch()
            ),
            with(&["Syslog"], word()),
            with(&["Nice"], "[+-][0-9]{1,3}"),
            filter(),
            block(Just("UNIX".into()), unix),
            block(Just("Scheduler".into()), scheduler),
        ],
    )
}

fn sync() -> impl Strategy<Value = String> {
    let shared = || with(&["CommitTimeout", "PurgeTimeout"], number());
    let alarm = || prop_oneof![shared(), with(&["RefreshTime", "CacheTimeout"], number())];
    let ftfw = prop_oneof![
        shared(),
        with(&["ResendQueueSize", "ACKWindowSize"], number()),
        with(&["DisableExternalCache", "StartupResync"], switch()),
    ];
    let caches = &["DisableExternalCache", "DisableInternalCache", "StartupResync"];
    let notrack = prop_oneof![shared(), with(caches, switch())];
    let common = || {
        prop_oneof![
            with(&["IPv4_address", "IPv6_address"], address()),
            with(&["Interface"], "[a-zA-Z0-9é@:,.]{1,8}"),
            with(&["SndSocketBuffer", "RcvSocketBuffer"], number()),
            with(&["Checksum"], switch()),
        ]
    };
    let multicast = prop_oneof![
        common(),
        with(&["Group"], number()),
        with(&["IPv4_interface", "IPv6_interface"], address()),
    ];
    let pair = || {
        let peer = &["IPv4_Destination_Address", "IPv6_Destination_Address"];
        prop_oneof![common(), with(&["Port"], number()), with(peer, address())]
    };
    let tcp = prop_oneof![pair(), with(&["ErrorQueueLength"], number())];
    let list = prop::collection::vec(word(), 0..4)
        .prop_map(|names| format!("ExpectationSync {{ {} }}", names.join(" ")));
    let options = prop_oneof![with(&["TCPWindowTracking", "ExpectationSync"], switch()), list];
    block(
        Just("Sync".into()),
        prop_oneof![
            alarm(),
            block("Mode (ALARM|alarm|persistent)", alarm()),
            block("Mode (FTFW|ftfw|NACK)", ftfw),
            block("Mode (NOTRACK|NoTrack)", notrack),
            block("Multicast( Default)?", multicast),
            block("UDP( Default)?", pair()),
            block("TCP( Default)?", tcp),
            block(Just("Options".into()), options),
        ],
    )
}

fn stats_and_helper() -> impl Strategy<Value = String> {
    let log = prop_oneof![with(&["LogFile"], path()), with(&["LogFile", "Syslog"], switch())];
    let policy = with(&["ExpectMax", "ExpectTimeout"], number());
    let one = prop_oneof![
        with(&["QueueNum", "QueueLen"], number()),
        block(word().prop_map(|name| format!("Policy {name}")), policy),
    ];
    let head = (word(), word(), word()).prop_map(|(a, b, c)| format!("Type {a} {b} {c}"));
    let helper = prop_oneof![with(&["Setup"], switch()), block(head, one)];
    prop_oneof![block(Just("Stats".into()), log), block(Just("Helper".into()), helper)]
}

fn file() -> impl Strategy<Value = String> {
    let section = prop_oneof![general(), sync(), stats_and_helper()];
    prop::collection::vec(section, 0..4).prop_map(|sections| sections.join("\n"))
}

/// Words of the language and their neighbours, in any order.
fn soup() -> impl Strategy<Value = String> {
    let words: Vec<_> = Keyword::ALL.iter().map(|keyword| keyword.text().to_owned()).collect();
    let other = "[{}]|[a-z0-9.:/#+\"-]{1,6}|on|FTFW|10\\.0\\.0\\.1/8|\\PC";
    let word = prop_oneof![3 => proptest::sample::select(words), 2 => other];
    prop::collection::vec((word, "[ \n]?"), 0..60)
        .prop_map(|words| words.into_iter().map(|(word, blank)| word + &blank).collect())
}

proptest! {
    #[test]
    fn what_is_rendered_reads_the_same(text in file()) {
        let mut diagnostics = Vec::new();
        let parsed = parse(text.as_bytes(), &mut diagnostics);
        let refused = |found: &Diagnostic| matches!(found.problem, Problem::Syntax { .. });
        prop_assert!(!diagnostics.iter().any(refused), "{text}\n{diagnostics:?}");
        let rendered = render(&parsed);
        diagnostics.clear();
        let again = parse(&rendered, &mut diagnostics);
        prop_assert!(!diagnostics.iter().any(refused), "{}", String::from_utf8_lossy(&rendered));
        prop_assert_eq!(parsed, again);
    }

    #[test]
    fn any_file_of_the_grammar_is_judged(text in file()) {
        let reading = read(text.as_bytes());
        let order = reading.diagnostics.iter().map(|found| found.raised_at);
        prop_assert!(order.is_sorted());
        prop_assert!(reading.diagnostics.iter().all(|found| found.span.end <= text.len()));
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }

    #[test]
    fn any_words_are_read(text in soup()) {
        let reading = read(text.as_bytes());
        prop_assert!(reading.diagnostics.iter().all(|found| found.span.start <= found.span.end));
    }
}
