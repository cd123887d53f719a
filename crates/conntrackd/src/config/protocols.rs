//! The protocols database (`/etc/protocols`): name, number, aliases, comment.

/// The number of a protocol by its name or an alias, in the letter case of the database.
pub fn number(database: &[u8], name: &str) -> Option<u8> {
    database.split(|&byte| byte == b'\n').find_map(|line| {
        let entry = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let entry = str::from_utf8(entry).ok()?;
        let mut words = entry.split_ascii_whitespace();
        let official = words.next()?;
        let number = words.next()?;
        let is_meant = official == name || words.any(|alias| alias == name);
        if is_meant { number.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn names_and_aliases_are_found() {
        let database =
            b"# a comment\nip 0 IP\nipv6-icmp\t58\tIPv6-ICMP # sctp 132\n\nbroken\nbig 256\n";
        for (name, expected) in [
            ("ip", Some(0)),
            ("ipv6-icmp", Some(58)),
            ("IPv6-ICMP", Some(58)),
            ("IPV6-ICMP", None),
            ("sctp", None),
            ("broken", None),
            ("big", None),
        ] {
            assert_eq!(number(database, name), expected, "{name}");
        }
    }
}
