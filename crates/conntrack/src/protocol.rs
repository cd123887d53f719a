//! What each layer 4 protocol adds to the command line: options, what commands allow of them, help.
//!
//! One table a protocol; those without one have no options at all.

use flow::Protocol;

use crate::options::OptionId;

mod names;

pub use names::parse_protocol;

/// Two option names as a message gives them.
pub type PairNames = (&'static str, &'static str);

/// The options of a protocol.
#[derive(Debug)]
pub struct ProtocolSpec {
    /// Whose they are.
    pub protocol: Protocol,
    /// The options, in the order of the rows.
    pub options: &'static [OptionId],
    /// The names that the messages of incomplete pairs use. The first four options are the pairs.
    pub pairs: Option<Pairs>,
    /// What each command allows. See [`crate::matrix`].
    pub(crate) rows: Rows,
    /// The lines of its help.
    pub(crate) help: &'static [&'static str],
}

/// The names in messages of incomplete pairs. Those of the reply pair are not the names of the options (sic).
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    /// Of the original direction.
    pub original: PairNames,
    /// Of the reply direction.
    pub reply: PairNames,
}

/// One digit an option: 0 forbidden, 1 mandatory, 2 optional, 3 part of a pair.
#[derive(Debug)]
pub(crate) struct Rows {
    /// `-L`, `-D`, `-E`.
    pub(crate) list: &'static str,
    /// `-U`.
    pub(crate) update: &'static str,
    /// `-I`, `-A`.
    pub(crate) create: &'static str,
    /// `-G`.
    pub(crate) get: &'static str,
    /// `-I expect`.
    pub(crate) create_expectation: &'static str,
    /// `-D expect`, `-G expect`. Upstream demands the reply ports and makes no use of them: here they are optional.
    pub(crate) find_expectation: &'static str,
}

/// All tables. The order is that in which names are tried.
pub(crate) static PROTOCOLS: [ProtocolSpec; 8] = [
    ProtocolSpec {
        protocol: Protocol::Tcp,
        options: &[
            OptionId::OrigPortSrc,
            OptionId::OrigPortDst,
            OptionId::ReplyPortSrc,
            OptionId::ReplyPortDst,
            OptionId::MaskPortSrc,
            OptionId::MaskPortDst,
            OptionId::State,
            OptionId::TuplePortSrc,
            OptionId::TuplePortDst,
        ],
        pairs: Some(PORT_PAIRS),
        rows: Rows {
            list: "222200200",
            update: "222200200",
            create: "333300100",
            get: "333300200",
            create_expectation: "110011011",
            find_expectation: "112200000",
        },
        help: &[PORT_HELP, "  --state\t\t\tTCP state, fe. ESTABLISHED\n"],
    },
    ProtocolSpec {
        protocol: Protocol::Udp,
        options: UDP_OPTIONS,
        pairs: Some(PORT_PAIRS),
        rows: UDP_ROWS,
        help: &[PORT_HELP],
    },
    ProtocolSpec {
        protocol: Protocol::UdpLite,
        options: UDP_OPTIONS,
        pairs: Some(PORT_PAIRS),
        rows: UDP_ROWS,
        help: &[PORT_HELP],
    },
    ProtocolSpec {
        protocol: Protocol::Sctp,
        options: &[
            OptionId::OrigPortSrc,
            OptionId::OrigPortDst,
            OptionId::ReplyPortSrc,
            OptionId::ReplyPortDst,
            OptionId::MaskPortSrc,
            OptionId::MaskPortDst,
            OptionId::State,
            OptionId::TuplePortSrc,
            OptionId::TuplePortDst,
            OptionId::OrigVtag,
            OptionId::ReplyVtag,
        ],
        pairs: Some(PORT_PAIRS),
        rows: Rows {
            list: "22220020000",
            update: "22220020022",
            create: "33330010011",
            get: "33330020022",
            create_expectation: "11001101111",
            find_expectation: "11220000000",
        },
        help: &[
            PORT_HELP,
            "  --state\t\t\tSCTP state, fe. ESTABLISHED\n",
            "  --orig-vtag\t\toriginal verification tag\n",
            "  --reply-vtag\t\treply verification tag\n",
        ],
    },
    ProtocolSpec {
        protocol: Protocol::Dccp,
        options: &[
            OptionId::OrigPortSrc,
            OptionId::OrigPortDst,
            OptionId::ReplyPortSrc,
            OptionId::ReplyPortDst,
            OptionId::MaskPortSrc,
            OptionId::MaskPortDst,
            OptionId::State,
            OptionId::TuplePortSrc,
            OptionId::TuplePortDst,
            OptionId::Role,
        ],
        pairs: Some(Pairs {
            original: ("sport", "dport"),
            reply: ("reply-port-src", "report-port-dst"),
        }),
        rows: Rows {
            list: "2222002000",
            update: "2222002000",
            create: "3333001001",
            get: "3333002000",
            create_expectation: "1100110111",
            find_expectation: "1122000000",
        },
        help: &[PORT_HELP, "  --state\t\t\tDCCP state, fe. RESPOND\n"],
    },
    ProtocolSpec {
        protocol: Protocol::Gre,
        options: &[
            OptionId::OrigKeySrc,
            OptionId::OrigKeyDst,
            OptionId::ReplyKeySrc,
            OptionId::ReplyKeyDst,
            OptionId::MaskKeySrc,
            OptionId::MaskKeyDst,
            OptionId::TupleKeySrc,
            OptionId::TupleKeyDst,
        ],
        pairs: Some(Pairs {
            original: ("srckey", "dstkey"),
            reply: ("reply-src-key", "reply-dst-key"),
        }),
        rows: Rows {
            list: "22220000",
            update: "22220000",
            create: "33330000",
            get: "33330000",
            create_expectation: "11111111",
            find_expectation: "11220000",
        },
        help: &[GRE_HELP],
    },
    ProtocolSpec {
        protocol: Protocol::Icmp,
        options: &[OptionId::IcmpType, OptionId::IcmpCode, OptionId::IcmpId],
        pairs: None,
        rows: ICMP_ROWS,
        help: &[
            "  --icmp-type\t\t\ticmp type\n",
            "  --icmp-code\t\t\ticmp code\n",
            "  --icmp-id\t\t\ticmp id\n",
        ],
    },
    ProtocolSpec {
        protocol: Protocol::Icmpv6,
        options: &[OptionId::Icmpv6Type, OptionId::Icmpv6Code, OptionId::Icmpv6Id],
        pairs: None,
        rows: ICMP_ROWS,
        help: &[
            "  --icmpv6-type\t\t\ticmpv6 type\n",
            "  --icmpv6-code\t\t\ticmpv6 code\n",
            "  --icmpv6-id\t\t\ticmpv6 id\n",
        ],
    },
];

const UDP_OPTIONS: &[OptionId] = &[
    OptionId::OrigPortSrc,
    OptionId::OrigPortDst,
    OptionId::ReplyPortSrc,
    OptionId::ReplyPortDst,
    OptionId::MaskPortSrc,
    OptionId::MaskPortDst,
    OptionId::TuplePortSrc,
    OptionId::TuplePortDst,
];

const UDP_ROWS: Rows = Rows {
    list: "22220000",
    update: "22220000",
    create: "33330000",
    get: "33330000",
    create_expectation: "11001111",
    find_expectation: "11220000",
};

const ICMP_ROWS: Rows = Rows {
    list: "222",
    update: "222",
    create: "112",
    get: "112",
    create_expectation: "000",
    find_expectation: "000",
};

const PORT_PAIRS: Pairs =
    Pairs { original: ("sport", "dport"), reply: ("reply-src-port", "reply-dst-port") };

/// The second `--tuple-port-src` is upstream's.
const PORT_HELP: &str = "  --orig-port-src\t\toriginal source port
  --orig-port-dst\t\toriginal destination port
  --reply-port-src\t\treply source port
  --reply-port-dst\t\treply destination port
  --mask-port-src\t\tmask source port
  --mask-port-dst\t\tmask destination port
  --tuple-port-src\t\texpectation tuple src port
  --tuple-port-src\t\texpectation tuple dst port
";

/// The second `--tuple-key-src` is upstream's.
const GRE_HELP: &str = "  --orig-key-src\t\toriginal source key
  --orig-key-dst\t\toriginal destination key
  --reply-key-src\t\treply source key
  --reply-key-dst\t\treply destination key
  --mask-key-src\t\tmask source key
  --mask-key-dst\t\tmask destination key
  --tuple-key-src\t\texpectation tuple src key
  --tuple-key-src\t\texpectation tuple dst key
";

/// The table of a protocol, `None` for those without options.
pub fn spec(protocol: Protocol) -> Option<&'static ProtocolSpec> {
    PROTOCOLS.iter().find(|spec| spec.protocol == protocol)
}

#[cfg(test)]
mod tests {
    use super::PROTOCOLS;

    #[test]
    fn each_row_has_a_digit_for_each_option() {
        for spec in &PROTOCOLS {
            let rows = &spec.rows;
            for row in [
                rows.list,
                rows.update,
                rows.create,
                rows.get,
                rows.create_expectation,
                rows.find_expectation,
            ] {
                assert_eq!(row.len(), spec.options.len(), "{:?}", spec.protocol);
                assert!(row.bytes().all(|digit| (b'0'..=b'3').contains(&digit)));
                assert!(!row.contains('3') || (row.starts_with("3333") && spec.pairs.is_some()));
            }
        }
    }
}
