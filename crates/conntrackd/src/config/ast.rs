//! The statements of a configuration file as they were written: values are not judged yet.
//!
//! One enum a block, one variant a statement. Old spellings are the same variant as the new ones.

use flow::TcpState;

use super::source::{At, Span};

/// A whole file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct File {
    /// Its sections, in any order and repeated as wanted.
    pub(super) sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Section {
    /// `General`
    General(Block<General>),
    /// `Sync`
    Sync(Block<Sync>),
    /// `Stats`
    Stats(Block<Stats>),
    /// `Helper`
    Helper(Block<Helper>),
}

/// Statements between braces.
#[derive(Clone, Debug)]
pub(super) struct Block<S> {
    /// In the order of the text.
    pub(super) statements: Vec<At<S>>,
    /// The keyword that opens it.
    pub(super) head: Span,
    /// The closing brace, or the end of the text.
    pub(super) close: Span,
    /// Whether statements were left out for an error in them. Then nothing is said of what is missing.
    pub(super) is_damaged: bool,
}

impl<S: PartialEq> PartialEq for Block<S> {
    fn eq(&self, other: &Self) -> bool {
        self.statements == other.statements
    }
}

impl<S: Eq> Eq for Block<S> {}

/// A whole number that is not negative. What does not fit is the largest.
pub(super) type Number = At<u64>;
/// `on` or `off`.
pub(super) type Switch = At<bool>;
/// An absolute path.
pub(super) type Path = At<Vec<u8>>;
/// A name without blanks.
pub(super) type Word = At<String>;
/// What looks like an address, with its prefix length if there is one.
pub(super) type Address = At<String>;

/// An argument that may be a switch too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum SwitchOr<T> {
    /// A switch.
    Switch(bool),
    /// The other.
    Value(T),
}

/// A statement of `General`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum General {
    EventIterationLimit(Number),
    Filter(FilterPlace, Block<Filter>),
    HashLimit(Number),
    HashSize(Number),
    LockFile(Path),
    LogFile(SwitchOr<Path>),
    NetlinkBufferSize(Number),
    NetlinkBufferSizeMaxGrowth(Number),
    NetlinkEventsReliable(Switch),
    NetlinkOverrunResync(SwitchOr<Number>),
    Nice(At<i64>),
    PollSecs(Number),
    Scheduler(Block<Scheduler>),
    Syslog(SwitchOr<Word>),
    Systemd(Switch),
    Unix(Block<Unix>),
}

/// A statement of `UNIX`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Unix {
    Path(Path),
    Backlog(Number),
}

/// A statement of `Scheduler`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Scheduler {
    Type(Word),
    Priority(Number),
}

/// Where a filter works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FilterPlace {
    /// `Filter {`, which means `From Userspace`.
    Unsaid,
    /// `From Userspace`
    Userspace,
    /// `From Kernelspace`
    Kernelspace,
}

/// What becomes of the flows that a list names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Policy {
    /// They alone are taken.
    Accept,
    /// They are left out.
    Ignore,
}

/// A statement of `Filter`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Filter {
    Protocol(Policy, Vec<At<ProtocolWord>>),
    Address(Policy, Block<FilterAddress>),
    State(Policy, Vec<At<TcpState>>),
}

/// A protocol in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ProtocolWord {
    /// The keyword `TCP`.
    Tcp,
    /// The keyword `UDP`.
    Udp,
    /// A name of the protocols database.
    Name(String),
}

/// A statement of a filter's `Address`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum FilterAddress {
    V4(Address),
    V6(Address),
}

/// A statement of `Sync`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Sync {
    /// `Mode NAME { .. }`
    Mode(At<ModeName>, Block<Setting>),
    /// A timer, outside of a mode.
    Setting(Setting),
    /// `Multicast`, `UDP` or `TCP`.
    Link(LinkKind, Preference, Block<Link>),
    /// `Options`
    Options(Block<Options>),
}

/// The word behind `Mode`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ModeName {
    /// `ALARM`
    Alarm,
    /// `FTFW`
    Ftfw,
    /// `NOTRACK`
    Notrack,
    /// Old name of `FTFW`.
    Nack,
    /// Old name of `ALARM`.
    Persistent,
}

impl ModeName {
    /// All of them, with their spelling in small letters.
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Alarm, "alarm"),
        (Self::Ftfw, "ftfw"),
        (Self::Notrack, "notrack"),
        (Self::Nack, "nack"),
        (Self::Persistent, "persistent"),
    ];

    /// The mode of a word in any letter case.
    pub(super) fn from_text(text: &[u8]) -> Option<Self> {
        let same = |(_, name): &&(Self, &str)| name.as_bytes().eq_ignore_ascii_case(text);
        Self::ALL.iter().find(same).map(|&(mode, _)| mode)
    }
}

/// A statement of a mode. The parser takes only those that the mode has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Setting {
    AckWindowSize(Number),
    CacheTimeout(Number),
    CommitTimeout(Number),
    DisableExternalCache(Switch),
    DisableInternalCache(Switch),
    PurgeTimeout(Number),
    RefreshTime(Number),
    ResendQueueSize(Number),
    StartupResync(Switch),
}

/// The protocol of a dedicated link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LinkKind {
    Multicast,
    Udp,
    Tcp,
}

/// Whether the first link to use is this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Preference {
    /// `Default`
    Default,
    /// Nothing said.
    None,
}

/// A statement of a link. The parser takes only those that its kind has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Link {
    Checksum(Switch),
    ErrorQueueLength(Number),
    Group(Number),
    Interface(Word),
    Ipv4Address(Address),
    Ipv4DestinationAddress(Address),
    Ipv4Interface(Address),
    Ipv6Address(Address),
    Ipv6DestinationAddress(Address),
    Ipv6Interface(Address),
    Port(Number),
    RcvSocketBuffer(Number),
    SndSocketBuffer(Number),
}

/// A statement of `Options`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Options {
    TcpWindowTracking(Switch),
    ExpectationSync(SwitchOr<Vec<Word>>),
}

/// A statement of `Stats`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Stats {
    LogFile(SwitchOr<Path>),
    Syslog(SwitchOr<Word>),
}

/// A statement of `Helper`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Helper {
    Setup(Switch),
    Type(HelperType),
}

/// `Type NAME LAYER3 LAYER4 { .. }`
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct HelperType {
    /// The helper.
    pub(super) name: Word,
    /// `inet` or `inet6`.
    pub(super) layer3: Word,
    /// `tcp` or `udp`.
    pub(super) layer4: Word,
    /// The rest.
    pub(super) block: Block<HelperStatement>,
}

/// A statement of `Type`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum HelperStatement {
    QueueNum(Number),
    QueueLen(Number),
    Policy(Word, Block<HelperPolicy>),
}

/// A statement of a helper's `Policy`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum HelperPolicy {
    ExpectMax(Number),
    ExpectTimeout(Number),
}
