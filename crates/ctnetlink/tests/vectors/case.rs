//! Reading the vectors: one message as bytes, and its meaning as a tree.

use std::fs;
use std::path::Path;

use ctnetlink::wire::{MessageHeader, Messages, NetfilterHeader, RawMessage};
use serde_json::Value;

/// Which part of the library reads a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) enum Class {
    Flow,
    MalformedFlow,
    Expectation,
    TimeoutPolicy,
    CpuStatistics,
    TableStatistics,
    ExpectationStatistics,
    Refusal,
    DumpEnd,
    UnknownSubsystem,
}

impl Class {
    fn of(name: &str, message_name: &str) -> Self {
        match message_name {
            _ if name.starts_with("req-erange-") => Self::MalformedFlow,
            "CT_NEW" | "CT_GET" | "CT_DELETE" => Self::Flow,
            "EXP_NEW" | "EXP_DELETE" => Self::Expectation,
            "TIMEOUT_NEW" | "TIMEOUT_DEFAULT_SET" => Self::TimeoutPolicy,
            "CT_GET_STATS_CPU" => Self::CpuStatistics,
            "CT_GET_STATS" => Self::TableStatistics,
            // Expectation statistics come under the number of this message.
            "CT_GET_CTRZERO" => Self::ExpectationStatistics,
            "NLMSG_ERROR" => Self::Refusal,
            "NLMSG_DONE" => Self::DumpEnd,
            "OTHER" => Self::UnknownSubsystem,
            other => panic!("{name}: no class for {other}"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::MalformedFlow => "malformed flow",
            Self::Expectation => "expectation",
            Self::TimeoutPolicy => "timeout policy",
            Self::CpuStatistics => "CPU statistics",
            Self::TableStatistics => "table statistics",
            Self::ExpectationStatistics => "expectation statistics",
            Self::Refusal => "refusal",
            Self::DumpEnd => "end of a dump",
            Self::UnknownSubsystem => "unknown subsystem",
        }
    }
}

/// One vector.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// `request`, `reply` or `event`.
    pub(crate) kind: String,
    pub(crate) class: Class,
    pub(crate) bytes: Vec<u8>,
    pub(crate) decoded: Value,
    /// Names of the top-level attributes as the vector lists them.
    pub(crate) attribute_order: Vec<String>,
}

impl Case {
    fn read(json: &Path) -> Self {
        let text = fs::read_to_string(json).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        let decoded = value["decoded"].take();
        let string = |value: &Value| value.as_str().unwrap().to_owned();
        let name = string(&value["name"]);
        assert_eq!(json.file_stem().unwrap(), name.as_str());
        let bytes = bytes_of(&fs::read_to_string(json.with_extension("hex")).unwrap());
        assert_eq!(value["length"], bytes.len(), "{name}");
        let attribute_order = attribute_order(&text);
        let attributes = decoded["attrs"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(attribute_order.len(), attributes, "{name}: keys found in the text");
        Self {
            class: Class::of(&name, &string(&decoded["name"])),
            kind: string(&value["kind"]),
            name,
            bytes,
            decoded,
            attribute_order,
        }
    }

    /// The only message of these bytes.
    pub(crate) fn message_of(bytes: &[u8]) -> RawMessage<'_> {
        let mut messages = Messages::new(bytes);
        let message = messages.next().unwrap().unwrap();
        assert!(messages.next().is_none(), "one message a vector");
        message
    }

    pub(crate) fn message(&self) -> RawMessage<'_> {
        Self::message_of(&self.bytes)
    }

    pub(crate) fn headers(&self) -> (MessageHeader, NetfilterHeader) {
        let message = self.message();
        (message.header, message.netfilter_header().unwrap())
    }
}

/// All vectors, by name.
pub(crate) fn all() -> Vec<Case> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/vectors/ctnetlink/cases");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files.iter().map(|file| Case::read(file)).collect()
}

/// The vector of this name.
pub(crate) fn named<'a>(cases: &'a [Case], name: &str) -> &'a Case {
    let found = cases.iter().find(|case| case.name == name);
    found.unwrap_or_else(|| panic!("no vector {name}"))
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap())
        .collect();
    assert!(digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The keys of `attrs` in the order of the text, which a parsed tree does not keep.
///
/// The vectors are indented by one blank a level.
fn attribute_order(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| !line.starts_with("  \"attrs\":"))
        .take_while(|line| !line.starts_with("  }"))
        .filter_map(|line| line.strip_prefix("   \"")?.split('"').next())
        .map(str::to_owned)
        .collect()
}
