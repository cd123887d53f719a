//! A table of flows that answers as the kernel does, as far as the program can tell.

use ctnetlink::FlowRequest;
use ctnetlink::wire::MessageFlags;
use flow::{Expectation, Flow, FlowId, Labels, PartialTuple};

use super::message::{Ask, Part, Sent, Step};
use super::{EEXIST, ENOENT};

#[derive(Default)]
pub(crate) struct Table {
    /// What is said of their number.
    pub(crate) said_entries: Option<u32>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) expectations: Vec<Expectation>,
}

impl Table {
    pub(crate) fn answer(&mut self, sent: &Sent) -> Vec<Step> {
        match sent.ask() {
            // A family is heeded by every kernel. All other conditions are passed over, as an old one does.
            Ask::DumpFlows | Ask::DumpAndZero => {
                let family = sent.netfilter().family;
                let is_wanted = |flow: &&Flow| {
                    [0, flow.tuples.original.addresses.family().number()].contains(&family)
                };
                dump(self.flows.iter().filter(is_wanted).cloned().map(Part::Flow))
            }
            Ask::DumpExpectations => dump(self.expectations.iter().cloned().map(Part::Expectation)),
            Ask::DumpDying
            | Ask::DumpUnconfirmed
            | Ask::DumpRules
            | Ask::CpuStatistics
            | Ask::ExpectationStatistics => dump([]),
            Ask::GetFlow => {
                let found = self.find(&sent.flow_request());
                one(found.map_or(Part::Refusal(ENOENT), |at| Part::Flow(self.flows[at].clone())))
            }
            Ask::PutFlow => one(self.put(&sent.flow_request(), sent.flags())),
            Ask::DeleteFlow => {
                let found = self.find(&sent.flow_request());
                one(acknowledge(found.map(|at| self.flows.remove(at))))
            }
            Ask::FlushFlows => {
                self.flows.clear();
                one(Part::Acknowledgement)
            }
            Ask::TableStatistics => {
                let entries = u32::try_from(self.flows.len()).unwrap();
                let entries = self.said_entries.unwrap_or(entries);
                one(Part::Content(0x0105, statistics(entries)))
            }
            Ask::GetExpectation => {
                let found = self.expectations.first().cloned();
                one(found.map_or(Part::Refusal(ENOENT), Part::Expectation))
            }
            Ask::PutExpectation | Ask::DeleteExpectation | Ask::FlushExpectations => {
                one(Part::Acknowledgement)
            }
        }
    }

    /// By the original tuple in its zone, and the id if one is named.
    fn find(&self, request: &FlowRequest) -> Option<usize> {
        self.flows.iter().position(|flow| {
            request.tuples.original == PartialTuple::from(flow.tuples.original)
                && request.zone.unwrap_or_default() == flow.zone.unwrap_or_default()
                && request.tuple_zones == flow.tuple_zones
                && request.id.is_none_or(|id| flow.id == Some(id))
        })
    }

    fn put(&mut self, request: &FlowRequest, flags: MessageFlags) -> Part {
        match self.find(request) {
            Some(_) if flags.contains(MessageFlags::EXCL) => Part::Refusal(EEXIST),
            None if !flags.contains(MessageFlags::CREATE) => Part::Refusal(ENOENT),
            Some(at) => {
                change(&mut self.flows[at], request);
                Part::Acknowledgement
            }
            None => {
                let whole = request.tuples.map(|tuple| tuple.complete().unwrap());
                let mut flow = Flow::new(whole);
                flow.zone = request.zone;
                flow.tuple_zones = request.tuple_zones;
                flow.id = Some(FlowId(u32::try_from(self.flows.len()).unwrap()));
                change(&mut flow, request);
                self.flows.push(flow);
                Part::Acknowledgement
            }
        }
    }
}

fn change(flow: &mut Flow, request: &FlowRequest) {
    flow.status = request.status.or(flow.status);
    flow.timeout_s = request.timeout_s.or(flow.timeout_s);
    flow.mark = request.mark.or(flow.mark);
    flow.protoinfo = request.protoinfo.or(flow.protoinfo);
    if let Some(new) = &request.labels {
        let old = flow.labels.clone().unwrap_or_default();
        let kept: Vec<u32> = match &request.labels_mask {
            Some(mask) => old.bits().filter(|bit| !mask.has(*bit)).collect(),
            None => Vec::new(),
        };
        flow.labels = Some(Labels::from_bits(kept.into_iter().chain(new.bits())));
    }
}

/// Two messages a datagram, the end in one of its own.
fn dump(parts: impl IntoIterator<Item = Part>) -> Vec<Step> {
    let parts: Vec<Part> = parts.into_iter().collect();
    let datagrams = parts.chunks(2).map(|pair| Step::Datagram(pair.to_vec()));
    datagrams.chain(one(Part::Done(0))).collect()
}

fn one(part: Part) -> Vec<Step> {
    vec![Step::Datagram(vec![part])]
}

fn acknowledge<T>(done: Option<T>) -> Part {
    done.map_or(Part::Refusal(ENOENT), |_| Part::Acknowledgement)
}

/// `CTA_STATS_GLOBAL_ENTRIES`.
fn statistics(entries: u32) -> Vec<u8> {
    [&[0, 0, 0, 0, 8, 0, 1, 0], entries.to_be_bytes().as_slice()].concat()
}
