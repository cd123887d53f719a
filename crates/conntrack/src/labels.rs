//! The label file and the label names of the command line.

use std::io::Write;
use std::path::Path;

use flow::{LabelMap, Labels};
use sys::error_text::error_text;

use crate::options::{LabelRemoval, Options};
use crate::report::print_line;
use crate::surroundings::System;
use crate::usage_error::UsageError;
use crate::values::{OutputFlags, decimal};

/// Where the names are unless `--labelmap` says otherwise.
const DEFAULT_FILE: &str = "/etc/xtables/connlabel.conf";

/// What stands before the number of a label that is given without a name. No name of a label file can hold a colon.
pub const LABEL_NUMBER: &str = "bit:";

/// What the label options mean, looked up.
#[derive(Clone, Debug, Default)]
pub struct LabelOptions {
    /// The names, if the command line asked for the file and it has some. They are then shown.
    pub map: Option<LabelMap>,
    /// `-l`: numbers, also those that no flow can have.
    pub wanted: Option<Vec<u32>>,
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
        if !options.wants_labels() && !options.output.is_json() {
            return Ok(Self::default());
        }
        let path = Path::new(options.labelmap.as_deref().unwrap_or(DEFAULT_FILE.as_ref()));
        let map = match names_are_needed(options) {
            true => load(path, system, stderr),
            // JSON shows names if there are any.
            false if options.output.is_json() => load(path, system, &mut std::io::sink()),
            false => None,
        };
        let bit = |name: &String| {
            let unknown = || UsageError::UnknownLabel { name: name.clone() };
            let named = || map.as_ref().and_then(|map| map.bit(name));
            number_of(name).or_else(named).ok_or_else(unknown)
        };
        // What no flow has room for can be looked for in vain, but not be set or cleared.
        let fitting_bit = |name: &String| match bit(name)? {
            bit if bit < Labels::MAX_BITS => Ok(bit),
            bit => Err(UsageError::LabelTooHigh { name: name.clone(), bit }),
        };
        let fitting = |names: &[String]| -> Result<Option<Labels>, UsageError> {
            let bits: Vec<u32> = names.iter().map(fitting_bit).collect::<Result<_, _>>()?;
            Ok((!bits.is_empty()).then(|| Labels::from_bits(bits)))
        };
        let wanted: Vec<u32> = options.labels.iter().map(bit).collect::<Result<_, _>>()?;
        let wanted = (!wanted.is_empty()).then_some(wanted);
        let added = fitting(&options.label_add)?.map(LabelChange::Add);
        let removed = match &options.label_del {
            None => None,
            Some(LabelRemoval::All) => Some(LabelChange::RemoveAll),
            Some(LabelRemoval::Named(names)) => fitting(names)?.map(LabelChange::Remove),
        };
        Ok(Self { map, wanted, change: added.or(removed) })
    }
}

/// Whether the file must be there. Labels that are all given by number need none.
fn names_are_needed(options: &Options) -> bool {
    if !options.wants_labels() {
        return false;
    }
    let mut names = options.label_names().peekable();
    names.peek().is_none()
        || names.any(|name| number_of(name).is_none())
        || options.labelmap.is_some()
        || options.output.contains(OutputFlags::LABELS)
}

/// The number in `bit:NUMBER`.
fn number_of(name: &str) -> Option<u32> {
    let number = decimal(name.strip_prefix(LABEL_NUMBER)?)?;
    (number < Labels::MAX_BITS).then_some(number)
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
