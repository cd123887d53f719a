//! Reading the vectors: bytes as they were on the wire, and their meaning as a tree.

use std::fs;
use std::path::{Path, PathBuf};

use ctsync::wire::Mode;
use serde_json::Value;

/// One vector.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// The whole description.
    pub(crate) tree: Value,
}

impl Case {
    fn read(json: &Path) -> Self {
        let tree: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
        let name = tree["name"].as_str().unwrap().to_owned();
        assert_eq!(json.file_stem().unwrap(), name.as_str());
        let bytes = from_hex(&fs::read_to_string(json.with_extension("hex")).unwrap());
        assert_eq!(tree["bytes"], bytes.len(), "{name}");
        Self { name, bytes, tree }
    }

    /// Whether a real daemon sent it. The others were made to try one out.
    pub(crate) fn is_captured(&self) -> bool {
        match self.tree["source"].as_str() {
            Some("captured") => true,
            Some("crafted") => false,
            other => panic!("{}: source {other:?}", self.name),
        }
    }

    /// The mode of the pair that it was captured from.
    pub(crate) fn mode(&self) -> Mode {
        match self.tree["mode"].as_str() {
            Some("FTFW") => Mode::Ftfw,
            Some("NOTRACK") => Mode::Notrack,
            Some("ALARM") => Mode::Alarm,
            other => panic!("{}: mode {other:?}", self.name),
        }
    }

    /// The messages that can be cut out of it.
    pub(crate) fn messages(&self) -> &[Value] {
        self.tree["messages"].as_array().unwrap()
    }
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/vectors/sync")
}

/// All vectors, by name.
pub(crate) fn all() -> Vec<Case> {
    files(&folder(), "json").iter().map(|file| Case::read(file)).collect()
}

/// The vector of this name.
pub(crate) fn named<'a>(cases: &'a [Case], name: &str) -> &'a Case {
    let found = cases.iter().find(|case| case.name == name);
    found.unwrap_or_else(|| panic!("no vector {name}"))
}

/// Files of a folder with this extension, by name.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// Bytes of hexadecimal text; an empty text is no bytes.
pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap())
        .collect();
    assert!(digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}
