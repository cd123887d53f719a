//! The program on a real event socket says what the filter says.
//!
//! The test runs itself once more in a network namespace of its own. There, two sockets get the same events, one of them
//! through the program.
#![cfg(test)]

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use conntrackd::filter::attach;
use ctnetlink::bpf::Coverage;
use ctnetlink::client::Client;
use ctnetlink::wire::{Messages, Sequence};
use ctnetlink::{CreateMode, FlowRequest, FlowView, Request};
use flow::filter::{AddressSet, EventFilter, NumberSet, Policy, Rule};
use flow::{
    AddressPair, EventKind, Family, IcmpKey, L4Key, Mark, PerDirection, Ports, ProtoInfo, Protocol,
    Status, TcpInfo, TcpState, Tuple,
};
use sys::netlink::Socket;

const TEST: &str = "the_kernel_runs_the_program";
const INSIDE: &str = "CONNTRACK_NG_TEST_IN_NAMESPACE";
/// Groups of new, changed and ended flows, and of new expectations.
const GROUPS: u32 = 0b1111;

#[test]
#[expect(clippy::disallowed_methods, reason = "how the test tells itself where it runs")]
fn the_kernel_runs_the_program() {
    if std::env::var_os(INSIDE).is_some() {
        compare_filters();
        return shorten_a_program();
    }
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let words: &[&str] = if is_root { &["-n"] } else { &["-r", "-n"] };
    let tried = Command::new("unshare").args(words).args(["--", "true"]).output();
    if !tried.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(!is_root, "root cannot make a network namespace: {tried:?}");
        let line = format!("\nSKIPPED: no right to make a network namespace: {tried:?}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        return;
    }
    let program = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(words)
        .arg("--")
        .arg(program)
        .args(["--exact", TEST, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains(" 1 passed"), "{stdout}");
}

/// An event, as far as it is compared: what happened to the flow between these sources.
#[derive(Debug, Eq, PartialEq)]
struct Seen(u8, IpAddr, IpAddr, Protocol, Option<ProtoInfo>);

/// Takes what waits on a socket, and tells which of it the filter wants.
fn take(socket: &Socket, filter: &EventFilter) -> (Vec<Seen>, Vec<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    let (mut seen, mut wanted) = (Vec::new(), Vec::new());
    loop {
        let len = match socket.try_receive(&mut buffer) {
            Ok(len) => len,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return (seen, wanted);
            }
        };
        for message in Messages::new(&buffer[..len]) {
            let message = message.unwrap();
            let number = message.header.kind.to_be_bytes()[1];
            let kind = if number == 2 { EventKind::Destroy } else { EventKind::Update };
            let flow = FlowView::parse(message.body).unwrap().to_flow();
            let PerDirection { original, reply } = flow.tuples;
            let sources = [original, reply].map(|tuple| tuple.addresses.src());
            wanted.push(filter.wants_event(kind, &flow));
            seen.push(Seen(number, sources[0], sources[1], original.protocol, flow.protoinfo));
        }
    }
}

/// A flow by its sources, its protocol and, for TCP, its state.
fn request(src: &str, answering: &str, protocol: Protocol, state: u8) -> FlowRequest {
    let (src, answering): (IpAddr, IpAddr) = (src.parse().unwrap(), answering.parse().unwrap());
    let key = match protocol {
        Protocol::Icmp => L4Key::Icmp(IcmpKey { kind: 8, code: 0, id: 1 }),
        _ => L4Key::Ports(Ports { src: 1000, dst: 80 }),
    };
    // The flow goes to one address and is answered by another.
    let named = match src {
        IpAddr::V4(_) => "203.0.113.80".parse().unwrap(),
        IpAddr::V6(_) => "2001:db8:80::80".parse().unwrap(),
    };
    let addresses = |src, dst| AddressPair::new(src, dst).unwrap();
    let original = Tuple { addresses: addresses(src, named), protocol, key };
    let reply = Tuple { addresses: addresses(answering, src), ..original.inverted() };
    let tcp = TcpInfo { state: Some(TcpState(state)), ..TcpInfo::default() };
    FlowRequest {
        family: Some(Family::of(src)),
        tuples: PerDirection { original: original.into(), reply: reply.into() },
        timeout_s: Some(600),
        status: Some(Status::CONFIRMED | Status::SEEN_REPLY | Status::ASSURED),
        protoinfo: (protocol == Protocol::Tcp).then_some(ProtoInfo::Tcp(tcp)),
        ..FlowRequest::default()
    }
}

fn requests() -> Vec<FlowRequest> {
    use Protocol::{Icmp, Tcp, Udp};
    [
        ("1.1.1.1", "2.2.2.2", Tcp, 3),
        ("1.1.1.2", "2.2.2.2", Tcp, 1),
        ("1.1.1.3", "2.2.2.2", Tcp, 7),
        ("1.1.1.1", "2.2.2.2", Udp, 0),
        ("10.5.5.5", "2.2.2.2", Tcp, 3),
        ("5.5.5.5", "10.7.7.7", Udp, 0),
        ("1.1.1.1", "2.2.2.2", Icmp, 0),
        ("2001:db8::1", "fd00::2", Tcp, 3),
        ("fd00::1", "fd00::3", Udp, 0),
    ]
    .map(|(src, answering, protocol, state)| request(src, answering, protocol, state))
    .into()
}

fn numbers(policy: Policy, members: &[u8]) -> Rule<NumberSet> {
    Rule { policy, members: members.iter().copied().collect() }
}

fn networks(policy: Policy, members: &[(&str, u8)]) -> Rule<AddressSet> {
    let networks = members.iter().map(|(text, len)| (text.parse().unwrap(), *len));
    Rule { policy, members: AddressSet::from_networks(networks) }
}

fn filters() -> Vec<EventFilter> {
    let mut filters = Vec::new();
    for policy in [Policy::Accept, Policy::Ignore] {
        let many_v4 = (0..900).map(|n| (Ipv4Addr::from(n << 16 | 0x0105_0000).into(), 24));
        let many_v6 = (0..20).map(|n| (Ipv6Addr::from(0xfd00 << 112 | n << 1).into(), 128));
        let many = AddressSet::from_networks(many_v4.chain(many_v6));
        filters.extend([
            EventFilter { protocols: Some(numbers(policy, &[6, 1])), ..EventFilter::default() },
            EventFilter {
                addresses: Some(networks(
                    policy,
                    &[("10.0.0.0", 8), ("1.1.1.2", 32), ("fd00::2", 127)],
                )),
                ..EventFilter::default()
            },
            EventFilter {
                addresses: Some(networks(policy, &[("2001:db8::", 32)])),
                ..EventFilter::default()
            },
            EventFilter {
                addresses: Some(Rule { policy, members: many }),
                ..EventFilter::default()
            },
            EventFilter { tcp_states: Some(numbers(policy, &[3])), ..EventFilter::default() },
            EventFilter {
                protocols: Some(numbers(policy, &[6])),
                addresses: Some(networks(Policy::Ignore, &[("10.0.0.0", 8)])),
                tcp_states: Some(numbers(Policy::Accept, &[1, 3])),
            },
        ]);
    }
    filters
}

fn compare_filters() {
    let mut client = Client::new(Socket::open(0).unwrap(), Sequence(1));
    for filter in filters() {
        let (all, filtered) = (Socket::open(GROUPS).unwrap(), Socket::open(GROUPS).unwrap());
        assert_eq!(attach(&filtered, &filter, None).unwrap(), Coverage::Whole);
        for request in requests() {
            client.execute(&Request::PutFlow(&request, CreateMode::CreateOnly)).unwrap();
            let changed = FlowRequest {
                tuples: PerDirection {
                    original: request.tuples.original,
                    ..PerDirection::default()
                },
                mark: Some(Mark(7)),
                family: request.family,
                ..FlowRequest::default()
            };
            client.execute(&Request::PutFlow(&changed, CreateMode::UpdateOnly)).unwrap();
            let ended = FlowRequest { mark: None, ..changed };
            client.execute(&Request::DeleteFlow(&ended)).unwrap();
        }
        let (events, wanted) = take(&all, &filter);
        let (passed, wanted_again) = take(&filtered, &filter);
        assert_eq!(events.len(), 3 * requests().len());
        assert!(wanted.contains(&true) && wanted.contains(&false), "{filter:?}");
        assert!(wanted_again.iter().all(|is_wanted| *is_wanted));
        let expected = events.into_iter().zip(wanted).filter(|(_, wanted)| *wanted);
        assert_eq!(passed, expected.map(|(event, _)| event).collect::<Vec<_>>(), "{filter:?}");
    }
}

/// A namespace has its own setting since about Linux 6.8; older kernels do not show it here.
fn shorten_a_program() {
    if fs::write("/proc/sys/net/core/optmem_max", "8192").is_err() {
        return;
    }
    let socket = Socket::open(0).unwrap();
    let short =
        EventFilter { protocols: Some(numbers(Policy::Accept, &[6])), ..EventFilter::default() };
    assert_eq!(attach(&socket, &short, None).unwrap(), Coverage::Whole);
    let many = filters()
        .into_iter()
        .find(|filter| filter.addresses.as_ref().is_some_and(|rule| rule.members.v4().len() > 100));
    assert_eq!(attach(&socket, &many.unwrap(), None).unwrap(), Coverage::Part);
}
