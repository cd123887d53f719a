//! Is a number in a set? A tree of comparisons that halves what is left.

use flow::filter::{AddressRange, AddressSet, NumberSet};

use super::assembler::{Assembler, Label};

/// Where a search ends.
pub(super) struct Exits {
    pub(super) member: Label,
    pub(super) other: Label,
}

/// A set of numbers of one or more 32 bit words: ascending ranges with gaps between them.
pub(super) struct Ranges {
    members: Vec<AddressRange<u128>>,
    /// Bits of a number.
    bits: u32,
    /// The largest value of the first word.
    highest: u32,
}

impl Ranges {
    pub(super) fn of_numbers(set: &NumberSet) -> Self {
        let range =
            |(first, last): (u8, u8)| AddressRange { first: first.into(), last: last.into() };
        Self { members: set.runs().map(range).collect(), bits: 32, highest: u8::MAX.into() }
    }

    pub(super) fn of_v4(set: &AddressSet) -> Self {
        let wide = |range: &AddressRange<u32>| AddressRange {
            first: range.first.into(),
            last: range.last.into(),
        };
        Self { members: set.v4().iter().map(wide).collect(), bits: 32, highest: u32::MAX }
    }

    pub(super) fn of_v6(set: &AddressSet) -> Self {
        Self { members: set.v6().to_vec(), bits: 128, highest: u32::MAX }
    }
}

/// Some values of one word, first and last.
struct Piece {
    first: u32,
    last: u32,
    /// `None`: whatever follows, it is a member. Else one value, and the ranges of what follows.
    rest: Option<Vec<AddressRange<u128>>>,
}

impl Assembler {
    /// Asks for the number whose first word is in A; the others follow it in the attribute at X.
    pub(super) fn search(&mut self, set: &Ranges, exits: &mut Exits) {
        self.word(&set.members, 0, set.bits / 32, set.highest, exits);
    }

    /// The instruction written last is where the search of this word begins.
    fn word(
        &mut self,
        ranges: &[AddressRange<u128>],
        number: u32,
        words: u32,
        highest: u32,
        exits: &mut Exits,
    ) {
        let behind = words.saturating_sub(number).saturating_sub(1).saturating_mul(32);
        let pieces = pieces(ranges, behind);
        let mut begin = self.tree(&Word { number, words }, &pieces, 0, highest, exits);
        self.go_to(&mut begin);
    }

    /// The tree of some pieces, with A known to be in a range.
    fn tree(
        &mut self,
        word: &Word,
        pieces: &[Piece],
        lowest: u32,
        highest: u32,
        exits: &mut Exits,
    ) -> Label {
        if self.is_full() {
            return exits.other;
        }
        match pieces {
            [] => self.go_to(&mut exits.other),
            [piece] => self.leaf(word, piece, lowest, highest, exits),
            _ => {
                let (left, right) = pieces.split_at(pieces.len() / 2);
                let border = right.first().map_or(highest, |piece| piece.first);
                let mut at_least = self.tree(word, right, border, highest, exits);
                let below = border.saturating_sub(1);
                let mut below = self.tree(word, left, lowest, below, exits);
                self.jump_if_at_least(border, &mut at_least, &mut below)
            }
        }
    }

    /// One piece. Comparisons whose outcome is known are left out.
    fn leaf(
        &mut self,
        word: &Word,
        piece: &Piece,
        lowest: u32,
        highest: u32,
        exits: &mut Exits,
    ) -> Label {
        let mut rest_begins = piece.rest.as_ref().map(|rest| {
            let number = word.number.saturating_add(1);
            self.word(rest, number, word.words, u32::MAX, exits);
            self.load_payload_word(number)
        });
        let Exits { member, other } = exits;
        let inside = rest_begins.as_mut().unwrap_or(member);
        if piece.first == piece.last && lowest < highest {
            return self.jump_if_equal(piece.first, inside, other);
        }
        let mut begin = *inside;
        if piece.last < highest {
            begin = self.jump_if_greater(piece.last, other, inside);
        }
        if lowest < piece.first {
            begin = self.jump_if_at_least(piece.first, &mut begin, other);
        }
        begin
    }
}

/// Which word a tree is about.
struct Word {
    number: u32,
    words: u32,
}

/// Takes the first word of the ranges apart; `behind` is the number of bits that follow it.
fn pieces(ranges: &[AddressRange<u128>], behind: u32) -> Vec<Piece> {
    let mask = 1_u128.checked_shl(behind).map_or(u128::MAX, |bit| bit.wrapping_sub(1));
    let word =
        |number: u128| u32::try_from(number.checked_shr(behind).unwrap_or(0)).unwrap_or(u32::MAX);
    let mut pieces: Vec<Piece> = Vec::new();
    for range in ranges {
        let (first, last) = (word(range.first), word(range.last));
        let (from, to) = (range.first & mask, range.last & mask);
        if first == last {
            add(&mut pieces, first, from, to, mask);
            continue;
        }
        add(&mut pieces, first, from, mask, mask);
        if let (Some(first), Some(last)) = (first.checked_add(1), last.checked_sub(1))
            && first <= last
        {
            join(&mut pieces, Piece { first, last, rest: None });
        }
        add(&mut pieces, last, 0, to, mask);
    }
    pieces
}

/// Adds one value of the word and what may follow it.
fn add(pieces: &mut Vec<Piece>, value: u32, from: u128, to: u128, mask: u128) {
    if from == 0 && to == mask {
        return join(pieces, Piece { first: value, last: value, rest: None });
    }
    let range = AddressRange { first: from, last: to };
    match pieces.last_mut() {
        Some(Piece { first, rest: Some(rest), .. }) if *first == value => rest.push(range),
        _ => pieces.push(Piece { first: value, last: value, rest: Some(vec![range]) }),
    }
}

/// Adds values that are members whatever follows, to the piece before if it is of the same kind.
fn join(pieces: &mut Vec<Piece>, piece: Piece) {
    match pieces.last_mut() {
        Some(before)
            if before.rest.is_none() && before.last.checked_add(1) == Some(piece.first) =>
        {
            before.last = piece.last;
        }
        _ => pieces.push(piece),
    }
}
