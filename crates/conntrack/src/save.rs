//! The save form: a command line that makes the flow again, for `--load-file`.

use std::net::IpAddr;

use flow::text::plain;
use flow::{
    DccpRole, Direction, EventKind, FlowRead, IcmpKey, LabelMap, Ports, ProtoInfo, Protocol,
    Status, Tuple,
};

use crate::labels::LABEL_NUMBER;

/// Appends the line of a flow in upstream's form, without the line end.
///
/// It lacks the mark, the labels and the helper; upstream's programs read it.
pub fn write_flow(out: &mut Vec<u8>, flow: &impl FlowRead, verb: Verb) {
    out.extend_from_slice(verb.option().as_bytes());
    option(out, "-t", flow.timeout_s());
    option(out, "-u", flow.status());
    option(out, "-c", flow.secmark());
    identity(out, flow);
    if let Some(protoinfo) = flow.protoinfo() {
        state(out, &protoinfo);
    }
}

/// Appends the line of a flow with all that a command can set, without the line end. A deletion only says which flow.
///
/// A label without a name in `labels` is written by its number. What the kernel would refuse is left out: that the flow
/// was expected, which only its master can tell, and the security mark.
pub fn write_whole_flow(
    out: &mut Vec<u8>,
    flow: &impl FlowRead,
    verb: Verb,
    labels: Option<&LabelMap>,
) {
    out.extend_from_slice(verb.option().as_bytes());
    if verb == Verb::Delete {
        return identity(out, flow);
    }
    option(out, "-t", flow.timeout_s());
    option(out, "-u", flow.status().map(|status| status - Status::EXPECTED));
    option(out, "-m", flow.mark().map(|mark| mark.0));
    if let Some(set) = flow.labels().filter(|set| !set.is_empty()) {
        // A name may have blanks in it.
        let mut before = " --label-add \"";
        for bit in set.bits() {
            out.extend_from_slice(before.as_bytes());
            if let Some(name) = labels.and_then(|map| map.name(bit)) {
                out.extend_from_slice(name.as_bytes());
            } else {
                out.extend_from_slice(LABEL_NUMBER.as_bytes());
                plain::write_number(out, bit);
            }
            before = ",";
        }
        out.push(b'"');
    }
    if verb == Verb::Add {
        option(out, "--ct-helper", flow.helper());
    }
    identity(out, flow);
    if let Some(protoinfo) = flow.protoinfo() {
        state(out, &protoinfo);
    }
}

/// Zones and tuples.
fn identity(out: &mut Vec<u8>, flow: &impl FlowRead) {
    let original = flow.tuple(Direction::Original);
    let reply = flow.tuple(Direction::Reply);
    option(out, "-w", flow.zone().map(|zone| zone.0));
    option(out, "--orig-zone", flow.tuple_zone(Direction::Original).map(|zone| zone.0));
    option(out, "--reply-zone", flow.tuple_zone(Direction::Reply).map(|zone| zone.0));
    addresses(out, flow, &original, &reply);
    match original.protocol.name() {
        Some(name) => option(out, "-p", Some(name)),
        None => option(out, "-p", Some(u16::from(original.protocol.number()))),
    }
    keys(out, &original, &reply);
}

/// What a saved line does when it is loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// `-A`: an entry of a list, or a new one.
    Add,
    /// `-U`: a changed one.
    Update,
    /// `-D`: a deleted one.
    Delete,
}

impl Verb {
    /// What repeats an event.
    pub fn of_event(kind: EventKind) -> Self {
        match kind {
            EventKind::New => Self::Add,
            EventKind::Update => Self::Update,
            EventKind::Destroy => Self::Delete,
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Add => "-A",
            Self::Update => "-U",
            Self::Delete => "-D",
        }
    }
}

/// What can stand behind an option.
trait Value {
    fn write(&self, out: &mut Vec<u8>);
}

impl Value for &str {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Value for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        plain::write_number(out, *self);
    }
}

impl Value for u16 {
    fn write(&self, out: &mut Vec<u8>) {
        plain::write_number(out, u32::from(*self));
    }
}

impl Value for IpAddr {
    fn write(&self, out: &mut Vec<u8>) {
        plain::write_address(out, *self);
    }
}

/// The bits that `-u` can set.
impl Value for Status {
    fn write(&self, out: &mut Vec<u8>) {
        let names = [
            (Status::EXPECTED, "EXPECTED"),
            (Status::SEEN_REPLY, "SEEN_REPLY"),
            (Status::ASSURED, "ASSURED"),
            (Status::FIXED_TIMEOUT, "FIXED_TIMEOUT"),
        ];
        let mut are_none = true;
        for (_, name) in names.iter().filter(|(bit, _)| self.contains(*bit)) {
            if !are_none {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            are_none = false;
        }
        if are_none {
            out.extend_from_slice(b"UNSET");
        }
    }
}

fn option(out: &mut Vec<u8>, name: &str, value: Option<impl Value>) {
    if let Some(value) = value {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        value.write(out);
    }
}

/// A translated side is given as translation, not as reply address: see `conntrack(8)`, `--load-file`.
fn addresses(out: &mut Vec<u8>, flow: &impl FlowRead, original: &Tuple, reply: &Tuple) {
    let status = flow.status().unwrap_or_default();
    let (src, dst) = (original.addresses.src(), original.addresses.dst());
    let (reply_src, reply_dst) = (reply.addresses.src(), reply.addresses.dst());
    let dst_translated = status.contains(Status::DST_NAT_DONE) && reply_src != dst;
    let src_translated = status.contains(Status::SRC_NAT_DONE) && reply_dst != src;
    option(out, "-s", Some(src));
    option(out, "-d", Some(dst));
    option(out, if dst_translated { "-g" } else { "-r" }, Some(reply_src));
    option(out, if src_translated { "-n" } else { "-q" }, Some(reply_dst));
}

fn keys(out: &mut Vec<u8>, original: &Tuple, reply: &Tuple) {
    match original.protocol {
        Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Sctp | Protocol::Dccp => {
            let names = ["--sport", "--dport", "--reply-port-src", "--reply-port-dst"];
            ports(out, names, original, reply);
        }
        Protocol::Gre => {
            let names = ["--srckey", "--dstkey", "--reply-key-src", "--reply-key-dst"];
            ports(out, names, original, reply);
        }
        Protocol::Icmp => {
            icmp(out, ["--icmp-type", "--icmp-code", "--icmp-id"], original);
        }
        Protocol::Icmpv6 => {
            icmp(out, ["--icmpv6-type", "--icmpv6-code", "--icmpv6-id"], original);
        }
        Protocol::Other(_) => {}
    }
}

fn ports(out: &mut Vec<u8>, names: [&str; 4], original: &Tuple, reply: &Tuple) {
    // A kernel without a tracker for the protocol knows no ports.
    let (Some(Ports { src, dst }), Some(answer)) = (original.key.ports(), reply.key.ports()) else {
        return;
    };
    for (name, port) in names.into_iter().zip([src, dst, answer.src, answer.dst]) {
        option(out, name, Some(port));
    }
}

fn icmp(out: &mut Vec<u8>, names: [&str; 3], original: &Tuple) {
    let Some(IcmpKey { kind, code, id }) = original.key.icmp() else { return };
    for (name, value) in names.into_iter().zip([u16::from(kind), u16::from(code), id]) {
        option(out, name, Some(value));
    }
}

fn state(out: &mut Vec<u8>, protoinfo: &ProtoInfo) {
    option(out, "--state", protoinfo.state_name());
    match protoinfo {
        ProtoInfo::Tcp(_) => {}
        ProtoInfo::Sctp(sctp) => {
            // In the order of the machine, as the options take them.
            option(out, "--orig-vtag", sctp.vtags.original.map(u32::from_be));
            option(out, "--reply-vtag", sctp.vtags.reply.map(u32::from_be));
        }
        ProtoInfo::Dccp(dccp) => {
            let role =
                dccp.role.map(|role| if role == DccpRole::CLIENT { "client" } else { "server" });
            option(out, "--role", role);
        }
    }
}
