use std::mem::size_of;

use flow::{
    AddressPair, DccpInfo, DccpRole, DccpState, EventKind, Family, Flow, IcmpKey, L4Key, Labels,
    Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo, SctpState, SequenceAdjustment,
    Status, Synproxy, TcpFlags, TcpInfo, TcpState, Tuple, Zone,
};

use super::{Record, RecordName, RestoreOptions, SentParts, Translated, number};
use crate::Sequence;
use crate::wire::{DecodeError, Frames, Header, Kind, MAX_SENT_LEN, MessageWriter, Stamp};

const ALL: SentParts = SentParts { timeout: true, window_scale: true };
const DONE: Status = Status::SRC_NAT_DONE.union(Status::DST_NAT_DONE);
const ADDRESSES: AddressPair = AddressPair::V4 {
    src: std::net::Ipv4Addr::new(10, 0, 0, 1),
    dst: std::net::Ipv4Addr::new(192, 0, 2, 1),
};

/// The body of a message with these attributes.
fn body(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Stamp::plain(Sequence(0)).header(Kind::Flow(EventKind::New));
    let mut message = MessageWriter::begin(&mut out, header);
    for (number, value) in attributes {
        message.attribute(*number, value);
    }
    message.finish();
    out.split_off(Header::LEN)
}

const IPV4: (u16, &[u8]) = (number::IPV4, &[10, 0, 0, 1, 192, 0, 2, 1]);
const PORTS: (u16, &[u8]) = (number::PORT, &[0x03, 0xe8, 0, 80]);
const TCP: (u16, &[u8]) = (number::L4PROTO, &[6]);
const UDP: (u16, &[u8]) = (number::L4PROTO, &[17]);
const ICMP: (u16, &[u8]) = (number::L4PROTO, &[1]);

/// What is wrong with a TCP flow that has these attributes too.
fn tcp_and(attributes: &[(u16, &[u8])]) -> Result<(), DecodeError> {
    let all = [&[IPV4, TCP, PORTS], attributes].concat();
    Record::decode(&body(&all)).map(drop)
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(EventKind::New, Stamp::plain(Sequence(1)), &mut out);
    out
}

fn decoded(record: &Record) -> Record {
    let bytes = encoded(record);
    let frame = Frames::new(&bytes).next().unwrap().unwrap();
    Record::decode(frame.body).unwrap()
}

fn tuple(protocol: Protocol, key: L4Key) -> Tuple {
    Tuple { addresses: ADDRESSES, protocol, key }
}

fn ports(src: u16, dst: u16) -> L4Key {
    L4Key::Ports(Ports { src, dst })
}

fn flow(original: Tuple) -> Flow {
    Flow::new(PerDirection { original, reply: original.inverted() })
}

#[test]
fn size_is_known() {
    // A cache may hold hundreds of thousands.
    assert_eq!(size_of::<Record>(), 280);
}

#[test]
fn an_attribute_of_another_size_is_refused() {
    for (number, len, expected) in [
        (number::IPV4, 7, 8),
        (number::IPV6, 31, 32),
        (number::STATUS, 2, 4),
        (number::L4PROTO, 4, 1),
        (number::PORT, 5, 4),
        (number::TCP_STATE, 2, 1),
        (number::SNAT_IPV6, 4, 16),
        (number::SPAT_PORT, 4, 2),
        (number::NAT_SEQ_ADJ, 20, 24),
        (number::SYNPROXY, 13, 12),
        (number::HELPER_NAME, 13, 12),
        (number::LABELS, 1028, 1024),
    ] {
        let found = Record::decode(&body(&[(number, &vec![0; len])]));
        let error = DecodeError::Length { number, at: 8, len, expected };
        assert_eq!(found, Err(error), "{number}");
        let found = Record::decode(&body(&[(number, &[]), TCP]));
        assert!(found.is_err(), "{number}");
    }
}

#[test]
fn an_unknown_attribute_is_refused() {
    for number in [33, 34, 0x8007, u16::MAX] {
        let error = DecodeError::Number { number, at: 8 };
        assert_eq!(Record::decode(&body(&[(number, &[0; 4]), IPV4, TCP, PORTS])), Err(error));
    }
}

#[test]
fn a_name_ends_within_its_attribute_and_can_be_printed() {
    let (number, at) = (number::HELPER_NAME, 36);
    let name = |value: &[u8]| tcp_and(&[(number, value), (number::MARK, b"AAAA")]);
    assert_eq!(name(b""), Err(DecodeError::Unterminated { number, at }));
    assert_eq!(name(b"abcdefghijkl"), Err(DecodeError::Unterminated { number, at }));
    assert_eq!(name(b"abcdefghijk\0"), Ok(()));
    for name_ in [b"a\nb\0", b"a\x7fb\0", b"\xc3\xa4b\0"] {
        assert_eq!(name(name_), Err(DecodeError::Unprintable { number, at }));
    }
    let record = Record::decode(&body(&[IPV4, UDP, PORTS, (number, b"ftp\0rest\0")]));
    assert_eq!(record.unwrap().helper, Some(RecordName::from("ftp").unwrap()));
    let record = Record::decode(&body(&[IPV4, UDP, PORTS, (number, b"\0")]));
    assert_eq!(record.unwrap().helper, None);
}

#[test]
fn values_without_a_meaning_are_refused() {
    for (protocol, number, max) in [
        (6, number::TCP_STATE, 9),
        (6, number::TCP_WSCALE_ORIG, 14),
        (6, number::TCP_WSCALE_REPL, 14),
        (132, number::SCTP_STATE, 9),
        (33, number::DCCP_STATE, 9),
        (33, number::DCCP_ROLE, 1),
    ] {
        let of = |value| {
            let protocol = [protocol];
            let attributes =
                [IPV4, (number::L4PROTO, protocol.as_slice()), PORTS, (number, &[value])];
            Record::decode(&body(&attributes)).map(drop)
        };
        assert_eq!(of(max), Ok(()));
        let (value, max) = (u32::from(max) + 1, u32::from(max));
        let error = DecodeError::Value { number, at: 36, value, max };
        assert_eq!(of(u8::try_from(value).unwrap()), Err(error));
    }
}

#[test]
fn all_addresses_are_of_one_family() {
    let (two, one) = ([0; 32], [0; 16]);
    for (number, value) in [
        (number::IPV6, two.as_slice()),
        (number::MASTER_IPV6, &two),
        (number::SNAT_IPV6, &one),
        (number::DNAT_IPV6, &one),
    ] {
        let error = DecodeError::MixedFamilies { number, at: 36, family: Family::Ipv4 };
        assert_eq!(tcp_and(&[(number, value)]), Err(error));
    }
    let error =
        DecodeError::MixedFamilies { number: number::SNAT_IPV4, at: 44, family: Family::Ipv6 };
    let attributes = [(number::IPV6, two.as_slice()), (number::SNAT_IPV4, &[0; 4]), TCP, PORTS];
    assert_eq!(Record::decode(&body(&attributes)), Err(error));
}

#[test]
fn what_belongs_to_another_protocol_is_refused() {
    let unfit = |number, protocol| Err(DecodeError::Unfit { number, protocol });
    assert_eq!(
        tcp_and(&[(number::TCP_STATE, &[3]), (number::SCTP_STATE, &[3])]),
        unfit(number::SCTP_STATE, Protocol::Tcp)
    );
    assert_eq!(tcp_and(&[(number::DCCP_ROLE, &[1])]), unfit(number::DCCP_STATE, Protocol::Tcp));
    assert_eq!(tcp_and(&[(number::ICMP_CODE, &[0])]), unfit(number::ICMP_TYPE, Protocol::Tcp));
    let decode = |attributes: &[(u16, &[u8])]| Record::decode(&body(attributes)).map(drop);
    assert_eq!(
        decode(&[IPV4, UDP, PORTS, (number::TCP_STATE, &[3])]),
        unfit(number::TCP_STATE, Protocol::Udp)
    );
    assert_eq!(decode(&[IPV4, ICMP, PORTS]), unfit(number::PORT, Protocol::Icmp));
    assert_eq!(
        decode(&[IPV4, (number::L4PROTO, &[50]), PORTS]),
        unfit(number::PORT, Protocol::Other(50))
    );
}

#[test]
fn what_a_flow_must_have_is_demanded() {
    let missing = |number| Err(DecodeError::Missing { number });
    let decode = |attributes: &[(u16, &[u8])]| Record::decode(&body(attributes)).map(drop);
    assert_eq!(decode(&[]), missing(number::IPV4));
    assert_eq!(decode(&[TCP, PORTS]), missing(number::IPV4));
    assert_eq!(decode(&[IPV4, PORTS]), missing(number::L4PROTO));
    for protocol in [6, 17, 33, 132] {
        assert_eq!(decode(&[IPV4, (number::L4PROTO, &[protocol])]), missing(number::PORT));
    }
    for protocol in [0, 1, 47, 50, 58, 136, 255] {
        assert_eq!(decode(&[IPV4, (number::L4PROTO, &[protocol])]), Ok(()), "{protocol}");
    }
    let icmp = [
        (number::ICMP_TYPE, [8].as_slice()),
        (number::ICMP_CODE, &[0]),
        (number::ICMP_ID, &[0, 1]),
    ];
    assert_eq!(decode(&[IPV4, ICMP, icmp[0], icmp[1], icmp[2]]), Ok(()));
    assert_eq!(decode(&[IPV4, ICMP, icmp[1], icmp[2]]), missing(number::ICMP_TYPE));
    assert_eq!(decode(&[IPV4, ICMP, icmp[0], icmp[2]]), missing(number::ICMP_CODE));
    assert_eq!(decode(&[IPV4, ICMP, icmp[0], icmp[1]]), missing(number::ICMP_ID));
    let master = (number::MASTER_IPV4, IPV4.1);
    assert_eq!(tcp_and(&[master]), missing(number::MASTER_L4PROTO));
    assert_eq!(tcp_and(&[(number::MASTER_L4PROTO, &[6])]), missing(number::MASTER_IPV4));
    assert_eq!(tcp_and(&[master, (number::MASTER_L4PROTO, &[6])]), missing(number::MASTER_PORT));
    assert_eq!(tcp_and(&[master, (number::MASTER_L4PROTO, &[1])]), Ok(()));
}

#[test]
fn swapped_fields_are_in_host_order_and_the_others_are_not() {
    let record = Record {
        nat_src: Translated { address: None, port: Some(7777) },
        ..Record::new(tuple(Protocol::Udp, ports(1, 2)))
    };
    let bytes = encoded(&record);
    let port = 7777u16.to_ne_bytes();
    assert!(bytes.ends_with(&[0, 6, 0, 14, port[0], port[1], 0, 0]));
    assert!(bytes[20..].starts_with(&[0, 5, 0, 2, 17, 0, 0, 0, 0, 8, 0, 3, 0, 1, 0, 2]));
}

#[test]
fn the_longest_message_has_the_stated_length() {
    let v6 = AddressPair::V6 { src: [1; 8].into(), dst: [2; 8].into() };
    let original = Tuple { addresses: v6, protocol: Protocol::Tcp, key: ports(1, 2) };
    let new = |port| Translated { address: Some([3u16; 8].into()), port: Some(port) };
    let adjustment = SequenceAdjustment::default();
    let tcp = TcpInfo {
        state: Some(TcpState::ESTABLISHED),
        window_scale: PerDirection { original: Some(7), reply: Some(8) },
        flags: PerDirection::default(),
    };
    let sctp = SctpInfo {
        state: Some(SctpState::ESTABLISHED),
        vtags: PerDirection { original: Some(1), reply: Some(2) },
    };
    for (protocol, info) in
        [(Protocol::Tcp, ProtoInfo::Tcp(tcp)), (Protocol::Sctp, ProtoInfo::Sctp(sctp))]
    {
        let record = Record {
            zone: Some(Zone(1)),
            status: Some(Status::all()),
            timeout_s: Some(1),
            mark: Some(Mark(1)),
            protoinfo: Some(info),
            master: Some(original),
            nat_src: new(4),
            nat_dst: new(5),
            sequence_adjustment: Some(PerDirection { original: adjustment, reply: adjustment }),
            helper: RecordName::from("abcdefghijk").ok(),
            labels: Some(Labels::from_bits([127])),
            synproxy: Some(Synproxy::default()),
            ..Record::new(Tuple { protocol, ..original })
        };
        assert_eq!(encoded(&record).len(), MAX_SENT_LEN);
        assert_eq!(decoded(&record), record);
    }
}

#[test]
fn a_sender_says_nothing_that_the_format_lacks() {
    let mut sent = flow(tuple(Protocol::Tcp, ports(1000, 21)));
    sent.zone = Some(Zone(0));
    sent.labels = Some(Labels::from_bits([]));
    sent.helper = Some("abcdefghijkl".try_into().unwrap());
    sent.sequence_adjustment.original = Some(SequenceAdjustment::default());
    sent.timeout_s = Some(10);
    let window_scale = PerDirection { original: Some(1), reply: None };
    let state = Some(TcpState::SYN_SENT);
    sent.protoinfo =
        Some(ProtoInfo::Tcp(TcpInfo { state, window_scale, flags: PerDirection::default() }));
    let none = SentParts { timeout: false, window_scale: false };
    let plain = Record {
        status: Some(Status::empty()),
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo { state, ..TcpInfo::default() })),
        ..Record::new(sent.tuples.original)
    };
    assert_eq!(Record::from_flow(&sent, none), plain);
    let whole = Record::from_flow(&sent, ALL);
    assert_eq!(whole.timeout_s, Some(10));
    assert_eq!(whole.protoinfo, sent.protoinfo);
    sent.helper = Some("abcdefghijk".try_into().unwrap());
    assert_eq!(Record::from_flow(&sent, ALL).helper.as_deref(), Some("abcdefghijk"));
    // Without a state its companions do not go alone.
    sent.protoinfo = Some(ProtoInfo::Tcp(TcpInfo { window_scale, ..TcpInfo::default() }));
    assert_eq!(Record::from_flow(&sent, ALL).protoinfo, None);
}

#[test]
fn keys_are_sent_by_protocol() {
    let sent = |protocol, key| Record::from_flow(&flow(tuple(protocol, key)), ALL).original.key;
    assert_eq!(sent(Protocol::Gre, ports(17, 34)), ports(17, 34));
    assert_eq!(sent(Protocol::UdpLite, ports(17, 34)), ports(17, 34));
    assert_eq!(sent(Protocol::Dccp, L4Key::None), ports(0, 0));
    assert_eq!(sent(Protocol::Other(50), ports(1, 2)), L4Key::None);
    let gre = |key| Record::from_flow(&flow(tuple(Protocol::Gre, key)), ALL);
    let has_ports = |record: &Record| encoded(record).windows(4).any(|bytes| bytes == [0, 8, 0, 3]);
    for (key, is_sent) in [(ports(17, 34), true), (ports(0, 0), false)] {
        let record = gre(key);
        assert_eq!(has_ports(&record), is_sent);
        assert_eq!(decoded(&record), record);
    }
    let dccp = Record {
        protoinfo: Some(ProtoInfo::Dccp(DccpInfo {
            state: Some(DccpState::OPEN),
            role: Some(DccpRole::SERVER),
            handshake_sequence: None,
        })),
        ..Record::new(tuple(Protocol::Dccp, ports(0, 0)))
    };
    assert_eq!(decoded(&dccp), dccp);
}

#[test]
fn translations_are_sent_once_decided() {
    let original = tuple(Protocol::Udp, ports(4000, 53));
    let mut sent = flow(original);
    let new = AddressPair::V4 { src: [10, 9, 9, 9].into(), dst: [192, 0, 2, 99].into() };
    sent.tuples.reply = Tuple { addresses: new, key: ports(5353, 7777), ..original };
    let src = Translated { address: Some([192, 0, 2, 99].into()), port: Some(7777) };
    let dst = Translated { address: Some([10, 9, 9, 9].into()), port: Some(5353) };
    let none = Translated::default();
    for (status, expected) in [
        (None, (src, dst)),
        (Some(DONE), (src, dst)),
        (Some(Status::SRC_NAT_DONE), (src, none)),
        (Some(Status::DST_NAT_DONE | Status::SRC_NAT), (none, dst)),
        (Some(Status::empty()), (none, none)),
    ] {
        sent.status = status;
        let record = Record::from_flow(&sent, ALL);
        assert_eq!((record.nat_src, record.nat_dst), expected, "{status:?}");
    }
    sent.status = Some(DONE);
    assert_eq!(Record::from_flow(&sent, ALL).reply(), sent.tuples.reply);
    sent.tuples.reply = original.inverted();
    let record = Record::from_flow(&sent, ALL);
    assert_eq!((record.nat_src, record.nat_dst), (none, none));
}

#[test]
fn icmp_carries_ports_of_zero_once_translation_is_decided() {
    let icmp = |id| L4Key::Icmp(IcmpKey { kind: 8, code: 0, id });
    let zero = Translated { address: None, port: Some(0) };
    let none = Translated::default();
    for (id, src, dst) in [
        (0x1234, zero, zero),
        // The id that looks like the type and code of the answer, and that of the request.
        (0x0000, none, zero),
        (0x0800, zero, none),
    ] {
        let mut sent = flow(tuple(Protocol::Icmp, icmp(id)));
        sent.status = Some(DONE);
        let record = Record::from_flow(&sent, ALL);
        assert_eq!((record.nat_src, record.nat_dst), (src, dst), "{id:#x}");
        // They mean nothing to a receiver.
        assert_eq!(record.reply(), sent.tuples.reply);
        let options = RestoreOptions { timeout_s: Some(30), window_tracking: false };
        let restored = record.restore(options);
        assert_eq!((restored.nat_src, restored.nat_dst), (None, None));
        assert_eq!(restored.flow.protoinfo, None);
    }
}

#[test]
fn a_restored_flow_is_translated_by_the_kernel_and_not_by_its_tuple() {
    let src = Translated { address: Some([192, 0, 2, 99].into()), port: Some(7777) };
    let original = tuple(Protocol::Tcp, ports(4000, 80));
    let status = Status::ASSURED | Status::EXPECTED | Status::DYING | Status::OFFLOAD | DONE;
    let record = Record {
        status: Some(status),
        timeout_s: Some(1),
        helper: RecordName::from("ftp").ok(),
        master: Some(original),
        nat_src: src,
        ..Record::new(original)
    };
    let restored = record.restore(RestoreOptions { timeout_s: Some(60), window_tracking: false });
    assert_eq!(restored.flow.tuples.reply, original.inverted());
    assert_eq!((restored.nat_src, restored.nat_dst), (Some(src), None));
    assert_eq!(restored.flow.timeout_s, Some(60));
    assert_eq!(restored.flow.status, Some(Status::ASSURED | Status::CONFIRMED | DONE));
    let Some(ProtoInfo::Tcp(tcp)) = restored.flow.protoinfo else { panic!() };
    for flags in [tcp.flags.original.unwrap(), tcp.flags.reply.unwrap()] {
        assert_eq!((flags.flags, flags.mask), (TcpFlags::BE_LIBERAL, TcpFlags::BE_LIBERAL));
    }
    let update = restored.as_update();
    assert_eq!((update.nat_src, update.nat_dst), (None, None));
    assert_eq!(update.flow.status, Some(Status::ASSURED | Status::CONFIRMED));
    assert_eq!((update.flow.helper, update.flow.master), (None, None));
    let tracked = record.restore(RestoreOptions { timeout_s: None, window_tracking: true });
    assert_eq!(tracked.flow.protoinfo, None);
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let mut record = Record {
        status: Some(Status::CONFIRMED),
        mark: Some(Mark(7)),
        nat_src: Translated { address: None, port: Some(9) },
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo {
            state: Some(TcpState::SYN_SENT),
            window_scale: PerDirection { original: Some(7), reply: None },
            flags: PerDirection::default(),
        })),
        ..Record::new(tuple(Protocol::Tcp, ports(1, 2)))
    };
    let newer = Record {
        status: Some(Status::ASSURED),
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo {
            state: Some(TcpState::ESTABLISHED),
            window_scale: PerDirection { original: None, reply: Some(8) },
            flags: PerDirection::default(),
        })),
        ..Record::new(record.original)
    };
    record.update(&newer);
    let expected = Record {
        mark: Some(Mark(7)),
        nat_src: Translated { address: None, port: Some(9) },
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo {
            state: Some(TcpState::ESTABLISHED),
            window_scale: PerDirection { original: Some(7), reply: Some(8) },
            flags: PerDirection::default(),
        })),
        ..newer
    };
    assert_eq!(record, expected);
}
