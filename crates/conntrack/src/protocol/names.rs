//! Names and numbers of protocols: our own, those of `/etc/protocols`, plain numbers.

use flow::Protocol;

use crate::values::strtoul;

/// The protocol of a `-p` value: a name of ours in any case, an exact name or alias of the file, or a number.
///
/// `file` gives the text of `/etc/protocols` (protocols(5)) and is asked only for what is not a name of ours.
pub fn parse_protocol(text: &str, file: &dyn Fn() -> Vec<u8>) -> Option<Protocol> {
    Protocol::NAMED
        .into_iter()
        .find(|protocol| protocol.name().is_some_and(|name| name.eq_ignore_ascii_case(text)))
        .or_else(|| number_in(&file(), text).or_else(|| strtoul(text)).map(Protocol::from))
}

/// The official name of a number in the text of `/etc/protocols`.
pub fn name_of(file: &[u8], number: u8) -> Option<String> {
    entries(file).find(|entry| entry.number == number).map(|entry| entry.name.to_owned())
}

fn number_in(file: &[u8], name: &str) -> Option<u8> {
    entries(file)
        .find(|entry| entry.name == name || entry.aliases.clone().any(|alias| alias == name))
        .map(|entry| entry.number)
}

/// A line `NAME NUMBER [ALIAS...]`. Lines of another form, or with a number that no protocol has, are passed over.
struct Entry<'a> {
    name: &'a str,
    number: u8,
    aliases: std::str::SplitAsciiWhitespace<'a>,
}

fn entries(file: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    file.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.split(|byte| *byte == b'#').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        Some(Entry { name: words.next()?, number: words.next()?.parse().ok()?, aliases: words })
    })
}

#[cfg(test)]
mod tests {
    use super::{name_of, parse_protocol};
    use flow::Protocol;

    const FILE: &[u8] = b"# a comment\n\nip\t0\tIP # pseudo\nesp 50 IPSEC-ESP # x ESP\n\
        ipv6-icmp 58 IPv6-ICMP ICMP6\nbroken\nlarge 300 LARGE\n7 8\n \xff 9\ntcp 7\n";

    #[test]
    fn own_names_come_before_the_file_and_numbers_last() {
        let parse = |text| parse_protocol(text, &|| FILE.to_vec());
        for (text, protocol) in [
            ("tcp", Some(Protocol::Tcp)),
            ("UdpLite", Some(Protocol::UdpLite)),
            ("esp", Some(Protocol::Other(50))),
            ("IPSEC-ESP", Some(Protocol::Other(50))),
            ("ipv6-icmp", Some(Protocol::Icmpv6)),
            ("ICMP6", Some(Protocol::Icmpv6)),
            ("6", Some(Protocol::Tcp)),
            ("0x11", Some(Protocol::Udp)),
            ("021", Some(Protocol::Udp)),
            ("255", Some(Protocol::Other(255))),
            ("7", Some(Protocol::Other(8))),
            ("ESP", None),
            ("x", None),
            ("broken", None),
            ("large", None),
            ("256", None),
            ("-1", None),
            ("6x", None),
            ("", None),
        ] {
            assert_eq!(parse(text), protocol, "{text}");
        }
    }

    #[test]
    fn file_is_not_asked_for_a_name_of_ours() {
        let protocol = parse_protocol("sctp", &|| unreachable!());
        assert_eq!(protocol, Some(Protocol::Sctp));
    }

    #[test]
    fn official_name_is_found_by_number() {
        assert_eq!(name_of(FILE, 50).as_deref(), Some("esp"));
        assert_eq!(name_of(FILE, 200), None);
    }
}
