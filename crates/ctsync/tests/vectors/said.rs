//! What messages say, read from their bytes and made of their trees.

use ctsync::wire::{
    Content, DecodeError, ExpectationRecord, Flags, Frames, Header, Mode, Record, Stamp,
};
use flow::text::plain;
use flow::{EventKind, LabelMap};
use serde_json::Value;

use crate::case::Case;
use crate::meaning;

/// What a message about a flow or an expectation says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Flow(EventKind, Box<Record>),
    Expectation(EventKind, Box<ExpectationRecord>),
}

impl Said {
    /// Reads the payload of data; `None` for other contents.
    pub(crate) fn decode(content: Content<'_>) -> Option<Result<Self, DecodeError>> {
        match content {
            Content::Flow(event, body) => {
                Some(Record::decode(body).map(|record| Self::Flow(event, record.into())))
            }
            Content::Expectation(event, body) => Some(
                ExpectationRecord::decode(body)
                    .map(|record| Self::Expectation(event, record.into())),
            ),
            Content::Control(_) | Content::Ignored => None,
        }
    }

    pub(crate) fn from_tree(event: EventKind, tree: &Value) -> Self {
        if tree["type"].as_u64().unwrap() < 3 {
            Self::Flow(event, meaning::record(tree).into())
        } else {
            Self::Expectation(event, meaning::expectation(tree).into())
        }
    }

    pub(crate) fn encode(&self, stamp: Stamp) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Flow(event, record) => record.encode(*event, stamp, &mut out),
            Self::Expectation(event, record) => record.encode(*event, stamp, &mut out),
        }
        out
    }

    pub(crate) fn event(&self) -> EventKind {
        match self {
            Self::Flow(event, _) | Self::Expectation(event, _) => *event,
        }
    }
}

/// Header, all bytes and content of a message.
pub(crate) type Framed<'a> = (Header, &'a [u8], Result<Content<'a>, DecodeError>);

/// The content of each well framed message of the vector for a receiver of this mode.
pub(crate) fn contents(case: &Case, mode: Mode) -> Vec<Framed<'_>> {
    let mut at = 0;
    let frames = Frames::new(&case.bytes).map_while(Result::ok);
    frames
        .map(|frame| {
            let start = at;
            at += frame.header.least_len() + frame.body.len();
            let content = frame.message().and_then(|message| message.content(mode));
            (frame.header, &case.bytes[start..at], content)
        })
        .collect()
}

/// Number and greeting of a message.
pub(crate) fn stamp(header: Header) -> Stamp {
    Stamp { greeting: header.flags & Flags::GREETING, sequence: header.sequence }
}

/// The line that upstream's daemon shows of its own entry.
pub(crate) fn line(record: &Record) -> String {
    let flow = flow::Flow { timeout_s: None, ..record.to_flow() };
    let format = plain::Format {
        layer3: false,
        id: false,
        times: None,
        labels: None::<&LabelMap>,
        now_s: &|| 0,
    };
    let mut out = Vec::new();
    plain::write_flow(&mut out, &flow, &format);
    String::from_utf8(out).unwrap()
}
