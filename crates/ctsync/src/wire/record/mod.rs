//! Flows on the wire: types 0, 1 and 2.
//!
//! A [`Record`] is what one message says of a flow. It is no [`Flow`](flow::Flow): it has no reply tuple, only what of it
//! is translated, and neither counters nor times nor ids. Numbers, order and conditions of the attributes:
//! docs/sync-protocol.md, "Flows".

mod decode;
mod encode;
mod number;
mod restore;
mod sending;

use std::net::IpAddr;

use arrayvec::ArrayString;
use flow::{
    Labels, Mark, PerDirection, ProtoInfo, SequenceAdjustment, Status, Synproxy, Tuple, Zone,
};

pub(super) use decode::{carries_ports, one_family};
pub(super) use encode::{write_addresses, write_be32, write_ports};
pub use restore::{RestoreOptions, Restored};
pub use sending::SentParts;
pub(super) use sending::recorded_name;

/// Name of a helper: at most 11 bytes. Upstream rejects a message with a longer one.
pub type RecordName = ArrayString<11>;

/// What became of one end of a flow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Translated {
    /// Its new address, if that is another one.
    pub address: Option<IpAddr>,
    /// Its new port, if that is another one. On ICMP it is 0 and means nothing.
    pub port: Option<u16>,
}

/// What a message says of a flow. What it does not say is `None`.
///
/// A value that was decoded holds what [`DecodeError`](super::DecodeError) promises: one address family, the key that
/// the protocol needs, the tracker state of that protocol.
///
/// ```
/// use ctsync::Sequence;
/// use ctsync::wire::{Content, Frames, Mode, Record, SentParts, Stamp};
/// use flow::{AddressPair, EventKind, Flow, L4Key, PerDirection, Ports, Protocol, Tuple};
///
/// let original = Tuple {
///     addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
///     protocol: Protocol::Udp,
///     key: L4Key::Ports(Ports { src: 4000, dst: 53 }),
/// };
/// let flow = Flow::new(PerDirection { original, reply: original.inverted() });
/// let record = Record::from_flow(&flow, SentParts { timeout: true, window_scale: false });
/// let mut datagram = Vec::new();
/// record.encode(EventKind::New, Stamp::plain(Sequence(1)), &mut datagram);
///
/// let message = Frames::new(&datagram).next().unwrap()?.message()?;
/// let Content::Flow(EventKind::New, body) = message.content(Mode::Notrack)? else { panic!() };
/// assert_eq!(Record::decode(body)?, record);
/// # Ok::<(), ctsync::wire::DecodeError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Original tuple (`IPV4` or `IPV6`, `L4PROTO`, `PORT` or `ICMP_*`).
    ///
    /// Keys of GRE and ports of UDPLite are not sent and therefore 0.
    pub original: Tuple,
    /// `ZONE`.
    pub zone: Option<Zone>,
    /// `STATUS`.
    pub status: Option<Status>,
    /// `TIMEOUT`, seconds.
    pub timeout_s: Option<u32>,
    /// `MARK`.
    pub mark: Option<Mark>,
    /// `TCP_*`, `SCTP_*` or `DCCP_*`. Flags and handshake sequence are not sent.
    pub protoinfo: Option<ProtoInfo>,
    /// Original tuple of the flow that foretold this one (`MASTER_*`).
    pub master: Option<Tuple>,
    /// What the source became (`SNAT_IPV4`, `SNAT_IPV6`, `SPAT_PORT`).
    pub nat_src: Translated,
    /// What the destination became (`DNAT_IPV4`, `DNAT_IPV6`, `DPAT_PORT`).
    pub nat_dst: Translated,
    /// `NAT_SEQ_ADJ`.
    pub sequence_adjustment: Option<PerDirection<SequenceAdjustment>>,
    /// `HELPER_NAME`.
    pub helper: Option<RecordName>,
    /// `LABELS`.
    pub labels: Option<Labels>,
    /// `SYNPROXY`.
    pub synproxy: Option<Synproxy>,
}

impl Record {
    /// The record of a flow of which nothing but its original tuple is known.
    pub fn new(original: Tuple) -> Self {
        Self {
            original,
            zone: None,
            status: None,
            timeout_s: None,
            mark: None,
            protoinfo: None,
            master: None,
            nat_src: Translated::default(),
            nat_dst: Translated::default(),
            sequence_adjustment: None,
            helper: None,
            labels: None,
            synproxy: None,
        }
    }

    /// Takes over what a newer message about the same flow says; what it does not say stays.
    pub fn update(&mut self, newer: &Self) {
        fn replace<T: Clone>(old: &mut Option<T>, new: Option<&T>) {
            if let Some(new) = new {
                *old = Some(new.clone());
            }
        }
        self.original = newer.original;
        replace(&mut self.zone, newer.zone.as_ref());
        replace(&mut self.status, newer.status.as_ref());
        replace(&mut self.timeout_s, newer.timeout_s.as_ref());
        replace(&mut self.mark, newer.mark.as_ref());
        replace(&mut self.master, newer.master.as_ref());
        for (old, new) in [(&mut self.nat_src, &newer.nat_src), (&mut self.nat_dst, &newer.nat_dst)]
        {
            replace(&mut old.address, new.address.as_ref());
            replace(&mut old.port, new.port.as_ref());
        }
        replace(&mut self.sequence_adjustment, newer.sequence_adjustment.as_ref());
        replace(&mut self.helper, newer.helper.as_ref());
        replace(&mut self.labels, newer.labels.as_ref());
        replace(&mut self.synproxy, newer.synproxy.as_ref());
        self.protoinfo = match (self.protoinfo, newer.protoinfo) {
            (Some(ProtoInfo::Tcp(mut tcp)), Some(ProtoInfo::Tcp(new))) => {
                replace(&mut tcp.state, new.state.as_ref());
                replace(&mut tcp.window_scale.original, new.window_scale.original.as_ref());
                replace(&mut tcp.window_scale.reply, new.window_scale.reply.as_ref());
                Some(ProtoInfo::Tcp(tcp))
            }
            (Some(ProtoInfo::Sctp(mut sctp)), Some(ProtoInfo::Sctp(new))) => {
                replace(&mut sctp.state, new.state.as_ref());
                replace(&mut sctp.vtags.original, new.vtags.original.as_ref());
                replace(&mut sctp.vtags.reply, new.vtags.reply.as_ref());
                Some(ProtoInfo::Sctp(sctp))
            }
            (Some(ProtoInfo::Dccp(mut dccp)), Some(ProtoInfo::Dccp(new))) => {
                replace(&mut dccp.state, new.state.as_ref());
                replace(&mut dccp.role, new.role.as_ref());
                Some(ProtoInfo::Dccp(dccp))
            }
            (old, new) => new.or(old),
        };
    }
}

#[cfg(test)]
mod tests;
