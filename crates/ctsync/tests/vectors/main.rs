//! The messages of `conformance/vectors/sync`, captured from upstream's daemon or sent to it, read and written by this
//! library.
//!
//! Structure: the walks must give the tree of the vector, and writing what they gave the bytes. Meaning: what is decoded
//! must equal the value that is made of the tree, and that value must encode to the bytes. Reaction: what upstream's
//! daemon rejected is rejected with the same counter in each mode. Each test asserts how much it has seen.
//!
//! The modules are for tests only, and say so because the lints for tests depend on it.

#[cfg(test)]
mod captures;
#[cfg(test)]
mod case;
#[cfg(test)]
mod meaning;
#[cfg(test)]
mod node;
#[cfg(test)]
mod said;
#[cfg(test)]
mod structure;

use std::collections::{BTreeMap, BTreeSet};

use case::hex;
use ctsync::wire::{
    Content, Counter, DecodeError, ExpectationRecord, Frames, Mode, Record, SentParts, StreamBuffer,
};
use flow::ProtoInfo;
use said::{Said, contents, line, stamp};

const MODES: [(&str, Mode); 3] =
    [("FTFW", Mode::Ftfw), ("NOTRACK", Mode::Notrack), ("ALARM", Mode::Alarm)];

/// Messages that upstream takes and we do not: no sender of it makes them.
const STRICTER: [&str; 8] = [
    // Without addresses: an entry that makes upstream's dump crash.
    "crafted-empty-body",
    "crafted-exp-empty",
    "crafted-exp-on-ct-del",
    // A name that goes on beyond its attribute.
    "crafted-helper-empty",
    "crafted-helper-noterm",
    // Addresses of both families.
    "crafted-ip4-and-ip6",
    // A state that no kernel has.
    "crafted-sctp-state-200",
    "crafted-tcp-state-200",
];

/// Messages of one meaning and other bytes than ours: order, padding, doubled or superfluous parts.
const NOT_OURS: [&str; 14] = [
    "crafted-all-attrs-ipv4",
    "crafted-attr-dup",
    "crafted-exp-nat",
    "crafted-icmp-before-address",
    "crafted-labels-0",
    "crafted-labels-1024",
    "crafted-labels-6",
    "crafted-labels-twice",
    "crafted-pad-missing-last",
    "crafted-pad-nonzero",
    "crafted-reordered",
    "crafted-tail-1",
    "crafted-tail-4",
    "crafted-tail-4-attr",
];

#[test]
fn every_vector_is_read() {
    let cases = case::all();
    let captured = cases.iter().filter(|case| case.is_captured()).count();
    let messages: usize = cases.iter().map(|case| case.messages().len()).sum();
    assert_eq!((cases.len(), captured, messages), (294, 200, 409));
}

#[test]
fn structure_is_that_of_the_vector() {
    let mut checked = 0;
    for case in case::all() {
        assert_eq!(structure::of(&case.bytes), structure::expected(&case.tree), "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 294);
}

#[test]
fn what_was_read_is_written_with_the_same_bytes() {
    let mut checked = 0;
    for case in case::all() {
        let written = structure::rewritten(&case.bytes);
        assert_eq!(hex(&written), hex(&case.bytes), "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 294);
}

#[test]
fn captured_messages_mean_what_the_vector_says_and_come_back_to_the_byte() {
    let (mut flows, mut expectations, mut controls) = (0, 0, 0);
    for case in case::all().iter().filter(|case| case.is_captured()) {
        let contents = contents(case, case.mode());
        assert_eq!(contents.len(), case.messages().len(), "{}", case.name);
        let mut written = Vec::new();
        for ((header, bytes, content), tree) in contents.into_iter().zip(case.messages()) {
            let content = content.unwrap();
            let start = written.len();
            if let Some(said) = Said::decode(content) {
                let said = said.unwrap();
                let expected = Said::from_tree(said.event(), tree);
                assert_eq!(said, expected, "{}", case.name);
                written.extend(expected.encode(stamp(header)));
                match said {
                    Said::Flow(..) => flows += 1,
                    Said::Expectation(..) => expectations += 1,
                }
            } else {
                let control = meaning::control(tree);
                assert_eq!(content, Content::Control(control), "{}", case.name);
                control.encode(stamp(header), &mut written);
                controls += 1;
            }
            assert_eq!(hex(&written[start..]), hex(bytes), "{}", case.name);
        }
        assert_eq!(written, case.bytes, "{}", case.name);
    }
    assert_eq!((flows, expectations, controls), (185, 6, 127));
}

#[test]
fn crafted_messages_that_are_taken_mean_what_the_vector_says() {
    let cases = case::all();
    let (mut same_bytes, mut other_bytes) = (0, BTreeSet::new());
    for case in cases.iter().filter(|case| !case.is_captured()) {
        let contents = contents(case, Mode::Ftfw);
        for ((header, bytes, content), tree) in contents.into_iter().zip(case.messages()) {
            let Ok(content) = content else { continue };
            let Some(Ok(said)) = Said::decode(content) else { continue };
            assert_eq!(said, Said::from_tree(said.event(), tree), "{}", case.name);
            let written = said.encode(stamp(header));
            if written == bytes {
                same_bytes += 1;
            } else {
                other_bytes.insert(case.name.as_str());
            }
            let again = Frames::new(&written).next().unwrap().unwrap().message().unwrap();
            let again = Said::decode(again.content(Mode::Ftfw).unwrap());
            assert_eq!(again, Some(Ok(said)), "{}", case.name);
        }
    }
    assert_eq!(other_bytes, NOT_OURS.into());
    assert_eq!(same_bytes, 22);
}

/// What a receiver counts of a datagram.
fn counted(bytes: &[u8], mode: Mode) -> BTreeMap<&'static str, u64> {
    let mut counted = BTreeMap::new();
    let mut count = |error: DecodeError| {
        *counted.entry(error.counter().name()).or_insert(0) += 1;
        *counted.entry("Malformed messages").or_insert(0) += 1;
    };
    for frame in Frames::new(bytes) {
        let content =
            frame.and_then(|frame| frame.message()).and_then(|message| message.content(mode));
        match content.map(Said::decode) {
            Ok(None | Some(Ok(_))) => {}
            Ok(Some(Err(error))) | Err(error) => count(error),
        }
    }
    counted
}

#[test]
fn rejections_are_counted_as_upstream_counts_them() {
    let cases = case::all();
    let (mut reactions, mut rejected, mut stricter) = (0, 0, BTreeSet::new());
    for case in cases.iter().filter(|case| !case.is_captured()) {
        for (name, mode) in MODES {
            let reaction = case.tree["reaction"][name].as_object().unwrap();
            let is_ours = |name: &str| {
                name == "Malformed messages" || Counter::ALL.iter().any(|c| c.name() == name)
            };
            let expected: BTreeMap<&str, u64> = reaction
                .iter()
                .filter(|(name, _)| is_ours(name))
                .map(|(name, count)| (name.as_str(), count.as_u64().unwrap()))
                .collect();
            let counted = counted(&case.bytes, mode);
            reactions += 1;
            rejected += usize::from(!counted.is_empty());
            if counted != expected {
                let payload = [("Malformed messages", 1), ("Malformed payload", 1)];
                assert_eq!(expected, BTreeMap::new(), "{} in {name}", case.name);
                assert_eq!(counted, payload.into(), "{} in {name}", case.name);
                stricter.insert(case.name.as_str());
            }
        }
    }
    assert_eq!(stricter, STRICTER.into());
    assert_eq!((reactions, rejected), (282, 154));
}

#[test]
fn streams_give_the_messages_of_the_vector_in_pieces_of_any_size() {
    let cases = case::all();
    let mut messages = 0;
    for name in ["stream-ftfw-tcp-1", "stream-ftfw-tcp-2"] {
        let case = case::named(&cases, name);
        let whole: Vec<_> = Frames::new(&case.bytes).map(Result::unwrap).collect();
        for piece in [1, 2, 3, 5, 8, 13, 100, case.bytes.len()] {
            let mut stream = StreamBuffer::new();
            let mut seen = 0;
            for piece in case.bytes.chunks(piece) {
                stream.spare()[..piece.len()].copy_from_slice(piece);
                stream.received(piece.len());
                while let Some(frame) = stream.next_frame() {
                    assert_eq!(frame, Ok(whole[seen]), "{name}");
                    seen += 1;
                }
            }
            assert_eq!((seen, stream.pending()), (whole.len(), 0));
        }
        messages += whole.len();
    }
    assert_eq!(messages, 52);
}

#[test]
fn the_rebuilt_reply_is_that_of_the_sender() {
    let (mut found, mut translated) = (0, 0);
    for case in case::all().iter().filter(|case| case.is_captured()) {
        let views = &case.tree["views_after_step"]["sender conntrackd -i"];
        let Some(views) = views.as_array() else { continue };
        for (_, _, content) in contents(case, case.mode()) {
            let Some(Ok(Said::Flow(_, record))) = Said::decode(content.unwrap()) else { continue };
            let line = format!("{} [active since ", line(&record));
            let is_shown = views.iter().any(|view| view.as_str().unwrap().starts_with(&line));
            let is_translated = record.reply() != record.original.inverted();
            assert!(is_shown || !is_translated, "{}: {line}", case.name);
            found += usize::from(is_shown);
            translated += usize::from(is_translated);
        }
    }
    assert_eq!((found, translated), (82, 14));
}

#[test]
fn a_flow_that_was_rebuilt_is_sent_with_the_same_bytes() {
    let mut checked = 0;
    for case in case::all().iter().filter(|case| case.is_captured()) {
        for (header, bytes, content) in contents(case, case.mode()) {
            let Some(Ok(Said::Flow(event, record))) = Said::decode(content.unwrap()) else {
                continue;
            };
            let scales = match record.protoinfo {
                Some(ProtoInfo::Tcp(tcp)) => tcp.window_scale.original.is_some(),
                _ => false,
            };
            let parts = SentParts { timeout: record.timeout_s.is_some(), window_scale: scales };
            let mut written = Vec::new();
            let sent = Record::from_flow(&record.to_flow(), parts);
            sent.encode(event, stamp(header), &mut written);
            assert_eq!(hex(&written), hex(bytes), "{}", case.name);
            checked += 1;
        }
    }
    assert_eq!(checked, 185);
}

#[test]
fn an_expectation_that_was_rebuilt_is_sent_with_the_same_bytes() {
    let mut checked = 0;
    for case in case::all().iter().filter(|case| case.is_captured()) {
        for (header, bytes, content) in contents(case, case.mode()) {
            let Some(Ok(Said::Expectation(event, record))) = Said::decode(content.unwrap()) else {
                continue;
            };
            let restored = record.restore(record.timeout_s);
            let parts = SentParts { timeout: true, window_scale: true };
            let sent = ExpectationRecord::from_expectation(&restored, parts);
            let mut written = Vec::new();
            sent.encode(event, stamp(header), &mut written);
            assert_eq!(hex(&written), hex(bytes), "{}", case.name);
            checked += 1;
        }
    }
    assert_eq!(checked, 6);
}
