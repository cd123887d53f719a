//! What is said of a configuration: upstream's sentences, and ours where it says nothing.

use std::fmt;

use super::keyword::Keyword;
use super::source::Span;

/// A thing to say, where it stands, and when upstream would come to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// What.
    pub problem: Problem,
    /// The words that it speaks of.
    pub span: Span,
    /// Upstream reads the text once and stops at the first error. It comes to this one after so many bytes.
    pub raised_at: usize,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Something is ignored.
    Warning,
    /// The configuration is refused.
    Error,
}

/// For whom it is so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Everybody who reads the configuration, commands that ask the daemon as well.
    Reading,
    /// The daemon that starts with it.
    Start,
}

/// A protocol family, as upstream's sentences name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants speak for themselves")]
pub enum Version {
    V4,
    V6,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// What can be said. The text is upstream's to the byte but for those from `HelperLater` on, which are ours.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
#[non_exhaustive]
pub enum Problem {
    #[error("parsing config file in line ({line}), symbol '{symbol}': syntax error")]
    Syntax { line: usize, symbol: String, expected: &'static str },
    #[error("LockFile path is longer than 256 characters")]
    LockFileLong,
    #[error("LogFile path is longer than 256 characters")]
    LogFileLong,
    #[error("stats LogFile path is longer than 256 characters")]
    StatsLogFileLong,
    #[error("Path is longer than 107 characters")]
    UnixPathLong,
    #[error("deprecated unix backlog configuration, ignoring.")]
    Backlog,
    #[error(
        "deprecated nice configuration, ignoring. The nice value can be set externally with nice(1) and renice(1)."
    )]
    Nice,
    #[error("'{0}' is not a known syslog facility, ignoring")]
    Facility(String),
    #[error("'{0}' is not a known syslog facility, ignoring.")]
    StatsFacility(String),
    #[error("conflicting Syslog facility values, defaulting to General")]
    FacilityConflict,
    #[error("`PollSecs' clause must be > 0")]
    PollSecsZero,
    #[error("unknown scheduler `{0}'")]
    Scheduler(String),
    // With its line break: upstream prints an empty line behind it.
    #[error("`Priority' must be [0, 99]\n")]
    Priority,
    #[error("cannot use both `Stats' and `Sync' clauses in conntrackd.conf")]
    StatsAndSync,
    #[error("Now `nack' mode is called `ftfw'. Please, update your conntrackd.conf file.")]
    ModeNack,
    #[error("Now `persistent' mode is called `alarm'. Please, update your conntrackd.conf file.")]
    ModePersistent,
    #[error("No synchronization mode specified. Defaulting to FT-FW mode.")]
    ModeMissing,
    #[error(
        "`CommitTimeout' can't be combined with `DisableExternalCache', ignoring this option. Fix your configuration file."
    )]
    CommitWithoutCache,
    #[error("too many dedicated links in the configuration file (Maximum: 4)")]
    LinksMany,
    #[error("cannot use `{0}' with other dedicated link protocols!")]
    LinksMixed(&'static str),
    #[error("{text} is not a valid {version} address")]
    LinkAddress { text: String, version: Version },
    #[error("{0} is an invalid interface")]
    Interface(String),
    #[error("`IPv6_interface' not required, ignoring")]
    Ipv6Interface,
    #[error(
        "your multicast address is IPv4 but is binded to an IPv6 interface? Surely, this is not what you want"
    )]
    GroupV4AfterV6,
    #[error(
        "your multicast address is IPv6 but is binded to an IPv4 interface? Surely this is not what you want"
    )]
    GroupV6AfterV4,
    #[error(
        "your multicast interface is IPv4 but is binded to an IPv6 interface? Surely, this is not what you want"
    )]
    InterfaceV4AfterV6,
    #[error("getprotobyname() cannot find protocol `{0}' in /etc/protocols")]
    Protocol(String),
    #[error("{0} is not a valid network, ignoring")]
    Network(String),
    #[error("{text} is not a valid {version}, ignoring")]
    FilterAddress { text: String, version: Version },
    #[error("netmask {0} is repeated in the ignore pool")]
    NetworkRepeated(String),
    #[error("unknown layer 3 protocol")]
    HelperLayer3,
    #[error("unknown layer 4 protocol")]
    HelperLayer4,
    #[error("Unknown `{0}' helper")]
    Helper(String),
    #[error("Helper policy configuration empty, fix your configuration file, please")]
    HelperPolicyEmpty,
    #[error("Helper Policy is longer than 16 characters")]
    HelperPolicyLong,
    #[error("Unknown policy `{0}' in helper configuration")]
    HelperPolicy(String),

    #[error("user-space helpers come with a later version: `Helper' has no effect in this version")]
    HelperLater,
    #[error("the path ends with `}}', which closes no block: write a blank before it")]
    PathBrace,
    #[error("number is larger than {limit}, using {limit}")]
    NumberLarge { limit: u64 },
    #[error("port is larger than 65535, using {used}")]
    PortWraps { used: u16 },
    #[error("`QueueNum' is larger than 65535")]
    QueueNum,
    #[error("several modes are given, using {0}")]
    ModesSeveral(&'static str),
    #[error("addresses of both families are given, using those of {0}")]
    FamiliesMixed(Version),
    #[error("can't open channel socket: no dedicated link is given")]
    LinkMissing,
    #[error("the link has no `{text}'", text = .0.text())]
    LinkIncomplete(Keyword),
    #[error("the link has no address of the other node")]
    PeerMissing,
    #[error("{0} is not a multicast address")]
    NotMulticast(String),
}

impl Problem {
    /// How bad it is.
    pub fn level(&self) -> Level {
        match self {
            Self::Backlog
            | Self::Nice
            | Self::Facility(_)
            | Self::StatsFacility(_)
            | Self::FacilityConflict
            | Self::ModeNack
            | Self::ModePersistent
            | Self::ModeMissing
            | Self::CommitWithoutCache
            | Self::LinkAddress { .. }
            | Self::Interface(_)
            | Self::Ipv6Interface
            | Self::GroupV4AfterV6
            | Self::GroupV6AfterV4
            | Self::InterfaceV4AfterV6
            | Self::Protocol(_)
            | Self::Network(_)
            | Self::FilterAddress { .. }
            | Self::NetworkRepeated(_)
            | Self::HelperLater
            | Self::PathBrace
            | Self::NumberLarge { .. }
            | Self::PortWraps { .. }
            | Self::ModesSeveral(_)
            | Self::FamiliesMixed(_) => Level::Warning,
            Self::Syntax { .. }
            | Self::LockFileLong
            | Self::LogFileLong
            | Self::StatsLogFileLong
            | Self::UnixPathLong
            | Self::PollSecsZero
            | Self::Scheduler(_)
            | Self::Priority
            | Self::StatsAndSync
            | Self::LinksMany
            | Self::LinksMixed(_)
            | Self::HelperLayer3
            | Self::HelperLayer4
            | Self::Helper(_)
            | Self::HelperPolicyEmpty
            | Self::HelperPolicyLong
            | Self::HelperPolicy(_)
            | Self::QueueNum
            | Self::LinkMissing
            | Self::LinkIncomplete(_)
            | Self::PeerMissing
            | Self::NotMulticast(_) => Level::Error,
        }
    }

    /// For whom it is so.
    pub fn stage(&self) -> Stage {
        match self {
            Self::ModeMissing
            | Self::HelperLater
            | Self::PathBrace
            | Self::NumberLarge { .. }
            | Self::PortWraps { .. }
            | Self::ModesSeveral(_)
            | Self::FamiliesMixed(_)
            | Self::QueueNum
            | Self::LinkMissing
            | Self::LinkIncomplete(_)
            | Self::PeerMissing
            | Self::NotMulticast(_) => Stage::Start,
            _ => Stage::Reading,
        }
    }

    /// What to write below the place, beside the sentence itself.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax { expected, .. } => Some(format!("{expected} is expected here")),
            Self::Facility(_) | Self::StatsFacility(_) => {
                Some("the facilities are daemon and local0 to local7".to_owned())
            }
            Self::Scheduler(_) => Some("the schedulers are RR and FIFO".to_owned()),
            _ => None,
        }
    }
}
