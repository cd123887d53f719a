//! Comma lists: states of `-u`, events of `-e`, forms of `-o`.
//!
//! An item is an abbreviation in any case of a name; the first name in the order of the table that begins with it is
//! meant. `SRC_NAT` and `DST_NAT` come before all names: once they were states, now they only make a warning.

use flow::Status;

use crate::options::Warning;

/// The states that `-u` names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StatusList {
    /// Bits that must be set, or are set by `-I`, `-A` and `-U`.
    pub set: Status,
    /// Bits that must be clear (`!NAME`, `UNREPLIED`).
    pub clear: Status,
}

impl StatusList {
    /// Whether it names no bit, neither as set nor as clear.
    pub fn is_empty(self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }
}

bitflags::bitflags! {
    /// The kinds of events that `-e` names.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct EventMask: u8 {
        /// New entries.
        const NEW = 1;
        /// Changes.
        const UPDATES = 1 << 1;
        /// Ends.
        const DESTROY = 1 << 2;
    }
}

bitflags::bitflags! {
    /// The forms of output that `-o` names.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct OutputFlags: u16 {
        /// XML.
        const XML = 1;
        /// The layer 3 protocol in front.
        const EXTENDED = 1 << 1;
        /// The time of an event.
        const TIMESTAMP = 1 << 2;
        /// The id.
        const ID = 1 << 3;
        /// Start and end as the kernel keeps them.
        const KTIMESTAMP = 1 << 4;
        /// The labels.
        const LABELS = 1 << 5;
        /// Accepted without effect.
        const USERSPACE = 1 << 6;
        /// As command lines for `--load-file`.
        const SAVE = 1 << 7;
        /// As one JSON document; events as JSON lines.
        const JSON = 1 << 8;
        /// As JSON lines.
        const NDJSON = 1 << 9;
        /// As command lines that make an equal flow, with options that upstream does not have.
        const SAVEALL = 1 << 10;
    }
}

impl OutputFlags {
    /// Whether this asks for the save form and another one.
    pub(crate) fn mixes_save(self) -> bool {
        let others = self - Self::USERSPACE;
        self.is_save() && others != Self::SAVE && others != Self::SAVEALL
    }

    /// Whether entries are command lines.
    pub fn is_save(self) -> bool {
        self.intersects(Self::SAVE | Self::SAVEALL)
    }

    /// Whether this asks for two forms of which one is JSON.
    pub(crate) fn mixes_json(self) -> bool {
        self.is_json() && (self & (Self::JSON | Self::NDJSON | Self::XML)).bits().count_ones() > 1
    }

    /// Whether entries are JSON objects.
    pub fn is_json(self) -> bool {
        self.intersects(Self::JSON | Self::NDJSON)
    }
}

const STATUS_NAMES: [(&str, Status); 7] = [
    ("ASSURED", Status::ASSURED),
    ("SEEN_REPLY", Status::SEEN_REPLY),
    ("UNSET", Status::empty()),
    ("FIXED_TIMEOUT", Status::FIXED_TIMEOUT),
    ("EXPECTED", Status::EXPECTED),
    ("OFFLOAD", Status::OFFLOAD),
    ("HW_OFFLOAD", Status::HW_OFFLOAD),
];

const EVENT_NAMES: [(&str, EventMask); 4] = [
    ("ALL", EventMask::all()),
    ("NEW", EventMask::NEW),
    ("UPDATES", EventMask::UPDATES),
    ("DESTROY", EventMask::DESTROY),
];

/// Upstream's names come first, so that none of their abbreviations has another meaning here.
const OUTPUT_NAMES: [(&str, OutputFlags); 11] = [
    ("xml", OutputFlags::XML),
    ("extended", OutputFlags::EXTENDED),
    ("timestamp", OutputFlags::TIMESTAMP),
    ("id", OutputFlags::ID),
    ("ktimestamp", OutputFlags::KTIMESTAMP),
    ("labels", OutputFlags::LABELS),
    ("userspace", OutputFlags::USERSPACE),
    ("save", OutputFlags::SAVE),
    ("json", OutputFlags::JSON),
    ("ndjson", OutputFlags::NDJSON),
    ("saveall", OutputFlags::SAVEALL),
];

const NAT_NAMES: [(&str, Warning); 2] =
    [("SRC_NAT", Warning::SrcNatStatus), ("DST_NAT", Warning::DstNatStatus)];

/// The list from the item on that is not known.
pub(crate) type BadRest<'a> = &'a str;

/// The value of `-u`.
pub(crate) fn parse_status<'a>(
    text: &'a str,
    warnings: &mut Vec<Warning>,
) -> Result<StatusList, BadRest<'a>> {
    let mut list = StatusList::default();
    for (item, rest) in items(text) {
        let (negated, item, rest) = match (item.strip_prefix('!'), rest.strip_prefix('!')) {
            (Some(item), Some(rest)) => (true, item, rest),
            _ => (false, item, rest),
        };
        if let Some((_, warning)) =
            NAT_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(item))
        {
            warnings.push(*warning);
        } else if negated {
            list.clear |= find(&STATUS_NAMES, item).ok_or(rest)?;
        } else if item == "UNREPLIED" {
            list.clear |= Status::SEEN_REPLY;
        } else {
            list.set |= find(&STATUS_NAMES, item).ok_or(rest)?;
        }
    }
    Ok(list)
}

/// The value of `-e`.
pub(crate) fn parse_events(text: &str) -> Result<EventMask, BadRest<'_>> {
    items(text).try_fold(EventMask::empty(), |mask, (item, rest)| {
        Ok(mask | find(&EVENT_NAMES, item).ok_or(rest)?)
    })
}

/// The value of `-o`.
pub(crate) fn parse_output(text: &str) -> Result<OutputFlags, BadRest<'_>> {
    items(text).try_fold(OutputFlags::empty(), |flags, (item, rest)| {
        Ok(flags | find(&OUTPUT_NAMES, item).ok_or(rest)?)
    })
}

/// Each item with the list from it on.
fn items(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = Some(text);
    std::iter::from_fn(move || {
        let rest = at?;
        let comma = rest.bytes().position(|byte| byte == b',');
        let (item, next) = match comma.and_then(|comma| rest.split_at_checked(comma)) {
            Some((item, next)) => (item, next.get(1..)),
            None => (rest, None),
        };
        at = next;
        Some((item, rest))
    })
}

/// What an item stands for. Abbreviations of `SRC_NAT` and `DST_NAT` used to be taken before all names and had no
/// effect: now they are errors, lest `-o s` become `save` unasked.
fn find<T: Copy>(names: &[(&str, T)], item: &str) -> Option<T> {
    // No whole name is also the beginning of one that comes before it.
    if let Some((_, value)) = names.iter().find(|(name, _)| *name == item) {
        return Some(*value);
    }
    let abbreviates =
        |name: &str| name.get(..item.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(item));
    if item.is_empty() || NAT_NAMES.iter().any(|(name, _)| abbreviates(name)) {
        return None;
    }
    names.iter().find(|(name, _)| abbreviates(name)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::{
        EVENT_NAMES, EventMask, NAT_NAMES, OUTPUT_NAMES, OutputFlags, STATUS_NAMES, parse_events,
        parse_output, parse_status,
    };
    use crate::options::Warning;
    use flow::Status;

    #[test]
    fn first_name_that_begins_with_the_item_wins_in_any_case() {
        assert_eq!(parse_output("EXT,i"), Ok(OutputFlags::EXTENDED | OutputFlags::ID));
        assert_eq!(parse_output("sa"), Ok(OutputFlags::SAVE));
        assert_eq!(parse_events("all"), Ok(EventMask::all()));
        assert_eq!(parse_events("n,up"), Ok(EventMask::NEW | EventMask::UPDATES));
        let list = parse_status("as,un", &mut Vec::new()).unwrap();
        assert_eq!(list.set, Status::ASSURED);
    }

    #[test]
    fn no_name_begins_one_before_it() {
        fn check<T>(names: &[(&str, T)]) {
            for (index, (name, _)) in names.iter().enumerate() {
                assert!(names[..index].iter().all(|(before, _)| !before.starts_with(name)));
                assert!(!NAT_NAMES.iter().any(|(nat, _)| nat.starts_with(name)));
            }
        }
        check(&STATUS_NAMES);
        check(&EVENT_NAMES);
        check(&OUTPUT_NAMES);
    }

    #[test]
    fn bad_item_is_reported_with_the_rest_of_the_list() {
        let status = |text| parse_status(text, &mut Vec::new());
        for (text, rest) in [
            ("", ""),
            ("foo,ASSURED", "foo,ASSURED"),
            (",ASSURED", ",ASSURED"),
            ("ASSURED,", ""),
            ("!", ""),
            ("!,ASSURED", ",ASSURED"),
            ("!UNREPLIED", "UNREPLIED"),
            ("!!ASSURED", "!ASSURED"),
            ("UNREPLIEDxyz", "UNREPLIEDxyz"),
            ("unreplied", "unreplied"),
            ("s", "s"),
            ("SRC_NATx", "SRC_NATx"),
            ("ASSURED\u{fffd}", "ASSURED\u{fffd}"),
        ] {
            assert_eq!(status(text), Err(rest), "{text}");
        }
        for text in ["", "s", "dst", "SRC_NAT", "foo", "ide"] {
            assert_eq!(parse_output(text), Err(text));
        }
        assert_eq!(parse_events("NEW,d,ALL"), Err("d,ALL"));
    }

    #[test]
    fn negation_keeps_its_own_set() {
        let list = parse_status("!ASSURED,SEEN_REPLY,UNREPLIED,!UNSET", &mut Vec::new()).unwrap();
        assert_eq!(list.set, Status::SEEN_REPLY);
        assert_eq!(list.clear, Status::ASSURED | Status::SEEN_REPLY);
    }

    #[test]
    fn nat_states_only_warn() {
        let mut warnings = Vec::new();
        let list = parse_status("src_nat,!DST_NAT,ASSURED", &mut warnings).unwrap();
        assert_eq!(list.set, Status::ASSURED);
        assert_eq!(warnings, [Warning::SrcNatStatus, Warning::DstNatStatus]);
    }

    #[test]
    fn json_goes_with_all_but_other_forms() {
        assert_eq!(parse_output("j,x"), Ok(OutputFlags::JSON | OutputFlags::XML));
        assert_eq!(parse_output("n"), Ok(OutputFlags::NDJSON));
        assert!((OutputFlags::JSON | OutputFlags::XML).mixes_json());
        assert!((OutputFlags::JSON | OutputFlags::NDJSON).mixes_json());
        assert!((OutputFlags::JSON | OutputFlags::SAVE).mixes_save());
        let others = OutputFlags::all() - OutputFlags::XML - OutputFlags::SAVE;
        assert!(!(others - OutputFlags::NDJSON).mixes_json());
        assert!(!(OutputFlags::XML | OutputFlags::ID).mixes_json());
    }

    #[test]
    fn save_stands_alone() {
        assert!((OutputFlags::SAVE | OutputFlags::ID).mixes_save());
        assert!(!OutputFlags::SAVE.mixes_save());
        assert!(!(OutputFlags::SAVE | OutputFlags::USERSPACE).mixes_save());
        assert!(!OutputFlags::XML.union(OutputFlags::ID).mixes_save());
    }
}
