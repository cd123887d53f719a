//! Conditions that must all hold, as the options of the tool state them, and their program.

use std::net::IpAddr;

use flow::{Direction, Family, MaskedMark, PartialTuple, PerDirection, Protocol, Zone};

use super::assembler::{Assembler, Label};
use super::{
    Coverage, FAMILY_V4, FAMILY_V6, IP_V4_SRC, IP_V6_SRC, LONGEST, PROTO_NUM, Program, TUPLE_IP,
    TUPLE_PROTO, offset,
};
use crate::conntrack::number;
use crate::wire::Subsystem;

const PROTO_SRC_PORT: u16 = 2;
const PROTO_DST_PORT: u16 = 3;

/// What a flow must be like. The default is no condition.
///
/// ICMP keys are not among what is compared: a flow that passes must be asked again in any case.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FlowConditions {
    /// Layer 3 protocol.
    pub family: Option<Family>,
    /// Parts of the tuples.
    pub tuples: PerDirection<PartialTuple>,
    /// Address and mask that the original source and destination must have.
    pub networks: [Option<(IpAddr, IpAddr)>; 2],
    /// Mark. Absent counts as 0.
    pub mark: Option<MaskedMark>,
    /// Zone of both directions. Absent counts as 0.
    pub zone: Option<Zone>,
}

/// An end of a tuple.
#[derive(Clone, Copy)]
enum End {
    Src,
    Dst,
}

impl FlowConditions {
    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The program. It lets pass what is no flow, and what lacks an attribute that it asks for.
    pub fn compile(&self) -> Program {
        // They have at most some hundred instructions.
        let mut writer = Writer::new();
        let mut next = writer.pass;
        if let Some(zone) = self.zone {
            next = writer.zone(zone, next);
        }
        if let Some(mark) = self.mark {
            next = writer.mark(mark, next);
        }
        for direction in Direction::BOTH {
            let tuple = &self.tuples[direction];
            for (end, port) in [(End::Src, tuple.src_port), (End::Dst, tuple.dst_port)] {
                if let Some(port) = port {
                    next = writer.port(direction, end, port, next);
                }
            }
        }
        for (end, network) in [End::Src, End::Dst].into_iter().zip(self.networks) {
            if let Some((address, mask)) = network {
                next = writer.address(Direction::Original, end, address, mask, next);
            }
        }
        for direction in Direction::BOTH {
            let tuple = &self.tuples[direction];
            for (end, address) in [(End::Src, tuple.src), (End::Dst, tuple.dst)] {
                if let Some(address) = address {
                    next = writer.address(direction, end, address, all_bits(address), next);
                }
            }
            if let Some(protocol) = tuple.protocol {
                next = writer.protocol(direction, protocol, next);
            }
        }
        if let Some(family) = self.family {
            next = writer.family(family, next);
        }
        let instructions = writer.finish(next).unwrap_or_default();
        Program { instructions, coverage: Coverage::Part }
    }
}

fn all_bits(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::from([u8::MAX; 4]),
        IpAddr::V6(_) => IpAddr::from([u8::MAX; 16]),
    }
}

fn tuple_number(direction: Direction) -> u16 {
    match direction {
        Direction::Original => number::TUPLE_ORIG,
        Direction::Reply => number::TUPLE_REPLY,
    }
}

/// Writes the program from its end. Each condition goes on to `next` if it holds.
struct Writer {
    program: Assembler,
    pass: Label,
    drop: Label,
}

impl Writer {
    fn new() -> Self {
        let mut program = Assembler::new(LONGEST);
        let drop = program.verdict(0);
        let pass = program.verdict(u32::MAX);
        Self { program, pass, drop }
    }

    fn finish(mut self, mut next: Label) -> Option<Vec<super::Instruction>> {
        let subsystem = u32::from(Subsystem::CONNTRACK.0);
        self.program.jump_if_equal(subsystem, &mut next, &mut self.pass);
        self.program.load_byte(offset::SUBSYSTEM);
        self.program.finish()
    }

    fn family(&mut self, family: Family, mut next: Label) -> Label {
        let other = match family {
            Family::Ipv4 => FAMILY_V6,
            Family::Ipv6 => FAMILY_V4,
        };
        self.program.jump_if_equal(other, &mut self.drop, &mut next);
        self.program.load_byte(offset::FAMILY)
    }

    fn protocol(&mut self, direction: Direction, protocol: Protocol, mut next: Label) -> Label {
        self.program.jump_if_equal(protocol.number().into(), &mut next, &mut self.drop);
        self.program.load_payload_byte();
        self.find(&[tuple_number(direction), TUPLE_PROTO, PROTO_NUM])
    }

    fn port(&mut self, direction: Direction, end: End, port: u16, mut next: Label) -> Label {
        self.program.jump_if_equal(port.into(), &mut next, &mut self.drop);
        self.program.load_payload_half();
        let attribute = match end {
            End::Src => PROTO_SRC_PORT,
            End::Dst => PROTO_DST_PORT,
        };
        self.find(&[tuple_number(direction), TUPLE_PROTO, attribute])
    }

    fn address(
        &mut self,
        direction: Direction,
        end: End,
        address: IpAddr,
        mask: IpAddr,
        mut next: Label,
    ) -> Label {
        let src = match address {
            IpAddr::V4(_) => IP_V4_SRC,
            IpAddr::V6(_) => IP_V6_SRC,
        };
        let words = words(address).into_iter().zip(words(mask)).enumerate();
        for (position, (word, mask)) in words.rev().filter(|(_, (_, mask))| *mask != 0) {
            let position = u32::try_from(position).unwrap_or_default();
            self.program.jump_if_equal(word & mask, &mut next, &mut self.drop);
            if mask != u32::MAX {
                self.program.mask(mask);
            }
            next = self.program.load_payload_word(position);
        }
        let attribute = match end {
            End::Src => src,
            End::Dst => src.saturating_add(1),
        };
        self.find(&[tuple_number(direction), TUPLE_IP, attribute])
    }

    fn mark(&mut self, mark: MaskedMark, mut next: Label) -> Label {
        let mut absent = if mark.matches(flow::Mark(0)) { next } else { self.drop };
        self.program.jump_if_equal(mark.value.0, &mut next, &mut self.drop);
        if mark.mask != u32::MAX {
            self.program.mask(mark.mask);
        }
        self.program.load_payload_word(0);
        self.program.find(&[number::MARK], &mut absent)
    }

    fn zone(&mut self, Zone(zone): Zone, mut next: Label) -> Label {
        let mut absent = if zone == 0 { next } else { self.drop };
        self.program.jump_if_equal(zone.into(), &mut next, &mut self.drop);
        self.program.load_payload_half();
        self.program.find(&[number::ZONE], &mut absent)
    }

    fn find(&mut self, path: &[u16]) -> Label {
        self.program.find(path, &mut self.pass)
    }
}

/// Its 32 bit words, the first one first.
fn words(address: IpAddr) -> Vec<u32> {
    match address {
        IpAddr::V4(address) => vec![address.to_bits()],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let word = |shift: u32| u32::try_from(bits >> shift & u128::from(u32::MAX));
            [96, 64, 32, 0].into_iter().filter_map(|shift| word(shift).ok()).collect()
        }
    }
}
