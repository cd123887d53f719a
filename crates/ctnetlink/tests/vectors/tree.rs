//! Trees with the keys of the vectors, made of the library's values.

use std::net::IpAddr;

use ctnetlink::wire::{MessageHeader, MessageKind, Messages, RawMessage, Refusal};
use ctnetlink::{
    CpuStatistics, Exchange, ExchangeError, ExpectationAttributes, ExpectationStatistics, Expects,
    FlowAttributes, NatRange, Reply, TableStatistics, TimeoutPolicyAttributes,
};
use flow::{
    Direction, PartialTuple, PerDirection, ProtoInfo, Protocol, SctpState, Status, TcpFlagsMasked,
    TcpState, Zone,
};
use serde_json::{Map, Value, json};

use crate::case::{Case, Class};
use crate::names;

/// An object under construction. What is absent gets no key.
#[derive(Default)]
struct Tree(Map<String, Value>);

impl Tree {
    fn put<V: Into<Value>>(&mut self, key: &str, value: Option<V>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
    }

    /// A nest that is not sent when it would be empty.
    fn nest(&mut self, key: &str, content: Self) {
        let Self(content) = content;
        self.put(key, (!content.is_empty()).then_some(content));
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// The tree of the only message of a datagram.
pub(crate) fn of(class: Class, datagram: &[u8]) -> Value {
    let message = &Case::message_of(datagram);
    let mut tree = Tree(header(message.header, message.body.len() + 16));
    match class {
        Class::Refusal => refusal(&mut tree, message),
        Class::DumpEnd => dump_end(&mut tree, message, datagram),
        _ => netfilter(&mut tree, class, message),
    }
    tree.done()
}

fn header(header: MessageHeader, len: usize) -> Map<String, Value> {
    let tree = json!({
        "nlmsg_len": len,
        "nlmsg_type": header.kind,
        "nlmsg_flags": header.flags.bits(),
        "nlmsg_seq": header.sequence.0,
        "nlmsg_pid": header.port_id,
    });
    tree.as_object().unwrap().clone()
}

fn netfilter(tree: &mut Tree, class: Class, message: &RawMessage<'_>) {
    let kind = MessageKind::from(message.header.kind);
    let netfilter = message.netfilter_header().unwrap();
    tree.put("subsys", Some(kind.subsystem.0));
    tree.put("msg", Some(kind.message));
    tree.put("name", Some(names::message(kind)));
    tree.put("nfgen_family", Some(netfilter.family));
    tree.put("version", Some(netfilter.version));
    tree.put("res_id", Some(netfilter.resource_id));
    let body = message.body;
    let attributes = match class {
        Class::Flow => flow(&FlowAttributes::parse(body).unwrap()),
        Class::Expectation => expectation(body),
        Class::TimeoutPolicy => timeout_policy(body),
        Class::CpuStatistics => {
            let statistics = CpuStatistics::parse(message).unwrap();
            tree.put("res_id", Some(statistics.cpu));
            counters(statistics.counters())
        }
        Class::ExpectationStatistics => {
            let statistics = ExpectationStatistics::parse(message).unwrap();
            tree.put("res_id", Some(statistics.cpu));
            counters(statistics.counters())
        }
        Class::TableStatistics => {
            let statistics = TableStatistics::parse(body).unwrap();
            let mut tree = Tree::default();
            tree.put("STATS_GLOBAL_ENTRIES", Some(statistics.entries));
            tree.put("STATS_GLOBAL_MAX_ENTRIES", statistics.max_entries);
            tree
        }
        Class::UnknownSubsystem => {
            tree.put("hex", Some(hex(&body[4..])));
            return;
        }
        Class::MalformedFlow | Class::Refusal | Class::DumpEnd => unreachable!(),
    };
    tree.put("attrs", Some(attributes.done()));
}

fn refusal(tree: &mut Tree, message: &RawMessage<'_>) {
    const POLICY: u16 = 4;
    let refusal = Refusal::parse(message).unwrap();
    tree.put("name", Some("NLMSG_ERROR"));
    tree.put("error", Some(refusal.code));
    tree.put("errname", Some(names::errno(-refusal.code)));
    tree.put("request_echoed_bytes", Some(refusal.request.len()));
    // The header of a capped echo still has the length of the whole request.
    let mut echoed = refusal.request[..16].to_vec();
    let len = u32::from_ne_bytes(*echoed.first_chunk().unwrap());
    echoed[..4].copy_from_slice(&16u32.to_ne_bytes());
    let request = Messages::new(&echoed).next().unwrap().unwrap().header;
    let len = usize::try_from(len).unwrap();
    tree.put("request_header", Some(header(request, len)));
    let error = refusal.error();
    let mut tlvs = Tree::default();
    if let Some(error) = error {
        assert_eq!(error.errno, -refusal.code);
        tlvs.put("NLMSGERR_ATTR_MSG", error.message);
        tlvs.put("NLMSGERR_ATTR_OFFS", error.offset);
    }
    for attribute in refusal.attributes() {
        let attribute = attribute.unwrap();
        if attribute.kind == POLICY {
            let policy = json!({ "hex": hex(attribute.payload) });
            tlvs.put("NLMSGERR_ATTR_POLICY", Some(policy));
        }
    }
    tree.nest("tlvs", tlvs);
}

/// The code of the end is seen by what an exchange makes of it.
fn dump_end(tree: &mut Tree, message: &RawMessage<'_>, datagram: &[u8]) {
    let mut exchange = Exchange::new(message.header.sequence, Expects::Dump);
    let error = match exchange.replies(datagram).next().unwrap() {
        Ok(Reply::End { interrupted: false }) => 0,
        Err(ExchangeError::Kernel(error)) => -error.errno,
        other => panic!("{other:?}"),
    };
    tree.put("name", Some("NLMSG_DONE"));
    tree.put("error", Some(error));
}

fn counters(counters: impl Iterator<Item = (&'static str, u32)>) -> Tree {
    let mut tree = Tree::default();
    for (name, value) in counters {
        tree.put(&names::counter(name), Some(value));
    }
    tree
}

fn timeout_policy(body: &[u8]) -> Tree {
    let policy = TimeoutPolicyAttributes::parse(body).unwrap();
    let protocol = policy.protocol().unwrap().number();
    let mut tree = Tree::default();
    tree.put("TIMEOUT_NAME", policy.name().map(|name| std::str::from_utf8(name).unwrap()));
    tree.put("TIMEOUT_L3PROTO", policy.layer3());
    tree.put("TIMEOUT_L4PROTO", Some(protocol));
    tree.put("TIMEOUT_USE", policy.use_count());
    let mut data = Tree::default();
    for (number, seconds) in policy.timeouts_s() {
        let name = names::timeouts(protocol)[usize::from(number) - 1];
        data.put(name, Some(seconds));
    }
    tree.nest("TIMEOUT_DATA", data);
    tree
}

fn expectation(body: &[u8]) -> Tree {
    let attributes = ExpectationAttributes::parse(body).unwrap();
    let expectation = attributes.to_expectation().unwrap();
    let whole = |whole: flow::Tuple| Some(tuple(&whole.into(), None));
    let mut tree = Tree::default();
    tree.put("EXPECT_TUPLE", whole(expectation.tuple));
    tree.put("EXPECT_MASK", whole(expectation.mask));
    tree.put("EXPECT_MASTER", whole(expectation.master));
    tree.put("EXPECT_TIMEOUT", expectation.timeout_s);
    tree.put("EXPECT_ID", expectation.id.map(|id| id.0));
    tree.put("EXPECT_ZONE", expectation.zone.map(|zone| zone.0));
    tree.put("EXPECT_FLAGS", expectation.flags.map(|flags| flags.bits()));
    tree.put("EXPECT_CLASS", expectation.class);
    tree.put("EXPECT_HELP_NAME", expectation.helper.as_deref());
    tree.put("EXPECT_FN", expectation.function);
    if let Some(nat) = expectation.nat {
        let nat = json!({
            "EXPECT_NAT_DIR": u8::from(nat.direction == Direction::Reply),
            "EXPECT_NAT_TUPLE": whole(nat.tuple),
        });
        tree.put("EXPECT_NAT", Some(nat));
    }
    tree
}

fn flow(flow: &FlowAttributes<'_>) -> Tree {
    let mut tree = Tree::default();
    for (direction, of_direction) in Direction::BOTH.into_iter().zip(["ORIG", "REPLY"]) {
        let key = |prefix: &str| format!("{prefix}_{of_direction}");
        let zone = flow.tuple_zone(direction);
        let given = flow.partial_tuple(direction);
        tree.put(&key("TUPLE"), given.map(|given| tuple(&given, zone)));
        let counters = flow.counters(direction).map(|counters| {
            json!({ "COUNTERS_PACKETS": counters.packets, "COUNTERS_BYTES": counters.bytes })
        });
        tree.put(&key("COUNTERS"), counters);
        let adjustment = flow.sequence_adjustment(direction).map(|adjustment| {
            json!({
                "SEQADJ_CORRECTION_POS": adjustment.correction_position,
                "SEQADJ_OFFSET_BEFORE": adjustment.offset_before.cast_unsigned(),
                "SEQADJ_OFFSET_AFTER": adjustment.offset_after.cast_unsigned(),
            })
        });
        tree.put(&key("SEQ_ADJ"), adjustment);
    }
    tree.put("TUPLE_MASTER", flow.partial_master().map(|given| tuple(&given, None)));
    tree.put("STATUS", flow.status().map(status));
    tree.put("STATUS_MASK", flow.status_mask().map(|mask| mask.bits()));
    tree.put("PROTOINFO", flow.protoinfo().map(protoinfo));
    tree.put("NAT_SRC", flow.nat_src().map(nat));
    tree.put("NAT_DST", flow.nat_dst().map(nat));
    tree.put("TIMEOUT", flow.timeout_s());
    tree.put("MARK", flow.mark().map(|mark| mark.0));
    tree.put("MARK_MASK", flow.mark_mask());
    tree.put("USE", flow.use_count());
    tree.put("ID", flow.id().map(|id| id.0));
    tree.put("SECMARK", flow.secmark());
    tree.put("ZONE", flow.zone().map(|zone| zone.0));
    let labels = |labels: flow::Labels| json!({ "hex": hex(labels.as_bytes()) });
    tree.put("LABELS", flow.labels().map(labels));
    tree.put("LABELS_MASK", flow.labels_mask().map(labels));
    tree.put("TIMESTAMP_EVENT", flow.event_time().map(|time| time.0));
    small_nests(&mut tree, flow);
    tree
}

fn small_nests(tree: &mut Tree, flow: &FlowAttributes<'_>) {
    let mut help = Tree::default();
    help.put("HELP_NAME", flow.helper());
    help.put("HELP_INFO", flow.helper_info().map(|info| json!({ "hex": hex(info) })));
    tree.nest("HELP", help);
    let mut secctx = Tree::default();
    secctx.put("SECCTX_NAME", flow.secctx().map(|name| str::from_utf8(name).unwrap()));
    tree.nest("SECCTX", secctx);
    let mut times = Tree::default();
    times.put("TIMESTAMP_START", flow.start().map(|time| time.0));
    times.put("TIMESTAMP_STOP", flow.stop().map(|time| time.0));
    tree.nest("TIMESTAMP", times);
    let synproxy = flow.synproxy().map(|synproxy| {
        json!({
            "SYNPROXY_ISN": synproxy.initial_sequence,
            "SYNPROXY_ITS": synproxy.initial_timestamp,
            "SYNPROXY_TSOFF": synproxy.timestamp_offset,
        })
    });
    tree.put("SYNPROXY", synproxy);
    let mut filter = Tree::default();
    let PerDirection { original, reply } = flow.filter_flags();
    filter.put("FILTER_ORIG_FLAGS", original);
    filter.put("FILTER_REPLY_FLAGS", reply);
    tree.nest("FILTER", filter);
}

fn tuple(given: &PartialTuple, zone: Option<Zone>) -> Value {
    let mut ip = Tree::default();
    for (address, end) in [(given.src, "SRC"), (given.dst, "DST")] {
        if let Some(address) = address {
            let version = if address.is_ipv4() { "V4" } else { "V6" };
            ip.put(&format!("IP_{version}_{end}"), Some(address.to_string()));
        }
    }
    let mut proto = Tree::default();
    proto.put("PROTO_NUM", given.protocol.map(Protocol::number));
    proto.put("PROTO_SRC_PORT", given.src_port);
    proto.put("PROTO_DST_PORT", given.dst_port);
    let icmp = match given.protocol {
        Some(Protocol::Icmpv6) => "PROTO_ICMPV6",
        _ => "PROTO_ICMP",
    };
    proto.put(&format!("{icmp}_ID"), given.icmp_id);
    proto.put(&format!("{icmp}_TYPE"), given.icmp_kind);
    proto.put(&format!("{icmp}_CODE"), given.icmp_code);
    let mut tree = Tree::default();
    tree.nest("TUPLE_IP", ip);
    tree.nest("TUPLE_PROTO", proto);
    tree.put("TUPLE_ZONE", zone.map(|zone| zone.0));
    tree.done()
}

fn status(status: Status) -> Value {
    let bits: Vec<&str> = status.iter_names().map(|(name, _)| name).collect();
    json!({ "value": status.bits(), "bits": bits })
}

fn protoinfo(info: ProtoInfo) -> Value {
    let mut tree = Tree::default();
    match info {
        ProtoInfo::Tcp(tcp) => {
            let state = |state: TcpState| json!({ "value": state.0, "name": state.name() });
            tree.put("TCP_STATE", tcp.state.map(state));
            tree.put("TCP_WSCALE_ORIGINAL", tcp.window_scale.original);
            tree.put("TCP_WSCALE_REPLY", tcp.window_scale.reply);
            let flags = |both: TcpFlagsMasked| json!({ "flags": both.flags.bits(), "mask": both.mask.bits() });
            tree.put("TCP_FLAGS_ORIGINAL", tcp.flags.original.map(flags));
            tree.put("TCP_FLAGS_REPLY", tcp.flags.reply.map(flags));
            json!({ "PROTOINFO_TCP": tree.done() })
        }
        ProtoInfo::Sctp(sctp) => {
            let state = |state: SctpState| json!({ "value": state.0, "name": state.name() });
            tree.put("SCTP_STATE", sctp.state.map(state));
            tree.put("SCTP_VTAG_ORIGINAL", sctp.vtags.original);
            tree.put("SCTP_VTAG_REPLY", sctp.vtags.reply);
            json!({ "PROTOINFO_SCTP": tree.done() })
        }
        ProtoInfo::Dccp(dccp) => {
            tree.put("DCCP_STATE", dccp.state.map(|state| state.0));
            tree.put("DCCP_ROLE", dccp.role.map(|role| role.0));
            tree.put("DCCP_HANDSHAKE_SEQ", dccp.handshake_sequence);
            json!({ "PROTOINFO_DCCP": tree.done() })
        }
    }
}

fn nat(range: NatRange) -> Value {
    let mut tree = Tree::default();
    for (address, end) in [(range.first, "MINIP"), (range.last, "MAXIP")] {
        if let Some(address) = address {
            let version = if matches!(address, IpAddr::V4(_)) { "V4" } else { "V6" };
            tree.put(&format!("NAT_{version}_{end}"), Some(address.to_string()));
        }
    }
    let mut ports = Tree::default();
    ports.put("PROTONAT_PORT_MIN", range.first_port);
    ports.put("PROTONAT_PORT_MAX", range.last_port);
    tree.nest("NAT_PROTO", ports);
    tree.done()
}

/// Bytes as the vectors write them, but for the blanks.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(digit).collect()
}
