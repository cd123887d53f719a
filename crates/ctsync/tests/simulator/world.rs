//! Two nodes, a link between them that does what links do, and made-up time. A run is repeated from its seed.

use std::collections::BTreeMap;

use ctsync::time::{Duration, Instant};
use ctsync::wire::{Carrier, DatagramLimit, Record};
use ctsync::{
    CacheName, Config, Event, LinkId, ModeConfig, Node, Notice, Origin, Output, Request, Sending,
    Sequence, Subject, Which,
};
use flow::{
    AddressPair, EventKind, Flow, L4Key, Mark, PerDirection, Ports, Protocol, Status, Tuple,
};

/// splitmix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What the link does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) loss: u64,
    pub(crate) duplicates: u64,
    pub(crate) delay_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) node: Option<Node>,
    pub(crate) kernel: BTreeMap<u16, Flow>,
    config: Config,
    back_at: Option<Instant>,
    dumping: Option<Dumping>,
}

/// A dump of the kernel's table in progress: the part that was filled when the one before was read.
#[derive(Debug)]
struct Dumping {
    filled: Vec<Flow>,
    next: u16,
}

/// Flows of a part, by their numbers, and numbers of all flows.
const PART: u16 = 4;
const NUMBERS: u16 = 20;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) faults: Faults,
    pub(crate) sides: [Side; 2],
    /// When, to whom, what.
    flying: Vec<(Instant, usize, Vec<u8>)>,
    /// When the operator of a side, whose peer was started again, drops its flows and asks for all: `-f external` and `-n`,
    /// as with upstream's daemon. A node does neither by itself.
    renews: [Option<Instant>; 2],
    pub(crate) sent: u64,
}

pub(crate) fn flow(side: usize, number: u16, mark: u32) -> Flow {
    let original = Tuple {
        addresses: AddressPair::V4 {
            src: [10, u8::try_from(side).unwrap(), 0, 1].into(),
            dst: [192, 0, 2, 1].into(),
        },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: number, dst: 53 }),
    };
    Flow {
        mark: Some(Mark(mark)),
        status: Some(Status::CONFIRMED),
        timeout_s: Some(30),
        ..Flow::new(PerDirection { original, reply: original.inverted() })
    }
}

pub(crate) fn config(mode: ModeConfig, sequence: u32) -> Config {
    Config::new(mode, DatagramLimit::of(1500, Carrier::UdpIpv4), Sequence(sequence), 1)
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults, configs: [Config; 2]) -> Self {
        let now = Instant(0);
        let side = |config: Config| Side {
            node: Some(Node::new(now, config.clone())),
            kernel: BTreeMap::new(),
            config,
            back_at: None,
            dumping: None,
        };
        let sides = configs.map(side);
        Self {
            now,
            random: Random(seed),
            faults,
            sides,
            flying: Vec::new(),
            renews: [None; 2],
            sent: 0,
        }
    }

    /// A change in the kernel of one side.
    pub(crate) fn change(&mut self, side: usize, number: u16, kind: EventKind) {
        let Some((kind, flow)) = self.change_kernel(side, number, kind) else { return };
        if let Some(node) = &mut self.sides[side].node {
            let subject = Subject::Flow(&flow);
            node.on_event(self.now, &Event { kind, origin: Origin::Others, subject });
        }
        // Sometimes several events come in one turn.
        if self.random.chance(70) {
            self.drain(side);
        }
    }

    /// A change whose event is lost: only a dump tells of it.
    pub(crate) fn lose(&mut self, side: usize, number: u16, kind: EventKind) {
        self.change_kernel(side, number, kind);
    }

    fn change_kernel(
        &mut self,
        side: usize,
        number: u16,
        kind: EventKind,
    ) -> Option<(EventKind, Flow)> {
        let mark = u32::try_from(self.random.below(1 << 32)).unwrap();
        let known = self.sides[side].kernel.contains_key(&number);
        let kind = match (kind, known) {
            (EventKind::Destroy, false) | (EventKind::New, true) => return None,
            (EventKind::Update, false) => EventKind::New,
            (kind, _) => kind,
        };
        let flow = flow(side, number, mark);
        if kind == EventKind::Destroy {
            self.sides[side].kernel.remove(&number);
        } else {
            self.sides[side].kernel.insert(number, flow.clone());
        }
        Some((kind, flow))
    }

    /// The daemon asks for a dump of the kernel's table.
    pub(crate) fn begin_dump(&mut self, side: usize) {
        if self.sides[side].node.is_some() {
            self.request(side, Request::DumpBegins(Which::Flows));
            let filled = self.fill(side, 0);
            self.sides[side].dumping = Some(Dumping { filled, next: PART });
        }
    }

    fn fill(&self, side: usize, first: u16) -> Vec<Flow> {
        let part = first..first + PART;
        self.sides[side].kernel.range(part).map(|(_, flow)| flow.clone()).collect()
    }

    /// The daemon reads a part of the dump, upon which the kernel fills the next one. `false` at the end.
    pub(crate) fn read_dump(&mut self, side: usize) -> bool {
        let Some(Dumping { filled, next }) = self.sides[side].dumping.take() else { return false };
        let is_last = next >= NUMBERS;
        if !is_last {
            let filled = self.fill(side, next);
            self.sides[side].dumping = Some(Dumping { filled, next: next + PART });
        }
        let Some(node) = &mut self.sides[side].node else { return false };
        node.on_request(self.now, Request::DumpPart);
        for flow in &filled {
            node.on_dumped_flow(self.now, flow, Origin::Others);
        }
        if is_last {
            node.on_request(self.now, Request::DumpEnds(Origin::Others));
        }
        self.drain(side);
        !is_last
    }

    pub(crate) fn hold(&mut self, side: usize, sending: Sending) {
        if let Some(node) = &mut self.sides[side].node {
            node.hold_sending(sending);
        }
        self.drain(side);
    }

    pub(crate) fn request(&mut self, side: usize, request: Request) {
        self.sides[side].node.as_mut().unwrap().on_request(self.now, request);
        self.drain(side);
    }

    /// The daemon dies, and is started again three seconds later: longer than anything is under way.
    pub(crate) fn restart(&mut self, side: usize) {
        if self.sides[side].node.take().is_some() {
            self.sides[side].dumping = None;
            self.sides[side].back_at = Some(self.now.after(Duration::from_secs(3)));
        }
    }

    pub(crate) fn drain(&mut self, side: usize) {
        let Some(node) = &mut self.sides[side].node else { return };
        while let Some(output) = node.next_output() {
            match output {
                Output::Send(bytes) => {
                    self.sent += 1;
                    let copies = 1 + u64::from(self.random.chance(self.faults.duplicates));
                    for _ in 0..copies {
                        if self.random.chance(self.faults.loss) {
                            continue;
                        }
                        let delay = self.random.below(self.faults.delay_ms * 1_000_000 + 1);
                        let at = self.now.after(Duration(100_000 + delay));
                        self.flying.push((at, 1 - side, bytes.to_vec()));
                    }
                }
                Output::Notice(Notice::BadMessages { first, .. }) => panic!("{first}"),
                Output::Notice(_) | Output::UseLink(_) | Output::Kernel(_) => {}
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn run_until(&mut self, end: Instant) {
        let mut stuck = 0;
        loop {
            let flying = self.flying.iter().map(|(at, ..)| *at);
            let nodes = self.sides.iter().filter_map(|side| match &side.node {
                Some(node) => node.next_deadline(),
                None => side.back_at,
            });
            let operators = self.renews.iter().flatten().copied();
            let Some(next) = flying.chain(nodes).chain(operators).min().filter(|next| *next <= end)
            else {
                break;
            };
            stuck = if next <= self.now { stuck + 1 } else { 0 };
            assert!(stuck < 10_000, "nothing goes on at {:?}", self.now);
            self.now = next.max(self.now);
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        while let Some(index) = self.flying.iter().position(|(at, ..)| *at <= self.now) {
            let (_, side, bytes) = self.flying.swap_remove(index);
            if let Some(node) = &mut self.sides[side].node {
                node.on_datagram(self.now, LinkId(0), &bytes);
                self.drain(side);
            }
        }
        for side in 0..2 {
            if self.renews[side].is_some_and(|at| at <= self.now) {
                self.renews[side] = None;
                self.request(side, Request::FlushExternal);
                self.request(side, Request::Resync);
            }
            if self.sides[side].back_at.is_some_and(|at| at <= self.now) {
                self.start(side);
            }
            if let Some(node) = &mut self.sides[side].node
                && node.next_deadline().is_some_and(|at| at <= self.now)
            {
                node.on_deadline(self.now);
                self.drain(side);
            }
        }
    }

    fn start(&mut self, side: usize) {
        let Side { node, kernel, config, back_at, .. } = &mut self.sides[side];
        *back_at = None;
        let mut config = config.clone();
        config.sequence = Sequence(config.sequence.0.wrapping_add(self.now.seconds()));
        config.startup_resync = true;
        let mut new = Node::new(self.now, config);
        for flow in kernel.values() {
            let subject = Subject::Flow(flow);
            new.on_event(self.now, &Event { kind: EventKind::New, origin: Origin::Own, subject });
        }
        *node = Some(new);
        self.drain(side);
        let after = Duration(self.random.below(2_000_000_000));
        self.renews[1 - side] = Some(self.now.after(after));
    }

    /// What differs between what one side has and the other knows of it.
    pub(crate) fn difference(&self, side: usize) -> Option<String> {
        let (Some(own), Some(peer)) = (&self.sides[side].node, &self.sides[1 - side].node) else {
            return Some("down".into());
        };
        let port = |record: &Record| record.original.key.ports().unwrap().src;
        let internal: BTreeMap<u16, Record> =
            own.records(CacheName::Internal).map(|record| (port(&record), record)).collect();
        let external: BTreeMap<u16, Record> =
            peer.records(CacheName::External).map(|record| (port(&record), record)).collect();
        let marks = |flows: &BTreeMap<u16, Record>| -> BTreeMap<u16, Mark> {
            flows.iter().map(|(number, record)| (*number, record.mark.unwrap())).collect()
        };
        let kernel = &self.sides[side].kernel;
        let truth: BTreeMap<u16, Mark> =
            kernel.iter().map(|(number, flow)| (*number, flow.mark.unwrap())).collect();
        assert_eq!(marks(&internal), truth, "internal cache");
        let missing = internal.keys().filter(|number| !external.contains_key(number)).count();
        let stale = external.keys().filter(|number| !internal.contains_key(number)).count();
        let other =
            internal.iter().filter(|(n, r)| external.get(n).is_some_and(|e| e != *r)).count();
        (missing + stale + other > 0)
            .then(|| format!("missing {missing} stale {stale} other {other}"))
    }

    /// Runs until both agree, and some time longer.
    pub(crate) fn settle(&mut self, most_s: u32) -> Result<(), String> {
        for _ in 0..most_s {
            self.run_until(self.now.after(Duration::from_secs(1)));
            if (0..2).all(|side| self.difference(side).is_none()) {
                self.run_until(self.now.after(Duration::from_secs(4)));
                let difference = (0..2).find_map(|side| self.difference(side));
                return difference
                    .map_or(Ok(()), |difference| Err(format!("broke again: {difference}")));
            }
        }
        Err(format!("{:?} {:?}", self.difference(0), self.difference(1)))
    }
}
