//! The captured messages of `conformance/vectors/ctnetlink`, decoded and encoded by this library.
//!
//! Decoding: a tree of the library's values must be equal to the tree of the vector, so an attribute that the library
//! does not offer fails here. Encoding: a request that is built from its tree must have the captured bytes. Each test
//! asserts how many vectors it has seen, so that none is passed over.
//!
//! The modules are for tests only, and say so because the lints for tests depend on it.

#[cfg(test)]
mod case;
#[cfg(test)]
mod names;
#[cfg(test)]
mod request;
#[cfg(test)]
mod tree;

use std::collections::BTreeMap;

use case::{Case, Class};
use ctnetlink::wire::{
    Attributes, MessageFlags, MessageHeader, MessageWriter, NETFILTER_HEADER_LEN, Refusal,
};
use ctnetlink::{
    DecodeError, Exchange, ExchangeError, ExpectationAttributes, ExpectationRequest, Expects,
    FlowAttributes, FlowView, KernelError, Reply, encode_expectation, encode_flow,
};

#[test]
fn every_vector_has_a_class() {
    let mut counts = BTreeMap::new();
    for case in case::all() {
        *counts.entry((case.class, case.kind)).or_insert(0) += 1;
    }
    let expected = [
        (("flow", "request"), 21),
        (("flow", "reply"), 53),
        (("flow", "event"), 78),
        (("malformed flow", "request"), 2),
        (("expectation", "request"), 2),
        (("expectation", "reply"), 2),
        (("expectation", "event"), 12),
        (("timeout policy", "request"), 1),
        (("timeout policy", "reply"), 9),
        (("CPU statistics", "reply"), 2),
        (("table statistics", "reply"), 1),
        (("expectation statistics", "reply"), 2),
        (("refusal", "reply"), 14),
        (("end of a dump", "reply"), 1),
        (("unknown subsystem", "request"), 1),
    ];
    let counts: BTreeMap<_, _> = counts
        .iter()
        .map(|((class, kind), count)| ((class.name(), kind.as_str()), *count))
        .collect();
    assert_eq!(counts, expected.into());
    assert_eq!(counts.values().sum::<u32>(), 201);
}

#[test]
fn decoded_values_make_the_tree_of_the_vector() {
    let mut checked = 0;
    for case in case::all() {
        if case.class == Class::MalformedFlow {
            continue;
        }
        assert_eq!(tree::of(case.class, &case.bytes), case.decoded, "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 199);
}

#[test]
fn attributes_come_in_the_order_of_the_message() {
    let (mut cases, mut attributes) = (0, 0);
    for case in case::all() {
        let Some(names) = names::attributes(case.class) else {
            continue;
        };
        let message = case.message();
        let body = &message.body[NETFILTER_HEADER_LEN..];
        let found: Vec<&str> = Attributes::new(body, NETFILTER_HEADER_LEN)
            .map(|attribute| names[usize::from(attribute.unwrap().kind)])
            .collect();
        assert_eq!(found, case.attribute_order, "{}", case.name);
        cases += 1;
        attributes += found.len();
    }
    assert_eq!(cases, 185);
    assert_eq!(attributes, 1332);
}

#[test]
fn flows_survive_being_copied_and_written() {
    let (mut copied, mut same_bytes) = (0, 0);
    for case in case::all() {
        if case.class != Class::Flow || case.kind == "request" {
            continue;
        }
        let message = case.message();
        let flow = FlowView::parse(message.body).unwrap().to_flow();
        let written = rewritten(&case, |out| encode_flow(out, &flow));
        let again = Case::message_of(&written);
        assert_eq!(FlowView::parse(again.body).unwrap().to_flow(), flow, "{}", case.name);
        assert_eq!(tree::of(case.class, &written), case.decoded, "{}", case.name);
        // Events have another order of attributes than dumps.
        if case.kind == "reply" {
            assert_eq!(written, case.bytes, "{}", case.name);
            same_bytes += 1;
        }
        copied += 1;
    }
    assert_eq!((copied, same_bytes), (131, 53));
}

#[test]
fn expectations_survive_being_copied_and_written() {
    let mut copied = 0;
    for case in case::all() {
        if case.class != Class::Expectation {
            continue;
        }
        let parse = |body| ExpectationAttributes::parse(body)?.to_expectation();
        let expectation = parse(case.message().body).unwrap();
        let request = ExpectationRequest::from(&expectation);
        let written = rewritten(&case, |out| encode_expectation(out, &request));
        let again = Case::message_of(&written);
        assert_eq!(parse(again.body), Ok(expectation), "{}", case.name);
        copied += 1;
    }
    assert_eq!(copied, 16);
}

/// A message with the headers of the case and the attributes that `content` writes.
fn rewritten(case: &Case, content: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let (header, netfilter) = case.headers();
    let mut writer = MessageWriter::begin(&mut out, header, netfilter);
    content(&mut writer);
    writer.finish();
    out
}

#[test]
fn malformed_requests_fail_where_the_kernel_says() {
    let cases = case::all();
    let mut checked = 0;
    for case in &cases {
        if case.class != Class::MalformedFlow {
            continue;
        }
        let answer = case::named(&cases, &case.name.replace("req-", "err-"));
        let refusal = Refusal::parse(&answer.message()).unwrap().error().unwrap();
        // The kernel counts from the message header, this library from the body.
        let at = usize::try_from(refusal.offset.unwrap()).unwrap() - 16;
        assert_eq!(
            FlowAttributes::parse(case.message().body).unwrap_err(),
            DecodeError::Length { attribute: "CTA_MARK", at, len: 2, expected: "4" }
        );
        checked += 1;
    }
    assert_eq!(checked, 2);
}

#[test]
fn refusals_echo_their_requests() {
    let cases = case::all();
    let (mut whole, mut capped) = (0, 0);
    for case in &cases {
        if case.class != Class::Refusal || !case.name.starts_with("err-") {
            continue;
        }
        let message = case.message();
        let refusal = Refusal::parse(&message).unwrap();
        let request = &case::named(&cases, &case.name.replace("err-", "req-")).bytes;
        assert_eq!(refusal.request, &request[..refusal.request.len()]);
        let is_capped = message.header.flags.contains(MessageFlags::CAPPED);
        let echoed = refusal.echoed().map(|request| request.header);
        assert_eq!(echoed.is_none(), is_capped, "{}", case.name);
        if is_capped {
            assert_eq!(refusal.request.len(), 16, "{}", case.name);
            capped += 1;
        } else {
            assert_eq!(refusal.request.len(), request.len(), "{}", case.name);
            whole += 1;
        }
    }
    assert_eq!((whole, capped), (10, 2));
}

#[test]
fn replies_end_an_exchange_as_the_kernel_means_them() {
    let mut checked = 0;
    for case in case::all() {
        if case.kind != "reply" {
            continue;
        }
        let message = case.message();
        let sequence = message.header.sequence;
        let expects = match case.class {
            Class::Refusal => Expects::Acknowledgement,
            Class::DumpEnd => Expects::Dump,
            _ => Expects::Message,
        };
        let mut exchange = Exchange::new(sequence, expects);
        let steps: Vec<_> = exchange.replies(&case.bytes).collect();
        let errno = case.decoded.get("error").map(|error| -error.as_i64().unwrap());
        let expected = match errno {
            None => Ok(Reply::Message(message)),
            Some(0) => Ok(Reply::End { interrupted: false }),
            Some(errno) => Err(errno),
        };
        let found = match steps.as_slice() {
            [Ok(reply)] => Ok(*reply),
            [Err(ExchangeError::Kernel(KernelError { errno, .. }))] => Err(i64::from(*errno)),
            other => panic!("{}: {other:?}", case.name),
        };
        assert_eq!(found, expected, "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 84);
}

#[test]
fn requests_have_the_captured_bytes() {
    let (mut exact, mut acknowledged, mut raw) = (0, 0, 0);
    for case in case::all() {
        if case.kind != "request" {
            continue;
        }
        let (header, netfilter) = case.headers();
        let written = match case.class {
            // Not to be had from a typed request, by intention.
            Class::MalformedFlow | Class::UnknownSubsystem => {
                raw += 1;
                rewritten(&case, |out| request::write_raw(out, &case.decoded["attrs"]))
            }
            _ => {
                let mut typed = request::encode(&case, header.sequence);
                let flags = Case::message_of(&typed).header.flags;
                if flags == header.flags {
                    exact += 1;
                } else {
                    // The captures of refused gets and dumps asked for an acknowledgement, which no typed request does.
                    assert_eq!(flags | MessageFlags::ACK, header.flags, "{}", case.name);
                    let flags = header.flags.bits().to_ne_bytes();
                    typed[6..8].copy_from_slice(&flags);
                    acknowledged += 1;
                }
                typed
            }
        };
        assert_eq!(netfilter.version, 0, "{}", case.name);
        assert_eq!(tree::hex(&written), tree::hex(&case.bytes), "{}", case.name);
        assert!(matches!(header, MessageHeader { port_id: 0, .. }));
    }
    assert_eq!((exact, acknowledged, raw), (22, 2, 3));
}
