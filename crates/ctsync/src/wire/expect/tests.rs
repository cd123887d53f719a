use flow::{
    AddressPair, Direction, EventKind, Expectation, ExpectationFlags, ExpectationNat, Family,
    L4Key, Ports, Protocol, Tuple,
};

use super::{ExpectationRecord, MASTER, NAT_DIR, NAT_IPV4, NAT_L4PROTO, NAT_PORT};
use crate::Sequence;
use crate::wire::{
    DecodeError, Frames, Header, Kind, MAX_SENT_LEN, MessageWriter, SentParts, Stamp,
};

const ALL: SentParts = SentParts { timeout: true, window_scale: true };

fn tuple(protocol: Protocol, key: L4Key) -> Tuple {
    let addresses = AddressPair::V4 { src: [10, 0, 0, 1].into(), dst: [192, 0, 2, 1].into() };
    Tuple { addresses, protocol, key }
}

fn ports(src: u16, dst: u16) -> L4Key {
    L4Key::Ports(Ports { src, dst })
}

fn expectation() -> Expectation {
    Expectation {
        tuple: tuple(Protocol::Tcp, ports(0, 2000)),
        mask: tuple(Protocol::Tcp, ports(0, 0xffff)),
        master: tuple(Protocol::Tcp, ports(1000, 21)),
        nat: Some(ExpectationNat {
            direction: Direction::Reply,
            tuple: tuple(Protocol::Tcp, ports(5, 6)),
        }),
        timeout_s: Some(300),
        id: None,
        zone: None,
        flags: None,
        class: Some(0),
        helper: Some("ftp".try_into().unwrap()),
        function: Some("nat-follow-master".to_owned()),
    }
}

fn through_the_wire(record: &ExpectationRecord) -> ExpectationRecord {
    let mut out = Vec::new();
    record.encode(EventKind::New, Stamp::plain(Sequence(1)), &mut out);
    assert!(out.len() <= MAX_SENT_LEN);
    let frame = Frames::new(&out).next().unwrap().unwrap();
    ExpectationRecord::decode(frame.body).unwrap()
}

/// The attributes of an expectation without some, and with others.
fn decode_changed(without: &[u16], with: &[(u16, &[u8])]) -> Result<(), DecodeError> {
    let mut out = Vec::new();
    let stamp = Stamp::plain(Sequence(1));
    ExpectationRecord::from_expectation(&expectation(), ALL).encode(
        EventKind::New,
        stamp,
        &mut out,
    );
    let frame = Frames::new(&out).next().unwrap().unwrap();
    let mut changed = Vec::new();
    let header = stamp.header(Kind::Expectation(EventKind::New));
    let mut message = MessageWriter::begin(&mut changed, header);
    for attribute in super::Attributes::new(frame.body).map(Result::unwrap) {
        if !without.contains(&attribute.number) {
            message.attribute(attribute.number, attribute.value);
        }
    }
    for (number, value) in with {
        message.attribute(*number, value);
    }
    message.finish();
    ExpectationRecord::decode(&changed[Header::LEN..]).map(drop)
}

#[test]
fn an_expectation_comes_back() {
    let record = ExpectationRecord::from_expectation(&expectation(), ALL);
    assert_eq!(through_the_wire(&record), record);
    let restored = record.restore(Some(300));
    let flags = Some(ExpectationFlags::empty());
    assert_eq!(restored, Expectation { flags, ..expectation() });
    let none = SentParts { timeout: false, window_scale: false };
    assert_eq!(ExpectationRecord::from_expectation(&expectation(), none).timeout_s, None);
}

#[test]
fn the_master_decides_about_ports() {
    let mut expectation = expectation();
    expectation.master = tuple(Protocol::Gre, ports(1, 2));
    let record = ExpectationRecord::from_expectation(&expectation, ALL);
    for tuple in [record.master, record.tuple, record.mask] {
        assert_eq!(tuple.key, L4Key::None);
    }
    assert_eq!(record.nat.unwrap().ports, None);
    assert_eq!(through_the_wire(&record), record);
}

#[test]
fn a_translation_over_ipv6_loses_its_addresses() {
    let mut expectation = expectation();
    let addresses = AddressPair::V6 { src: [1; 8].into(), dst: [2; 8].into() };
    for tuple in [&mut expectation.tuple, &mut expectation.mask, &mut expectation.master] {
        tuple.addresses = addresses;
    }
    let mut nat = expectation.nat.unwrap();
    nat.tuple.addresses = addresses;
    expectation.nat = Some(nat);
    let record = through_the_wire(&ExpectationRecord::from_expectation(&expectation, ALL));
    assert_eq!(record.nat.unwrap().addresses, None);
    assert_eq!(record.restore(None).nat, None);
}

#[test]
fn names_that_upstream_refuses_are_left_out() {
    let sent = |helper: &str, function: &str| {
        let helper = Some(helper.try_into().unwrap());
        let expectation =
            Expectation { helper, function: Some(function.to_owned()), ..expectation() };
        let record = ExpectationRecord::from_expectation(&expectation, ALL);
        assert_eq!(through_the_wire(&record), record);
        (record.helper.is_some(), record.function.is_some())
    };
    assert_eq!(sent("abcdefghijk", "abcdefghijklmnopqrstuvwxyz0"), (true, true));
    assert_eq!(sent("abcdefghijkl", "abcdefghijklmnopqrstuvwxyz01"), (false, false));
}

#[test]
fn every_part_of_the_tuples_is_demanded() {
    for numbers in [[0, 2, 3], [4, 6, 7], [8, 10, 11]] {
        for number in numbers {
            assert_eq!(decode_changed(&[number], &[]), Err(DecodeError::Missing { number }));
        }
    }
    assert_eq!(
        ExpectationRecord::decode(&[]),
        Err(DecodeError::Missing { number: MASTER.protocol })
    );
}

#[test]
fn a_translation_is_there_whole_or_not_at_all() {
    let all = [NAT_IPV4, NAT_PORT, NAT_L4PROTO, NAT_DIR];
    assert_eq!(decode_changed(&all, &[]), Ok(()));
    for number in all {
        assert_eq!(decode_changed(&[number], &[]), Err(DecodeError::Missing { number }));
    }
    let error = DecodeError::Value { number: NAT_DIR, at: 176, value: 2, max: 1 };
    assert_eq!(decode_changed(&[NAT_DIR], &[(NAT_DIR, &[0, 0, 0, 2])]), Err(error));
}

#[test]
fn unknown_numbers_and_mixed_families_are_refused() {
    let error = decode_changed(&[], &[(21, b"abcd")]);
    assert!(matches!(error, Err(DecodeError::Number { number: 21, .. })));
    for number in [1, 5, 9] {
        let error = decode_changed(&[], &[(number, &[0; 32])]);
        let family = Family::Ipv4;
        assert!(matches!(error, Err(DecodeError::MixedFamilies { number: n, family: f, .. })
                if n == number && f == family));
    }
}
