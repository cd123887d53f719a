//! An [`EventFilter`] as a program that the kernel runs on each event before it is queued: classic BPF (`linux/filter.h`).
//!
//! The program reads one event, `struct nlmsghdr` (16 bytes), `struct nfgenmsg` (4), attributes. It looks attributes up
//! with the kernel's extensions for that (`SKF_AD_NLATTR`, `SKF_AD_NLATTR_NEST`). Messages of other subsystems pass, and
//! so does an event that lacks the attribute asked for: the program never holds back what the filter wants, and when it
//! is [`Coverage::Whole`], never lets through what the filter does not want of what the kernel sends.
//!
//! Sets become trees of comparisons, so that a thousand networks cost ten. Classic BPF has neither loops nor calls: what
//! is asked of two addresses stands there twice. The kernel takes at most [`LONGEST`] instructions, about a thousand
//! IPv4 or 250 IPv6 networks. The addresses of a family that do not fit are left to the daemon.
//!
//! The program is written from its end to its beginning, because jumps go only forward: where a jump leads is then
//! always known.

mod assembler;
mod conditions;
mod search;

use flow::filter::{AddressSet, EventFilter, NumberSet, Policy, Rule};

use crate::conntrack::number;
use crate::wire::Subsystem;
use assembler::{Assembler, Label};
use search::{Exits, Ranges};

pub use conditions::FlowConditions;

/// The most instructions of a program (`BPF_MAXINSNS`).
pub const LONGEST: usize = 4096;

/// One instruction (`struct sock_filter`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instruction {
    /// What it does (`BPF_*`).
    pub code: u16,
    /// Instructions to skip if the condition holds.
    pub skip_if_true: u8,
    /// Instructions to skip if it does not.
    pub skip_if_false: u8,
    /// Its number (`k`).
    pub operand: u32,
}

/// How much of a filter a program holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coverage {
    /// All of it.
    Whole,
    /// Not all: what it lets through must be asked of the filter again.
    Part,
}

/// A program for the event socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    /// The instructions, at most as many as allowed.
    pub instructions: Vec<Instruction>,
    /// How much of the filter they hold.
    pub coverage: Coverage,
}

/// Where things are in an event.
mod offset {
    /// The byte of the type that names the subsystem: the type is in host order.
    pub(super) const SUBSYSTEM: u32 = if cfg!(target_endian = "big") { 4 } else { 5 };
    /// The byte of the type that numbers the message.
    pub(super) const MESSAGE: u32 = if cfg!(target_endian = "big") { 5 } else { 4 };
    pub(super) const PORT: u32 = 12;
    pub(super) const FAMILY: u32 = 16;
    pub(super) const ATTRIBUTES: u32 = 20;
}

const MESSAGE_DELETE: u32 = 2;
const FAMILY_V4: u32 = 2;
const FAMILY_V6: u32 = 10;
const TUPLE_IP: u16 = 1;
const IP_V4_SRC: u16 = 1;
const IP_V6_SRC: u16 = 3;
const TUPLE_PROTO: u16 = 2;
const PROTO_NUM: u16 = 1;

/// The program for a filter, of at most `most` instructions (and [`LONGEST`]).
///
/// If that is too few for the addresses of a family, they are left out. Less than 64 may be too few for anything; then
/// the program lets everything pass.
pub fn compile(filter: &EventFilter, most: usize) -> Program {
    let most = most.min(LONGEST);
    let attempts = [Families::BOTH, Families::V4, Families::V6, Families::NONE];
    for families in attempts {
        let compiled = write(filter, families, most);
        if let Some(instructions) = compiled {
            let is_whole = filter.addresses.is_none() || families == Families::BOTH;
            let coverage = if is_whole { Coverage::Whole } else { Coverage::Part };
            return Program { instructions, coverage };
        }
    }
    let mut everything = Assembler::new(1);
    everything.verdict(u32::MAX);
    let instructions = everything.finish().unwrap_or_default();
    Program { instructions, coverage: Coverage::Part }
}

impl Program {
    /// Instructions that [`Program::ignoring`] adds.
    pub const IGNORING: usize = 3;

    /// The same program, that drops what a request of this port has caused before all else.
    #[must_use]
    pub fn ignoring(mut self, port_id: u32) -> Self {
        // The kernel loads a word as big endian, and the port is in host order.
        let loaded = u32::from_be_bytes(port_id.to_ne_bytes());
        let instruction = |code, skip_if_false, operand| Instruction {
            code,
            skip_if_true: 0,
            skip_if_false,
            operand,
        };
        let first: [_; Self::IGNORING] = [
            instruction(assembler::code::LOAD_WORD, 0, offset::PORT),
            instruction(assembler::code::IF_EQUAL, 1, loaded),
            instruction(assembler::code::RETURN, 0, 0),
        ];
        self.instructions.splice(0..0, first);
        self
    }
}

/// The families of which addresses are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Families {
    v4: bool,
    v6: bool,
}

impl Families {
    const BOTH: Self = Self { v4: true, v6: true };
    const V4: Self = Self { v4: true, v6: false };
    const V6: Self = Self { v4: false, v6: true };
    const NONE: Self = Self { v4: false, v6: false };
}

/// Where a flow goes: out of the program, or on to the next list.
struct Verdicts {
    pass: Label,
    drop: Label,
}

/// The program, from its last instruction to its first. `None` if it is too long.
fn write(filter: &EventFilter, families: Families, most: usize) -> Option<Vec<Instruction>> {
    let mut program = Assembler::new(most);
    let drop = program.verdict(0);
    let pass = program.verdict(u32::MAX);
    let mut verdicts = Verdicts { pass, drop };
    let mut next = pass;
    if let Some(rule) = &filter.tcp_states {
        next = tcp_state(&mut program, rule, &mut verdicts, next);
    }
    if let Some(rule) = &filter.addresses {
        next = addresses(&mut program, rule, families, &mut verdicts, next);
    }
    if let Some(rule) = &filter.protocols {
        next = protocol(&mut program, rule, &mut verdicts, next);
    }
    let subsystem = u32::from(Subsystem::CONNTRACK.0);
    program.jump_if_equal(subsystem, &mut next, &mut verdicts.pass);
    program.load_byte(offset::SUBSYSTEM);
    program.finish()
}

/// Where members and others go under a policy.
fn exits(policy: Policy, drop: Label, next: Label) -> Exits {
    if policy.wants(true) {
        Exits { member: next, other: drop }
    } else {
        Exits { member: drop, other: next }
    }
}

fn protocol(
    program: &mut Assembler,
    rule: &Rule<NumberSet>,
    verdicts: &mut Verdicts,
    next: Label,
) -> Label {
    let mut exits = exits(rule.policy, verdicts.drop, next);
    program.search(&Ranges::of_numbers(&rule.members), &mut exits);
    program.load_payload_byte();
    program.find(&[number::TUPLE_ORIG, TUPLE_PROTO, PROTO_NUM], &mut verdicts.pass)
}

/// The state, unless this is the end of a flow ([`EventFilter::wants_event`]).
fn tcp_state(
    program: &mut Assembler,
    rule: &Rule<NumberSet>,
    verdicts: &mut Verdicts,
    next: Label,
) -> Label {
    let mut exits = exits(rule.policy, verdicts.drop, next);
    program.search(&Ranges::of_numbers(&rule.members), &mut exits);
    program.load_payload_byte();
    let path = [number::PROTOINFO, number::protoinfo::TCP, number::protoinfo::STATE];
    let mut state = program.find(&path, &mut verdicts.pass);
    program.jump_if_equal(MESSAGE_DELETE, &mut verdicts.pass, &mut state);
    program.load_byte(offset::MESSAGE)
}

fn addresses(
    program: &mut Assembler,
    rule: &Rule<AddressSet>,
    families: Families,
    verdicts: &mut Verdicts,
    mut next: Label,
) -> Label {
    let mut of_others = next;
    if families.v6 {
        let ranges = Ranges::of_v6(&rule.members);
        let mut v6 = sources(program, &ranges, IP_V6_SRC, rule.policy, verdicts, next);
        program.jump_if_equal(FAMILY_V6, &mut v6, &mut next);
        of_others = program.load_byte(offset::FAMILY);
    }
    if families.v4 {
        let ranges = Ranges::of_v4(&rule.members);
        let mut v4 = sources(program, &ranges, IP_V4_SRC, rule.policy, verdicts, next);
        program.jump_if_equal(FAMILY_V4, &mut v4, &mut of_others);
        of_others = program.load_byte(offset::FAMILY);
    }
    of_others
}

/// Asks for the original source, then for that of the reply.
fn sources(
    program: &mut Assembler,
    ranges: &Ranges,
    attribute: u16,
    policy: Policy,
    verdicts: &mut Verdicts,
    next: Label,
) -> Label {
    let mut exits = exits(policy, verdicts.drop, next);
    program.search(ranges, &mut exits);
    program.load_payload_word(0);
    let reply = program.find(&[number::TUPLE_REPLY, TUPLE_IP, attribute], &mut verdicts.pass);
    exits.other = reply;
    program.search(ranges, &mut exits);
    program.load_payload_word(0);
    program.find(&[number::TUPLE_ORIG, TUPLE_IP, attribute], &mut verdicts.pass)
}
