//! What an entry of the internal cache keeps besides its message: what is shown of a flow and not told to the peer.
//!
//! Fields of a tag and a value, each only when it is known and cannot be had from the key and the message. A flow without
//! translation of anything but addresses and ports has only its id: 5 bytes. At most 200 bytes.

use flow::{Direction, FlowId, FlowRead, PerDirection, TimeNs, Tuple, Zone};

use crate::cache::{read_tuple, write_tuple};
use crate::wire::Record;

const ID: u8 = 1;
const REPLY: u8 = 2;
const ZONE_ORIGINAL: u8 = 3;
const ZONE_REPLY: u8 = 4;
const HELPER: u8 = 5;
const START: u8 = 6;
const SECURITY_CONTEXT: u8 = 7;

/// Longest security context that is kept, so that everything fits into an entry.
const MAX_CONTEXT_LEN: usize = 96;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tail<'a> {
    pub(super) id: Option<FlowId>,
    /// The reply tuple, if it is not the one that follows from the original one and the message.
    pub(super) reply: Option<Tuple>,
    /// Zones of one direction.
    pub(super) zones: PerDirection<Option<Zone>>,
    /// Name of the helper, if it is too long for a message.
    pub(super) helper: Option<&'a str>,
    pub(super) start: Option<TimeNs>,
    pub(super) secctx: Option<&'a [u8]>,
}

impl<'a> Tail<'a> {
    /// What is to be kept of a flow of which the record tells the rest.
    pub(super) fn of(flow: &'a impl FlowRead, record: &Record) -> Self {
        let reply = flow.tuple(Direction::Reply);
        let rebuilt = record.reply_to(flow.tuple(Direction::Original));
        Self {
            id: flow.id(),
            reply: (reply != rebuilt).then_some(reply),
            zones: PerDirection::from_fn(|direction| flow.tuple_zone(direction)),
            helper: flow
                .helper()
                .filter(|name| !name.is_empty() && record.helper.as_deref() != Some(*name)),
            start: flow.start(),
            secctx: flow.secctx().filter(|context| context.len() <= MAX_CONTEXT_LEN),
        }
    }

    /// With what was known before and an event does not say again.
    #[must_use]
    pub(super) fn or(self, known: Self, has_helper: bool) -> Self {
        Self {
            id: self.id.or(known.id),
            helper: if has_helper { self.helper } else { known.helper },
            start: self.start.or(known.start),
            secctx: self.secctx.or(known.secctx),
            ..self
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if let Some(FlowId(id)) = self.id {
            out.push(ID);
            out.extend_from_slice(&id.to_be_bytes());
        }
        if let Some(reply) = &self.reply {
            out.push(REPLY);
            write_tuple(reply, |bytes| out.extend_from_slice(bytes));
        }
        let PerDirection { original, reply } = self.zones;
        for (tag, zone) in [(ZONE_ORIGINAL, original), (ZONE_REPLY, reply)] {
            if let Some(Zone(zone)) = zone {
                out.push(tag);
                out.extend_from_slice(&zone.to_be_bytes());
            }
        }
        if let Some(TimeNs(start)) = self.start {
            out.push(START);
            out.extend_from_slice(&start.to_be_bytes());
        }
        for (tag, bytes) in
            [(HELPER, self.helper.map(str::as_bytes)), (SECURITY_CONTEXT, self.secctx)]
        {
            if let Some(bytes) = bytes
                && let Ok(len) = u8::try_from(bytes.len())
            {
                out.extend_from_slice(&[tag, len]);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// What was written.
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut tail = Self::default();
        let mut rest = bytes;
        while let Some(after) = tail.field(rest) {
            rest = after;
        }
        tail
    }

    fn field(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, rest) = bytes.split_first()?;
        match *tag {
            ID => {
                let (id, rest) = rest.split_first_chunk()?;
                self.id = Some(FlowId(u32::from_be_bytes(*id)));
                Some(rest)
            }
            REPLY => {
                let (reply, rest) = read_tuple(rest)?;
                self.reply = Some(reply);
                Some(rest)
            }
            ZONE_ORIGINAL | ZONE_REPLY => {
                let (zone, rest) = rest.split_first_chunk()?;
                let zone = Some(Zone(u16::from_be_bytes(*zone)));
                let PerDirection { original, reply } = &mut self.zones;
                *(if *tag == ZONE_ORIGINAL { original } else { reply }) = zone;
                Some(rest)
            }
            START => {
                let (start, rest) = rest.split_first_chunk()?;
                self.start = Some(TimeNs(u64::from_be_bytes(*start)));
                Some(rest)
            }
            HELPER | SECURITY_CONTEXT => {
                let (len, rest) = rest.split_first()?;
                let (bytes, rest) = rest.split_at_checked(usize::from(*len))?;
                if *tag == HELPER {
                    self.helper = std::str::from_utf8(bytes).ok();
                } else {
                    self.secctx = Some(bytes);
                }
                Some(rest)
            }
            _ => None,
        }
    }
}
