use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::{
    CommandName, Environment, LabelRemoval, OptionId, Options, ProtocolState, Rejection, Table,
    Warning,
};
use crate::matrix;
use crate::values::{EventMask, OutputFlags};
use flow::{Family, Protocol, Status, TcpState, Zone};

/// Splits a line as a shell does, as far as the tables below need it: blanks and single quotes.
pub(crate) fn words(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take().map(OsString::from)),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word.map(OsString::from));
    words
}

pub(crate) fn scan(line: &str) -> Result<Options, Rejection> {
    scan_words(&words(line))
}

fn scan_words(words: &[OsString]) -> Result<Options, Rejection> {
    let protocols = || b"esp 50 IPSEC-ESP\nipv6-icmp 58 IPv6-ICMP\n".to_vec();
    let environment = Environment { posixly_correct: false, protocols: &protocols };
    Options::scan(words, &environment)
}

/// Each of the lines of `EXIT CODE | WORDS | MESSAGE` is refused so, by the scan or by the matrix.
pub(crate) fn assert_refused(table: &str) {
    for line in table.lines().filter(|line| !line.is_empty()) {
        let [code, words, message] = line.splitn(3, " | ").collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let error = match scan(words) {
            Ok(options) => matrix::check(&options).expect_err(line),
            Err(rejection) => rejection.error,
        };
        assert_eq!(error.to_string(), message, "{words}");
        assert_eq!(error.exit_code().to_string(), code, "{words}");
    }
}

#[test]
fn wrong_words_and_values_are_refused_in_upstreams_words() {
    assert_refused(include_str!("refused.txt"));
}

/// Where upstream is evidently wrong (docs/differences.md).
#[test]
fn what_upstream_passes_over_is_refused() {
    assert_refused(
        "
2 | -L '' | unknown type `'
2 | --dump= | unknown type `'
2 | --dump=foo | unknown type `foo'
2 | -Cfoo | unknown type `foo'
2 | -L -zxp | unknown option `-x'
2 | -L -zx | unknown option `-zx'
2 | -L --=x | unknown option `--=x'
2 | -L -s '10.0.0.1 x' | Invalid IP address `10.0.0.1 x'
2 | -L -s 10.0.0.0/ | Invalid netmask
2 | -L -s 10.0.0.0/+8 | Invalid netmask
2 | -L -nfoo | Invalid IP address `foo'
2 | -L --any-nat= | Invalid IP address `'
2 | -L -n 'x[192.0.2.1]:5' | Invalid IP address `x[192.0.2.1]:5'
1 | -L -m 1/ | unexpected value '1/' with -m option
1 | -L -m 1/0x100000000 | unexpected value '1/0x100000000' with -m option
2 | -L -o s | Bad parameter `s'
2 | -L -o id,dst | Bad parameter `dst'
2 | -L -o SRC_NAT | Bad parameter `SRC_NAT'
2 | -E -e d | Bad parameter `d'
2 | -L -u D | Bad parameter `D'
2 | -L -u UNREPLIEDxyz | Bad parameter `UNREPLIEDxyz'
2 | -L -p tcp --sport http | invalid value `http' for option `--sport'
2 | -L -p tcp --orig-port-dst 80x | invalid value `80x' for option `--dport'
2 | -L -p udp --dport 65616 | invalid value `65616' for option `--dport'
2 | -L -p udp --dport -1 | invalid value `-1' for option `--dport'
2 | -L -p udp --dport '' | invalid value `' for option `--dport'
2 | -L -p gre --srckey 0x10000 | invalid value `0x10000' for option `--srckey'
2 | -L -p gre --srckey 08 | invalid value `08' for option `--srckey'
2 | -L -p icmp --icmp-type 256 | invalid value `256' for option `--icmp-type'
2 | -L -p icmpv6 --icmpv6-id 65536 | invalid value `65536' for option `--icmpv6-id'
2 | -U -p sctp --orig-vtag 0x5 | invalid value `0x5' for option `--orig-vtag'
2 | -U -p sctp --reply-vtag 4294967296 | invalid value `4294967296' for option `--reply-vtag'
2 | -L -p sctp --state HEARTBEAT_SENT | unknown SCTP state `HEARTBEAT_SENT'
2 | -U -t foo | invalid value `foo' for option `--timeout'
2 | -U -t -1 | invalid value `-1' for option `--timeout'
2 | -E -b 1k | invalid value `1k' for option `--buffer-size'
2 | -I -p dccp --role '' | Unknown DCCP role `'
2 | -L -p tcp -p udp --state CLOSE | unknown option `--state'
2 | -L -p tcp -p 200 --sport 5 | unknown option `--sport'
",
    );
}

#[test]
fn errors_come_in_the_order_of_the_words() {
    assert_refused(
        "
2 | -L -s foo -L | Invalid IP address `foo'
2 | -L -L -s foo | Invalid commands combination
2 | -L -D foo | unknown type `foo'
2 | -D dying -L | Can't do that command with tables `dying' and `unconfirmed'
2 | -U expect -L | Can't do --update on expectations
2 | -L -f ipv6 -r 10.0.0.1/24 | mismatched address family
2 | -L -n foo:x | Invalid port `x'
2 | -L -n foo: | No port specified after `:'
2 | -L -r foo/24 | Invalid IP address `foo/24'
2 | -L -n 192.0.2.0/24:80 | CIDR notation unavailable for `--src-nat'
2 | -L -t 5 -p foo | `foo' unsupported protocol
1 | -L -o xml -o save,id -x | cannot combine save output with any other output type, use -o save only
2 | -L -p tcp --state X -x | unknown TCP state `X'
",
    );
}

#[test]
fn warnings_come_with_a_later_error() {
    let rejection = scan("-a 10.0.0.1 -u src_nat,DST_NAT,foo").unwrap_err();
    let texts: Vec<String> = rejection.warnings.iter().map(Warning::to_string).collect();
    assert_eq!(
        texts,
        [
            "WARNING: ignoring -a, deprecated option.",
            "WARNING: ignoring SRC_NAT, use --src-nat instead",
            "WARNING: ignoring DST_NAT, use --dst-nat instead",
        ]
    );
    assert_eq!(rejection.error.to_string(), "Bad parameter `foo'");
}

#[test]
fn table_is_the_next_or_the_attached_word() {
    for (line, command, table) in [
        ("-L", CommandName::List, Table::Conntrack),
        ("-L exp", CommandName::List, Table::Expect),
        ("foo -L d bar", CommandName::List, Table::Dying),
        ("-L u", CommandName::List, Table::Unconfirmed),
        ("-L c", CommandName::List, Table::Conntrack),
        ("-L !expect", CommandName::List, Table::Conntrack),
        ("-L -- expect", CommandName::List, Table::Conntrack),
        ("-L -o id expect", CommandName::List, Table::Conntrack),
        ("-Lz expect", CommandName::List, Table::Conntrack),
        ("-zL expect", CommandName::List, Table::Expect),
        ("--dump=expect", CommandName::List, Table::Expect),
        ("--delete=expect", CommandName::Delete, Table::Expect),
        ("-Cexpect", CommandName::Count, Table::Expect),
        ("--count expect", CommandName::Count, Table::Expect),
        ("--stats expect", CommandName::Stats, Table::Expect),
    ] {
        assert_eq!(scan(line).unwrap().command, Some((command, table)), "{line}");
    }
    assert_eq!(scan("").unwrap().command, None);
    assert_eq!(scan("something").unwrap().command, None);
}

#[test]
fn attached_values_of_next_word_options_count() {
    let address = |text: &str| Some(text.parse().unwrap());
    let options = scan("-L -n192.0.2.1:80 --dst-nat=fd00::1").map_err(|r| r.error.to_string());
    assert_eq!(options.unwrap_err(), "mismatched address family");
    let options = scan("-L -n192.0.2.1:80 --dst-nat=192.0.2.2 -j").unwrap();
    let src_nat = options.src_nat.unwrap();
    assert_eq!((src_nat.address, src_nat.port), (address("192.0.2.1"), Some(80)));
    assert_eq!(options.dst_nat.unwrap().address, address("192.0.2.2"));
    assert_eq!(options.any_nat.unwrap().address, None);
    let options = scan("-U --label-del=a,b --label-del c").unwrap();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    assert_eq!(options.label_del, Some(LabelRemoval::Named(names)));
}

#[test]
fn label_del_without_a_word_removes_all_and_stays_so() {
    for line in ["--label-del", "--label-del a --label-del", "--label-del -U --label-del a"] {
        let options = scan(line).unwrap();
        assert_eq!(options.label_del, Some(LabelRemoval::All), "{line}");
        assert_eq!(options.label_names().count(), 0);
        assert!(options.wants_labels());
    }
}

#[test]
fn lists_of_labels_count_whole_and_add_up() {
    let options = scan("-I -l a,b -l c --label-add d, --labelmap m").unwrap();
    let names: Vec<&str> = options.label_names().collect();
    assert_eq!(names, ["a", "b", "c", "d", ""]);
    assert_eq!(options.labelmap, Some("m".into()));
    assert!(scan("-L -o labels").unwrap().wants_labels());
    assert!(!scan("-L --labelmap m").unwrap().wants_labels());
}

#[test]
fn prefix_gives_a_network_and_counts_as_a_mask() {
    let options = scan("-L -s 10.9.9.9/8 -d fd00::1").unwrap_err();
    assert_eq!(options.error.to_string(), "mismatched address family");
    let options = scan("-L -s 10.9.9.9/8 -d 10.0.0.1/32").unwrap();
    assert!(options.given.has(OptionId::MaskSrc));
    assert!(!options.given.has(OptionId::MaskDst));
    let network = options.src_network().unwrap();
    assert_eq!(network.address(), std::net::IpAddr::from([10, 0, 0, 0]));
    assert_eq!(options.dst_network(), None);
    assert_eq!(options.family, Some(Family::Ipv4));
    let options = scan("-I expect --tuple-dst fd00::1/64").unwrap();
    assert!(options.given.has(OptionId::MaskDst));
    assert_eq!(options.mask.dst, Some("ffff:ffff:ffff:ffff::".parse().unwrap()));
}

#[test]
fn values_reach_their_fields() {
    let options =
        scan("-U -s 10.1 -( 5 --reply-zone 0x6 -w7 -t 080 -b 0x50 -i +3 -m 1/2 -c 010 -z -f ipv4x")
            .unwrap();
    assert_eq!(options.original.src, Some([10, 0, 0, 1].into()));
    assert_eq!(options.direction_zones.original, Some(Zone(5)));
    assert_eq!(options.direction_zones.reply, Some(Zone(6)));
    assert_eq!(options.zone, Some(Zone(7)));
    assert_eq!(options.timeout_s, Some(80));
    assert_eq!(options.buffer_size, Some(0x50));
    assert_eq!(options.id, Some(flow::FlowId(3)));
    assert_eq!(options.secmark, Some(8));
    assert_eq!(options.mark.unwrap().mask, 2);
    assert!(options.given.has(OptionId::Zero));
}

#[test]
fn options_of_a_protocol_reach_their_fields() {
    let tcp = "-L -p 6 --sport 0x10 --orig-port-d 080 --reply-port-src 3 --state LISTEN";
    let tcp = scan(&format!("{tcp} --tuple-port-dst 4 --mask-port-src 5")).unwrap();
    assert_eq!(tcp.protocol(), Some(Protocol::Tcp));
    assert_eq!((tcp.original.src_port, tcp.original.dst_port), (Some(16), Some(80)));
    assert_eq!((tcp.reply.src_port, tcp.reply.protocol), (Some(3), None));
    assert_eq!((tcp.expected.dst_port, tcp.mask.src_port), (Some(4), Some(5)));
    assert_eq!(tcp.state, Some(ProtocolState::Tcp(TcpState::SYN_SENT2)));
    let gre = scan("-L -p gre --srckey 0x11 --reply-key-dst 011").unwrap();
    assert_eq!((gre.original.src_port, gre.reply.dst_port), (Some(17), Some(9)));
    let icmp = scan("-L -p ipv6-icmp --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 9").unwrap();
    assert_eq!(icmp.protocol(), Some(Protocol::Icmpv6));
    assert_eq!(icmp.original.icmp_kind, Some(128));
    assert_eq!(icmp.reply.icmp_kind, None);
    let sctp = scan("-U -p sctp --orig-vtag 010 --reply-vtag 4294967295").unwrap();
    assert_eq!(sctp.vtags.original, Some(10));
    assert_eq!(sctp.vtags.reply, Some(u32::MAX));
    let dccp = scan("-L -p dccp --role CL --state OPEN").unwrap();
    assert_eq!(dccp.role, Some(flow::DccpRole::CLIENT));
}

#[test]
fn repeated_lists_add_up_and_other_values_are_replaced() {
    let options = scan("-L -e NEW -e d,all").map_err(|rejection| rejection.error.to_string());
    assert_eq!(options.unwrap_err(), "Bad parameter `d,all'");
    let options = scan("-e NEW -e DEST -o id -o ext -u as -u !seen -m 1 -m 2 -n 1.1 -n").unwrap();
    assert_eq!(options.event_mask, Some(EventMask::NEW | EventMask::DESTROY));
    assert_eq!(options.output, OutputFlags::ID | OutputFlags::EXTENDED);
    let status = options.status.unwrap();
    assert_eq!((status.set, status.clear), (Status::ASSURED, Status::SEEN_REPLY));
    assert_eq!(options.mark.unwrap().value.0, 2);
    assert_eq!(options.src_nat, Some(crate::values::NatFilter::default()));
}

#[test]
fn words_need_not_be_utf8() {
    let map = OsString::from_vec(b"/etc/\xff".to_vec());
    let options = scan_words(&["-L".into(), "--labelmap".into(), map.clone()]).unwrap();
    assert_eq!(options.labelmap, Some(map));
    for (option, message) in [
        ("-s", "Invalid IP address `\u{fffd}'"),
        ("-m", "unexpected value '\u{fffd}' with -m option"),
        ("-o", "Bad parameter `\u{fffd}'"),
        ("-p", "`\u{fffd}' unsupported protocol"),
        ("-L", "unknown type `\u{fffd}'"),
        ("-t", "invalid value `\u{fffd}' for option `--timeout'"),
    ] {
        let value = OsString::from_vec(vec![0xff]);
        let rejection = scan_words(&[option.into(), value]).unwrap_err();
        assert_eq!(rejection.error.to_string(), message);
    }
    let rejection = scan_words(&[OsString::from_vec(b"--x\xff".to_vec())]).unwrap_err();
    assert_eq!(rejection.error.to_string(), "unknown option `--x\u{fffd}'");
}
