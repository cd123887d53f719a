//! What the kernel is asked for is what the command means: on random tables, for random selections.
//!
//! The test runs itself once more in a network namespace of its own, fills the table, and reads it twice for each
//! selection: whole, and by the questions of [`Selection::questions`]. Checked in the program, both must give the same
//! flows. Which tables and selections, follows from the generator's fixed seed.
#![forbid(unsafe_code)]
#![cfg(test)]

mod namespace;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;

use conntrack::select::{Questions, Selection};
use conntrack::values::StatusList;
use ctnetlink::client::{Client, ClientError};
use ctnetlink::wire::Sequence;
use ctnetlink::{CreateMode, DumpFilter, FlowRequest, FlowView, Request};
use flow::{
    AddressPair, Family, Flow, IcmpKey, L4Key, Mark, MaskedMark, PartialTuple, PerDirection, Ports,
    Protocol, Status, Tuple, Zone,
};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sys::netlink::Socket;

const TEST: &str = "questions_leave_no_flow_out";
const INSIDE: &str = "CONNTRACK_NG_TEST_IN_NAMESPACE";
const TABLES: usize = 3;
const FLOWS: usize = 250;
const SELECTIONS: usize = 50;
/// Of these: by the whole tuple of one flow.
const SINGLE: usize = 5;

type Kernel = Client<Socket>;
/// Flows by id.
type Found = BTreeMap<u32, Flow>;

#[test]
#[expect(clippy::disallowed_methods, reason = "how the test tells itself where it runs")]
fn questions_leave_no_flow_out() {
    if std::env::var_os(INSIDE).is_some() {
        return compare();
    }
    if !namespace::has("unshare") {
        return;
    }
    let Some(words) = namespace::unshare() else { return };
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains(" 1 passed"), "{stdout}");
}

fn compare() {
    let mut runner = TestRunner::deterministic();
    let mut kernel = Client::new(Socket::open(0).unwrap(), Sequence(1));
    let (mut sent, mut whole, mut looked_up, mut met) = (0, 0, 0, 0);
    for _ in 0..TABLES {
        for _ in 0..FLOWS {
            let request = flows().new_tree(&mut runner).unwrap().current();
            let put = kernel.execute(&Request::PutFlow(&request, CreateMode::CreateOnly));
            // Two flows may have the same tuple in one direction.
            assert!(
                put.as_ref().is_ok_and(|()| true) || errno(put.as_ref()) == Some(17),
                "{put:?}"
            );
        }
        let table = dump(&mut kernel, &DumpFilter::default()).unwrap();
        assert!(table.len() > FLOWS / 2, "{}", table.len());
        let mut all: Vec<Flow> = table.values().cloned().collect();
        // Ids, and with them the order of the table, are the kernel's secret: each run is to choose the same flows.
        all.sort_by_cached_key(|flow| format!("{:?} {:?}", flow.tuples, flow.zone));
        for number in 0..SELECTIONS {
            let selection = if number < SINGLE {
                let flow = proptest::sample::select(all.clone()).new_tree(&mut runner).unwrap();
                single(&flow.current())
            } else {
                let near =
                    proptest::sample::select(all.clone()).prop_flat_map(|flow| selections(&flow));
                near.new_tree(&mut runner).unwrap().current()
            };
            let wanted = kept(&selection, table.clone());
            let mut found = Found::new();
            let Questions { narrow, plain } = selection.questions();
            for filter in &narrow {
                // An old kernel may refuse, and then gets the plain question.
                let answer = dump(&mut kernel, filter).unwrap_or_else(|error| {
                    assert!(matches!(refusal(&error), Some(22 | 95)), "{filter:?}: {error}");
                    dump(&mut kernel, &DumpFilter { family: filter.family, ..plain }).unwrap()
                });
                sent += answer.len();
                for (id, flow) in answer {
                    assert!(found.insert(id, flow).is_none(), "twice: {selection:?}");
                }
            }
            assert_eq!(ids(&kept(&selection, found)), ids(&wanted), "{selection:?}");
            if let Some(request) = selection.single_flow() {
                looked_up += 1;
                let got = kernel.fetch(&Request::GetFlow(&request), |message| {
                    FlowView::parse(message.body).unwrap().to_flow()
                });
                assert!(got.is_ok() || errno(got.as_ref()) == Some(2), "{got:?}");
                let got: Found = got.into_iter().map(|flow| (flow.id.unwrap().0, flow)).collect();
                assert_eq!(ids(&kept(&selection, got)), ids(&wanted), "{selection:?}");
                met += wanted.len();
            }
            whole += table.len();
        }
        kernel.execute(&Request::FlushFlows { family: None, version: 0 }).unwrap();
    }
    println!("the kernel sent {sent} of {whole} flows; {looked_up} look-ups, {met} found");
    // Those of a flow whose zones differ by direction are no look-ups.
    assert!(looked_up > TABLES && met > TABLES, "{looked_up} look-ups, {met} found");
}

fn errno<T>(result: Result<T, &ClientError>) -> Option<i32> {
    result.err().and_then(refusal)
}

fn refusal(error: &ClientError) -> Option<i32> {
    error.kernel().map(|refusal| refusal.errno)
}

fn dump(kernel: &mut Kernel, filter: &DumpFilter) -> Result<Found, ClientError> {
    let mut found = Found::new();
    let request = Request::DumpFlows { filter, zero: false };
    let outcome = kernel.dump(&request, |message| {
        let flow = FlowView::parse(message.body).unwrap().to_flow();
        found.insert(flow.id.unwrap().0, flow);
        Ok::<(), ClientError>(())
    });
    outcome.map(|_| found)
}

fn kept(selection: &Selection, mut found: Found) -> Found {
    found.retain(|_, flow| selection.matches(flow));
    found
}

fn ids(found: &Found) -> Vec<u32> {
    found.keys().copied().collect()
}

/// Few values each, so that selections often mean some flows and not others.
fn addresses() -> impl Strategy<Value = AddressPair> {
    let host = 1u8..4;
    (any::<bool>(), host.clone(), host).prop_map(|(is_v4, src, dst)| {
        let v6 =
            |last| std::net::Ipv6Addr::from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        if is_v4 {
            AddressPair::V4 { src: [10, 0, 0, src].into(), dst: [10, 0, 0, dst].into() }
        } else {
            AddressPair::V6 { src: v6(src), dst: v6(dst) }
        }
    })
}

fn protocol() -> impl Strategy<Value = Protocol> {
    use Protocol::{Gre, Icmp, Icmpv6, Other, Sctp, Tcp, Udp, UdpLite};
    prop_oneof![
        6 => prop_oneof![Just(Tcp), Just(Udp)],
        3 => prop_oneof![Just(UdpLite), Just(Sctp), Just(Gre), Just(Icmp), Just(Icmpv6)],
        1 => Just(Other(50)),
    ]
}

fn tuples() -> impl Strategy<Value = Tuple> {
    let port = 1u16..5;
    (addresses(), protocol(), port.clone(), port).prop_map(|(addresses, protocol, src, dst)| {
        let icmp = |kind| IcmpKey { kind, code: 0, id: src };
        let is_v4 = addresses.family() == Family::Ipv4;
        let (protocol, key) = match protocol {
            Protocol::Icmp | Protocol::Icmpv6 if is_v4 => (Protocol::Icmp, L4Key::Icmp(icmp(8))),
            Protocol::Icmp | Protocol::Icmpv6 => (Protocol::Icmpv6, L4Key::Icmpv6(icmp(128))),
            Protocol::Other(_) => (protocol, L4Key::None),
            _ => (protocol, L4Key::Ports(Ports { src, dst })),
        };
        Tuple { addresses, protocol, key }
    })
}

/// A zone of both directions, or of one.
fn zones() -> impl Strategy<Value = (Option<Zone>, PerDirection<Option<Zone>>)> {
    let zone = (1u16..3).prop_map(Zone);
    let none = PerDirection::default();
    prop_oneof![
        3 => Just((None, none)),
        2 => zone.clone().prop_map(move |zone| (Some(zone), none)),
        1 => zone.clone().prop_map(|zone| (None, PerDirection { original: Some(zone), reply: None })),
        1 => zone.prop_map(|zone| (None, PerDirection { original: None, reply: Some(zone) })),
    ]
}

fn flows() -> impl Strategy<Value = FlowRequest> {
    let status = prop_oneof![
        Just(Status::empty()),
        Just(Status::SEEN_REPLY),
        Just(Status::SEEN_REPLY | Status::ASSURED)
    ];
    // Some are translated: the source in the reply is another.
    (tuples(), weighted(0.3, 7u8..9), zones(), status, of(0u32..4)).prop_map(
        |(original, translated, (zone, tuple_zones), status, mark)| {
            let mut reply = original.inverted();
            if let (AddressPair::V4 { dst, .. }, Some(last)) = (&mut reply.addresses, translated) {
                *dst = [10, 0, 0, last].into();
            }
            FlowRequest {
                family: Some(original.addresses.family()),
                tuples: PerDirection { original: original.into(), reply: reply.into() },
                zone,
                tuple_zones,
                status: Some(status | Status::CONFIRMED),
                timeout_s: Some(3600),
                mark: mark.map(Mark),
                ..FlowRequest::default()
            }
        },
    )
}

/// The whole tuple of this flow, in its zone.
fn single(flow: &Flow) -> Selection {
    Selection {
        tuples: PerDirection {
            original: PartialTuple::from(flow.tuples.original),
            reply: PartialTuple::default(),
        },
        zone: Some(flow.zone.unwrap_or_default()),
        ..Selection::default()
    }
}

/// Conditions of which most are true of this flow.
fn selections(flow: &Flow) -> impl Strategy<Value = Selection> + use<> {
    let (zone, direction_zones) = (flow.zone, flow.tuple_zones);
    let all_zones = prop_oneof![
        3 => Just((None, PerDirection::default())),
        2 => Just((Some(zone.unwrap_or_default()), PerDirection::default())),
        2 => Just((zone, direction_zones.map(|zone| Some(zone.unwrap_or_default())))),
        1 => zones(),
    ];
    let status = prop_oneof![
        Just(StatusList { set: Status::SEEN_REPLY, clear: Status::ASSURED }),
        Just(StatusList { set: Status::ASSURED, clear: Status::empty() }),
        Just(StatusList { set: Status::empty(), clear: Status::SEEN_REPLY }),
    ];
    let mark = (0u32..4, prop_oneof![Just(u32::MAX), Just(1)]);
    let mark = mark.prop_map(|(value, mask)| MaskedMark { value: Mark(value), mask });
    let family = prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)];
    (
        part(flow.tuples.original),
        part(flow.tuples.reply),
        weighted(0.2, family),
        all_zones,
        weighted(0.2, status),
        weighted(0.2, mark),
        tuples(),
        weighted(0.1, 0usize..4),
    )
        .prop_map(
            |(original, reply, family, (zone, direction_zones), status, mark, other, odd)| {
                // The protocol was typed once.
                let mut tuples =
                    PerDirection { original, reply: PartialTuple { protocol: None, ..reply } };
                match odd {
                    Some(0) => tuples.original.src = Some(other.addresses.src()),
                    Some(1) => tuples.reply.dst = Some(other.addresses.dst()),
                    Some(2) => tuples.original.protocol = Some(other.protocol),
                    Some(_) => tuples.reply.src_port = Some(3),
                    None => {}
                }
                Selection {
                    tuples,
                    family,
                    zone,
                    direction_zones,
                    status,
                    mark,
                    ..Selection::default()
                }
            },
        )
}

/// Some parts of a tuple; at times all, at times none.
fn part(tuple: Tuple) -> impl Strategy<Value = PartialTuple> {
    let whole = PartialTuple::from(tuple);
    let address = |address: Option<IpAddr>| weighted(0.4, Just(address));
    let port = |port: Option<u16>| weighted(0.4, Just(port));
    let some = (
        weighted(0.6, Just(whole.protocol)),
        address(whole.src),
        address(whole.dst),
        port(whole.src_port),
        port(whole.dst_port),
        weighted(0.2, Just(whole.icmp_id)),
    );
    let some = some.prop_map(|(protocol, src, dst, src_port, dst_port, icmp_id)| PartialTuple {
        protocol: protocol.flatten(),
        src: src.flatten(),
        dst: dst.flatten(),
        src_port: src_port.flatten(),
        dst_port: dst_port.flatten(),
        icmp_id: icmp_id.flatten(),
        ..PartialTuple::default()
    });
    prop_oneof![3 => Just(whole), 3 => Just(PartialTuple::default()), 6 => some]
}

#[test]
fn a_flow_that_has_no_zone_in_common_is_not_looked_up() {
    // See `Selection::single_flow`: the hash is asked only where nothing else can be meant.
    let whole = PartialTuple {
        src: Some([10, 0, 0, 1].into()),
        dst: Some([10, 0, 0, 2].into()),
        protocol: Some(Protocol::Udp),
        src_port: Some(1),
        dst_port: Some(2),
        ..PartialTuple::default()
    };
    let tuples = PerDirection { original: whole, reply: PartialTuple::default() };
    let of = |zone: Option<u16>, original: Option<u16>| Selection {
        tuples,
        zone: zone.map(Zone),
        direction_zones: PerDirection { original: original.map(Zone), reply: None },
        ..Selection::default()
    };
    for (zone, original, is_single) in [
        (None, None, false),
        (Some(0), None, false),
        (None, Some(0), false),
        (Some(0), Some(0), true),
        (Some(3), None, true),
        (None, Some(3), true),
    ] {
        let request = of(zone, original).single_flow();
        assert_eq!(request.is_some(), is_single, "{zone:?} {original:?}");
    }
}
