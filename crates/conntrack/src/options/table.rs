//! The one table of options and commands: letters, long names, kinds of argument, names in messages.

use crate::getopt::ArgumentKind::{self, NextWord, None as NoArgument, Required};
use crate::options::CommandName;

/// An option other than a command. The order of the variants is that of the columns of the matrix, then those of the
/// protocols.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
#[expect(missing_docs, reason = "each is the option of its name")]
pub enum OptionId {
    Src,
    Dst,
    ReplySrc,
    ReplyDst,
    Protonum,
    Timeout,
    Status,
    Zero,
    EventMask,
    TupleSrc,
    TupleDst,
    MaskSrc,
    MaskDst,
    NatRange,
    Mark,
    Id,
    Family,
    SrcNat,
    DstNat,
    Output,
    Secmark,
    BufferSize,
    AnyNat,
    Zone,
    Label,
    LabelAdd,
    LabelDel,
    OrigZone,
    ReplyZone,
    Labelmap,
    CtHelper,
    OrigPortSrc,
    OrigPortDst,
    ReplyPortSrc,
    ReplyPortDst,
    MaskPortSrc,
    MaskPortDst,
    TuplePortSrc,
    TuplePortDst,
    State,
    OrigVtag,
    ReplyVtag,
    Role,
    OrigKeySrc,
    OrigKeyDst,
    ReplyKeySrc,
    ReplyKeyDst,
    MaskKeySrc,
    MaskKeyDst,
    TupleKeySrc,
    TupleKeyDst,
    IcmpType,
    IcmpCode,
    IcmpId,
    Icmpv6Type,
    Icmpv6Code,
    Icmpv6Id,
}

/// What the table says of one option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Which one.
    pub id: OptionId,
    /// The letter, `None` for those of a protocol. The brackets and `M` have no place in the manual page, but work.
    pub letter: Option<u8>,
    /// The long names. The first is the name in messages.
    pub long: &'static [&'static str],
    /// Whether it takes a value.
    pub argument: ArgumentKind,
}

/// What the table says of one command.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Which one.
    pub name: CommandName,
    /// The letter.
    pub letter: u8,
    /// The long name.
    pub long: &'static str,
    /// Whether a table word may be attached to the letter.
    pub letter_argument: ArgumentKind,
    /// Whether a table word may be attached to the long name.
    pub long_argument: ArgumentKind,
}

const fn option(
    id: OptionId,
    letter: u8,
    argument: ArgumentKind,
    long: &'static [&'static str],
) -> OptionSpec {
    OptionSpec { id, letter: Some(letter), long, argument }
}

const fn protocol_option(id: OptionId, long: &'static [&'static str]) -> OptionSpec {
    OptionSpec { id, letter: None, long, argument: Required }
}

/// All options, in the order of [`OptionId`].
pub const OPTIONS: [OptionSpec; 57] = [
    option(OptionId::Src, b's', Required, &["src", "orig-src"]),
    option(OptionId::Dst, b'd', Required, &["dst", "orig-dst"]),
    option(OptionId::ReplySrc, b'r', Required, &["reply-src"]),
    option(OptionId::ReplyDst, b'q', Required, &["reply-dst"]),
    option(OptionId::Protonum, b'p', Required, &["protonum"]),
    option(OptionId::Timeout, b't', Required, &["timeout"]),
    option(OptionId::Status, b'u', Required, &["status"]),
    option(OptionId::Zero, b'z', NoArgument, &["zero"]),
    option(OptionId::EventMask, b'e', Required, &["event-mask"]),
    option(OptionId::TupleSrc, b'[', Required, &["tuple-src"]),
    option(OptionId::TupleDst, b']', Required, &["tuple-dst"]),
    option(OptionId::MaskSrc, b'{', Required, &["mask-src"]),
    option(OptionId::MaskDst, b'}', Required, &["mask-dst"]),
    option(OptionId::NatRange, b'a', Required, &["nat-range"]),
    option(OptionId::Mark, b'm', Required, &["mark"]),
    option(OptionId::Id, b'i', Required, &["id"]),
    option(OptionId::Family, b'f', Required, &["family"]),
    option(OptionId::SrcNat, b'n', NextWord, &["src-nat"]),
    option(OptionId::DstNat, b'g', NextWord, &["dst-nat"]),
    option(OptionId::Output, b'o', Required, &["output"]),
    option(OptionId::Secmark, b'c', Required, &["secmark"]),
    option(OptionId::BufferSize, b'b', Required, &["buffer-size"]),
    option(OptionId::AnyNat, b'j', NextWord, &["any-nat"]),
    option(OptionId::Zone, b'w', Required, &["zone"]),
    option(OptionId::Label, b'l', Required, &["label"]),
    option(OptionId::LabelAdd, b'<', Required, &["label-add"]),
    option(OptionId::LabelDel, b'>', NextWord, &["label-del"]),
    option(OptionId::OrigZone, b'(', Required, &["orig-zone"]),
    option(OptionId::ReplyZone, b')', Required, &["reply-zone"]),
    option(OptionId::Labelmap, b'M', Required, &["labelmap"]),
    // Not an option of upstream. The name must not take an abbreviation away from one that is.
    option(OptionId::CtHelper, b'@', Required, &["ct-helper"]),
    protocol_option(OptionId::OrigPortSrc, &["sport", "orig-port-src"]),
    protocol_option(OptionId::OrigPortDst, &["dport", "orig-port-dst"]),
    protocol_option(OptionId::ReplyPortSrc, &["reply-port-src"]),
    protocol_option(OptionId::ReplyPortDst, &["reply-port-dst"]),
    protocol_option(OptionId::MaskPortSrc, &["mask-port-src"]),
    protocol_option(OptionId::MaskPortDst, &["mask-port-dst"]),
    protocol_option(OptionId::TuplePortSrc, &["tuple-port-src"]),
    protocol_option(OptionId::TuplePortDst, &["tuple-port-dst"]),
    protocol_option(OptionId::State, &["state"]),
    protocol_option(OptionId::OrigVtag, &["orig-vtag"]),
    protocol_option(OptionId::ReplyVtag, &["reply-vtag"]),
    protocol_option(OptionId::Role, &["role"]),
    protocol_option(OptionId::OrigKeySrc, &["srckey", "orig-key-src"]),
    protocol_option(OptionId::OrigKeyDst, &["dstkey", "orig-key-dst"]),
    protocol_option(OptionId::ReplyKeySrc, &["reply-key-src"]),
    protocol_option(OptionId::ReplyKeyDst, &["reply-key-dst"]),
    protocol_option(OptionId::MaskKeySrc, &["mask-key-src"]),
    protocol_option(OptionId::MaskKeyDst, &["mask-key-dst"]),
    protocol_option(OptionId::TupleKeySrc, &["tuple-key-src"]),
    protocol_option(OptionId::TupleKeyDst, &["tuple-key-dst"]),
    protocol_option(OptionId::IcmpType, &["icmp-type"]),
    protocol_option(OptionId::IcmpCode, &["icmp-code"]),
    protocol_option(OptionId::IcmpId, &["icmp-id"]),
    protocol_option(OptionId::Icmpv6Type, &["icmpv6-type"]),
    protocol_option(OptionId::Icmpv6Code, &["icmpv6-code"]),
    protocol_option(OptionId::Icmpv6Id, &["icmpv6-id"]),
];

const fn command(name: CommandName, letter: u8, long: &'static str) -> CommandSpec {
    CommandSpec { name, letter, long, letter_argument: NoArgument, long_argument: NextWord }
}

/// All commands. Only the letter of count takes an attached word: `-Lexpect` is the cluster `-L -e xpect`.
pub const COMMANDS: [CommandSpec; 12] = [
    command(CommandName::List, b'L', "dump"),
    command(CommandName::Create, b'I', "create"),
    command(CommandName::Add, b'A', "add"),
    command(CommandName::Delete, b'D', "delete"),
    command(CommandName::Update, b'U', "update"),
    command(CommandName::Get, b'G', "get"),
    command(CommandName::Flush, b'F', "flush"),
    command(CommandName::Event, b'E', "event"),
    CommandSpec { letter_argument: NextWord, ..command(CommandName::Count, b'C', "counter") },
    CommandSpec { long_argument: NoArgument, ..command(CommandName::Stats, b'S', "stats") },
    CommandSpec { long_argument: NoArgument, ..command(CommandName::Version, b'V', "version") },
    CommandSpec { long_argument: NoArgument, ..command(CommandName::Help, b'h', "help") },
];

impl OptionId {
    /// What the table says of it.
    pub fn spec(self) -> Option<&'static OptionSpec> {
        OPTIONS.get(self as usize)
    }

    /// Its name in messages, without the dashes.
    pub fn name(self) -> &'static str {
        self.spec().and_then(|spec| spec.long.first()).copied().unwrap_or_default()
    }

    /// Its letter, also that which only the program uses (`(` of `--orig-zone`); `None` for those of a protocol.
    pub fn letter(self) -> Option<char> {
        self.spec().and_then(|spec| spec.letter).map(char::from)
    }
}

/// The options that were given, or for which another option stands in (a prefix length counts as a mask).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GivenOptions(u64);

impl GivenOptions {
    /// Whether the option was given.
    pub fn has(self, option: OptionId) -> bool {
        self.0 & bit(option) != 0
    }

    /// Whether at least one of them was given.
    pub fn has_any(self, options: &[OptionId]) -> bool {
        options.iter().any(|option| self.has(*option))
    }

    /// Whether all of them were given.
    pub fn has_all(self, options: &[OptionId]) -> bool {
        options.iter().all(|option| self.has(*option))
    }

    /// Notes an option.
    pub fn insert(&mut self, option: OptionId) {
        self.0 |= bit(option);
    }

    /// These options without that one.
    #[must_use]
    pub fn without(self, option: OptionId) -> Self {
        Self(self.0 & !bit(option))
    }

    /// The options in whose columns a row of [`crate::matrix`] has this digit.
    pub(crate) const fn of_cells(row: &str, digit: u8) -> Self {
        let (mut cells, mut bits, mut bit) = (row.as_bytes(), 0, 1_u64);
        while let [cell, rest @ ..] = cells {
            if *cell == digit {
                bits |= bit;
            }
            (cells, bit) = (rest, bit << 1);
        }
        Self(bits)
    }

    /// These options.
    pub(crate) fn of(options: &[OptionId]) -> Self {
        Self(options.iter().fold(0, |bits, option| bits | bit(*option)))
    }

    /// Those of them that are options of a protocol.
    pub(crate) fn of_protocols(self) -> Self {
        Self(self.0 & !(bit(OptionId::OrigPortSrc) - 1))
    }

    /// Those of them that are not in the other set.
    pub(crate) fn outside(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether none of them is in the other set.
    pub(crate) fn is_disjoint_from(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }

    /// Whether there is none.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The given options in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = OptionId> {
        let options = if self.is_empty() { &[][..] } else { &OPTIONS[..] };
        options.iter().map(|spec| spec.id).filter(move |option| self.has(*option))
    }
}

fn bit(option: OptionId) -> u64 {
    1 << (option as u32)
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, GivenOptions, OPTIONS, OptionId};

    #[test]
    fn table_is_in_the_order_of_the_ids_and_fits_the_bit_set() {
        for (index, spec) in OPTIONS.iter().enumerate() {
            assert_eq!(spec.id as usize, index);
        }
        assert!(OPTIONS.len() <= 64);
        assert_eq!(OptionId::Icmpv6Id as usize + 1, OPTIONS.len());
    }

    #[test]
    fn options_of_protocols_are_those_without_a_letter() {
        for spec in &OPTIONS {
            let of_protocols = GivenOptions::of(&[spec.id]).of_protocols();
            assert_eq!(of_protocols.is_empty(), spec.letter.is_some(), "{:?}", spec.id);
        }
    }

    #[test]
    fn letters_are_unique() {
        let mut letters: Vec<u8> = OPTIONS.iter().filter_map(|spec| spec.letter).collect();
        letters.extend(COMMANDS.map(|spec| spec.letter));
        let count = letters.len();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), count);
    }
}
