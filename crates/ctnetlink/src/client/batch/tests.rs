use std::collections::VecDeque;
use std::io;

use super::{BatchBounds, BatchClient};
use crate::client::{PollTransport, Transport};
use crate::wire::{MessageFlags, Messages, Sequence};
use crate::{Answer, Request};

/// A kernel that refuses the requests whose number is in `refused`, and loses answers as told.
#[derive(Default)]
struct Script {
    refused: Vec<(u32, i32)>,
    /// Datagrams of more requests than this are not taken.
    most: Option<usize>,
    /// So many answers are kept, the others lost, which the next receive says.
    room: Option<usize>,
    lost: bool,
    waiting: VecDeque<Vec<u8>>,
    sent: Vec<usize>,
}

impl Transport for Script {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let messages: Vec<_> = Messages::new(datagram).map(|m| m.unwrap().header).collect();
        self.sent.push(messages.len());
        if self.most.is_some_and(|most| messages.len() > most) {
            return Err(io::Error::from_raw_os_error(90));
        }
        for header in messages {
            let number = header.sequence.0;
            let errno = self.refused.iter().find(|(refused, _)| *refused == number);
            let errno = errno.map_or(0, |(_, errno)| *errno);
            if errno == 0 && !header.flags.contains(MessageFlags::ACK) {
                continue;
            }
            if self.room.is_some_and(|room| self.waiting.len() >= room) {
                self.lost = true;
            } else {
                self.waiting.push_back(answer(number, errno));
            }
        }
        Ok(())
    }

    fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("a batch does not wait")
    }
}

impl PollTransport for Script {
    fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if std::mem::take(&mut self.lost) {
            return Err(io::Error::from_raw_os_error(105));
        }
        Ok(self.waiting.pop_front().map(|answer| {
            buffer[..answer.len()].copy_from_slice(&answer);
            answer.len()
        }))
    }
}

fn answer(sequence: u32, errno: i32) -> Vec<u8> {
    let mut out = 36_u32.to_ne_bytes().to_vec();
    for half in [2_u16, 0x100] {
        out.extend_from_slice(&half.to_ne_bytes());
    }
    for word in [sequence, 0, (-errno).cast_unsigned(), 20, 0, sequence, 0] {
        out.extend_from_slice(&word.to_ne_bytes());
    }
    out
}

fn client(script: Script, len: usize) -> BatchClient<Script> {
    let bounds = BatchBounds { requests: 8, bytes: 4096 };
    let mut client = BatchClient::new(script, Sequence(0), bounds);
    for _ in 0..len {
        client.push(&Request::FlushExpectations(None));
    }
    client
}

#[test]
fn a_batch_is_one_datagram_and_its_refusals_are_told_apart() {
    let script = Script { refused: vec![(1, 17), (3, 2)], ..Script::default() };
    let mut client = client(script, 4);
    let expected = [Answer::Done, Answer::Refused(17), Answer::Done, Answer::Refused(2)];
    assert_eq!(client.run(), expected);
    assert_eq!(client.transport().sent, [4]);
    client.clear();
    assert_eq!(client.run(), []);
    client.push(&Request::FlushExpectations(None));
    assert_eq!(client.run(), [Answer::Done]);
}

#[test]
fn a_datagram_that_cannot_be_sent_is_sent_in_parts() {
    let script = Script { most: Some(1), refused: vec![(2, 17)], ..Script::default() };
    let mut client = client(script, 3);
    assert_eq!(client.run(), [Answer::Done, Answer::Done, Answer::Refused(17)]);
    assert_eq!(client.transport().sent, [3, 1, 1, 1]);
}

#[test]
fn a_socket_that_takes_nothing_refuses_all() {
    let mut client = client(Script { most: Some(0), ..Script::default() }, 2);
    assert_eq!(client.run(), [Answer::Refused(90); 2]);
}

#[test]
fn lost_answers_are_asked_for_again() {
    let refused = (0..3).map(|number| (number, 17)).collect();
    let mut client = client(Script { refused, room: Some(2), ..Script::default() }, 4);
    let refused = Answer::Refused(17);
    assert_eq!(client.run(), [refused, refused, refused, Answer::Done]);
    assert_eq!(client.transport().sent, [4, 1, 1], "what was refused is not asked again");
}

#[test]
fn an_answer_that_never_comes_is_a_refusal() {
    let mut client = client(Script { room: Some(0), ..Script::default() }, 2);
    assert_eq!(client.run(), [Answer::Refused(105); 2]);
}

#[test]
fn room_ends_with_the_bounds_but_an_empty_batch_takes_anything() {
    let mut client = client(Script::default(), 0);
    assert!(client.has_room_for(9));
    for _ in 0..7 {
        client.push(&Request::FlushExpectations(None));
    }
    assert!(client.has_room_for(1) && !client.has_room_for(2));
}
