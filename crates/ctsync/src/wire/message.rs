//! Messages: what one means to a receiver of each mode, and the writing of control messages.

use flow::EventKind;

use super::{DecodeError, Flags, Header, Kind, MessageWriter, VERSION};
use crate::{Sequence, SequenceRange};

/// How a node replicates. Both nodes should have the same mode; it is not told on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Mode {
    /// Acknowledged, and sent again when lost.
    Ftfw,
    /// Sent once.
    Notrack,
    /// Sent again and again.
    Alarm,
}

/// A message of our version of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: Kind,
    /// Its flags.
    pub flags: Flags,
    /// Its number.
    pub sequence: Sequence,
    /// First and last number of the range that some control messages carry.
    pub range: Option<(Sequence, Sequence)>,
    /// The rest. Control messages may have one, which is passed over.
    pub body: &'a [u8],
}

/// What a message asks of a receiver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content<'a> {
    /// A flow: [`Record::decode`](super::Record::decode) reads it.
    Flow(EventKind, &'a [u8]),
    /// An expectation: [`ExpectationRecord::decode`](super::ExpectationRecord::decode) reads it.
    Expectation(EventKind, &'a [u8]),
    /// A control message.
    Control(Control),
    /// Nothing: the mode has no use for it.
    Ignored,
}

/// A control message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Control {
    /// ACK: these were received.
    Received(SequenceRange),
    /// NACK: these were not received.
    Missed(SequenceRange),
    /// RESYNC: send everything.
    Resync,
    /// ALIVE: there is nothing to say.
    Alive,
}

/// What a message gets when it is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// `HELLO`, `HELLO_BACK`, both or none. Other flags are passed over.
    pub greeting: Flags,
    /// Its number.
    pub sequence: Sequence,
}

impl Stamp {
    /// A number and no greeting.
    pub fn plain(sequence: Sequence) -> Self {
        Self { greeting: Flags::empty(), sequence }
    }

    /// The header of a message of this type.
    pub(super) fn header(self, kind: Kind) -> Header {
        let flags = self.greeting & Flags::GREETING;
        Header { version: VERSION, kind, flags, sequence: self.sequence }
    }
}

impl<'a> Message<'a> {
    /// What it asks of a receiver of this mode.
    ///
    /// The payload of data is not looked at: a receiver counts the number of a message before it reads that.
    pub fn content(&self, mode: Mode) -> Result<Content<'a>, DecodeError> {
        let known = match mode {
            Mode::Ftfw => Flags::ACK | Flags::NACK | Flags::RESYNC | Flags::ALIVE,
            Mode::Notrack => Flags::RESYNC | Flags::ALIVE,
            Mode::Alarm if !self.flags.is_empty() => return Ok(Content::Ignored),
            Mode::Alarm => Flags::empty(),
        };
        let unexpected = DecodeError::Unexpected { kind: self.kind, flags: self.flags };
        let is_data = Flags::GREETING.contains(self.flags);
        match (self.kind, mode) {
            (Kind::Flow(event), _) if is_data => Ok(Content::Flow(event, self.body)),
            (Kind::Expectation(event), _) if is_data => Ok(Content::Expectation(event, self.body)),
            (Kind::Control | Kind::Unassigned(_), Mode::Alarm) => Err(DecodeError::Kind(self.kind)),
            (Kind::Control, _) => {
                let control = self.control(self.flags & known)?;
                control.map(Content::Control).ok_or(unexpected)
            }
            (Kind::Flow(_) | Kind::Expectation(_) | Kind::Unassigned(_), _) => Err(unexpected),
        }
    }

    /// The first of these flags decides; further ones are passed over.
    fn control(&self, flags: Flags) -> Result<Option<Control>, DecodeError> {
        let control = if flags.contains(Flags::ACK) {
            self.checked_range()?.map(Control::Received)
        } else if flags.contains(Flags::NACK) {
            self.checked_range()?.map(Control::Missed)
        } else if flags.contains(Flags::RESYNC) {
            Some(Control::Resync)
        } else if flags.contains(Flags::ALIVE) {
            Some(Control::Alive)
        } else {
            None
        };
        Ok(control)
    }

    fn checked_range(&self) -> Result<Option<SequenceRange>, DecodeError> {
        let Some((from, to)) = self.range else { return Ok(None) };
        match SequenceRange::new(from, to) {
            Some(range) => Ok(Some(range)),
            None => Err(DecodeError::Range { from, to }),
        }
    }
}

impl Control {
    /// Appends the message.
    pub fn encode(self, stamp: Stamp, out: &mut Vec<u8>) {
        let zero = || SequenceRange::of(Sequence(0));
        let (flag, range) = match self {
            Self::Received(range) => (Flags::ACK, Some(range)),
            Self::Missed(range) => (Flags::NACK, Some(range)),
            Self::Resync => (Flags::RESYNC, Some(zero())),
            Self::Alive => (Flags::ALIVE, None),
        };
        let mut header = stamp.header(Kind::Control);
        header.flags |= flag;
        let mut message = MessageWriter::begin(out, header);
        if let Some(range) = range {
            message.raw(&range.from().0.to_be_bytes());
            message.raw(&range.to().0.to_be_bytes());
        }
        message.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Control, Flags, Mode, Stamp};
    use crate::wire::{Counter, DecodeError, Frames};
    use crate::{Sequence, SequenceRange};

    /// What each mode makes of a message with this first byte and these flags.
    fn in_each_mode(first: u8, flags: u8) -> [Result<bool, Counter>; 3] {
        let bytes = [first, flags, 0, 16, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0, 5];
        let message = Frames::new(&bytes).next().unwrap().unwrap().message().unwrap();
        [Mode::Ftfw, Mode::Notrack, Mode::Alarm].map(|mode| {
            let content = message.content(mode).map_err(DecodeError::counter)?;
            Ok(!matches!(content, Content::Ignored))
        })
    }

    #[test]
    fn greetings_on_data_are_for_the_modes_with_numbers() {
        for first in 0x10..=0x15 {
            assert_eq!(in_each_mode(first, 0), [Ok(true); 3]);
            for flags in [0x20, 0x40, 0x60] {
                assert_eq!(in_each_mode(first, flags), [Ok(true), Ok(true), Ok(false)]);
            }
            for flags in [1, 2, 4, 8, 0x10, 0x80, 0x30] {
                let refused = Err(Counter::Header);
                assert_eq!(in_each_mode(first, flags), [refused, refused, Ok(false)], "{flags}");
            }
        }
    }

    #[test]
    fn unassigned_types_are_refused_by_each_mode_in_its_way() {
        for number in [6, 7, 8, 9, 11, 12, 13, 14, 15] {
            let header = Err(Counter::Header);
            assert_eq!(in_each_mode(0x10 | number, 0), [header, header, Err(Counter::Kind)]);
            assert_eq!(in_each_mode(0x10 | number, 0x20), [header, header, Ok(false)]);
        }
    }

    #[test]
    fn the_first_known_flag_of_a_control_message_decides() {
        let range = SequenceRange::new(Sequence(4), Sequence(5)).unwrap();
        for (flags, ftfw, notrack) in [
            (0x1e, Ok(Control::Received(range)), Ok(Control::Resync)),
            (0x16, Ok(Control::Missed(range)), Ok(Control::Resync)),
            (0x12, Ok(Control::Resync), Ok(Control::Resync)),
            (0x18, Ok(Control::Received(range)), Ok(Control::Alive)),
            (0x91, Ok(Control::Alive), Ok(Control::Alive)),
            (0x08, Ok(Control::Received(range)), Err(Counter::Header)),
            (0x81, Err(Counter::Header), Err(Counter::Header)),
            (0x60, Err(Counter::Header), Err(Counter::Header)),
            (0x00, Err(Counter::Header), Err(Counter::Header)),
        ] {
            let bytes = [0x1a, flags, 0, 16, 0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 5];
            let message = Frames::new(&bytes).next().unwrap().unwrap().message().unwrap();
            for (mode, expected) in [(Mode::Ftfw, ftfw), (Mode::Notrack, notrack)] {
                let found = message.content(mode).map_err(DecodeError::counter);
                assert_eq!(found, expected.map(Content::Control), "{flags:#x} in {mode:?}");
            }
            let alarm = message.content(Mode::Alarm).map_err(DecodeError::counter);
            let expected = if flags == 0 { Err(Counter::Kind) } else { Ok(Content::Ignored) };
            assert_eq!(alarm, expected);
        }
    }

    #[test]
    fn control_messages_come_back() {
        let range = SequenceRange::new(Sequence(u32::MAX), Sequence(2)).unwrap();
        for control in
            [Control::Received(range), Control::Missed(range), Control::Resync, Control::Alive]
        {
            let stamp = Stamp { greeting: Flags::all(), sequence: Sequence(3) };
            let mut out = Vec::new();
            control.encode(stamp, &mut out);
            let message = Frames::new(&out).next().unwrap().unwrap().message().unwrap();
            assert_eq!(message.flags & Flags::GREETING, Flags::GREETING);
            assert_eq!((message.flags - Flags::GREETING).bits().count_ones(), 1);
            assert_eq!(message.sequence, Sequence(3));
            assert_eq!(message.content(Mode::Ftfw), Ok(Content::Control(control)));
            assert!(message.body.is_empty());
        }
    }
}
