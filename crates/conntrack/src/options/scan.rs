//! Words to options, left to right.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::LazyLock;

use flow::{DccpRole, DccpState, Family, FlowId, HelperName, Protocol, SctpState, TcpState, Zone};

use super::{
    COMMANDS, CommandName, Environment, LabelRemoval, OPTIONS, OptionId, Options, ProtocolState,
    Rejection, Table, Warning,
};
use crate::getopt::{Getopt, GrammarError, Letters, LongOption, Names, OptionTable, ShortOption};
use crate::protocol::{self, parse_protocol};
use crate::usage_error::UsageError;
use crate::values::{
    NatFilter, OutputFlags, PrefixLen, decimal, decimal_or_hex, few_digits, masked_mark,
    parse_address, parse_events, parse_output, parse_status, plain_address, split_nat,
    split_prefix, strtoul,
};

/// What a letter or a long name means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Meaning {
    Command(CommandName),
    Option(OptionId),
}

static SHORT: LazyLock<Letters<Meaning>> = LazyLock::new(|| {
    let commands = COMMANDS.iter().map(|spec| ShortOption {
        letter: spec.letter,
        argument: spec.letter_argument,
        meaning: Meaning::Command(spec.name),
    });
    let options = OPTIONS.iter().filter_map(|spec| {
        Some(ShortOption {
            letter: spec.letter?,
            argument: spec.argument,
            meaning: Meaning::Option(spec.id),
        })
    });
    Letters::new(commands.chain(options))
});

/// The long names that do not depend on the protocol.
static LONG: LazyLock<Names<Meaning>> = LazyLock::new(|| {
    let commands = COMMANDS.iter().map(|spec| LongOption {
        name: spec.long,
        argument: spec.long_argument,
        meaning: Meaning::Command(spec.name),
    });
    let common = OPTIONS.iter().filter(|spec| spec.letter.is_some());
    Names::new(commands.chain(common.flat_map(|spec| long_names(spec.id))))
});

/// The long names of each protocol that has options.
static OF_PROTOCOLS: LazyLock<Vec<(Protocol, Names<Meaning>)>> = LazyLock::new(|| {
    let names = |options: &[OptionId]| Names::new(options.iter().copied().flat_map(long_names));
    protocol::PROTOCOLS.iter().map(|spec| (spec.protocol, names(spec.options))).collect()
});

static NO_NAMES: LazyLock<Names<Meaning>> = LazyLock::new(|| Names::new([]));

fn long_names(option: OptionId) -> impl Iterator<Item = LongOption<Meaning>> {
    option.spec().into_iter().flat_map(|spec| {
        spec.long.iter().map(|name| LongOption {
            name,
            argument: spec.argument,
            meaning: Meaning::Option(spec.id),
        })
    })
}

impl Options {
    /// Reads the words of a command line, without the name of the program, or those of a line of a batch file.
    ///
    /// ```
    /// use conntrack::options::{CommandName, Environment, Options, Table};
    ///
    /// let words = ["-L", "expect", "-f", "ipv6"];
    /// let environment = Environment { posixly_correct: false, protocols: &Vec::new };
    /// let options = Options::scan(&words, &environment).unwrap();
    /// assert_eq!(options.command, Some((CommandName::List, Table::Expect)));
    /// ```
    pub fn scan<W: AsRef<OsStr>>(
        words: &[W],
        environment: &Environment<'_>,
    ) -> Result<Self, Rejection> {
        let mut options = Self::default();
        match options.scan_into(words, environment) {
            Ok(()) => Ok(options),
            Err(error) => Err(Rejection { warnings: options.warnings, error }),
        }
    }

    /// The same, into options of which none is given yet. They are those of the words before the wrong one.
    pub(crate) fn scan_into<W: AsRef<OsStr>>(
        &mut self,
        words: &[W],
        environment: &Environment<'_>,
    ) -> Result<(), UsageError> {
        let words = Getopt::new(words, environment.posixly_correct);
        Scan { words, options: self, protocol_options: &NO_NAMES, environment }.run()
    }
}

struct Scan<'a, W> {
    words: Getopt<'a, W>,
    options: &'a mut Options,
    /// The long options of the last `-p`.
    protocol_options: &'static Names<Meaning>,
    environment: &'a Environment<'a>,
}

impl<'a, W: AsRef<OsStr>> Scan<'a, W> {
    fn run(&mut self) -> Result<(), UsageError> {
        loop {
            let table = OptionTable { short: &SHORT, long: [&LONG, self.protocol_options] };
            let Some(found) = self.words.next_option(&table) else {
                return Ok(());
            };
            let found = found?;
            match found.meaning {
                Meaning::Command(command) => {
                    let word = self.value_or_next_word(found.value);
                    self.command(command, word)?;
                }
                Meaning::Option(id) => self.option(id, found.value)?,
            }
        }
    }

    fn value_or_next_word(&mut self, attached: Option<&'a OsStr>) -> Option<&'a OsStr> {
        attached.or_else(|| self.words.take_next_word())
    }

    fn command(&mut self, command: CommandName, word: Option<&OsStr>) -> Result<(), UsageError> {
        let table = word.map(parse_table).transpose()?.unwrap_or_default();
        match (command, table) {
            (CommandName::List, _) | (_, Table::Conntrack) => {}
            (_, Table::Dying | Table::Unconfirmed) => return Err(UsageError::ListOnlyTable),
            (CommandName::Update | CommandName::Add, Table::Expect) => {
                return Err(UsageError::NoExpectations { command });
            }
            (_, Table::Expect) => {}
        }
        if self.options.command.is_some() {
            return Err(UsageError::TwoCommands);
        }
        self.options.command = Some((command, table));
        Ok(())
    }

    fn option(&mut self, id: OptionId, value: Option<&'a OsStr>) -> Result<(), UsageError> {
        match id {
            OptionId::Zero => {}
            OptionId::NatRange => {
                self.options.warnings.push(Warning::NatRange);
                return Ok(());
            }
            OptionId::SrcNat => self.options.src_nat = Some(self.nat(id, value)?),
            OptionId::DstNat => self.options.dst_nat = Some(self.nat(id, value)?),
            OptionId::AnyNat => self.options.any_nat = Some(self.nat(id, value)?),
            OptionId::LabelDel => {
                let names = self.value_or_next_word(value).map(label_names);
                self.remove_labels(names)?;
            }
            OptionId::Labelmap if self.options.labelmap.is_some() => {
                return Err(UsageError::TwoLabelmaps);
            }
            OptionId::Labelmap => self.options.labelmap = value.map(OsStr::to_owned),
            _ => {
                // What is not UTF-8 gets replacement characters, which no value may contain.
                let value = value.unwrap_or_default();
                if self.plain_value(id, value.as_bytes())? {
                    self.options.given.insert(id);
                    return Ok(());
                }
                match value.to_str() {
                    Some(text) => self.text_option(id, text)?,
                    None => self.text_option(id, &value.to_string_lossy())?,
                }
            }
        }
        self.options.given.insert(id);
        Ok(())
    }

    /// Takes a value in the form that nearly all have: of a file of a million lines this makes half the work. Any other
    /// value is not taken, and left to [`Scan::text_option`], which would take this one as the same.
    fn plain_value(&mut self, id: OptionId, value: &[u8]) -> Result<bool, UsageError> {
        if let Some(place) = address_of(self.options, id) {
            let Some(address) = plain_address(value) else { return Ok(false) };
            *place = Some(address);
            self.set_family(Family::of(address))?;
            return Ok(true);
        }
        let place = match id {
            OptionId::Timeout => {
                let number = few_digits(value);
                self.options.timeout_s = number.or(self.options.timeout_s);
                return Ok(number.is_some());
            }
            OptionId::OrigPortSrc => &mut self.options.original.src_port,
            OptionId::OrigPortDst => &mut self.options.original.dst_port,
            OptionId::ReplyPortSrc => &mut self.options.reply.src_port,
            OptionId::ReplyPortDst => &mut self.options.reply.dst_port,
            _ => return Ok(false),
        };
        let port = few_digits(value).and_then(|number| u16::try_from(number).ok());
        *place = port.or(*place);
        Ok(port.is_some())
    }

    fn text_option(&mut self, id: OptionId, text: &str) -> Result<(), UsageError> {
        match id {
            OptionId::Src
            | OptionId::Dst
            | OptionId::ReplySrc
            | OptionId::ReplyDst
            | OptionId::TupleSrc
            | OptionId::TupleDst
            | OptionId::MaskSrc
            | OptionId::MaskDst => {
                let address = self.address(id, text)?;
                if let Some(place) = address_of(self.options, id) {
                    *place = Some(address);
                }
            }
            OptionId::Protonum => self.protocol(text)?,
            OptionId::Family => self.family(text)?,
            OptionId::Status => self.status(text)?,
            OptionId::EventMask => self.events(text)?,
            OptionId::Output => self.output(text)?,
            OptionId::Label => self.options.labels.extend(split_labels(text)),
            OptionId::LabelAdd => self.add_labels(text)?,
            OptionId::CtHelper => {
                self.options.ct_helper = Some(checked(id, text, helper_name)?);
            }
            OptionId::Timeout => {
                self.options.timeout_s = Some(checked(id, text, decimal_or_hex)?);
            }
            OptionId::BufferSize => {
                self.options.buffer_size = Some(checked(id, text, buffer_size)?);
            }
            OptionId::Mark => self.options.mark = Some(expected(id, text, masked_mark)?),
            OptionId::Secmark => self.options.secmark = Some(expected(id, text, strtoul)?),
            OptionId::Id => self.options.id = Some(FlowId(expected(id, text, strtoul)?)),
            OptionId::Zone => self.options.zone = Some(zone(id, text)?),
            OptionId::OrigZone => self.options.direction_zones.original = Some(zone(id, text)?),
            OptionId::ReplyZone => self.options.direction_zones.reply = Some(zone(id, text)?),
            _ => self.protocol_option(id, text)?,
        }
        Ok(())
    }

    fn protocol_option(&mut self, id: OptionId, text: &str) -> Result<(), UsageError> {
        let options = &mut *self.options;
        let port = || checked(id, text, decimal_or_hex).map(Some);
        let key = || checked(id, text, strtoul).map(Some);
        let byte = || checked(id, text, decimal_or_hex).map(Some);
        let tag = || checked(id, text, decimal).map(Some);
        match id {
            OptionId::OrigPortSrc => options.original.src_port = port()?,
            OptionId::OrigPortDst => options.original.dst_port = port()?,
            OptionId::ReplyPortSrc => options.reply.src_port = port()?,
            OptionId::ReplyPortDst => options.reply.dst_port = port()?,
            OptionId::MaskPortSrc => options.mask.src_port = port()?,
            OptionId::MaskPortDst => options.mask.dst_port = port()?,
            OptionId::TuplePortSrc => options.expected.src_port = port()?,
            OptionId::TuplePortDst => options.expected.dst_port = port()?,
            OptionId::OrigKeySrc => options.original.src_port = key()?,
            OptionId::OrigKeyDst => options.original.dst_port = key()?,
            OptionId::ReplyKeySrc => options.reply.src_port = key()?,
            OptionId::ReplyKeyDst => options.reply.dst_port = key()?,
            OptionId::MaskKeySrc => options.mask.src_port = key()?,
            OptionId::MaskKeyDst => options.mask.dst_port = key()?,
            OptionId::TupleKeySrc => options.expected.src_port = key()?,
            OptionId::TupleKeyDst => options.expected.dst_port = key()?,
            OptionId::IcmpType | OptionId::Icmpv6Type => options.original.icmp_kind = byte()?,
            OptionId::IcmpCode | OptionId::Icmpv6Code => options.original.icmp_code = byte()?,
            OptionId::IcmpId | OptionId::Icmpv6Id => options.original.icmp_id = port()?,
            OptionId::OrigVtag => options.vtags.original = tag()?,
            OptionId::ReplyVtag => options.vtags.reply = tag()?,
            OptionId::State => options.state = parse_state(options.protocol(), text)?,
            OptionId::Role => options.role = Some(parse_role(text)?),
            _ => {}
        }
        Ok(())
    }

    fn address(&mut self, id: OptionId, text: &str) -> Result<IpAddr, UsageError> {
        let (address, prefix) = split_prefix(text);
        let invalid = || UsageError::InvalidAddress { text: text.into() };
        let address = parse_address(address).ok_or_else(invalid)?;
        let family = Family::of(address);
        self.set_family(family)?;
        if let Some(prefix) = prefix {
            let (mask, slot) = match id {
                OptionId::Src | OptionId::TupleSrc => {
                    (OptionId::MaskSrc, &mut self.options.mask.src)
                }
                OptionId::Dst | OptionId::TupleDst => {
                    (OptionId::MaskDst, &mut self.options.mask.dst)
                }
                option => return Err(UsageError::NoPrefix { option }),
            };
            let prefix = PrefixLen::parse(prefix, family).ok_or(UsageError::InvalidPrefix)?;
            if let Some(bits) = prefix.mask() {
                *slot = Some(bits);
                self.options.given.insert(mask);
            }
        }
        Ok(address)
    }

    fn nat(&mut self, id: OptionId, value: Option<&'a OsStr>) -> Result<NatFilter, UsageError> {
        let Some(value) = self.value_or_next_word(value) else {
            return Ok(NatFilter::default());
        };
        let value = value.to_string_lossy();
        let parts = split_nat(&value)?;
        Ok(NatFilter { address: Some(self.address(id, parts.address)?), port: parts.port })
    }

    fn family(&mut self, text: &str) -> Result<(), UsageError> {
        // Text after the name is passed over.
        let family = [Family::Ipv4, Family::Ipv6]
            .into_iter()
            .find(|family| text.starts_with(family.name()))
            .ok_or_else(|| UsageError::UnsupportedProtocol { text: text.into() })?;
        self.set_family(family)
    }

    fn set_family(&mut self, family: Family) -> Result<(), UsageError> {
        if *self.options.family.get_or_insert(family) == family {
            Ok(())
        } else {
            Err(UsageError::FamilyMismatch)
        }
    }

    fn protocol(&mut self, text: &str) -> Result<(), UsageError> {
        let protocol = parse_protocol(text, self.environment.protocols)
            .ok_or_else(|| UsageError::UnsupportedProtocol { text: text.into() })?;
        self.options.original.protocol = Some(protocol);
        let known = OF_PROTOCOLS.iter().find(|(other, _)| *other == protocol);
        self.protocol_options = known.map_or(&NO_NAMES, |(_, names)| names);
        Ok(())
    }

    fn status(&mut self, text: &str) -> Result<(), UsageError> {
        let list = parse_status(text, &mut self.options.warnings).map_err(bad_item)?;
        let status = self.options.status.get_or_insert_default();
        status.set |= list.set;
        status.clear |= list.clear;
        Ok(())
    }

    fn events(&mut self, text: &str) -> Result<(), UsageError> {
        let events = parse_events(text).map_err(bad_item)?;
        *self.options.event_mask.get_or_insert_default() |= events;
        Ok(())
    }

    fn output(&mut self, text: &str) -> Result<(), UsageError> {
        let flags: OutputFlags = parse_output(text).map_err(bad_item)?;
        self.options.output |= flags;
        if self.options.output.mixes_save() {
            return Err(UsageError::SaveWithOther);
        }
        if self.options.output.mixes_json() {
            return Err(UsageError::JsonWithOther);
        }
        Ok(())
    }

    fn add_labels(&mut self, text: &str) -> Result<(), UsageError> {
        if self.options.given.has(OptionId::LabelDel) {
            return Err(UsageError::LabelAddAndDel);
        }
        self.options.label_add.extend(split_labels(text));
        Ok(())
    }

    fn remove_labels(&mut self, names: Option<Vec<String>>) -> Result<(), UsageError> {
        if self.options.given.has(OptionId::LabelAdd) {
            return Err(UsageError::LabelAddAndDel);
        }
        self.options.label_del = Some(match (self.options.label_del.take(), names) {
            (Some(LabelRemoval::All), _) | (_, None) => LabelRemoval::All,
            (Some(LabelRemoval::Named(mut old)), Some(new)) => {
                old.extend(new);
                LabelRemoval::Named(old)
            }
            (None, Some(new)) => LabelRemoval::Named(new),
        });
        Ok(())
    }
}

/// The address that an option is, if it is one.
fn address_of(options: &mut Options, id: OptionId) -> Option<&mut Option<IpAddr>> {
    match id {
        OptionId::Src => Some(&mut options.original.src),
        OptionId::Dst => Some(&mut options.original.dst),
        OptionId::ReplySrc => Some(&mut options.reply.src),
        OptionId::ReplyDst => Some(&mut options.reply.dst),
        OptionId::TupleSrc => Some(&mut options.expected.src),
        OptionId::TupleDst => Some(&mut options.expected.dst),
        OptionId::MaskSrc => Some(&mut options.mask.src),
        OptionId::MaskDst => Some(&mut options.mask.dst),
        _ => None,
    }
}

impl From<GrammarError> for UsageError {
    fn from(error: GrammarError) -> Self {
        let lossy = |word: OsString| word.to_string_lossy().into_owned();
        match error {
            GrammarError::UnknownOption(word) => Self::UnknownOption { word: lossy(word) },
            GrammarError::MissingArgument(word) => Self::MissingArgument { word: lossy(word) },
        }
    }
}

/// The table that a word abbreviates. The order matters only for the empty word, which upstream takes as `expect`.
fn parse_table(word: &OsStr) -> Result<Table, UsageError> {
    const NAMES: [(&str, Table); 4] = [
        ("expect", Table::Expect),
        ("conntrack", Table::Conntrack),
        ("dying", Table::Dying),
        ("unconfirmed", Table::Unconfirmed),
    ];
    let word = word.to_string_lossy();
    NAMES
        .into_iter()
        .find(|(name, _)| !word.is_empty() && name.starts_with(&*word))
        .map(|(_, table)| table)
        .ok_or_else(|| UsageError::UnknownTable { word: word.into_owned() })
}

/// A value whose error is upstream's (exit code 1).
fn expected<T>(
    option: OptionId,
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, UsageError> {
    parse(text).ok_or_else(|| UsageError::UnexpectedValue { text: text.into(), option })
}

/// A value that upstream does not check.
fn checked<T>(
    option: OptionId,
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, UsageError> {
    parse(text).ok_or_else(|| UsageError::InvalidValue { text: text.into(), option })
}

/// The kernel takes a signed number, and what is negative as the least.
fn buffer_size(text: &str) -> Option<u32> {
    decimal_or_hex(text).filter(|bytes| i32::try_from(*bytes).is_ok())
}

/// The kernel's names have 1 to 15 bytes.
fn helper_name(text: &str) -> Option<HelperName> {
    HelperName::from(text).ok().filter(|name| !name.is_empty())
}

fn zone(option: OptionId, text: &str) -> Result<Zone, UsageError> {
    expected(option, text, strtoul).map(Zone)
}

fn bad_item(rest: &str) -> UsageError {
    UsageError::BadListItem { rest: rest.into() }
}

fn split_labels(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(str::to_owned)
}

fn label_names(list: &OsStr) -> Vec<String> {
    let list: Cow<'_, str> = list.to_string_lossy();
    split_labels(&list).collect()
}

/// A state by its exact name. `None` for the protocols without states, which do not have the option.
fn parse_state(
    protocol: Option<Protocol>,
    text: &str,
) -> Result<Option<ProtocolState>, UsageError> {
    let Some(protocol) = protocol else {
        return Ok(None);
    };
    let state = match protocol {
        // The state that a simultaneous open is in was once called so.
        Protocol::Tcp if text == "LISTEN" => Some(ProtocolState::Tcp(TcpState::SYN_SENT2)),
        Protocol::Tcp => TcpState::from_name(text).map(ProtocolState::Tcp),
        // The two states of later kernels are shown, but not taken.
        Protocol::Sctp => SctpState::from_name(text)
            .filter(|state| state.0 <= SctpState::SHUTDOWN_ACK_SENT.0)
            .map(ProtocolState::Sctp),
        Protocol::Dccp => DccpState::from_name(text).map(ProtocolState::Dccp),
        Protocol::Udp
        | Protocol::UdpLite
        | Protocol::Gre
        | Protocol::Icmp
        | Protocol::Icmpv6
        | Protocol::Other(_) => return Ok(None),
    };
    if state.is_none() {
        let text = text.into();
        return Err(UsageError::UnknownState { protocol, text });
    }
    Ok(state)
}

/// `client` or `server`, abbreviated, in any case.
fn parse_role(text: &str) -> Result<DccpRole, UsageError> {
    [("client", DccpRole::CLIENT), ("server", DccpRole::SERVER)]
        .into_iter()
        .find(|(name, _)| {
            !text.is_empty()
                && name.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text))
        })
        .map(|(_, role)| role)
        .ok_or_else(|| UsageError::UnknownRole { text: text.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Environment, Getopt, NO_NAMES, OptionId, Options, Scan};

    const IDS: [OptionId; 8] = [
        OptionId::Src,
        OptionId::ReplyDst,
        OptionId::MaskSrc,
        OptionId::Timeout,
        OptionId::OrigPortSrc,
        OptionId::ReplyPortDst,
        OptionId::TuplePortSrc,
        OptionId::OrigKeySrc,
    ];

    fn with<T>(options: &mut Options, then: impl FnOnce(&mut Scan<'_, &str>) -> T) -> T {
        let environment = Environment { posixly_correct: false, protocols: &Vec::new };
        let words = Getopt::new(&[], false);
        then(&mut Scan { words, options, protocol_options: &NO_NAMES, environment: &environment })
    }

    proptest! {
        #[test]
        fn a_plain_value_is_what_any_other_reading_makes_of_it(
            id in prop::sample::select(&IDS[..]),
            text in "[0-9]{0,7}|[0-9.]{7,15}|[0-9a-f:]{2,20}|([0-9]{1,3}\\.){3}[0-9]{1,3}|0x[0-9a-f]{1,4}",
            after_ipv6 in any::<bool>(),
        ) {
            let mut plain = Options::default();
            if after_ipv6 {
                plain.family = Some(flow::Family::Ipv6);
            }
            let mut other = plain.clone();
            let taken = with(&mut plain, |scan| scan.plain_value(id, text.as_bytes()));
            if taken == Ok(false) {
                prop_assert_eq!(format!("{plain:?}"), format!("{other:?}"));
                return Ok(());
            }
            let read = with(&mut other, |scan| scan.text_option(id, &text));
            prop_assert_eq!(taken.map(|_| ()), read.clone());
            if read.is_ok() {
                prop_assert_eq!(format!("{plain:?}"), format!("{other:?}"));
            }
        }
    }
}
