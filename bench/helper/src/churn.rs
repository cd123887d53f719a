//! Changes flows for a while: makes, updates and ends them in batches, at a rate, repeatably from a seed.
//!
//! One flow of the range is picked after another: one that is not there is made, of the others two of three are updated and
//! one ends. In the long run half of the changes are updates and a quarter each new flows and ends, and three of four flows
//! are there. What is picked does not depend on time, so the run of a seed can be repeated as far as it went.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use ctnetlink::wire::Sequence;
use ctnetlink::{Answer, Batch, CreateMode, FlowRequest, Request};
use flow::{Mark, PartialTuple, PerDirection, ProtoInfo, Status, TcpInfo, TcpState};
use sys::netlink::Socket;

use crate::{mix, open_error};

const BUFFER_LEN: usize = 64 * 1024;
const MOST: usize = 128;
/// With a rate.
const BATCHES_PER_SECOND: u32 = 1000;
/// A flow to be made is there (`EEXIST`), or one to be changed is not (`ENOENT`): the range was not full at the start, or
/// someone else changes the table too. What is believed of it is put right by the next pick.
const EXPECTED_REFUSALS: [i32; 2] = [17, 2];

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Churn {
    /// The range of flows of the mix.
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// Changes a second; 0: as many as can be.
    pub(crate) rate: u32,
    pub(crate) seconds: u32,
    pub(crate) seed: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Create,
    Update,
    Destroy,
}

/// Flows and what is believed of them.
#[derive(Debug)]
struct Flows {
    first: u32,
    count: u32,
    lives: Vec<bool>,
    random: Random,
}

/// Churns. All flows of the range are believed to be there at the start. Prints how many were created, updated and
/// destroyed, how many changes were refused, and the microseconds that it took.
#[expect(clippy::disallowed_methods, reason = "reading the clock is its purpose")]
pub(crate) fn run(churn: Churn) -> io::Result<()> {
    let mut flows = Flows::new(churn)?;
    let mut sender = Sender::open()?;
    let mut counts = [0_u64; 3];
    let mut refused = 0_u64;
    let most = match churn.rate {
        0 => MOST,
        rate => usize::try_from(rate / BATCHES_PER_SECOND).map_or(MOST, |len| len.clamp(1, MOST)),
    };
    let start = Instant::now();
    let end = Duration::from_secs(churn.seconds.into());
    let mut asked = 0_u32;
    while start.elapsed() < end {
        for _ in 0..most {
            let (offset, change) = flows.pick();
            flows.push(offset, change, &mut sender.batch);
            for (count, kind) in
                counts.iter_mut().zip([Change::Create, Change::Update, Change::Destroy])
            {
                *count += u64::from(kind == change);
            }
            asked = asked.saturating_add(1);
        }
        refused += sender.send()?;
        if churn.rate > 0 {
            let due = Duration::from_secs_f64(f64::from(asked) / f64::from(churn.rate));
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
    }
    let [created, updated, destroyed] = counts;
    println!("{created} {updated} {destroyed} {refused} {}", start.elapsed().as_micros());
    Ok(())
}

/// What is done to flows of a range, each once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
    /// They end.
    Delete,
    /// They get this mark.
    Mark(u32),
}

/// Does it to those of the flows `first .. first + count` that are there and wanted.
pub(crate) fn sweep(
    first: u32,
    count: u32,
    deed: Deed,
    is_wanted: fn(u32) -> bool,
) -> io::Result<()> {
    let mut sender = Sender::open()?;
    let end = mix::end(first, count)?;
    for index in (first..end).filter(|index| is_wanted(*index)) {
        let named = name_of(&mix::flow(index));
        match deed {
            Deed::Delete => sender.batch.push(&Request::DeleteFlow(&named)),
            Deed::Mark(mark) => {
                let update = FlowRequest { mark: Some(Mark(mark)), ..named };
                sender.batch.push(&Request::PutFlow(&update, CreateMode::UpdateOnly));
            }
        }
        if sender.batch.len() >= MOST {
            sender.send()?;
        }
    }
    sender.send()?;
    Ok(())
}

/// As much of a flow as names it.
fn name_of(flow: &FlowRequest) -> FlowRequest {
    let tuples = PerDirection { original: flow.tuples.original, reply: PartialTuple::default() };
    FlowRequest { family: flow.family, tuples, zone: flow.zone, ..FlowRequest::default() }
}

impl Flows {
    fn new(churn: Churn) -> io::Result<Self> {
        mix::end(churn.first, churn.count)?;
        let len = usize::try_from(churn.count).ok().filter(|len| *len > 0);
        let len = len.ok_or_else(|| io::Error::other("at least one flow"))?;
        let random = Random(u64::from(churn.seed));
        Ok(Self { first: churn.first, count: churn.count, lives: vec![true; len], random })
    }

    fn pick(&mut self) -> (u32, Change) {
        let offset = self.random.below(self.count);
        let lives = usize::try_from(offset).ok().and_then(|at| self.lives.get_mut(at));
        let change = match lives {
            Some(lives) if *lives => {
                *lives = self.random.below(3) > 0;
                if *lives { Change::Update } else { Change::Destroy }
            }
            Some(lives) => {
                *lives = true;
                Change::Create
            }
            None => Change::Update,
        };
        (offset, change)
    }

    fn push(&mut self, offset: u32, change: Change, batch: &mut Batch) {
        let whole = mix::flow(self.first.saturating_add(offset));
        match change {
            Change::Create => batch.push(&Request::PutFlow(&whole, CreateMode::CreateOnly)),
            Change::Destroy => batch.push(&Request::DeleteFlow(&name_of(&whole))),
            Change::Update => {
                let update = self.update(&whole);
                batch.push(&Request::PutFlow(&update, CreateMode::UpdateOnly));
            }
        }
    }

    /// Another mark, now and then none; a reply that came; another state of TCP.
    fn update(&mut self, whole: &FlowRequest) -> FlowRequest {
        let mut update = name_of(whole);
        let choice = self.random.below(8);
        update.mark = Some(Mark(self.random.below(5)));
        if choice == 0 {
            let replied = Status::CONFIRMED | Status::SEEN_REPLY | Status::ASSURED;
            update.status = whole.status.map(|status| status | replied);
        }
        if choice < 4
            && let Some(ProtoInfo::Tcp(_)) = whole.protoinfo
        {
            let states = [TcpState::ESTABLISHED, TcpState::FIN_WAIT, TcpState::TIME_WAIT];
            let state = states.get(usize::try_from(self.random.below(3)).unwrap_or(0)).copied();
            update.protoinfo = Some(ProtoInfo::Tcp(TcpInfo { state, ..TcpInfo::default() }));
        }
        update
    }
}

/// Sends batches, and waits for the answer to each.
#[derive(Debug)]
struct Sender {
    socket: Socket,
    batch: Batch,
    buffer: Vec<u8>,
}

impl Sender {
    fn open() -> io::Result<Self> {
        let socket = Socket::open(0).map_err(open_error)?;
        socket.set_short_refusals()?;
        Ok(Self { socket, batch: Batch::new(Sequence(1)), buffer: vec![0; BUFFER_LEN] })
    }

    /// Sends what was pushed. How many changes were refused as may be expected; any other refusal ends it.
    fn send(&mut self) -> io::Result<u64> {
        if self.batch.is_empty() {
            return Ok(0);
        }
        self.socket.send(self.batch.datagram())?;
        while !self.batch.is_answered() {
            let len = self.socket.receive(&mut self.buffer)?;
            self.batch.take(self.buffer.get(..len).unwrap_or_default(), |_, _| {});
        }
        let mut refused = 0;
        for answer in self.batch.answers() {
            match answer {
                Answer::Refused(errno) if EXPECTED_REFUSALS.contains(errno) => refused += 1,
                Answer::Refused(errno) => return Err(io::Error::from_raw_os_error(*errno)),
                Answer::Done | Answer::None => {}
            }
        }
        self.batch.clear();
        Ok(refused)
    }
}

/// Splitmix64 (Steele, Lea, Flood 2014): small, and good enough to pick flows.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        let high = (self.next() >> 32).wrapping_mul(limit.into()) >> 32;
        u32::try_from(high).unwrap_or(0)
    }
}
