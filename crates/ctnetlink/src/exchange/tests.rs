use super::{Exchange, ExchangeError, Expects, Reply};
use crate::KernelError;
use crate::wire::{MessageFlags, MessageHeader, MessageWriter, NetfilterHeader, Sequence, control};

const SEQUENCE: Sequence = Sequence(7);

fn data(sequence: Sequence, flags: MessageFlags) -> Vec<u8> {
    let mut out = Vec::new();
    let header = MessageHeader { kind: 0x0100, flags, sequence, port_id: 1 };
    MessageWriter::begin(&mut out, header, NetfilterHeader::default()).finish();
    out
}

fn control(kind: u16, flags: MessageFlags, body: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.bits().to_ne_bytes());
    out.extend_from_slice(&SEQUENCE.0.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(body);
    out
}

fn steps(expects: Expects, datagram: &[u8]) -> Vec<Result<&'static str, ExchangeError>> {
    Exchange::new(SEQUENCE, expects)
        .replies(datagram)
        .map(|reply| {
            reply.map(|reply| match reply {
                Reply::Message(_) => "message",
                Reply::End { interrupted: false } => "end",
                Reply::End { interrupted: true } => "interrupted end",
            })
        })
        .collect()
}

fn refused(errno: i32) -> ExchangeError {
    KernelError { errno, message: None, offset: None }.into()
}

#[test]
fn a_dump_ends_with_done_and_nothing_after_it_counts() {
    let none = MessageFlags::empty();
    let datagram = [
        data(SEQUENCE, MessageFlags::MULTI),
        data(Sequence(6), none),
        control(control::NOOP, none, &[]),
        control(control::DONE, none, &[0; 4]),
        data(SEQUENCE, none),
    ]
    .concat();
    assert_eq!(steps(Expects::Dump, &datagram), [Ok("message"), Ok("end")]);
}

#[test]
fn a_dump_that_fails_half_way_is_an_error() {
    let done = control(control::DONE, MessageFlags::empty(), &(-12i32).to_ne_bytes());
    let datagram = [data(SEQUENCE, MessageFlags::MULTI), done].concat();
    assert_eq!(steps(Expects::Dump, &datagram), [Ok("message"), Err(refused(12))]);
}

#[test]
fn an_interruption_is_reported_wherever_the_flag_stands() {
    let (none, interrupted) = (MessageFlags::empty(), MessageFlags::DUMP_INTR);
    for (first, last) in [(interrupted, none), (none, interrupted)] {
        let datagram = [data(SEQUENCE, first), control(control::DONE, last, &[0; 4])].concat();
        assert_eq!(steps(Expects::Dump, &datagram), [Ok("message"), Ok("interrupted end")]);
    }
}

#[test]
fn a_refusal_names_errno_text_and_offset() {
    let echoed = control(1, MessageFlags::empty(), &[]);
    let mut body = (-34i32).to_ne_bytes().to_vec();
    body.extend_from_slice(&echoed);
    body.extend_from_slice(&[&[8, 0, 1, 0], b"bad\0".as_slice(), &[8, 0, 2, 0]].concat());
    body.extend_from_slice(&124u32.to_ne_bytes());
    let flags = MessageFlags::ACK_TLVS | MessageFlags::CAPPED;
    let error = KernelError { errno: 34, message: Some("bad".into()), offset: Some(124) };
    let datagram = control(control::ERROR, flags, &body);
    assert_eq!(steps(Expects::Acknowledgement, &datagram), [Err(error.into())]);
}

#[test]
fn an_acknowledgement_ends_and_a_short_error_message_is_malformed() {
    let request = control(0x0100, MessageFlags::empty(), &[]);
    let body = [[0u8; 4].as_slice(), &request].concat();
    let datagram = control(control::ERROR, MessageFlags::CAPPED, &body);
    assert_eq!(steps(Expects::Acknowledgement, &datagram), [Ok("end")]);
    let short = control(control::ERROR, MessageFlags::empty(), &[0; 4]);
    assert!(matches!(steps(Expects::Acknowledgement, &short)[..], [Err(ExchangeError::Decode(_))]));
}

#[test]
fn lost_replies_are_an_error() {
    let datagram = control(control::OVERRUN, MessageFlags::empty(), &[]);
    assert_eq!(steps(Expects::Dump, &datagram), [Err(ExchangeError::Overrun)]);
}
