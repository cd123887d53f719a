//! Requests made from the trees of the vectors.

use std::net::IpAddr;

use ctnetlink::wire::{MessageFlags, MessageWriter, Sequence};
use ctnetlink::{
    CreateMode, DumpFilter, ExpectationRequest, FlowRequest, NatRange, Request, StatusFilter,
    TimeoutRequest, TimeoutValues, TupleFields,
};
use flow::{
    Direction, ExpectationNat, Family, HelperName, Mark, MaskedMark, PartialTuple, PerDirection,
    ProtoInfo, Protocol, SctpInfo, SctpState, Status, TcpFlags, TcpFlagsMasked, TcpInfo, TcpState,
    Zone,
};
use serde_json::Value;

use crate::case::Case;
use crate::names;

/// The bytes of the typed request that the vector stands for.
pub(crate) fn encode(case: &Case, sequence: Sequence) -> Vec<u8> {
    let (header, netfilter) = case.headers();
    let tree = &case.decoded["attrs"];
    let family = Family::from_number(netfilter.family);
    let mode = match header.flags {
        flags if flags.contains(MessageFlags::CREATE | MessageFlags::EXCL) => {
            CreateMode::CreateOnly
        }
        flags if flags.contains(MessageFlags::CREATE) => CreateMode::CreateOrUpdate,
        _ => CreateMode::UpdateOnly,
    };
    let mut out = Vec::new();
    let mut write = |request: Request<'_>| request.encode(sequence, &mut out);
    match case.decoded["name"].as_str().unwrap() {
        "CT_NEW" => write(Request::PutFlow(&flow(tree, family), mode)),
        "CT_GET" if header.flags.contains(MessageFlags::DUMP) => {
            write(Request::DumpFlows { filter: &filter(tree, family), zero: false });
        }
        "CT_GET" => write(Request::GetFlow(&flow(tree, family))),
        "CT_DELETE" => write(Request::DeleteFlow(&flow(tree, family))),
        "EXP_NEW" => write(Request::PutExpectation(&expectation(tree, family), mode)),
        "TIMEOUT_NEW" => {
            let name = text(tree, "/TIMEOUT_NAME").unwrap().as_bytes();
            let values = &timeout_values(tree);
            write(Request::Timeouts(TimeoutRequest::Add { name, values }));
        }
        other => panic!("{}: no request {other}", case.name),
    }
    out
}

/// Writes attributes without a typed request, for those that it would not let pass.
pub(crate) fn write_raw(out: &mut MessageWriter<'_>, tree: &Value) {
    for (kind, name) in [(1, "TUPLE_ORIG"), (2, "TUPLE_REPLY")] {
        let Some(given) = tree.get(name).map(tuple) else {
            continue;
        };
        let octets = |address: Option<IpAddr>| match address {
            Some(IpAddr::V4(address)) => address.octets(),
            other => panic!("{other:?}"),
        };
        out.nest(kind, |out| {
            out.nest(1, |out| {
                out.bytes(1, &octets(given.src));
                out.bytes(2, &octets(given.dst));
            });
            out.nest(2, |out| {
                out.u8(1, given.protocol.unwrap().number());
                out.be16(2, given.src_port.unwrap());
                out.be16(3, given.dst_port.unwrap());
            });
        });
    }
    if let Some(hex) = tree.pointer("/MARK/hex") {
        let mark = u16::from_str_radix(hex.as_str().unwrap(), 16).unwrap();
        out.be16(8, mark);
    }
    if let Some(timeout_s) = number(tree, "/TIMEOUT") {
        out.be32(7, timeout_s);
    }
}

fn flow(tree: &Value, family: Option<Family>) -> FlowRequest {
    let given = |name: &str| tree.get(name).map(tuple);
    let zone = |name: &str| number(tree, name).map(Zone);
    FlowRequest {
        family,
        tuples: PerDirection {
            original: given("TUPLE_ORIG").unwrap_or_default(),
            reply: given("TUPLE_REPLY").unwrap_or_default(),
        },
        tuple_zones: PerDirection {
            original: zone("/TUPLE_ORIG/TUPLE_ZONE"),
            reply: zone("/TUPLE_REPLY/TUPLE_ZONE"),
        },
        zone: zone("/ZONE"),
        status: number(tree, "/STATUS/value").map(Status::from_bits_retain),
        timeout_s: number(tree, "/TIMEOUT"),
        mark: number(tree, "/MARK").map(Mark),
        mark_mask: number(tree, "/MARK_MASK"),
        protoinfo: tree.get("PROTOINFO").map(protoinfo),
        helper: text(tree, "/HELP/HELP_NAME").map(helper),
        master: given("TUPLE_MASTER"),
        nat_src: tree.get("NAT_SRC").map(nat),
        nat_dst: tree.get("NAT_DST").map(nat),
        ..FlowRequest::default()
    }
}

fn filter(tree: &Value, family: Option<Family>) -> DumpFilter {
    let fields = |flags| {
        let bits = number(tree, flags).unwrap_or_default();
        TupleFields::from_bits_retain(bits)
    };
    let given = |name: &str| tree.get(name).map(tuple).unwrap_or_default();
    DumpFilter {
        family,
        mark: number(tree, "/MARK").map(|value| MaskedMark {
            value: Mark(value),
            mask: number(tree, "/MARK_MASK").unwrap(),
        }),
        status: number(tree, "/STATUS/value").map(|value| StatusFilter {
            value: Status::from_bits_retain(value),
            mask: number(tree, "/STATUS_MASK").map(Status::from_bits_retain),
        }),
        zone: number(tree, "/ZONE").map(Zone),
        tuples: PerDirection {
            original: (given("TUPLE_ORIG"), fields("/FILTER/FILTER_ORIG_FLAGS")),
            reply: (given("TUPLE_REPLY"), fields("/FILTER/FILTER_REPLY_FLAGS")),
        },
    }
}

fn expectation(tree: &Value, family: Option<Family>) -> ExpectationRequest {
    let given = |name: &str| tree.get(name).map(tuple).unwrap_or_default();
    let nat = tree.get("EXPECT_NAT").map(|nat| ExpectationNat {
        direction: match number(nat, "/EXPECT_NAT_DIR") {
            Some(0u8) => Direction::Original,
            _ => Direction::Reply,
        },
        tuple: tuple(&nat["EXPECT_NAT_TUPLE"]).complete().unwrap(),
    });
    ExpectationRequest {
        family,
        tuple: given("EXPECT_TUPLE"),
        mask: given("EXPECT_MASK"),
        master: given("EXPECT_MASTER"),
        timeout_s: number(tree, "/EXPECT_TIMEOUT"),
        helper: text(tree, "/EXPECT_HELP_NAME").map(helper),
        nat,
        function: text(tree, "/EXPECT_FN").map(str::to_owned),
        ..ExpectationRequest::default()
    }
}

fn timeout_values(tree: &Value) -> TimeoutValues {
    let protocol = number(tree, "/TIMEOUT_L4PROTO").unwrap();
    let data = tree["TIMEOUT_DATA"].as_object().unwrap();
    let timeouts_s = (1..)
        .zip(names::timeouts(protocol))
        .filter_map(|(kind, name)| Some((kind, number(data.get(*name)?, "").unwrap())))
        .collect();
    TimeoutValues {
        family: Family::from_number(number(tree, "/TIMEOUT_L3PROTO").unwrap()).unwrap(),
        protocol: Protocol::from(protocol),
        timeouts_s,
    }
}

fn tuple(tree: &Value) -> PartialTuple {
    PartialTuple {
        src: address(tree, ["/TUPLE_IP/IP_V4_SRC", "/TUPLE_IP/IP_V6_SRC"]),
        dst: address(tree, ["/TUPLE_IP/IP_V4_DST", "/TUPLE_IP/IP_V6_DST"]),
        protocol: number::<u8>(tree, "/TUPLE_PROTO/PROTO_NUM").map(Protocol::from),
        src_port: number(tree, "/TUPLE_PROTO/PROTO_SRC_PORT"),
        dst_port: number(tree, "/TUPLE_PROTO/PROTO_DST_PORT"),
        icmp_kind: number(tree, "/TUPLE_PROTO/PROTO_ICMP_TYPE"),
        icmp_code: number(tree, "/TUPLE_PROTO/PROTO_ICMP_CODE"),
        icmp_id: number(tree, "/TUPLE_PROTO/PROTO_ICMP_ID"),
    }
}

fn protoinfo(tree: &Value) -> ProtoInfo {
    if let Some(sctp) = tree.get("PROTOINFO_SCTP") {
        return ProtoInfo::Sctp(SctpInfo {
            state: number(sctp, "/SCTP_STATE/value").map(SctpState),
            vtags: PerDirection {
                original: number(sctp, "/SCTP_VTAG_ORIGINAL"),
                reply: number(sctp, "/SCTP_VTAG_REPLY"),
            },
        });
    }
    let tcp = &tree["PROTOINFO_TCP"];
    let flags = |name: &str| {
        let flags = tcp.get(name)?;
        Some(TcpFlagsMasked {
            flags: TcpFlags::from_bits_retain(number(flags, "/flags")?),
            mask: TcpFlags::from_bits_retain(number(flags, "/mask")?),
        })
    };
    ProtoInfo::Tcp(TcpInfo {
        state: number(tcp, "/TCP_STATE/value").map(TcpState),
        window_scale: PerDirection {
            original: number(tcp, "/TCP_WSCALE_ORIGINAL"),
            reply: number(tcp, "/TCP_WSCALE_REPLY"),
        },
        flags: PerDirection {
            original: flags("TCP_FLAGS_ORIGINAL"),
            reply: flags("TCP_FLAGS_REPLY"),
        },
    })
}

fn nat(tree: &Value) -> NatRange {
    NatRange {
        first: address(tree, ["/NAT_V4_MINIP", "/NAT_V6_MINIP"]),
        last: address(tree, ["/NAT_V4_MAXIP", "/NAT_V6_MAXIP"]),
        first_port: number(tree, "/NAT_PROTO/PROTONAT_PORT_MIN"),
        last_port: number(tree, "/NAT_PROTO/PROTONAT_PORT_MAX"),
    }
}

fn helper(name: &str) -> HelperName {
    HelperName::from(name).unwrap()
}

fn address(tree: &Value, paths: [&str; 2]) -> Option<IpAddr> {
    let text = paths.into_iter().find_map(|path| text(tree, path))?;
    Some(text.parse().unwrap())
}

fn text<'a>(tree: &'a Value, path: &str) -> Option<&'a str> {
    tree.pointer(path).map(|value| value.as_str().unwrap())
}

/// The number at a path. A value of another form is not a number here, and the bytes will differ.
fn number<T: TryFrom<u64>>(tree: &Value, path: &str) -> Option<T> {
    T::try_from(tree.pointer(path)?.as_u64()?).ok()
}
