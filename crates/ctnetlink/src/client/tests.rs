use std::collections::VecDeque;
use std::io;

use super::{Client, ClientError, DumpOutcome, Transport};
use crate::wire::{
    MessageFlags, MessageHeader, MessageWriter, NetfilterHeader, RawMessage, Sequence,
};
use crate::{DumpFilter, Request};

/// A kernel that answers with prepared datagrams, whatever it is asked.
#[derive(Default)]
struct Script {
    sent: Vec<Vec<u8>>,
    answers: VecDeque<Vec<u8>>,
}

impl Transport for Script {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.sent.push(datagram.to_vec());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let answer = self.answers.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        if let Some(place) = buffer.get_mut(..answer.len()) {
            place.copy_from_slice(&answer);
        }
        Ok(answer.len())
    }
}

fn message(kind: u16, flags: MessageFlags, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let header = MessageHeader { kind, flags, sequence: Sequence(sequence), port_id: 9 };
    MessageWriter::begin(&mut out, header, NetfilterHeader::default()).finish();
    out
}

fn dump(answers: Vec<Vec<u8>>) -> (usize, Result<DumpOutcome, ClientError>) {
    let script = Script { answers: answers.into(), ..Script::default() };
    let mut client = Client::new(script, Sequence(5));
    let mut count = 0;
    let filter = DumpFilter::default();
    let request = Request::DumpFlows { filter: &filter, zero: false };
    let outcome = client.dump(&request, |_: &RawMessage<'_>| {
        count += 1;
        Ok(())
    });
    (count, outcome)
}

#[test]
fn a_dump_spans_datagrams_and_ignores_replies_to_others() {
    let multi = MessageFlags::MULTI;
    let (count, outcome) = dump(vec![
        [message(0x0100, multi, 5), message(0x0100, multi, 4)].concat(),
        message(0x0100, multi | MessageFlags::DUMP_INTR, 5),
        message(3, multi, 5),
    ]);
    assert_eq!(count, 2);
    assert_eq!(outcome.unwrap(), DumpOutcome::Interrupted);
}

#[test]
fn a_datagram_beyond_the_buffer_is_reported_not_cut() {
    let (count, outcome) = dump(vec![vec![0; 70_000]]);
    assert_eq!(count, 0);
    assert!(matches!(outcome, Err(ClientError::Truncated { len: 70_000 })));
}

#[test]
fn sequence_numbers_count_up_and_wrap() {
    let script = Script {
        answers: [
            message(0x0105, MessageFlags::MULTI, u32::MAX),
            message(0x0105, MessageFlags::MULTI, 0),
        ]
        .into(),
        ..Script::default()
    };
    let mut client = Client::new(script, Sequence(u32::MAX));
    for _ in 0..2 {
        client.fetch(&Request::TableStatistics, |_| ()).unwrap();
    }
    let numbers: Vec<_> = client.transport().sent.iter().map(|sent| sent[8..12].to_vec()).collect();
    assert_eq!(numbers, [u32::MAX.to_ne_bytes().to_vec(), 0u32.to_ne_bytes().to_vec()]);
}
