//! A datagram of another firewall, through everything that a receiver does.
//!
//! The property tests of ctsync call this too, with records that they make.

use ctsync::Sequence;
use ctsync::wire::{
    Content, Counter, DecodeError, ExpectationRecord, Flags, Frames, Mode, Record, RestoreOptions,
    Stamp, StreamBuffer,
};

/// Receives the bytes as a datagram in each mode, and as a stream.
///
/// What is accepted must be written and read again as the same value, and must be fit for the kernel's table. An error
/// must have a text and a counter. A datagram has no more messages than 8 byte headers.
///
/// # Panics
///
/// If that does not hold.
pub fn sync_datagram(bytes: &[u8]) {
    for mode in [Mode::Ftfw, Mode::Notrack, Mode::Alarm] {
        let mut messages = 0;
        for frame in Frames::new(bytes) {
            messages += 1;
            let content =
                frame.and_then(|frame| frame.message()).and_then(|message| message.content(mode));
            if let Err(error) = content.and_then(use_content) {
                use_error(error);
            }
        }
        assert!(messages <= bytes.len() / 8 + 1);
    }
    receive_stream(bytes);
}

fn receive_stream(bytes: &[u8]) {
    let mut whole = Frames::new(bytes);
    let mut stream = StreamBuffer::new();
    for piece in bytes.chunks(7) {
        stream.spare()[..piece.len()].copy_from_slice(piece);
        stream.received(piece.len());
        while let Some(frame) = stream.next_frame() {
            match (frame, whole.next()) {
                (Ok(frame), Some(Ok(expected))) => assert_eq!(frame, expected),
                (Err(error), Some(Err(_))) => {
                    assert_eq!(error.counter(), Counter::Size);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(stream.pending() < StreamBuffer::CAPACITY);
    }
    // What a stream still waits for is an error in a datagram.
    assert!(matches!(whole.next(), None | Some(Err(_))));
}

fn use_content(content: Content<'_>) -> Result<(), DecodeError> {
    let stamp = Stamp { greeting: Flags::all(), sequence: Sequence(0) };
    let mut out = Vec::new();
    match content {
        Content::Flow(event, body) => {
            let record = Record::decode(body)?;
            record.encode(event, stamp, &mut out);
            let frame = Frames::new(&out).next().unwrap().unwrap();
            assert_eq!(Record::decode(frame.body).as_ref(), Ok(&record));
            use_record(&record);
        }
        Content::Expectation(event, body) => {
            let record = ExpectationRecord::decode(body)?;
            record.encode(event, stamp, &mut out);
            let frame = Frames::new(&out).next().unwrap().unwrap();
            assert_eq!(ExpectationRecord::decode(frame.body).as_ref(), Ok(&record));
            let restored = record.restore(Some(1));
            assert_eq!(restored.tuple.addresses.family(), restored.master.addresses.family());
            assert_eq!(restored.tuple.addresses.family(), restored.mask.addresses.family());
        }
        Content::Control(control) => {
            control.encode(stamp, &mut out);
            let message = Frames::new(&out).next().unwrap().unwrap().message().unwrap();
            assert_eq!(message.content(Mode::Ftfw), Ok(Content::Control(control)));
        }
        Content::Ignored => {}
    }
    Ok(())
}

fn use_record(record: &Record) {
    let family = record.original.addresses.family();
    assert_eq!(record.reply().addresses.family(), family);
    assert!(record.master.is_none_or(|master| master.addresses.family() == family));
    let options = RestoreOptions { timeout_s: Some(1), window_tracking: false };
    let restored = record.restore(options);
    for end in [restored.nat_src, restored.nat_dst].into_iter().flatten() {
        let address = end.address.map(flow::Family::of);
        assert!(address.is_none_or(|found| found == family));
    }
    let mut updated = record.clone();
    updated.update(record);
    assert_eq!(updated, *record);
}

fn use_error(error: DecodeError) {
    assert!(!error.to_string().is_empty());
    assert!(Counter::ALL.contains(&error.counter()));
}
