//! A client of the control socket: its request in pieces, its answer while it is made, and the time that passes.

use std::sync::LazyLock;

use conntrackd::control::Request;
use conntrackd::control::conversation::{Conversation, FULL_BYTES, HUNGRY_BYTES, Received};
use ctsync::time::{Duration, Instant};

/// The most that one step writes.
const TEXT_MAX: usize = 255 * 1021;

/// Reads the bytes as a script of what client and daemon do, two or more bytes a step.
///
/// The request is the first four bytes that the client sends. Every byte of the answer comes out once and in order. The
/// buffer keeps its bound, and a client that does nothing has a deadline.
///
/// # Panics
///
/// If that does not hold.
pub fn control_request(script: &[u8]) {
    let mut now = Instant(0);
    let mut conversation = Conversation::new(now);
    let (mut sent_by_client, mut request) = (Vec::new(), None);
    let (mut written, mut taken, mut is_finished) = (0_usize, 0_usize, false);
    let mut rest = script;
    while let [step, amount, behind @ ..] = rest {
        rest = behind;
        let amount = usize::from(*amount);
        match step % 5 {
            0 => {
                let (bytes, behind) = rest.split_at(amount.min(rest.len()));
                rest = behind;
                let place = conversation.missing();
                let count = bytes.len().min(place.len());
                place[..count].copy_from_slice(&bytes[..count]);
                sent_by_client.extend_from_slice(&bytes[..count]);
                if let Received::Request(code) = conversation.received(count) {
                    assert_eq!(request.replace(code), None);
                }
            }
            1 => {
                let room = conversation.room();
                if let Some(writer) = conversation.writer() {
                    assert!(room > 0);
                    writer.extend_from_slice(pattern(written, amount * 1021));
                    written += amount * 1021;
                }
            }
            2 => {
                let pending = conversation.pending();
                let count = pending.len() * amount / 255;
                assert!(pending[..count] == *pattern(taken, count));
                taken += count;
                conversation.sent(now, count);
                let waits = !conversation.pending().is_empty();
                assert_eq!(conversation.deadline().is_some(), waits || request.is_none());
            }
            3 => {
                conversation.finish();
                is_finished |= request.is_some();
            }
            _ => now = now.after(Duration::from_secs(u32::try_from(amount).unwrap_or_default())),
        }
        check(&conversation, request, &sent_by_client);
        assert_eq!(conversation.pending().len(), written - taken);
        assert_eq!(conversation.is_over(), is_finished && written == taken);
        if conversation.deadline().is_some_and(|deadline| deadline <= now) {
            return;
        }
    }
}

/// Some of an endless text that repeats itself after a prime number of bytes.
fn pattern(at: usize, len: usize) -> &'static [u8] {
    const PERIOD: usize = 4093;
    static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let byte = |at: usize| (at % PERIOD).to_le_bytes()[0];
        (0..PERIOD + FULL_BYTES + TEXT_MAX).map(byte).collect()
    });
    &TEXT[at % PERIOD..][..len]
}

fn check(conversation: &Conversation, request: Option<i32>, sent: &[u8]) {
    assert_eq!(conversation.is_asking(), request.is_none());
    if let Some(code) = request {
        assert_eq!(sent, code.to_ne_bytes());
        if let Some(request) = Request::from_code(code) {
            assert_eq!(request.code(), code);
        }
    } else {
        assert!(sent.len() < 4 && conversation.deadline().is_some());
    }
    let pending = conversation.pending().len();
    assert!(pending < FULL_BYTES + TEXT_MAX);
    assert!(pending + conversation.room() <= FULL_BYTES.max(pending));
    assert!(!conversation.is_hungry() || pending < HUNGRY_BYTES);
}

/// Each request, in one piece and in two, with an answer that is longer than a buffer.
pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let codes = Request::ALL.into_iter().map(Request::code).chain([-1, 999]);
    let seed = |code: i32| {
        let [a, b, c, d] = code.to_ne_bytes();
        let whole = [0, 4, a, b, c, d].to_vec();
        let parts = [0, 1, a, 4, 9, 0, 9, b, c, d, 5, 6].to_vec();
        let answer = [1, 200, 2, 0, 1, 255, 2, 128, 4, 59, 2, 255, 1, 3, 3, 0, 2, 255];
        [whole, parts].map(|mut script| {
            script.extend(answer);
            script
        })
    };
    let named = codes.flat_map(|code| {
        let [whole, parts] = seed(code);
        [(format!("whole-{code}"), whole), (format!("parts-{code}"), parts)]
    });
    named.collect()
}
