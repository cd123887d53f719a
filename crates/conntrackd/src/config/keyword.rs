//! The words of the configuration language. They are case-sensitive.

macro_rules! keywords {
    ($($name:ident $text:literal)*) => {
        /// A reserved word.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Keyword {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl Keyword {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its spelling.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

// A macro, since the enum, its spellings and the list of all would otherwise be three tables to keep in step.
keywords! {
    Accept "Accept"
    AckWindowSize "ACKWindowSize"
    Address "Address"
    Backlog "Backlog"
    CacheTimeout "CacheTimeout"
    Checksum "Checksum"
    Close "CLOSE"
    CloseWait "CLOSE_WAIT"
    Closed "CLOSED"
    CommitTimeout "CommitTimeout"
    Default "Default"
    DisableExternalCache "DisableExternalCache"
    DisableInternalCache "DisableInternalCache"
    ErrorQueueLength "ErrorQueueLength"
    Established "ESTABLISHED"
    EventIterationLimit "EventIterationLimit"
    ExpectMax "ExpectMax"
    ExpectTimeout "ExpectTimeout"
    ExpectationSync "ExpectationSync"
    Filter "Filter"
    FinWait "FIN_WAIT"
    For "for"
    From "From"
    General "General"
    Group "Group"
    HashLimit "HashLimit"
    HashSize "HashSize"
    Helper "Helper"
    Ignore "Ignore"
    Interface "Interface"
    Ipv4Address "IPv4_address"
    Ipv4DestinationAddress "IPv4_Destination_Address"
    Ipv4Interface "IPv4_interface"
    Ipv6Address "IPv6_address"
    Ipv6DestinationAddress "IPv6_Destination_Address"
    Ipv6Interface "IPv6_interface"
    Kernelspace "Kernelspace"
    LastAck "LAST_ACK"
    Listen "LISTEN"
    LockFile "LockFile"
    LogFile "LogFile"
    Mode "Mode"
    Multicast "Multicast"
    NetlinkBufferSize "NetlinkBufferSize"
    NetlinkBufferSizeMaxGrowth "NetlinkBufferSizeMaxGrowth"
    NetlinkEventsReliable "NetlinkEventsReliable"
    NetlinkOverrunResync "NetlinkOverrunResync"
    Nice "Nice"
    Options "Options"
    Path "Path"
    Policy "Policy"
    PollSecs "PollSecs"
    Port "Port"
    Priority "Priority"
    Protocol "Protocol"
    PurgeTimeout "PurgeTimeout"
    QueueLen "QueueLen"
    QueueNum "QueueNum"
    RcvSocketBuffer "RcvSocketBuffer"
    RefreshTime "RefreshTime"
    ResendQueueSize "ResendQueueSize"
    Scheduler "Scheduler"
    Setup "Setup"
    SndSocketBuffer "SndSocketBuffer"
    SocketBufferSize "SocketBufferSize"
    SocketBufferSizeMaxGrown "SocketBufferSizeMaxGrown"
    SocketBufferSizeMaxGrowth "SocketBufferSizeMaxGrowth"
    StartupResync "StartupResync"
    State "State"
    Stats "Stats"
    SynRecv "SYN_RECV"
    SynSent "SYN_SENT"
    Sync "Sync"
    Syslog "Syslog"
    Systemd "Systemd"
    Tcp "TCP"
    TcpWindowTracking "TCPWindowTracking"
    TimeWait "TIME_WAIT"
    Type "Type"
    Udp "UDP"
    Unix "UNIX"
    Userspace "Userspace"
}

impl Keyword {
    /// The word of a spelling.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|keyword| keyword.text().as_bytes() == text)
    }

    /// Whether it opens a section of the file.
    pub fn is_section(self) -> bool {
        matches!(self, Self::General | Self::Sync | Self::Stats | Self::Helper)
    }
}
