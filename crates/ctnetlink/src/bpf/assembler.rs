//! Writes a program from its end to its beginning.
//!
//! A label is an instruction that is already written. A conditional jump reaches 256 instructions ahead; to a label that
//! is farther it goes by way of an unconditional one, and the label is changed to that, so that the next jump to it is
//! short again.

use super::{Instruction, offset};

/// Codes, put together from `BPF_LD`, `BPF_JMP`, … of `linux/bpf_common.h`.
pub(super) mod code {
    /// A = byte at k.
    pub(super) const LOAD_BYTE: u16 = 0x30;
    /// A = 32 bits at k, or one of the kernel's extensions.
    pub(in super::super) const LOAD_WORD: u16 = 0x20;
    /// A = byte at X + k.
    pub(super) const LOAD_BYTE_INDEXED: u16 = 0x50;
    /// A = 32 bits at X + k, big endian.
    pub(super) const LOAD_WORD_INDEXED: u16 = 0x40;
    /// A = 16 bits at X + k, big endian.
    pub(super) const LOAD_HALF_INDEXED: u16 = 0x48;
    /// A = A & k.
    pub(super) const AND: u16 = 0x54;
    /// A = k.
    pub(super) const LOAD_NUMBER: u16 = 0x00;
    /// X = k.
    pub(super) const LOAD_INDEX: u16 = 0x01;
    /// X = A.
    pub(super) const MOVE_TO_INDEX: u16 = 0x07;
    /// Go k instructions ahead.
    pub(super) const JUMP: u16 = 0x05;
    /// Is A == k?
    pub(in super::super) const IF_EQUAL: u16 = 0x15;
    /// Is A > k?
    pub(super) const IF_GREATER: u16 = 0x25;
    /// Is A >= k?
    pub(super) const IF_AT_LEAST: u16 = 0x35;
    /// Keep the first k bytes of the message; 0 drops it.
    pub(in super::super) const RETURN: u16 = 0x06;
}

/// `SKF_AD_OFF + SKF_AD_NLATTR`: A = offset of the attribute of type X among those from offset A on, 0 if there is none.
const FIND: u32 = 0xffff_f000 + 12;
/// `SKF_AD_OFF + SKF_AD_NLATTR_NEST`: the same among those in the attribute at offset A.
const FIND_NESTED: u32 = 0xffff_f000 + 16;
/// Length of `struct nlattr`.
const ATTRIBUTE_HEADER: u32 = 4;
/// How far a conditional jump goes for sure. A jump to the other label may still come between.
const REACH: usize = 254;

/// An instruction to go to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(usize);

/// A program in the making, its last instruction first.
pub(super) struct Assembler {
    reversed: Vec<Instruction>,
    most: usize,
}

impl Assembler {
    pub(super) fn new(most: usize) -> Self {
        Self { reversed: Vec::new(), most }
    }

    /// The program, `None` if it is too long.
    pub(super) fn finish(mut self) -> Option<Vec<Instruction>> {
        self.reversed.reverse();
        (!self.is_full()).then_some(self.reversed)
    }

    /// Whether there are too many instructions. More of them then change nothing.
    pub(super) fn is_full(&self) -> bool {
        self.reversed.len() > self.most
    }

    /// The end of the program for some messages.
    pub(super) fn verdict(&mut self, kept: u32) -> Label {
        self.push(code::RETURN, kept)
    }

    pub(super) fn load_byte(&mut self, at: u32) -> Label {
        self.push(code::LOAD_BYTE, at)
    }

    /// Loads the byte of the attribute at X.
    pub(super) fn load_payload_byte(&mut self) -> Label {
        self.push(code::LOAD_BYTE_INDEXED, ATTRIBUTE_HEADER)
    }

    /// Loads the first 16 bits of the attribute at X.
    pub(super) fn load_payload_half(&mut self) -> Label {
        self.push(code::LOAD_HALF_INDEXED, ATTRIBUTE_HEADER)
    }

    /// Keeps these bits of A.
    pub(super) fn mask(&mut self, bits: u32) -> Label {
        self.push(code::AND, bits)
    }

    /// Loads the word of this number of the attribute at X.
    pub(super) fn load_payload_word(&mut self, number: u32) -> Label {
        self.push(
            code::LOAD_WORD_INDEXED,
            ATTRIBUTE_HEADER.saturating_add(number.saturating_mul(4)),
        )
    }

    /// Sets X to the offset of the attribute at the end of this path of nests; goes elsewhere if one is absent.
    pub(super) fn find(&mut self, path: &[u16], absent: &mut Label) -> Label {
        let mut begin = self.push(code::MOVE_TO_INDEX, 0);
        for (depth, kind) in path.iter().enumerate().rev() {
            self.jump_if_equal(0, absent, &mut begin);
            self.push(code::LOAD_WORD, if depth == 0 { FIND } else { FIND_NESTED });
            begin = self.push(code::LOAD_INDEX, u32::from(*kind));
        }
        self.push(code::LOAD_NUMBER, offset::ATTRIBUTES)
    }

    pub(super) fn jump_if_equal(&mut self, number: u32, yes: &mut Label, no: &mut Label) -> Label {
        self.branch(code::IF_EQUAL, number, yes, no)
    }

    pub(super) fn jump_if_greater(
        &mut self,
        number: u32,
        yes: &mut Label,
        no: &mut Label,
    ) -> Label {
        self.branch(code::IF_GREATER, number, yes, no)
    }

    pub(super) fn jump_if_at_least(
        &mut self,
        number: u32,
        yes: &mut Label,
        no: &mut Label,
    ) -> Label {
        self.branch(code::IF_AT_LEAST, number, yes, no)
    }

    /// Goes there from here, if that is not what follows anyway.
    pub(super) fn go_to(&mut self, label: &mut Label) -> Label {
        if self.distance(*label) != 0 {
            *label =
                self.push(code::JUMP, u32::try_from(self.distance(*label)).unwrap_or(u32::MAX));
        }
        *label
    }

    fn branch(&mut self, code: u16, operand: u32, yes: &mut Label, no: &mut Label) -> Label {
        for label in [&mut *yes, &mut *no] {
            if self.distance(*label) > REACH {
                self.go_to(label);
            }
        }
        let skip = |label| u8::try_from(self.distance(label)).unwrap_or(u8::MAX);
        let (skip_if_true, skip_if_false) = (skip(*yes), skip(*no));
        self.add(Instruction { code, skip_if_true, skip_if_false, operand })
    }

    /// How many instructions are between the next one written and a label.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len().saturating_sub(label.0).saturating_sub(1)
    }

    fn push(&mut self, code: u16, operand: u32) -> Label {
        self.add(Instruction { code, skip_if_true: 0, skip_if_false: 0, operand })
    }

    fn add(&mut self, instruction: Instruction) -> Label {
        if !self.is_full() {
            self.reversed.push(instruction);
        }
        Label(self.reversed.len().saturating_sub(1))
    }
}
