//! The configuration as the daemon sees it: complete, checked, and without a trace of its text.
//!
//! Names of devices and protocols stay names: whether they exist is a matter of the moment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use flow::{Family, Protocol, TcpState};

/// What a daemon does and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Of concern to every daemon.
    pub general: General,
    /// What it is for.
    pub role: Role,
    /// Helpers in user space, in addition to the role. `None` without a `Helper` section.
    pub helpers: Option<Helpers>,
}

/// What a daemon is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
    /// Neither `Sync` nor `Stats`: it answers a few commands and does nothing else.
    Idle,
    /// It keeps the tables of several nodes alike.
    Sync(Sync),
    /// It logs flows that ended.
    Stats(Stats),
}

/// Section `General`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct General {
    /// Buckets of a cache. Kept for what shows it: our caches grow as needed.
    pub hash_size: NonZeroU32,
    /// The most entries of a cache.
    pub hash_limit: NonZeroU32,
    /// Where the log goes.
    pub log: Log,
    /// A daemon that finds this file does not start.
    pub lock_file: PathBuf,
    /// Path of the control socket.
    pub control_socket: PathBuf,
    /// How the kernel's changes are learned.
    pub source: Source,
    /// The most events, or packets of a link, that are handled before the others get their turn.
    pub iteration_limit: NonZeroU32,
    /// Which flows are wanted. `None` means all.
    pub filter: Option<Filter>,
    /// How the process is scheduled.
    pub scheduling: Scheduling,
    /// Whether systemd hears of start, end and life.
    pub systemd: bool,
}

/// Where lines of a log go. Both, one or none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Log {
    /// A file.
    pub file: Option<PathBuf>,
    /// Syslog.
    pub syslog: Option<Facility>,
}

/// A syslog facility.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Facility {
    /// `LOG_DAEMON`
    Daemon,
    /// `LOG_LOCAL0` to `LOG_LOCAL7`
    Local(u8),
}

/// How the kernel's changes are learned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// By its events.
    Events(Events),
    /// By reading the table now and then.
    Polling {
        /// Time between two readings. Not zero.
        interval: Duration,
    },
}

/// The event socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Events {
    /// Its receive buffer at the start. `None` leaves it to the system, also if the size given exceeds the growth.
    pub buffer_bytes: Option<NonZeroU32>,
    /// The buffer is not made larger than this when events are lost.
    pub buffer_max_bytes: u32,
    /// Time from a loss to the comparison with the kernel's table. `None` switches that off.
    pub overrun_resync: Option<Duration>,
    /// Whether the kernel keeps events that were not taken and tries again.
    pub is_reliable: bool,
}

/// How the process is scheduled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheduling {
    /// Nothing said: `SCHED_RR` with the highest priority.
    Unsaid,
    /// As configured. The priority is at most 99; 0 stands for a missing one, and the kernel refuses it.
    RealTime {
        /// Which of the two.
        policy: RealTimePolicy,
        /// 0 to 99.
        priority: u8,
    },
}

/// A real-time scheduling policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RealTimePolicy {
    /// `SCHED_RR`
    RoundRobin,
    /// `SCHED_FIFO`
    Fifo,
}

/// Which flows are wanted. A flow is kept when each list that is given keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter {
    /// Where it is evaluated.
    pub place: FilterPlace,
    /// By protocol.
    pub protocols: Option<Listed<ProtocolName>>,
    /// By address.
    pub addresses: Option<Listed<Network>>,
    /// By the state of TCP flows.
    pub tcp_states: Option<Listed<TcpState>>,
}

/// Where a filter is evaluated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FilterPlace {
    /// In the daemon.
    Userspace,
    /// On the event socket, and in the daemon for all else.
    Kernelspace,
}

/// A list and what becomes of its members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed<T> {
    /// Whether the members are wanted.
    pub policy: Policy,
    /// Each one once. May be empty.
    pub members: Vec<T>,
}

/// What becomes of the members of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Policy {
    /// They alone are kept.
    Accept,
    /// They are left out.
    Ignore,
}

/// A protocol by number or by a name that is not looked up yet.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ProtocolName {
    /// Known.
    Known(Protocol),
    /// A name or alias of the protocols database.
    Named(String),
}

/// Addresses with a common beginning. Bits behind the prefix are zero.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Network {
    address: IpAddr,
    prefix_len: u8,
}

impl Network {
    /// `None` if the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix_len: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(address) => {
                let dropped = 32_u32.checked_sub(prefix_len.into())?;
                let mask = u32::MAX.checked_shl(dropped).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let dropped = 128_u32.checked_sub(prefix_len.into())?;
                let mask = u128::MAX.checked_shl(dropped).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Some(Self { address, prefix_len })
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Length of the common beginning in bits: at most 32 or 128.
    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }
}

/// Section `Sync`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sync {
    /// How nodes talk, and what only that way knows.
    pub mode: Mode,
    /// Timeout of a flow that is committed. `None` leaves it what it was.
    pub commit_timeout: Option<Duration>,
    /// Time from the command `-t` to the flush.
    pub purge_timeout: Duration,
    /// The dedicated links.
    pub links: Links,
    /// Whether the TCP window is tracked for committed flows.
    pub tcp_window_tracking: bool,
    /// Which expectations go to the other node.
    pub expectations: ExpectationSync,
}

/// How nodes talk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Everything is told again and again.
    Alarm(Alarm),
    /// Changes are told until they are acknowledged.
    Ftfw(Ftfw),
    /// Changes are told once.
    Notrack(Notrack),
}

/// Settings of ALARM mode.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alarm {
    /// The longest time between two tellings. Not zero.
    pub refresh_time: Duration,
    /// Time from the last telling to the removal from the external cache. Not zero.
    pub cache_timeout: Duration,
}

/// Settings of FTFW mode.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ftfw {
    /// The most messages that wait for their acknowledgement.
    pub resend_queue_size: NonZeroU32,
    /// Messages to one acknowledgement.
    pub ack_window_size: NonZeroU32,
    /// Whether flows of the other node are kept until a commit, instead of going to the kernel at once.
    pub external_cache: bool,
    /// Whether the other node is asked for its flows at the start.
    pub startup_resync: bool,
}

/// Settings of NOTRACK mode.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notrack {
    /// Whether the own flows are kept, instead of being told and forgotten.
    pub internal_cache: bool,
    /// As in FTFW.
    pub external_cache: bool,
    /// As in FTFW.
    pub startup_resync: bool,
}

/// The most dedicated links of a node.
pub const LINKS_MAX: usize = 4;

/// One to [`LINKS_MAX`] dedicated links of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Links {
    /// Index of the link to use first.
    pub first: usize,
    /// The links.
    pub kind: LinkKind,
}

/// Links of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkKind {
    /// Datagrams to a group.
    Multicast(Vec<Link<Group>>),
    /// Datagrams to one node.
    Udp(Vec<Link<Ends>>),
    /// A stream to one node.
    Tcp {
        /// The links.
        links: Vec<Link<Ends>>,
        /// The most buffers that wait for a connection.
        error_queue_length: NonZeroU32,
    },
}

/// A dedicated link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link<A> {
    /// Its device.
    pub interface: InterfaceName,
    /// Its addresses.
    pub addresses: A,
    /// Its port on both sides. Not zero.
    pub port: u16,
    /// Send buffer. `None` leaves it to the system.
    pub send_buffer_bytes: Option<NonZeroU32>,
    /// Receive buffer. `None` leaves it to the system.
    pub receive_buffer_bytes: Option<NonZeroU32>,
    /// Whether datagrams carry a checksum.
    pub checksum: bool,
}

/// The name of a device as written. Whether there is one is found out at the start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InterfaceName(pub String);

/// A multicast group. The device that joins it is the link's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// IPv4.
    V4 {
        /// The group.
        group: Ipv4Addr,
        /// The own address that joins and sends. `None` leaves it to the device.
        own: Option<Ipv4Addr>,
    },
    /// IPv6.
    V6(Ipv6Addr),
}

/// The two ends of a link. The own one is unspecified if none is given: then all own addresses listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the fields speak for themselves")]
pub enum Ends {
    V4 { own: Ipv4Addr, peer: Ipv4Addr },
    V6 { own: Ipv6Addr, peer: Ipv6Addr },
}

/// Which expectations go to the other node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExpectationSync {
    /// None.
    Off,
    /// All.
    All,
    /// Those of some helpers: beginnings of their names in small letters. At least one.
    Helpers(Vec<String>),
}

impl ExpectationSync {
    /// Whether expectations of this helper go. `sip` stands for `sip-5060` as well, as with upstream.
    pub fn admits(&self, helper: &str) -> bool {
        match self {
            Self::Off => false,
            Self::All => true,
            Self::Helpers(beginnings) => beginnings.iter().any(|beginning| {
                let start = helper.as_bytes().get(..beginning.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
            }),
        }
    }
}

/// Section `Stats`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Where ended flows are logged.
    pub log: Log,
}

/// Section `Helper`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Helpers {
    /// Whether the kernel is told of the helpers with the size of their private data.
    pub setup: bool,
    /// The helpers in the order of the text.
    pub helpers: Vec<Helper>,
}

/// A helper in user space.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Helper {
    /// Which.
    pub kind: HelperKind,
    /// Layer 3.
    pub family: Family,
    /// Layer 4.
    pub transport: HelperTransport,
    /// The queue that the kernel puts packets into.
    pub queue: u16,
    /// The most packets of the queue; 0 is the kernel's default.
    pub queue_len: u32,
    /// What its expectations get. `None` keeps the helper's own policy.
    pub policy: Option<HelperPolicy>,
}

/// What expectations of a helper get.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HelperPolicy {
    /// The most expectations of a flow. 0 if not given, as with upstream.
    pub expect_max: u32,
    /// How long they wait. Zero if not given, as with upstream.
    pub expect_timeout: Duration,
}

/// Layer 4 of a helper.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants speak for themselves")]
pub enum HelperTransport {
    Tcp,
    Udp,
}

/// The helpers that exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the variants are their names")]
pub enum HelperKind {
    Amanda,
    Dhcpv6,
    Ftp,
    Mdns,
    Rpc,
    Sane,
    Slp,
    Ssdp,
    Tftp,
    Tns,
}

impl HelperKind {
    /// Each helper and the protocols that it exists for. Its one policy has the same name.
    pub const ALL: [(Self, &'static str, &'static [HelperTransport]); 10] = [
        (Self::Amanda, "amanda", &[HelperTransport::Udp]),
        (Self::Dhcpv6, "dhcpv6", &[HelperTransport::Udp]),
        (Self::Ftp, "ftp", &[HelperTransport::Tcp]),
        (Self::Mdns, "mdns", &[HelperTransport::Udp]),
        (Self::Rpc, "rpc", &[HelperTransport::Tcp, HelperTransport::Udp]),
        (Self::Sane, "sane", &[HelperTransport::Tcp]),
        (Self::Slp, "slp", &[HelperTransport::Udp]),
        (Self::Ssdp, "ssdp", &[HelperTransport::Udp, HelperTransport::Tcp]),
        (Self::Tftp, "tftp", &[HelperTransport::Udp]),
        (Self::Tns, "tns", &[HelperTransport::Tcp]),
    ];

    /// The helper of a name, if it exists for this protocol.
    pub fn find(name: &str, transport: HelperTransport) -> Option<Self> {
        let wanted = |(_, known, transports): &&(Self, &str, &[HelperTransport])| {
            *known == name && transports.contains(&transport)
        };
        Self::ALL.iter().find(wanted).map(|&(kind, _, _)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::{ExpectationSync, Network};

    #[test]
    fn bits_behind_the_prefix_are_dropped() {
        for (address, prefix_len, first) in [
            ("10.1.2.3", 8, Some("10.0.0.0")),
            ("10.1.2.3", 0, Some("0.0.0.0")),
            ("10.1.2.3", 32, Some("10.1.2.3")),
            ("10.1.2.3", 33, None),
            ("2001:db8::1", 0, Some("::")),
            ("2001:db8::1", 32, Some("2001:db8::")),
            ("2001:db8::1", 129, None),
        ] {
            let network = Network::new(address.parse().unwrap(), prefix_len);
            let expected = first.map(|first| first.parse().unwrap());
            assert_eq!(
                network.map(|network| network.address()),
                expected,
                "{address}/{prefix_len}"
            );
        }
    }

    #[test]
    fn a_helper_is_admitted_by_the_beginning_of_its_name() {
        let some = ExpectationSync::Helpers(vec!["sip".into(), "ftp".into()]);
        for (helper, admitted) in
            [("sip", true), ("SIP-5060", true), ("si", false), ("h.245", false), ("", false)]
        {
            assert_eq!(some.admits(helper), admitted, "{helper}");
            assert!(ExpectationSync::All.admits(helper));
            assert!(!ExpectationSync::Off.admits(helper));
        }
    }
}
