//! The label file and the label names of the command line.

use std::io::Write;
use std::path::Path;

use flow::{LabelMap, Labels};
use sys::error_text::error_text;

use crate::options::{LabelRemoval, Options};
use crate::report::print_line;
use crate::surroundings::System;
use crate::usage_error::UsageError;

/// Where the names are unless `--labelmap` says otherwise.
const DEFAULT_FILE: &str = "/etc/xtables/connlabel.conf";

/// What the label options mean, looked up.
#[derive(Clone, Debug, Default)]
pub struct LabelOptions {
    /// The names, if the command line asked for the file and it has some. They are then shown.
    pub map: Option<LabelMap>,
    /// `-l`.
    pub wanted: Option<Labels>,
    /// `--label-add` or `--label-del`.
    pub change: Option<LabelChange>,
}

/// A change of labels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LabelChange {
    /// Set these.
    Add(Labels),
    /// Clear these.
    Remove(Labels),
    /// Clear all.
    RemoveAll,
}

impl LabelOptions {
    /// Reads the file if the options need it, and looks up their names in it.
    ///
    /// A file that is missing or empty is a warning: only a name that is then unknown is an error.
    pub fn resolve(
        options: &Options,
        system: &dyn System,
        stderr: &mut dyn Write,
    ) -> Result<Self, UsageError> {
        if !options.wants_labels() {
            return Ok(Self::default());
        }
        let path = options.labelmap.as_deref().unwrap_or(DEFAULT_FILE.as_ref());
        let map = load(Path::new(path), system, stderr);
        let names = map.clone().unwrap_or_default();
        let labels = |wanted: &[String]| -> Result<Option<Labels>, UsageError> {
            if wanted.is_empty() {
                return Ok(None);
            }
            let bits: Result<Vec<u32>, UsageError> = wanted
                .iter()
                .map(|name| {
                    let unknown = || UsageError::UnknownLabel { name: name.clone() };
                    names.bit(name).ok_or_else(unknown)
                })
                .collect();
            Ok(Some(Labels::from_bits(bits?)))
        };
        let wanted = labels(&options.labels)?;
        let added = labels(&options.label_add)?.map(LabelChange::Add);
        let removed = match &options.label_del {
            None => None,
            Some(LabelRemoval::All) => Some(LabelChange::RemoveAll),
            Some(LabelRemoval::Named(names)) => labels(names)?.map(LabelChange::Remove),
        };
        Ok(Self { map, wanted, change: added.or(removed) })
    }
}

fn load(path: &Path, system: &dyn System, stderr: &mut dyn Write) -> Option<LabelMap> {
    let why = match system.read(path) {
        Ok(text) => {
            let map = LabelMap::parse(&text);
            if !map.is_empty() {
                return Some(map);
            }
            format!("no label in {}", path.display())
        }
        Err(error) => error_text(&error),
    };
    print_line(stderr, &format!("nfct_labelmap_new: {why}"));
    None
}
