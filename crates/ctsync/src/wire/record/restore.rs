//! From a record to a flow: what a receiver rebuilds.

use std::net::IpAddr;

use flow::{
    Flow, HelperName, L4Key, PerDirection, ProtoInfo, Protocol, Status, TcpFlags, TcpFlagsMasked,
    TcpInfo, Tuple,
};

use super::{Record, Translated};

/// How a flow is put into the kernel's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RestoreOptions {
    /// Its timeout in seconds: the kernel makes no flow without one.
    pub timeout_s: Option<u32>,
    /// Whether packets are checked against the TCP window (`TCPWindowTracking`). If not, the flow is made liberal.
    pub window_tracking: bool,
}

/// What a request to make or change a flow says.
///
/// The kernel makes the translation itself, and only if the reply tuple does not show it yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// The flow. Its reply tuple is that of an untranslated one.
    pub flow: Flow,
    /// Translation to make of the source (`CTA_NAT_SRC`).
    pub nat_src: Option<Translated>,
    /// Translation to make of the destination (`CTA_NAT_DST`).
    pub nat_dst: Option<Translated>,
}

/// Status bits that a peer may set. The others belong to the flow of the peer's own kernel.
const RESTORED_STATUS: Status = Status::SEEN_REPLY
    .union(Status::ASSURED)
    .union(Status::CONFIRMED)
    .union(NAT_STATUS)
    .union(Status::SEQ_ADJUST)
    .union(Status::FIXED_TIMEOUT)
    .union(Status::HELPER);

const NAT_STATUS: Status =
    Status::SRC_NAT.union(Status::DST_NAT).union(Status::SRC_NAT_DONE).union(Status::DST_NAT_DONE);

impl Record {
    /// The reply tuple: the original one turned round, with what is translated.
    pub fn reply(&self) -> Tuple {
        self.reply_to(self.original)
    }

    /// The same for an original tuple with a key that is not sent.
    pub(crate) fn reply_to(&self, original: Tuple) -> Tuple {
        let mut reply = original.inverted();
        let (src, dst) = (reply.addresses.src(), reply.addresses.dst());
        let of_family = |new: Option<IpAddr>, old: IpAddr| {
            new.filter(|new| new.is_ipv4() == old.is_ipv4()).unwrap_or(old)
        };
        let (src, dst) =
            (of_family(self.nat_dst.address, src), of_family(self.nat_src.address, dst));
        if let Some(addresses) = flow::AddressPair::new(src, dst) {
            reply.addresses = addresses;
        }
        if let L4Key::Ports(ports) = &mut reply.key {
            ports.src = self.nat_dst.port.unwrap_or(ports.src);
            ports.dst = self.nat_src.port.unwrap_or(ports.dst);
        }
        reply
    }

    /// The flow as the peer has it, as far as it is known.
    pub fn to_flow(&self) -> Flow {
        let adjustments = self.sequence_adjustment;
        Flow {
            zone: self.zone,
            status: self.status,
            timeout_s: self.timeout_s,
            mark: self.mark,
            protoinfo: self.protoinfo,
            helper: self.helper.and_then(|name| HelperName::from(&name).ok()),
            labels: self.labels.clone(),
            master: self.master,
            sequence_adjustment: PerDirection::from_fn(|direction| {
                adjustments.map(|adjustments| adjustments[direction])
            }),
            synproxy: self.synproxy,
            ..Flow::new(PerDirection { original: self.original, reply: self.reply() })
        }
    }

    /// What to ask of the kernel so that it has this flow too.
    pub fn restore(&self, options: RestoreOptions) -> Restored {
        let mut flow = self.to_flow();
        flow.tuples.reply = self.original.inverted();
        flow.timeout_s = options.timeout_s;
        flow.status = self.status.map(|status| (status & RESTORED_STATUS) | Status::CONFIRMED);
        if self.original.protocol == Protocol::Tcp && !options.window_tracking {
            flow.protoinfo = Some(liberal(flow.protoinfo));
        }
        Restored {
            flow,
            nat_src: translation(self.nat_src, self.original.key),
            nat_dst: translation(self.nat_dst, self.original.key),
        }
    }
}

impl Restored {
    /// The request that changes an existing flow: without what the kernel refuses to change.
    #[must_use]
    pub fn as_update(mut self) -> Self {
        self.flow.status = self.flow.status.map(|status| status - NAT_STATUS);
        self.flow.helper = None;
        self.flow.master = None;
        Self { nat_src: None, nat_dst: None, ..self }
    }
}

/// Packets outside of the window are accepted in both directions: the windows of a restored flow are not known.
fn liberal(info: Option<ProtoInfo>) -> ProtoInfo {
    let liberal = TcpFlagsMasked { flags: TcpFlags::BE_LIBERAL, mask: TcpFlags::BE_LIBERAL };
    let flags = PerDirection::from_fn(|_| Some(liberal));
    match info {
        Some(ProtoInfo::Tcp(tcp)) => ProtoInfo::Tcp(TcpInfo { flags, ..tcp }),
        _ => ProtoInfo::Tcp(TcpInfo { flags, ..TcpInfo::default() }),
    }
}

/// A translation to make. The port of a flow without ports means nothing.
fn translation(end: Translated, key: L4Key) -> Option<Translated> {
    let port = end.port.filter(|_| key.ports().is_some());
    let end = Translated { port, ..end };
    (end != Translated::default()).then_some(end)
}
