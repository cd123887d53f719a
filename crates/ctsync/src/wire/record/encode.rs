//! Writing a record, with the attributes in upstream's order.

use std::net::IpAddr;

use flow::{AddressPair, EventKind, L4Key, Labels, PerDirection, Ports, ProtoInfo, Tuple};
use flow::{SequenceAdjustment, Synproxy};

use super::super::{Kind, MessageWriter, Stamp};
use super::{Record, Translated, carries_ports, number};

impl Record {
    /// Appends the message that says this of a flow.
    pub fn encode(&self, event: EventKind, stamp: Stamp, out: &mut Vec<u8>) {
        let mut message = MessageWriter::begin(out, stamp.header(Kind::Flow(event)));
        let (addresses, protocol) = (self.original.addresses, self.original.protocol);
        write_addresses(&mut message, number::IPV4, number::IPV6, addresses);
        if let Some(status) = self.status {
            message.be32(number::STATUS, status.bits());
        }
        message.u8(number::L4PROTO, protocol.number());
        match self.original.key {
            // Those of other protocols are known to be 0 where they are not sent.
            L4Key::Ports(ports) if carries_ports(protocol) || ports != Ports::default() => {
                write_ports(&mut message, number::PORT, ports);
            }
            L4Key::Icmp(key) | L4Key::Icmpv6(key) => {
                message.u8(number::ICMP_TYPE, key.kind);
                message.u8(number::ICMP_CODE, key.code);
                message.host16(number::ICMP_ID, key.id);
            }
            L4Key::Ports(_) | L4Key::None => {}
        }
        if let Some(protoinfo) = &self.protoinfo {
            write_state(&mut message, protoinfo);
        }
        write_be32(&mut message, number::TIMEOUT, self.timeout_s);
        write_be32(&mut message, number::MARK, self.mark.map(|mark| mark.0));
        if let Some(master) = &self.master {
            write_master(&mut message, master);
        }
        write_translations(&mut message, self.nat_src, self.nat_dst);
        if let Some(adjustments) = self.sequence_adjustment {
            write_adjustments(&mut message, adjustments);
        }
        if let Some(helper) = &self.helper {
            message.text(number::HELPER_NAME, helper);
        }
        if let Some(labels) = &self.labels {
            write_labels(&mut message, labels);
        }
        if let Some(Synproxy { initial_sequence, initial_timestamp, timestamp_offset }) =
            self.synproxy
        {
            let words = [initial_timestamp, initial_sequence, timestamp_offset];
            message.words(number::SYNPROXY, &words);
        }
        if let Some(zone) = self.zone {
            message.be16(number::ZONE, zone.0);
        }
        message.finish();
    }
}

fn write_state(message: &mut MessageWriter<'_>, protoinfo: &ProtoInfo) {
    match protoinfo {
        ProtoInfo::Tcp(tcp) => {
            write_u8(message, number::TCP_STATE, tcp.state.map(|state| state.0));
            write_u8(message, number::TCP_WSCALE_ORIG, tcp.window_scale.original);
            write_u8(message, number::TCP_WSCALE_REPL, tcp.window_scale.reply);
        }
        ProtoInfo::Sctp(sctp) => {
            write_u8(message, number::SCTP_STATE, sctp.state.map(|state| state.0));
            write_be32(message, number::SCTP_VTAG_ORIG, sctp.vtags.original);
            write_be32(message, number::SCTP_VTAG_REPL, sctp.vtags.reply);
        }
        ProtoInfo::Dccp(dccp) => {
            write_u8(message, number::DCCP_STATE, dccp.state.map(|state| state.0));
            write_u8(message, number::DCCP_ROLE, dccp.role.map(|role| role.0));
        }
    }
}

fn write_master(message: &mut MessageWriter<'_>, master: &Tuple) {
    write_addresses(message, number::MASTER_IPV4, number::MASTER_IPV6, master.addresses);
    message.u8(number::MASTER_L4PROTO, master.protocol.number());
    if let L4Key::Ports(ports) = master.key {
        write_ports(message, number::MASTER_PORT, ports);
    }
}

fn write_translations(message: &mut MessageWriter<'_>, src: Translated, dst: Translated) {
    for (address, ipv4, ipv6) in [
        (src.address, number::SNAT_IPV4, number::SNAT_IPV6),
        (dst.address, number::DNAT_IPV4, number::DNAT_IPV6),
    ] {
        match address {
            Some(IpAddr::V4(address)) => message.attribute(ipv4, &address.octets()),
            Some(IpAddr::V6(address)) => message.attribute(ipv6, &address.octets()),
            None => {}
        }
    }
    for (port, number) in [(src.port, number::SPAT_PORT), (dst.port, number::DPAT_PORT)] {
        if let Some(port) = port {
            message.host16(number, port);
        }
    }
}

fn write_adjustments(
    message: &mut MessageWriter<'_>,
    adjustments: PerDirection<SequenceAdjustment>,
) {
    let words = |adjustment: SequenceAdjustment| {
        let SequenceAdjustment { correction_position, offset_before, offset_after } = adjustment;
        [correction_position, offset_before.cast_unsigned(), offset_after.cast_unsigned()]
    };
    let PerDirection { original, reply } = adjustments.map(words);
    message.words(number::NAT_SEQ_ADJ, [original, reply].as_flattened());
}

fn write_labels(message: &mut MessageWriter<'_>, labels: &Labels) {
    let mut bytes = [0; 16];
    let (words, _) = labels.as_bytes().as_chunks::<4>();
    for (wire, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *wire = u32::from_ne_bytes(*word).to_be_bytes();
    }
    // No words are no labels: an attribute without a value says nothing.
    if let Some(value) = bytes.get(..labels.as_bytes().len()).filter(|value| !value.is_empty()) {
        message.attribute(number::LABELS, value);
    }
}

pub(in super::super) fn write_addresses(
    message: &mut MessageWriter<'_>,
    ipv4: u16,
    ipv6: u16,
    addresses: AddressPair,
) {
    match addresses {
        AddressPair::V4 { src, dst } => message.pair(ipv4, &src.octets(), &dst.octets()),
        AddressPair::V6 { src, dst } => message.pair(ipv6, &src.octets(), &dst.octets()),
    }
}

pub(in super::super) fn write_ports(message: &mut MessageWriter<'_>, number: u16, ports: Ports) {
    message.pair(number, &ports.src.to_be_bytes(), &ports.dst.to_be_bytes());
}

pub(in super::super) fn write_be32(
    message: &mut MessageWriter<'_>,
    number: u16,
    value: Option<u32>,
) {
    if let Some(value) = value {
        message.be32(number, value);
    }
}

fn write_u8(message: &mut MessageWriter<'_>, number: u16, value: Option<u8>) {
    if let Some(value) = value {
        message.u8(number, value);
    }
}
