//! Runs a program as the kernel does: classic BPF, with the extensions that look netlink attributes up.
//!
//! Written from `Documentation/networking/filter.rst` and the meaning of `nla_find` and `nla_find_nested`. It is stricter
//! than it must be: a program that reads what it should not, jumps out of itself or does not end is a failed test.

use ctnetlink::bpf::Instruction;

const EXTENSIONS: u32 = 0xffff_f000;

/// How many bytes of the message are kept, and how many instructions were run.
pub(crate) fn run(program: &[Instruction], message: &[u8]) -> (u32, usize) {
    let (mut a, mut x) = (0_u32, 0_u32);
    let mut at = 0;
    for steps in 1.. {
        let Instruction { code, skip_if_true, skip_if_false, operand: k } = program[at];
        at += 1;
        let mut branch = |holds: bool| {
            at += usize::from(if holds { skip_if_true } else { skip_if_false });
        };
        match code {
            0x00 => a = k,
            0x01 => x = k,
            0x07 => x = a,
            0x20 if k == EXTENSIONS + 12 => a = find(message, a as usize, message.len(), x),
            0x20 if k == EXTENSIONS + 16 => {
                let end = a as usize + header(message, a as usize).0;
                assert!(end <= message.len());
                a = find(message, a as usize + 4, end, x);
            }
            0x20 => a = word(message, k as usize),
            0x30 => a = u32::from(message[k as usize]),
            0x40 => a = word(message, (x + k) as usize),
            0x50 => a = u32::from(message[(x + k) as usize]),
            0x48 => a = half(message, (x + k) as usize),
            0x54 => a &= k,
            0x05 => at += k as usize,
            0x15 => branch(a == k),
            0x25 => branch(a > k),
            0x35 => branch(a >= k),
            0x06 => return (k, steps),
            other => panic!("instruction {other:#x} at {}", at - 1),
        }
    }
    unreachable!("the counter does not end");
}

fn half(message: &[u8], at: usize) -> u32 {
    u16::from_be_bytes(message[at..at + 2].try_into().unwrap()).into()
}

fn word(message: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(message[at..at + 4].try_into().unwrap())
}

/// Length and type of the attribute here.
fn header(message: &[u8], at: usize) -> (usize, u32) {
    let number = |at| u16::from_ne_bytes([message[at], message[at + 1]]);
    (number(at).into(), (number(at + 2) & 0x3fff).into())
}

/// Offset of the first attribute of this type between two offsets, 0 if there is none.
fn find(message: &[u8], mut at: usize, end: usize, wanted: u32) -> u32 {
    while at + 4 <= end {
        let (len, kind) = header(message, at);
        assert!(len >= 4 && at + len <= end);
        if kind == wanted {
            return u32::try_from(at).unwrap();
        }
        at += len.next_multiple_of(4);
    }
    0
}
