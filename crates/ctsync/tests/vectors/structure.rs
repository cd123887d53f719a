//! The tree of a vector as far as framing goes: headers, ranges, attributes with number and length, padding, leftovers.
//!
//! Made with the library's walks. What an attribute means is left to the module `meaning`.

use ctsync::wire::{Attributes, Flags, Frame, Frames, Header, Kind, MessageWriter};
use flow::EventKind;
use serde_json::{Value, json};

use crate::case::{from_hex, hex};

/// The tree of a datagram or stream.
pub(crate) fn of(bytes: &[u8]) -> Value {
    let mut messages = Vec::new();
    let mut used = 0;
    for frame in Frames::new(bytes).map_while(Result::ok) {
        let (tree, len) = message(&frame);
        messages.push(tree);
        used += len;
    }
    json!({ "messages": messages, "trailing": hex(&bytes[used..]) })
}

/// The same parts of the tree of a vector.
pub(crate) fn expected(vector: &Value) -> Value {
    let mut messages = vector["messages"].clone();
    for message in messages.as_array_mut().unwrap() {
        message["attrs"] = message["attrs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attribute| {
                let mut kept = json!({ "num": attribute["num"], "len": attribute["len"] });
                if let Some(padding) = attribute.get("pad") {
                    kept["pad"] = padding.clone();
                }
                kept
            })
            .collect();
    }
    json!({ "messages": messages, "trailing": vector["trailing"] })
}

fn message(frame: &Frame<'_>) -> (Value, usize) {
    let Header { version, kind, flags, sequence } = frame.header;
    let len = frame.header.least_len() + frame.body.len();
    let mut tree = json!({
        "version": version,
        "type": kind.number(),
        "type_name": type_name(kind),
        "flags": flags.bits(),
        "flag_names": flag_names(flags),
        "len": len,
        "seq": sequence.0,
    });
    if let Some((from, to)) = frame.range {
        tree["from"] = from.0.into();
        tree["to"] = to.0.into();
    }
    let (attributes, tail) = match kind {
        Kind::Flow(_) | Kind::Expectation(_) => attributes(frame.body),
        Kind::Control | Kind::Unassigned(_) => (Vec::new(), frame.body),
    };
    tree["attrs"] = attributes.into();
    if !tail.is_empty() {
        tree["tail"] = hex(tail).into();
    }
    (tree, len)
}

/// Attributes, and what is left after the last one.
fn attributes(body: &[u8]) -> (Vec<Value>, &[u8]) {
    let mut attributes = Vec::new();
    let mut rest = body;
    for attribute in Attributes::new(body).map_while(Result::ok) {
        let len = attribute.value.len() + 4;
        assert_eq!(attribute.at - Header::LEN, body.len() - rest.len());
        assert_eq!(attribute.value, &rest[4..len]);
        let step = len.next_multiple_of(4).min(rest.len());
        let padding = &rest[len..step];
        let mut tree = json!({ "num": attribute.number, "len": len });
        if padding != vec![0; len.next_multiple_of(4) - len] {
            tree["pad"] = hex(padding).into();
        }
        attributes.push(tree);
        rest = &rest[step..];
    }
    // The vectors also list an attribute without value at the end, which a receiver does not look at.
    if let [0, 4, high, low] = *rest {
        let number = u16::from_be_bytes([high, low]);
        attributes.push(json!({ "num": number, "len": 4 }));
        rest = &[];
    }
    (attributes, rest)
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Flow(EventKind::New) => "CT_NEW",
        Kind::Flow(EventKind::Update) => "CT_UPD",
        Kind::Flow(EventKind::Destroy) => "CT_DEL",
        Kind::Expectation(EventKind::New) => "EXP_NEW",
        Kind::Expectation(EventKind::Update) => "EXP_UPD",
        Kind::Expectation(EventKind::Destroy) => "EXP_DEL",
        Kind::Control => "CTL",
        Kind::Unassigned(_) => "?",
    }
}

fn flag_names(flags: Flags) -> Vec<&'static str> {
    let bit = |bit, name| (flags.bits() & bit != 0).then_some(name);
    let named = Flags::all().iter_names().map(|(name, flag)| bit(flag.bits(), name));
    [bit(1, "UNUSED")].into_iter().chain(named).chain([bit(0x80, "BIT7")]).flatten().collect()
}

/// The datagram again, message by message and attribute by attribute, from its own tree and the values in its bytes.
pub(crate) fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let tree = of(bytes);
    let mut out = Vec::new();
    for (frame, tree) in Frames::new(bytes).zip(tree["messages"].as_array().unwrap()) {
        let frame = frame.unwrap();
        let mut message = MessageWriter::begin(&mut out, frame.header);
        if let Some((from, to)) = frame.range {
            message.raw(&from.0.to_be_bytes());
            message.raw(&to.0.to_be_bytes());
        }
        let listed = tree["attrs"].as_array().unwrap();
        let mut values = Attributes::new(frame.body).map_while(Result::ok);
        for listed in listed {
            let number = u16::try_from(listed["num"].as_u64().unwrap()).unwrap();
            let value = values.next().map_or(&[][..], |attribute| attribute.value);
            match listed.get("pad") {
                None => message.attribute(number, value),
                Some(padding) => {
                    let len = u16::try_from(value.len() + 4).unwrap();
                    message.raw(&[len.to_be_bytes(), number.to_be_bytes()].concat());
                    message.raw(value);
                    message.raw(&from_hex(padding.as_str().unwrap()));
                }
            }
        }
        message.raw(&from_hex(tree["tail"].as_str().unwrap_or_default()));
        message.finish();
    }
    out.extend(from_hex(tree["trailing"].as_str().unwrap()));
    out
}
