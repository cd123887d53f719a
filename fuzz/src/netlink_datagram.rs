//! The receive path: a datagram, its messages, what each subsystem reads in them, and the exchanges that they end.

use std::io;

use ctnetlink::client::{Client, ClientError, Transport};
use ctnetlink::wire::{Attributes, Messages, RawMessage, Refusal, Sequence};
use ctnetlink::{
    CpuStatistics, DumpFilter, Exchange, ExchangeError, ExpectationAttributes, ExpectationRequest,
    ExpectationStatistics, Expects, FlowAttributes, HelperAttributes, Reply, Request,
    TableStatistics, TimeoutPolicyAttributes,
};
use flow::Direction;

use crate::flow_message;

/// Reads the bytes as a datagram of the kernel.
///
/// Messages lie within the datagram; every parser takes every message; an exchange takes at most one step a message and
/// none after its end.
///
/// # Panics
///
/// If that does not hold.
pub fn netlink_datagram(datagram: &[u8]) {
    let mut total = 0;
    let mut sequence = Sequence(0);
    for (position, message) in Messages::new(datagram).enumerate() {
        match message {
            Ok(message) => {
                total += 16 + message.body.len();
                if position == 0 {
                    sequence = message.header.sequence;
                }
                read(&message);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    assert!(total <= datagram.len());
    for expects in [Expects::Acknowledgement, Expects::Message, Expects::Dump] {
        exchange(Exchange::new(sequence, expects), datagram);
    }
    client(sequence, datagram);
}

fn read(message: &RawMessage<'_>) {
    attributes(message.body, 0);
    flow_message(message.body);
    if let Ok(flow) = FlowAttributes::parse(message.body) {
        requested(&flow);
    }
    if let Ok(refusal) = Refusal::parse(message) {
        if let Some(error) = refusal.error() {
            assert!(error.errno > 0 && !error.to_string().is_empty());
        }
        let echoed = refusal.echoed();
        assert!(echoed.is_none_or(|request| request.body.len() + 16 <= refusal.request.len()));
    }
    if let Ok(statistics) = CpuStatistics::parse(message) {
        assert!(statistics.counters().count() <= 19);
    }
    if let Ok(statistics) = ExpectationStatistics::parse(message) {
        assert!(statistics.counters().count() <= 3);
    }
    let _ = TableStatistics::parse(message.body);
    if let Ok(policy) = TimeoutPolicyAttributes::parse(message.body) {
        assert!(policy.name().is_none_or(|name| name.len() <= 31));
        let _ = (policy.layer3(), policy.protocol(), policy.use_count());
        assert!(policy.timeouts_s().count() < 16);
    }
    if let Ok(helper) = HelperAttributes::parse(message.body) {
        assert!(helper.name().is_none_or(|name| name.len() <= 15));
        let _ = (helper.layer3(), helper.protocol(), helper.queue(), helper.status());
        assert!(helper.private_data_len().is_none() || message.body.len() > 8);
        assert!(helper.policies().count() <= 4);
    }
    expectation(message);
}

/// The attributes lie one behind the other within the bytes.
fn attributes(bytes: &[u8], first: usize) {
    let mut at = first;
    for attribute in Attributes::new(bytes, first).map_while(Result::ok) {
        assert_eq!(attribute.at, at);
        at = (attribute.payload_at() + attribute.payload.len()).next_multiple_of(4);
    }
    assert!(at <= (first + bytes.len()).next_multiple_of(4));
}

/// What only requests have.
fn requested(flow: &FlowAttributes<'_>) {
    for direction in Direction::BOTH {
        let _ = flow.partial_tuple(direction).map(|tuple| tuple.complete());
    }
    let _ = (flow.family(), flow.partial_master(), flow.nat_src(), flow.nat_dst());
    let _ = (flow.mark_mask(), flow.status_mask(), flow.labels_mask(), flow.filter_flags());
}

/// An expectation that was read can be written and read again.
fn expectation(message: &RawMessage<'_>) {
    let parse = |body| ExpectationAttributes::parse(body)?.to_expectation();
    let Ok(expectation) = parse(message.body) else {
        return;
    };
    let request = ExpectationRequest::from(&expectation);
    let mut written = Vec::new();
    Request::DeleteExpectation(&request).encode(Sequence(0), &mut written);
    let again = Messages::new(&written).next().expect("one message was written");
    let again = again.expect("its length is right");
    assert_eq!(parse(again.body), Ok(expectation));
}

fn exchange(mut exchange: Exchange, datagram: &[u8]) {
    let mut steps = exchange.replies(datagram);
    let mut ended = false;
    for step in steps.by_ref().take(datagram.len() / 16 + 1) {
        assert!(!ended, "a step after the end");
        ended = match step {
            Ok(Reply::Message(_)) => false,
            Ok(Reply::End { .. }) => true,
            Err(error) => {
                let refused = matches!(&error, ExchangeError::Kernel(e) if e.errno <= 0);
                assert!(!refused && !error.to_string().is_empty());
                true
            }
        };
    }
    assert!(steps.next().is_none());
    assert!(!ended || exchange.replies(datagram).next().is_none());
}

/// A kernel that has this to say, and then nothing more.
struct Once<'a>(Option<&'a [u8]>);

impl Transport for Once<'_> {
    fn send(&mut self, _request: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.0.take().ok_or(io::ErrorKind::UnexpectedEof)?;
        for (to, from) in buffer.iter_mut().zip(datagram) {
            *to = *from;
        }
        Ok(datagram.len())
    }
}

fn client(sequence: Sequence, datagram: &[u8]) {
    let new = || Client::new(Once(Some(datagram)), sequence);
    let filter = DumpFilter::default();
    let dump = Request::DumpFlows { filter: &filter, zero: false };
    let mut count = 0;
    let outcome: Result<_, ClientError> = new().dump(&dump, |message| {
        count += 16 + message.body.len();
        Ok(())
    });
    assert!(count <= datagram.len());
    if let Err(error) = outcome {
        assert!(!error.to_string().is_empty());
    }
    let _ = new().fetch(&Request::TableStatistics, |message| TableStatistics::parse(message.body));
    let flush = Request::FlushExpectations(None);
    let _ = new().execute(&flush);
}
