use super::{check, row};
use crate::options::tests::{assert_refused, scan};
use crate::options::{COMMANDS, OPTIONS, OptionId, Table};
use crate::usage_error::UsageError;

#[test]
fn each_row_has_a_digit_for_each_common_option() {
    let columns = OPTIONS.iter().filter(|spec| spec.letter.is_some()).count();
    assert_eq!(OptionId::CtHelper as usize + 1, columns);
    for command in &COMMANDS {
        for table in [Table::Conntrack, Table::Expect, Table::Dying] {
            let row = row(Some((command.name, table))).cells;
            assert_eq!(row.len(), columns, "{command:?}");
            assert!(!row.contains('3') || row.starts_with("3333"));
        }
    }
    assert_eq!(row(None).cells.len(), columns);
}

#[test]
fn wrong_combinations_are_refused_in_upstreams_words() {
    assert_refused(
        "
2 | -A -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1 --dport 2 | You need to supply the `--timeout' option for this command
2 | -F expect -f ipv6 | Illegal option `--family' with this command
2 | -I -s 10.0.0.1/24 -d 10.0.0.2 -p udp --sport 1 --dport 2 -t 50 | Illegal option `--mask-src' with this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1 --dport 2 -t 50 -c 1 | Illegal option `--secmark' with this command
2 | -I -s fd00::1 -d fd00::2 -p udp --sport 1 --dport 2 -t 50 -n 192.0.2.1 | mismatched address family
2 | -D -s ::1 -d 10.0.0.1 | mismatched address family
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1 --dport 2 -t 9 --labelmap map | Illegal option `--labelmap' with this command
2 | -L -g -j | cannot specify `--src-nat' or `--dst-nat' with `--any-nat'
2 | -L -j -n | cannot specify `--src-nat' or `--dst-nat' with `--any-nat'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p dccp --sport 1 --dport 2 --state OPEN -t 10 | You need to supply the `--role' option for this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p dccp --reply-port-src 1 --state OPEN --role client -t 10 | you have to specify `--reply-port-src' and `--report-port-dst'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p gre -t 10 | you have to specify `--srckey' and `--dstkey'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p gre --reply-key-src 1 -t 10 | you have to specify `--reply-src-key' and `--reply-dst-key'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p icmp --icmp-type 8 -t 10 | You need to supply the `--icmp-code' option for this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p icmp -t 10 | You need to supply the `--icmp-type' option for this command
2 | -I -s ::1 -d ::2 -p icmpv6 -t 10 | You need to supply the `--icmpv6-type' option for this command
2 | -I -p udp --sport 1 --dport 2 -t 10 | you have to specify `--src' and `--dst'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p udp --reply-port-src 1 -t 10 | you have to specify `--reply-src-port' and `--reply-dst-port'
2 | -I -r 10.0.0.1 -p udp --sport 1 --dport 2 -t 10 | you have to specify `--reply-src' and `--reply-dst'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1 -t 10 | you have to specify `--sport' and `--dport'
2 | -I -s 10.0.0.1 -p udp --sport 1 --dport 2 -t 10 | you have to specify `--src' and `--dst'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p udp -t 10 | you have to specify `--sport' and `--dport'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -t 10 | You need to supply the `--protonum' option for this command
2 | -I -d 10.0.0.1 -p udp --sport 1 --dport 2 -t 10 | you have to specify `--src' and `--dst'
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1 --dport 2 | You need to supply the `--timeout' option for this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p sctp --sport 1 --dport 2 --state CLOSED --orig-vtag 1 -t 10 | You need to supply the `--reply-vtag' option for this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p sctp --sport 1 --dport 2 -t 10 | You need to supply the `--state' option for this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p sctp --sport 1 --dport 2 --state CLOSED -t 10 | You need to supply the `--orig-vtag' option for this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p tcp --sport 1 --dport 2 -t 10 | You need to supply the `--state' option for this command
2 | -I -s 10.0.0.1 -d 10.0.0.2 -p tcp --state CLOSE --reply-port-dst 1 -t 10 | you have to specify `--reply-src-port' and `--reply-dst-port'
2 | -E expect -b 1000 | Illegal option `--buffer-size' with this command
2 | -E expect -e NEW | Illegal option `--event-mask' with this command
2 | -I expect -s 10.0.0.1 -d 10.0.0.2 -p tcp -t 10 --tuple-src 10.0.0.1 --tuple-dst 10.0.0.2 --mask-src 255.255.255.255 --mask-dst 255.255.255.255 | You need to supply the `--sport' option for this command
2 | -I expect -s 10.0.0.1 -d 10.0.0.2 -p tcp -t 10 | You need to supply the `--tuple-src' option for this command
2 | -I expect | You need to supply the `--src' option for this command
2 | -D expect -s 10.0.0.1 -d 10.0.0.2 -p tcp | You need to supply the `--sport' option for this command
2 | -D expect | You need to supply the `--src' option for this command
2 | -G expect | You need to supply the `--src' option for this command
2 | -F -p tcp | Illegal option `--protonum' with this command
2 | -G -s 10.0.0.1 -d 10.0.0.2 -p tcp | you have to specify `--sport' and `--dport'
2 | -G -s 10.0.0.1 -d 10.0.0.2 | You need to supply the `--protonum' option for this command
1 | -U --label-add a --label-del b | cannot use --label-add and --label-del at the same time
2 | -L --labelmap a --labelmap b | option `--labelmap' can only be specified once
2 | -L -p dccp --role client | Illegal option `--role' with this command
2 | -L -p sctp --orig-vtag 1 | Illegal option `--orig-vtag' with this command
2 | -L -p tcp --mask-port-src 1 | Illegal option `--mask-port-src' with this command
2 | -L -p tcp --tuple-port-src 1 | Illegal option `--tuple-port-src' with this command
2 | -L -p udp --state ESTABLISHED | unknown option `--state'
2 | -L --mask-dst 255.255.255.0 | Can't use --mask-dst without --dst
2 | -L --mask-src 255.255.255.0 | Can't use --mask-src without --src
1 | -L -o extended -o save | cannot combine save output with any other output type, use -o save only
1 | -L -o save,id | cannot combine save output with any other output type, use -o save only
2 | -L -z -s 10.0.0.1 | Can't use -z with filtering parameters
2 | -L -z -m 1 | Can't use -z with filtering parameters
2 | -U -p 50 -c 5 | Illegal option `--secmark' with this command
2 | -U -w 1 -m 1 | Illegal option `--zone' with this command
",
    );
}

#[test]
fn checks_come_in_upstreams_order() {
    assert_refused(
        "
2 | -L -n -j -t 5 | cannot specify `--src-nat' or `--dst-nat' with `--any-nat'
2 | -L -z -w 1 -t 5 | Illegal option `--timeout' with this command
2 | -L -z -p tcp --mask-src 255.0.0.0 | Can't use -z with filtering parameters
2 | -L -z --mask-src 255.0.0.0 | Can't use --mask-src without --src
2 | -L --mask-src 255.0.0.0 -p udp --mask-port-src 5 | Illegal option `--mask-port-src' with this command
2 | -E --mask-dst 255.0.0.0 | Can't use --mask-dst without --dst
2 | -U --mask-dst 255.0.0.0 | Can't use --mask-dst without --dst
2 | -D --mask-dst 255.0.0.0 | Can't use --mask-dst without --dst
2 | -A -s 10.0.0.1 -p udp | You need to supply the `--timeout' option for this command
2 | -I -p tcp -t 5 -r 1.1 -s 1.1 --sport 5 --state CLOSE | you have to specify `--src' and `--dst'
2 | -I -p tcp -t 5 -r 1.1 -q 1.1 --reply-port-src 1 --sport 5 --state CLOSE | you have to specify `--sport' and `--dport'
2 | -G -p 200 -r 1.1 | you have to specify `--reply-src' and `--reply-dst'
2 | -D expect -s 1.1 -d 1.1 -p icmp --icmp-type 8 | Illegal option `--icmp-type' with this command
2 | -h -s 1.1 | Illegal option `--src' with this command
2 | -s 1.1 | Illegal option `--src' with this command
2 | -z | Illegal option `--zero' with this command
2 | --stats expect -p tcp | Illegal option `--protonum' with this command
2 | -L --label-del | Illegal option `--label-del' with this command
",
    );
}

#[test]
fn options_of_an_earlier_protocol_are_refused() {
    assert_refused(
        "
2 | -L -p tcp --sport 5 -p icmp | Illegal option `--sport' with this command
2 | -L -p tcp --sport 5 -p 200 | Illegal option `--sport' with this command
2 | -D -p tcp --state CLOSE -p udp | Illegal option `--state' with this command
2 | -D -p tcp --state CLOSE -p sctp | Illegal option `--state' with this command
",
    );
}

#[test]
fn legal_lines_pass() {
    for line in [
        "",
        "-h",
        "-h -p tcp --sport 80 --tuple-port-src 5",
        "-h expect -p tcp",
        "-L -a 10.0.0.1",
        "-C -a 10.0.0.1",
        "-L dying -z -p tcp",
        "-L dying --mask-src 255.0.0.0",
        "-L -z -f ipv4",
        "-L -z -n",
        "-L -n -g",
        "-L -p tcp --sport 5 -p udp",
        "-L -p tcp -p tcp --sp 5",
        "-L -p udplite --reply-port-dst 5",
        "-L expect -f ipv6 -o id",
        "-F -f ipv6",
        "-E -b 5 -e NEW -j",
        "-U -i 5 -p sctp --reply-vtag 5",
        "-G -s 1.1 -d 1.1 -p tcp --sport 1 --dport 2 --state CLOSE -l a -o xml",
        "-G -s 1.1 -d 1.1 -p 200",
        "-I -s 1.1 -d 1.1 -p 50 -t 5",
        "-I -s 1.1 -d 1.1 -p icmp --icmp-type 8 --icmp-code 0 -t 5",
        "-A -s 1.1 -d 1.1 -p icmp --icmp-type 8 --icmp-code 0 -t 5 --label-add a --labelmap m",
        "-I -r 1.1 -q 1.1 -s 1.1 -p udp --reply-port-src 1 --reply-port-dst 1 --sport 5 -t 5",
        "-D expect -s 1.1 -d 1.1 -p tcp --sport 1 --dport 2",
        "-G expect -s 1.1 -d 1.1 -p tcp --sport 1 --dport 2 --reply-port-src 0",
        "-I expect -s 1.1 -d 1.1 -p tcp --sport 5 --dport 6 --tuple-src 1.1/24 --tuple-dst 1.1 \
         --tuple-port-src 0 --tuple-port-dst 7 --mask-dst 255.255.255.255 --mask-port-src 0 \
         --mask-port-dst 65535 -t 100",
        "-L -p ipv6-icmp --icmpv6-type 128",
    ] {
        let options = scan(line).unwrap_or_else(|rejection| panic!("{line}: {rejection:?}"));
        assert_eq!(check(&options), Ok(()), "{line}");
    }
}

/// Words for an option of each kind of column.
const WORDS: [(&str, &str); 21] = [
    ("src", "-s 10.0.0.1"),
    ("reply-src", "-r 10.0.0.2"),
    ("protonum", "-p udp"),
    ("timeout", "-t 5"),
    ("status", "-u ASSURED"),
    ("zero", "-z"),
    ("event-mask", "-e NEW"),
    ("tuple-src", "--tuple-src 10.0.0.1"),
    ("mask-src", "--mask-src 255.0.0.0"),
    ("mark", "-m 1"),
    ("id", "-i 1"),
    ("family", "-f ipv4"),
    ("src-nat", "-n"),
    ("output", "-o id"),
    ("secmark", "-c 1"),
    ("buffer-size", "-b 1000"),
    ("any-nat", "-j"),
    ("zone", "-w 1"),
    ("orig-zone", "--orig-zone 1"),
    ("reply-zone", "--reply-zone 1"),
    ("labelmap", "--labelmap map"),
];

/// What each command allows of them, by the cases matrix/illegal-with-*.
const ALLOWED: [(&str, &str); 18] = [
    (
        "-I -s 1.1 -d 1.1 -p udp --sport 1 --dport 2 -t 10",
        "src reply-src protonum timeout status mark src-nat zone orig-zone reply-zone",
    ),
    (
        "-A -s 1.1 -d 1.1 -p udp --sport 1 --dport 2 -t 10",
        "src reply-src protonum timeout status mark src-nat zone orig-zone reply-zone",
    ),
    ("-G -s 1.1 -d 1.1 -p udp --sport 1 --dport 2", "src reply-src protonum id output"),
    (
        "-L",
        "src reply-src protonum status zero mask-src mark family src-nat output secmark any-nat \
         zone orig-zone reply-zone labelmap",
    ),
    (
        "-D",
        "src reply-src protonum timeout status mask-src mark id family src-nat output zone \
         orig-zone reply-zone labelmap",
    ),
    ("-U", "src reply-src protonum timeout status mask-src mark id family src-nat output labelmap"),
    (
        "-E",
        "src reply-src protonum event-mask mask-src mark family src-nat output secmark \
         buffer-size any-nat zone orig-zone reply-zone labelmap",
    ),
    ("-F", "family"),
    ("-L expect", "family output"),
    ("-E expect", "output"),
    ("-h", "protonum"),
    ("-F expect", ""),
    ("-C", ""),
    ("-C expect", ""),
    ("-S", ""),
    ("-S expect", ""),
    ("-V", ""),
    ("", ""),
];

#[test]
fn each_command_allows_its_options_and_no_others() {
    for (line, allowed) in ALLOWED {
        let allowed: Vec<&str> = allowed.split_whitespace().collect();
        for (name, words) in WORDS {
            let options = scan(&format!("{line} {words}")).unwrap();
            let illegal = match check(&options) {
                Err(UsageError::Illegal { option }) => Some(option.name()),
                _ => None,
            };
            let expected = (!allowed.contains(&name)).then_some(name);
            assert_eq!(illegal, expected, "{line} {words}");
        }
    }
}

#[test]
fn json_is_the_only_output_of_commands_that_have_none_upstream() {
    for line in [
        "-C -o json",
        "-C expect -o ndjson",
        "-S -o j -o json",
        "-S expect -o n",
        "-G expect -s 10.0.0.1 -d 10.0.0.2 -p tcp --sport 1 --dport 2 -o json",
    ] {
        assert_eq!(check(&scan(line).unwrap()), Ok(()), "{line}");
    }
    assert_refused(
        "
2 | -C -o xml | Illegal option `--output' with this command
2 | -C -o json,id | Illegal option `--output' with this command
2 | -S expect -o save | Illegal option `--output' with this command
2 | -F -o json | Illegal option `--output' with this command
2 | -V -o json | Illegal option `--output' with this command
2 | -D expect -s 10.0.0.1 -d 10.0.0.2 -p tcp --sport 1 --dport 2 -o json | Illegal option `--output' with this command
1 | -L -o json,ndjson | cannot combine json output with xml output, nor with ndjson output
1 | -C -o ndjson,xml | cannot combine json output with xml output, nor with ndjson output",
    );
}
