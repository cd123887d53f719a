//! Names of states, and the values that are given to them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use flow::Protocol;

/// The number by which the kernel calls its generic tracker, which has no protocol.
pub const GENERIC: u8 = 255;

/// The states of a protocol, by the attribute number of their timeout (`CTA_TIMEOUT_*`), from 1 on. Empty for one
/// without a tracker of its own.
pub fn states(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Tcp => &[
            "SYN_SENT",
            "SYN_RECV",
            "ESTABLISHED",
            "FIN_WAIT",
            "CLOSE_WAIT",
            "LAST_ACK",
            "TIME_WAIT",
            "CLOSE",
            "SYN_SENT2",
            "RETRANS",
            "UNACKNOWLEDGED",
        ],
        Protocol::Udp | Protocol::UdpLite | Protocol::Gre => &["UNREPLIED", "REPLIED"],
        Protocol::Icmp | Protocol::Icmpv6 | Protocol::Other(GENERIC) => &["TIMEOUT"],
        Protocol::Sctp => &[
            "CLOSED",
            "COOKIE_WAIT",
            "COOKIE_ECHOED",
            "ESTABLISHED",
            "SHUTDOWN_SENT",
            "SHUTDOWN_RECD",
            "SHUTDOWN_ACK_SENT",
        ],
        Protocol::Dccp => {
            &["REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT"]
        }
        Protocol::Other(_) => &[],
    }
}

/// The attribute number of a state, by its name in any case.
pub fn state_number(protocol: Protocol, name: &OsStr) -> Option<u16> {
    let mut states = (1..).zip(states(protocol));
    let is_it = |state: &str| state.as_bytes().eq_ignore_ascii_case(name.as_bytes());
    states.find(|(_, state)| is_it(state)).map(|(number, _)| number)
}

/// The number that C's `atoi` reads on a machine of 64 bits, as 32 bits without a sign.
///
/// Blanks, a sign, digits; all from the first other character on is ignored, and no digits are 0. What does not fit
/// into 64 bits is the nearest that does; of that the lower 32 bits count.
pub fn value(word: &OsStr) -> u32 {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let word = word.as_bytes();
    let start = word.iter().take_while(|byte| is_blank(byte)).count();
    let rest = word.get(start..).unwrap_or_default();
    let (is_negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let digits = digits.iter().map_while(|byte| char::from(*byte).to_digit(10));
    let number = digits.fold(0_i64, |number, digit| {
        let digit = i64::from(digit);
        let digit = if is_negative { -digit } else { digit };
        number.saturating_mul(10).saturating_add(digit)
    });
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::{GENERIC, state_number, states, value};
    use flow::Protocol;
    use proptest::prelude::*;

    #[test]
    fn values_are_read_as_c_does() {
        for (word, number) in [
            ("", 0),
            ("0", 0),
            ("007", 7),
            ("10s", 10),
            ("0x10", 0),
            (" \t\n\u{b}\u{c}\r12", 12),
            ("+7", 7),
            ("+-7", 0),
            ("- 7", 0),
            ("abc", 0),
            ("1e3", 1),
            ("-1", u32::MAX),
            ("4294967295", u32::MAX),
            ("4294967296", 0),
            ("99999999999", 1_215_752_191),
            // The largest and the smallest number of 64 bits.
            ("99999999999999999999", u32::MAX),
            ("-99999999999999999999", 0),
            ("9223372036854775807", u32::MAX),
        ] {
            assert_eq!(value(word.as_ref()), number, "{word:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_of_32_bits_are_themselves(number: u32, tail in "[^0-9]?.{0,3}") {
            prop_assert_eq!(value(number.to_string().as_ref()), number);
            let word = format!("{number}x{tail}");
            prop_assert_eq!(value(word.as_ref()), number);
        }

        #[test]
        fn numbers_of_64_bits_wrap(number: i64) {
            let expected = u32::try_from(number & 0xffff_ffff).unwrap();
            prop_assert_eq!(value(number.to_string().as_ref()), expected);
        }
    }

    #[test]
    fn states_are_numbered_from_one_in_any_case() {
        let number = |protocol, name: &str| state_number(protocol, name.as_ref());
        assert_eq!(number(Protocol::Tcp, "unacknowledged"), Some(11));
        assert_eq!(number(Protocol::Tcp, "UNACK"), None);
        assert_eq!(number(Protocol::Sctp, "Shutdown_Ack_Sent"), Some(7));
        assert_eq!(number(Protocol::Sctp, "HEARTBEAT_SENT"), None);
        assert_eq!(number(Protocol::Dccp, "TIMEWAIT"), Some(7));
        assert_eq!(number(Protocol::Gre, "replied"), Some(2));
        assert_eq!(number(Protocol::from(GENERIC), "timeout"), Some(1));
        assert_eq!(number(Protocol::Udp, ""), None);
        assert!(states(Protocol::Other(50)).is_empty());
    }
}
