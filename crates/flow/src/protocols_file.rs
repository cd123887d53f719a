//! The text of `/etc/protocols` (protocols(5)): names and numbers of layer 4 protocols.
//!
//! Lines of another form, and numbers that no protocol has, are passed over.

/// The number of the first protocol that has this exact name or alias.
pub fn number_of(file: &[u8], name: &str) -> Option<u8> {
    entries(file)
        .find(|entry| entry.name == name || entry.aliases.clone().any(|alias| alias == name))
        .map(|entry| entry.number)
}

/// The official name of a number.
pub fn name_of(file: &[u8], number: u8) -> Option<String> {
    entries(file).find(|entry| entry.number == number).map(|entry| entry.name.to_owned())
}

/// A line `NAME NUMBER [ALIAS...]`.
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
    use super::{name_of, number_of};

    const FILE: &[u8] = b"# a comment\n\nip\t0\tIP # pseudo\nesp 50 IPSEC-ESP # x ESP\n\
        ipv6-icmp 58 IPv6-ICMP ICMP6\nbroken\nlarge 300 LARGE\n7 8\n \xff 9\ntcp 7\n";

    #[test]
    fn names_and_aliases_are_exact() {
        for (name, number) in [
            ("ip", Some(0)),
            ("IP", Some(0)),
            ("IPSEC-ESP", Some(50)),
            ("ICMP6", Some(58)),
            ("7", Some(8)),
            ("ESP", None),
            ("Ip", None),
            ("broken", None),
            ("large", None),
            ("pseudo", None),
            ("", None),
        ] {
            assert_eq!(number_of(FILE, name), number, "{name}");
        }
    }

    #[test]
    fn official_name_is_found_by_number() {
        assert_eq!(name_of(FILE, 50).as_deref(), Some("esp"));
        assert_eq!(name_of(FILE, 200), None);
    }
}
