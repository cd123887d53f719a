//! What must hold for every record and every sequence of bytes.
//!
//! A failure writes its seed to `regressions` beside this file; the next run begins with it.
//! `PROPTEST_CASES` sets the number of cases.

#[cfg(test)]
mod strategies;
// The fuzz target does the same with bytes that nobody made.
#[cfg(test)]
#[path = "../../../../fuzz/src/sync_datagram.rs"]
pub mod sync_datagram;
#[cfg(test)]
mod vectors;

use ctsync::wire::{
    Content, ExpectationRecord, Flags, Frames, MAX_SENT_LEN, Mode, Record, RestoreOptions,
    SentParts, Stamp, StreamBuffer,
};
use ctsync::{Sequence, SequenceRange};
use flow::EventKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;
use strategies::{expectation_record, record};
use sync_datagram::sync_datagram as receive;
use vectors::vectors;

const EVENTS: [EventKind; 3] = [EventKind::New, EventKind::Update, EventKind::Destroy];

/// Several messages of all kinds in one datagram.
fn datagram(records: &[Record], expectations: &[ExpectationRecord]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sequence = Sequence(u32::MAX - 1);
    for (record, event) in records.iter().zip(EVENTS.into_iter().cycle()) {
        record.encode(event, Stamp::plain(sequence), &mut out);
        sequence = sequence.next();
    }
    for (record, event) in expectations.iter().zip(EVENTS.into_iter().cycle()) {
        record.encode(event, Stamp { greeting: Flags::HELLO, sequence }, &mut out);
        sequence = sequence.next();
    }
    out
}

/// Changes of a datagram: bytes replaced, and perhaps an end cut off.
fn changes() -> impl Strategy<Value = (Vec<(Index, u8)>, Option<Index>)> {
    (vec(any::<(Index, u8)>(), 1..8), proptest::option::of(any::<Index>()))
}

fn changed(mut bytes: Vec<u8>, (replaced, cut): (Vec<(Index, u8)>, Option<Index>)) -> Vec<u8> {
    for (index, value) in replaced {
        *index.get_mut(&mut bytes) = value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

#[test]
fn every_vector_is_received_in_every_mode() {
    for bytes in vectors() {
        receive(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn records_come_back(
        records in vec(record(), 0..5),
        expectations in vec(expectation_record(), 0..3),
    ) {
        let datagram = datagram(&records, &expectations);
        let (mut found, mut found_expectations) = (Vec::new(), Vec::new());
        for frame in Frames::new(&datagram) {
            let message = frame.unwrap().message().unwrap();
            match message.content(Mode::Ftfw).unwrap() {
                Content::Flow(_, body) => {
                    prop_assert!(body.len() + 8 <= MAX_SENT_LEN);
                    found.push(Record::decode(body).unwrap());
                }
                Content::Expectation(_, body) => {
                    prop_assert!(body.len() + 8 <= MAX_SENT_LEN);
                    found_expectations.push(ExpectationRecord::decode(body).unwrap());
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(found, records);
        prop_assert_eq!(found_expectations, expectations);
        receive(&datagram);
    }

    #[test]
    fn what_is_sent_of_a_flow_can_be_received(record in record()) {
        for (timeout, window_scale) in [(false, false), (true, true)] {
            let sent = Record::from_flow(&record.to_flow(), SentParts { timeout, window_scale });
            let mut out = Vec::new();
            sent.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut out);
            let frame = Frames::new(&out).next().unwrap().unwrap();
            prop_assert_eq!(Record::decode(frame.body), Ok(sent));
        }
    }

    #[test]
    fn a_newer_record_replaces_what_it_names(old in record(), newer in record()) {
        let mut updated = old.clone();
        updated.update(&newer);
        prop_assert_eq!(updated.original, newer.original);
        prop_assert_eq!(updated.mark, newer.mark.or(old.mark));
        prop_assert_eq!(updated.nat_src.port, newer.nat_src.port.or(old.nat_src.port));
        prop_assert_eq!(&updated.labels, &newer.labels.clone().or(old.labels));
        let mut twice = updated.clone();
        twice.update(&newer);
        prop_assert_eq!(twice, updated);
    }

    #[test]
    fn restored_flows_have_plain_replies(record in record(), window_tracking in any::<bool>()) {
        let options = RestoreOptions { timeout_s: Some(1), window_tracking };
        let restored = record.restore(options);
        prop_assert_eq!(restored.flow.tuples.reply, record.original.inverted());
        prop_assert_eq!(restored.flow.timeout_s, Some(1));
    }

    #[test]
    fn bytes_of_chance_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
        receive(&bytes);
    }

    #[test]
    fn attributes_of_chance_do_no_harm(
        first in prop_oneof![0x10u8..=0x15, Just(0x1a)],
        attributes in vec((0u16..36, vec(any::<u8>(), 0..40)), 0..12),
    ) {
        let mut bytes = vec![first, 0, 0, 0, 0, 0, 0, 0];
        for (number, value) in attributes {
            bytes.extend_from_slice(&u16::try_from(value.len() + 4).unwrap().to_be_bytes());
            bytes.extend_from_slice(&number.to_be_bytes());
            bytes.extend_from_slice(&value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let len = u16::try_from(bytes.len()).unwrap();
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
        receive(&bytes);
    }

    #[test]
    fn damaged_datagrams_do_no_harm(
        records in vec(record(), 1..4),
        expectations in vec(expectation_record(), 1..3),
        changes in changes(),
    ) {
        receive(&changed(datagram(&records, &expectations), changes));
    }

    #[test]
    fn damaged_vectors_do_no_harm(index in any::<Index>(), many in vec(changes(), 1..20)) {
        let vectors = vectors();
        let vector = index.get(&vectors);
        for changes in many {
            receive(&changed(vector.clone(), changes));
        }
    }

    #[test]
    fn a_stream_is_cut_as_a_datagram_is(
        records in vec(record(), 1..6),
        pieces in vec(1usize..200, 1..20),
    ) {
        let bytes = datagram(&records, &[]);
        let mut stream = StreamBuffer::new();
        let mut whole = Frames::new(&bytes);
        let mut rest = bytes.as_slice();
        for piece in pieces.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(piece.min(rest.len()));
            rest = after;
            stream.spare()[..piece.len()].copy_from_slice(piece);
            stream.received(piece.len());
            while let Some(frame) = stream.next_frame() {
                prop_assert_eq!(Some(frame), whole.next());
            }
        }
        prop_assert_eq!(whole.next(), None);
        prop_assert_eq!(stream.pending(), 0);
    }

    #[test]
    fn order_of_numbers_wraps(start in any::<u32>(), distance in 1u32..0x8000_0000) {
        let (from, to) = (Sequence(start), Sequence(start.wrapping_add(distance)));
        prop_assert!(from.is_before(to) && to.is_after(from));
        prop_assert!(!from.is_after(to) && !to.is_before(from));
        let range = SequenceRange::new(from, to).unwrap();
        prop_assert_eq!(range.count(), distance + 1);
        prop_assert!(range.contains(from) && range.contains(to));
        prop_assert!(!range.contains(from.previous()) && !range.contains(to.next()));
        prop_assert_eq!(SequenceRange::new(to, from), None);
    }
}
