//! The value of `-p`: names of our own, those of `/etc/protocols`, plain numbers.

use flow::{Protocol, protocols_file};

use crate::values::strtoul;

/// The protocol of a `-p` value: a name of ours in any case, an exact name or alias of the file, or a number.
///
/// `file` gives the text of `/etc/protocols` (protocols(5)) and is asked only for what is not a name of ours.
pub fn parse_protocol(text: &str, file: &dyn Fn() -> Vec<u8>) -> Option<Protocol> {
    Protocol::NAMED
        .into_iter()
        .find(|protocol| protocol.name().is_some_and(|name| name.eq_ignore_ascii_case(text)))
        .or_else(|| {
            protocols_file::number_of(&file(), text).or_else(|| strtoul(text)).map(Protocol::from)
        })
}

#[cfg(test)]
mod tests {
    use super::parse_protocol;
    use flow::Protocol;

    const FILE: &[u8] = b"esp 50 IPSEC-ESP # x ESP\nipv6-icmp 58 IPv6-ICMP ICMP6\n7 8\ntcp 7\n";

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
}
