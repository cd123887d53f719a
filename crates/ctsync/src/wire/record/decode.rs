//! Reading a record.
//!
//! Attributes may come in any order; of several with one number the last counts, as upstream has it. What upstream takes
//! but never sends, and what would make an entry that no kernel can have, is refused here.

use flow::{
    AddressPair, DccpInfo, DccpRole, DccpState, Family, IcmpKey, L4Key, Labels, Mark, PerDirection,
    Ports, ProtoInfo, Protocol, SctpInfo, SctpState, SequenceAdjustment, Status, Synproxy, TcpInfo,
    TcpState, Tuple, Zone,
};

use super::super::{Attribute, Attributes, DecodeError};
use super::{Record, RecordName, Translated, number};

/// Greatest shift of a TCP window (RFC 7323 section 2.3).
const MAX_WINDOW_SCALE: u8 = 14;
/// Longest value of LABELS that upstream takes.
const MAX_LABELS_LEN: usize = 1024;
/// How many words of labels a flow has.
const LABEL_WORDS: usize = 4;

impl Record {
    /// Reads the body of a message about a flow.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::default();
        for attribute in Attributes::new(body) {
            fields.take(&attribute?)?;
        }
        fields.finish()
    }
}

/// Attributes that were read.
#[derive(Default)]
struct Fields {
    original: TupleFields,
    icmp_kind: Option<u8>,
    icmp_code: Option<u8>,
    icmp_id: Option<u16>,
    protoinfo: Option<ProtoInfo>,
    status: Option<Status>,
    timeout_s: Option<u32>,
    mark: Option<Mark>,
    master: TupleFields,
    nat_src: Translated,
    nat_dst: Translated,
    sequence_adjustment: Option<PerDirection<SequenceAdjustment>>,
    helper: Option<RecordName>,
    labels: Option<Labels>,
    synproxy: Option<Synproxy>,
    zone: Option<Zone>,
    family: Option<Family>,
}

/// Parts of a tuple that were read.
#[derive(Default)]
struct TupleFields {
    addresses: Option<AddressPair>,
    protocol: Option<Protocol>,
    ports: Option<Ports>,
}

impl Fields {
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), DecodeError> {
        match attribute.number {
            number::IPV4 => self.original.addresses = Some(self.ipv4_pair(attribute)?),
            number::IPV6 => self.original.addresses = Some(self.ipv6_pair(attribute)?),
            number::L4PROTO => self.original.protocol = Some(attribute.u8()?.into()),
            number::PORT => self.original.ports = Some(attribute.ports()?),
            number::STATUS => {
                self.status = Some(Status::from_bits_retain(attribute.be32()?));
            }
            number::TIMEOUT => self.timeout_s = Some(attribute.be32()?),
            number::MARK => self.mark = Some(Mark(attribute.be32()?)),
            number::ICMP_TYPE => self.icmp_kind = Some(attribute.u8()?),
            number::ICMP_CODE => self.icmp_code = Some(attribute.u8()?),
            number::ICMP_ID => self.icmp_id = Some(attribute.host16()?),
            number::NAT_SEQ_ADJ => self.sequence_adjustment = Some(adjustments(attribute)?),
            number::HELPER_NAME => self.helper = attribute.text()?,
            number::LABELS => self.take_labels(attribute)?,
            number::SYNPROXY => self.synproxy = Some(synproxy(attribute)?),
            number::ZONE => self.zone = Some(Zone(attribute.be16()?)),
            number::TCP_STATE
            | number::TCP_WSCALE_ORIG
            | number::TCP_WSCALE_REPL
            | number::SCTP_STATE..=number::DCCP_ROLE => self.take_state(attribute)?,
            number::MASTER_IPV4..=number::DPAT_PORT | number::SNAT_IPV6 | number::DNAT_IPV6 => {
                self.take_related(attribute)?;
            }
            _ => return Err(attribute.unknown()),
        }
        Ok(())
    }

    /// State of the tracker. That of two trackers is refused at the second.
    fn take_state(&mut self, attribute: &Attribute<'_>) -> Result<(), DecodeError> {
        match attribute.number {
            number::TCP_STATE => {
                let state = attribute.at_most(TcpState::SYN_SENT2.0)?;
                self.tcp(attribute)?.state = Some(TcpState(state));
            }
            number::TCP_WSCALE_ORIG => {
                let scale = attribute.at_most(MAX_WINDOW_SCALE)?;
                self.tcp(attribute)?.window_scale.original = Some(scale);
            }
            number::TCP_WSCALE_REPL => {
                let scale = attribute.at_most(MAX_WINDOW_SCALE)?;
                self.tcp(attribute)?.window_scale.reply = Some(scale);
            }
            number::SCTP_STATE => {
                let state = attribute.at_most(SctpState::HEARTBEAT_ACKED.0)?;
                self.sctp(attribute)?.state = Some(SctpState(state));
            }
            number::SCTP_VTAG_ORIG => {
                let tag = attribute.be32()?;
                self.sctp(attribute)?.vtags.original = Some(tag);
            }
            number::SCTP_VTAG_REPL => {
                let tag = attribute.be32()?;
                self.sctp(attribute)?.vtags.reply = Some(tag);
            }
            number::DCCP_STATE => {
                let state = attribute.at_most(DccpState::INVALID.0)?;
                self.dccp(attribute)?.state = Some(DccpState(state));
            }
            number::DCCP_ROLE => {
                let role = attribute.at_most(DccpRole::SERVER.0)?;
                self.dccp(attribute)?.role = Some(DccpRole(role));
            }
            _ => return Err(attribute.unknown()),
        }
        Ok(())
    }

    /// The master and the translations.
    fn take_related(&mut self, attribute: &Attribute<'_>) -> Result<(), DecodeError> {
        match attribute.number {
            number::MASTER_IPV4 => self.master.addresses = Some(self.ipv4_pair(attribute)?),
            number::MASTER_IPV6 => self.master.addresses = Some(self.ipv6_pair(attribute)?),
            number::MASTER_L4PROTO => self.master.protocol = Some(attribute.u8()?.into()),
            number::MASTER_PORT => self.master.ports = Some(attribute.ports()?),
            number::SNAT_IPV4 => {
                one_family(&mut self.family, Family::Ipv4, attribute)?;
                self.nat_src.address = Some(attribute.ipv4()?.into());
            }
            number::SNAT_IPV6 => {
                one_family(&mut self.family, Family::Ipv6, attribute)?;
                self.nat_src.address = Some(attribute.ipv6()?.into());
            }
            number::DNAT_IPV4 => {
                one_family(&mut self.family, Family::Ipv4, attribute)?;
                self.nat_dst.address = Some(attribute.ipv4()?.into());
            }
            number::DNAT_IPV6 => {
                one_family(&mut self.family, Family::Ipv6, attribute)?;
                self.nat_dst.address = Some(attribute.ipv6()?.into());
            }
            number::SPAT_PORT => self.nat_src.port = Some(attribute.host16()?),
            number::DPAT_PORT => self.nat_dst.port = Some(attribute.host16()?),
            _ => return Err(attribute.unknown()),
        }
        Ok(())
    }

    fn ipv4_pair(&mut self, attribute: &Attribute<'_>) -> Result<AddressPair, DecodeError> {
        one_family(&mut self.family, Family::Ipv4, attribute)?;
        attribute.ipv4_pair()
    }

    fn ipv6_pair(&mut self, attribute: &Attribute<'_>) -> Result<AddressPair, DecodeError> {
        one_family(&mut self.family, Family::Ipv6, attribute)?;
        attribute.ipv6_pair()
    }

    fn tcp(&mut self, attribute: &Attribute<'_>) -> Result<&mut TcpInfo, DecodeError> {
        match self.protoinfo.get_or_insert_with(|| ProtoInfo::Tcp(TcpInfo::default())) {
            ProtoInfo::Tcp(tcp) => Ok(tcp),
            ProtoInfo::Sctp(_) => Err(unfit(attribute.number, Protocol::Sctp)),
            ProtoInfo::Dccp(_) => Err(unfit(attribute.number, Protocol::Dccp)),
        }
    }

    fn sctp(&mut self, attribute: &Attribute<'_>) -> Result<&mut SctpInfo, DecodeError> {
        match self.protoinfo.get_or_insert_with(|| ProtoInfo::Sctp(SctpInfo::default())) {
            ProtoInfo::Sctp(sctp) => Ok(sctp),
            ProtoInfo::Tcp(_) => Err(unfit(attribute.number, Protocol::Tcp)),
            ProtoInfo::Dccp(_) => Err(unfit(attribute.number, Protocol::Dccp)),
        }
    }

    fn dccp(&mut self, attribute: &Attribute<'_>) -> Result<&mut DccpInfo, DecodeError> {
        match self.protoinfo.get_or_insert_with(|| ProtoInfo::Dccp(DccpInfo::default())) {
            ProtoInfo::Dccp(dccp) => Ok(dccp),
            ProtoInfo::Tcp(_) => Err(unfit(attribute.number, Protocol::Tcp)),
            ProtoInfo::Sctp(_) => Err(unfit(attribute.number, Protocol::Sctp)),
        }
    }

    /// Labels that are not whole words are passed over, as by upstream; a kernel has no use for more than 16 bytes.
    fn take_labels(&mut self, attribute: &Attribute<'_>) -> Result<(), DecodeError> {
        let value = attribute.value;
        if value.len() > MAX_LABELS_LEN {
            return Err(attribute.wrong_length(MAX_LABELS_LEN));
        }
        let (words, rest) = value.as_chunks::<4>();
        if words.is_empty() || !rest.is_empty() {
            return Ok(());
        }
        let mut host = [[0; 4]; LABEL_WORDS];
        for (host, word) in host.iter_mut().zip(words) {
            *host = u32::from_be_bytes(*word).to_ne_bytes();
        }
        let host = host.get(..words.len().min(LABEL_WORDS)).unwrap_or_default();
        self.labels = Labels::from_bytes(host.as_flattened());
        Ok(())
    }

    fn finish(self) -> Result<Record, DecodeError> {
        let missing = |number| DecodeError::Missing { number };
        let addresses = self.original.addresses.ok_or(missing(number::IPV4))?;
        let protocol = self.original.protocol.ok_or(missing(number::L4PROTO))?;
        let key = self.key(protocol)?;
        let state_fits = match (self.protoinfo, protocol) {
            (None, _)
            | (Some(ProtoInfo::Tcp(_)), Protocol::Tcp)
            | (Some(ProtoInfo::Sctp(_)), Protocol::Sctp)
            | (Some(ProtoInfo::Dccp(_)), Protocol::Dccp) => Ok(()),
            (Some(ProtoInfo::Tcp(_)), _) => Err(unfit(number::TCP_STATE, protocol)),
            (Some(ProtoInfo::Sctp(_)), _) => Err(unfit(number::SCTP_STATE, protocol)),
            (Some(ProtoInfo::Dccp(_)), _) => Err(unfit(number::DCCP_STATE, protocol)),
        };
        state_fits?;
        let master = self.master.finish()?;
        Ok(Record {
            original: Tuple { addresses, protocol, key },
            zone: self.zone,
            status: self.status,
            timeout_s: self.timeout_s,
            mark: self.mark,
            protoinfo: self.protoinfo,
            master,
            nat_src: self.nat_src,
            nat_dst: self.nat_dst,
            sequence_adjustment: self.sequence_adjustment,
            helper: self.helper,
            labels: self.labels,
            synproxy: self.synproxy,
        })
    }

    /// The key of the original tuple: ports, or for ICMP all three parts or none.
    fn key(&self, protocol: Protocol) -> Result<L4Key, DecodeError> {
        let Self { icmp_kind, icmp_code, icmp_id, .. } = *self;
        if !matches!(protocol, Protocol::Icmp | Protocol::Icmpv6) {
            let icmp = icmp_kind.is_some() || icmp_code.is_some() || icmp_id.is_some();
            if icmp {
                return Err(unfit(number::ICMP_TYPE, protocol));
            }
            return key_of_ports(protocol, self.original.ports, number::PORT);
        }
        if self.original.ports.is_some() {
            return Err(unfit(number::PORT, protocol));
        }
        let key = match (icmp_kind, icmp_code, icmp_id) {
            (None, None, None) => return Ok(L4Key::None),
            (Some(kind), Some(code), Some(id)) => IcmpKey { kind, code, id },
            (None, ..) => return Err(DecodeError::Missing { number: number::ICMP_TYPE }),
            (_, None, _) => return Err(DecodeError::Missing { number: number::ICMP_CODE }),
            (.., None) => return Err(DecodeError::Missing { number: number::ICMP_ID }),
        };
        Ok(if protocol == Protocol::Icmp { L4Key::Icmp(key) } else { L4Key::Icmpv6(key) })
    }
}

impl TupleFields {
    /// The master's tuple: all of it or nothing. Of ICMP it has no key.
    fn finish(self) -> Result<Option<Tuple>, DecodeError> {
        let missing = |number| DecodeError::Missing { number };
        let (addresses, protocol) = match (self.addresses, self.protocol, self.ports) {
            (None, None, None) => return Ok(None),
            (None, ..) => return Err(missing(number::MASTER_IPV4)),
            (_, None, _) => return Err(missing(number::MASTER_L4PROTO)),
            (Some(addresses), Some(protocol), _) => (addresses, protocol),
        };
        let key = match protocol {
            Protocol::Icmp | Protocol::Icmpv6 => L4Key::None,
            _ => key_of_ports(protocol, self.ports, number::MASTER_PORT)?,
        };
        Ok(Some(Tuple { addresses, protocol, key }))
    }
}

/// Whether a message about a flow of this protocol has its ports.
pub(in super::super) fn carries_ports(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Tcp | Protocol::Udp | Protocol::Dccp | Protocol::Sctp)
}

/// The key of a protocol other than ICMP. That of GRE and UDPLite is not sent and counts as 0.
pub(in super::super) fn key_of_ports(
    protocol: Protocol,
    ports: Option<Ports>,
    number: u16,
) -> Result<L4Key, DecodeError> {
    match (protocol, ports) {
        (Protocol::Icmp | Protocol::Icmpv6 | Protocol::Other(_), None) => Ok(L4Key::None),
        (Protocol::Icmp | Protocol::Icmpv6 | Protocol::Other(_), Some(_)) => {
            Err(unfit(number, protocol))
        }
        (Protocol::Gre | Protocol::UdpLite, ports) => Ok(L4Key::Ports(ports.unwrap_or_default())),
        (Protocol::Tcp | Protocol::Udp | Protocol::Dccp | Protocol::Sctp, ports) => {
            ports.map(L4Key::Ports).ok_or(DecodeError::Missing { number })
        }
    }
}

fn unfit(number: u16, protocol: Protocol) -> DecodeError {
    DecodeError::Unfit { number, protocol }
}

/// All addresses of a message are of one family: that of the first.
pub(in super::super) fn one_family(
    seen: &mut Option<Family>,
    family: Family,
    attribute: &Attribute<'_>,
) -> Result<(), DecodeError> {
    let Attribute { number, at, .. } = *attribute;
    let first = *seen.get_or_insert(family);
    if first == family {
        Ok(())
    } else {
        Err(DecodeError::MixedFamilies { number, at, family: first })
    }
}

fn adjustments(attribute: &Attribute<'_>) -> Result<PerDirection<SequenceAdjustment>, DecodeError> {
    let [position, before, after, reply_position, reply_before, reply_after] = attribute.words()?;
    let adjustment = |correction_position, before: u32, after: u32| SequenceAdjustment {
        correction_position,
        offset_before: before.cast_signed(),
        offset_after: after.cast_signed(),
    };
    Ok(PerDirection {
        original: adjustment(position, before, after),
        reply: adjustment(reply_position, reply_before, reply_after),
    })
}

fn synproxy(attribute: &Attribute<'_>) -> Result<Synproxy, DecodeError> {
    let [initial_timestamp, initial_sequence, timestamp_offset] = attribute.words()?;
    Ok(Synproxy { initial_sequence, initial_timestamp, timestamp_offset })
}
