//! What goes to the kernel, read; what comes from it, written.

use ctnetlink::wire::{
    MessageFlags, MessageHeader, MessageKind, MessageWriter, Messages, NetfilterHeader, RawMessage,
    Sequence, Subsystem, control,
};
use ctnetlink::{
    ExpectationRequest, FlowAttributes, FlowRequest, Request, encode_expectation, encode_flow,
};
use flow::{Expectation, Flow, PerDirection};

const HEADER_LEN: usize = 16;

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ask {
    DumpFlows,
    DumpAndZero,
    DumpDying,
    DumpUnconfirmed,
    GetFlow,
    PutFlow,
    DeleteFlow,
    FlushFlows,
    TableStatistics,
    CpuStatistics,
    DumpExpectations,
    GetExpectation,
    PutExpectation,
    DeleteExpectation,
    FlushExpectations,
    ExpectationStatistics,
    DumpRules,
}

/// A request that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Which socket it went through, counted from 0.
    pub(crate) socket: usize,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn message(&self) -> RawMessage<'_> {
        let mut messages = Messages::new(&self.bytes);
        let message = messages.next().unwrap().unwrap();
        assert!(messages.next().is_none(), "one request at a time");
        message
    }

    pub(crate) fn flags(&self) -> MessageFlags {
        self.message().header.flags
    }

    pub(crate) fn sequence(&self) -> Sequence {
        self.message().header.sequence
    }

    pub(crate) fn netfilter(&self) -> NetfilterHeader {
        self.message().netfilter_header().unwrap()
    }

    pub(crate) fn ask(&self) -> Ask {
        let message = self.message();
        let dump = message.header.flags.contains(MessageFlags::DUMP);
        let MessageKind { subsystem, message: number } = message.header.kind.into();
        let is_bare = message.body.len() == 4;
        match (subsystem, number) {
            (Subsystem::CONNTRACK, 0) => Ask::PutFlow,
            (Subsystem::CONNTRACK, 1) if dump => Ask::DumpFlows,
            (Subsystem::CONNTRACK, 1) => Ask::GetFlow,
            (Subsystem::CONNTRACK, 2) if is_bare => Ask::FlushFlows,
            (Subsystem::CONNTRACK, 2) => Ask::DeleteFlow,
            (Subsystem::CONNTRACK, 3) => Ask::DumpAndZero,
            (Subsystem::CONNTRACK, 4) => Ask::CpuStatistics,
            (Subsystem::CONNTRACK, 5) => Ask::TableStatistics,
            (Subsystem::CONNTRACK, 6) => Ask::DumpDying,
            (Subsystem::CONNTRACK, 7) => Ask::DumpUnconfirmed,
            (Subsystem::EXPECT, 0) => Ask::PutExpectation,
            (Subsystem::EXPECT, 1) if dump => Ask::DumpExpectations,
            (Subsystem::EXPECT, 1) => Ask::GetExpectation,
            (Subsystem::EXPECT, 2) if is_bare => Ask::FlushExpectations,
            (Subsystem::EXPECT, 2) => Ask::DeleteExpectation,
            (Subsystem::EXPECT, 3) => Ask::ExpectationStatistics,
            (Subsystem::NFTABLES, 7) => Ask::DumpRules,
            other => panic!("a request that the program has no reason to send: {other:?}"),
        }
    }

    /// All that a request about a flow says, but for its flags.
    pub(crate) fn flow_request(&self) -> FlowRequest {
        let attributes = FlowAttributes::parse(self.message().body).unwrap();
        assert_eq!(attributes.status_mask(), None, "a filter in a request about one flow");
        FlowRequest {
            family: attributes.family(),
            tuples: PerDirection::from_fn(|d| attributes.partial_tuple(d).unwrap_or_default()),
            tuple_zones: PerDirection::from_fn(|d| attributes.tuple_zone(d)),
            zone: attributes.zone(),
            status: attributes.status(),
            timeout_s: attributes.timeout_s(),
            mark: attributes.mark(),
            mark_mask: attributes.mark_mask(),
            protoinfo: attributes.protoinfo(),
            helper: attributes.helper().map(|name| name.try_into().unwrap()),
            master: attributes.partial_master(),
            nat_src: attributes.nat_src(),
            nat_dst: attributes.nat_dst(),
            labels: attributes.labels(),
            labels_mask: attributes.labels_mask(),
            sequence_adjustment: PerDirection::from_fn(|d| attributes.sequence_adjustment(d)),
            synproxy: attributes.synproxy(),
            id: attributes.id(),
        }
    }
}

/// The bytes of a request, to compare one with that was sent.
pub(crate) fn request(request: &Request<'_>, sequence: Sequence) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode(sequence, &mut out);
    out
}

/// One message of an answer.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a test writes a few of them down")]
pub(crate) enum Part {
    Flow(Flow),
    Expectation(Expectation),
    /// Type and all behind the netlink header.
    Content(u16, Vec<u8>),
    Acknowledgement,
    Refusal(i32),
    /// The end of a dump with this errno, 0 for none.
    Done(i32),
    Noop,
    Overrun,
}

/// One result of receiving.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Datagram(Vec<Part>),
    /// All messages say that the dump was disturbed.
    Interrupted(Vec<Part>),
    /// The answer to another request.
    OfAnother(Vec<Part>),
    /// The last bytes are missing.
    Cut(Vec<Part>, usize),
    /// A datagram of this length, whatever is in it.
    Long(usize),
    /// The socket fails.
    Errno(i32),
}

impl Step {
    /// Whether it only says that something was done, which is said on demand.
    pub(super) fn is_acknowledgement(&self) -> bool {
        matches!(self, Self::Datagram(parts) if matches!(parts.as_slice(), [Part::Acknowledgement]))
    }
}

impl Part {
    pub(crate) fn encode(&self, sent: &Sent, flags: MessageFlags, sequence: Sequence) -> Vec<u8> {
        let (kind, content) = match self {
            Self::Flow(flow) => (0x0100, flow_content(flow)),
            Self::Expectation(expectation) => (0x0200, expectation_content(expectation)),
            Self::Content(kind, content) => (*kind, content.clone()),
            Self::Acknowledgement => (control::ERROR, refusal_content(0, sent)),
            Self::Refusal(errno) => (control::ERROR, refusal_content(*errno, sent)),
            Self::Done(errno) => (control::DONE, (-*errno).to_ne_bytes().to_vec()),
            Self::Noop => (control::NOOP, vec![0; 4]),
            Self::Overrun => (control::OVERRUN, vec![0; 4]),
        };
        // An end says `MULTI` too; only an error message does not.
        let flags = if kind == control::ERROR { MessageFlags::empty() } else { flags };
        message(kind, flags, sequence, 77, &content)
    }
}

fn message(
    kind: u16,
    flags: MessageFlags,
    sequence: Sequence,
    port_id: u32,
    content: &[u8],
) -> Vec<u8> {
    let len = u32::try_from(HEADER_LEN + content.len()).unwrap();
    let mut out = len.to_ne_bytes().to_vec();
    out.extend(kind.to_ne_bytes());
    out.extend(flags.bits().to_ne_bytes());
    out.extend(sequence.0.to_ne_bytes());
    out.extend(port_id.to_ne_bytes());
    out.extend(content);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn refusal_content(errno: i32, sent: &Sent) -> Vec<u8> {
    [&(-errno).to_ne_bytes(), sent.bytes.as_slice()].concat()
}

/// An event as the kernel sends it: NEW by `CREATE`, UPDATE without it, DESTROY by its type.
pub(crate) fn event(kind: u16, flags: MessageFlags, port_id: u32, content: &[u8]) -> Vec<u8> {
    message(kind, flags, Sequence(0), port_id, content)
}

/// A flow behind the netlink header.
pub(crate) fn flow_content(flow: &Flow) -> Vec<u8> {
    flow_content_with(flow, |_| {})
}

/// The same with more attributes.
pub(crate) fn flow_content_with(flow: &Flow, more: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    content(flow.tuples.original.addresses.family().number(), |out| {
        encode_flow(out, flow);
        more(out);
    })
}

fn expectation_content(expectation: &Expectation) -> Vec<u8> {
    content(expectation.tuple.addresses.family().number(), |out| {
        encode_expectation(out, &ExpectationRequest::from(expectation));
    })
}

fn content(family: u8, write: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
    let header =
        MessageHeader { kind: 0, flags: MessageFlags::empty(), sequence: Sequence(0), port_id: 0 };
    let mut out = Vec::new();
    let mut writer = MessageWriter::begin(
        &mut out,
        header,
        NetfilterHeader { family, ..NetfilterHeader::default() },
    );
    write(&mut writer);
    writer.finish();
    out.split_off(HEADER_LEN)
}
