//! `cargo xtask layers`: the plan of the house, checked.
//!
//! [`CRATES`] says on which layer a crate stands, and the rules follow from the layer: whom it may
//! use, and what its source must not name. Development dependencies and test code are exempt.

mod paths;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::counts::Counts;
use crate::program::{self, Result};
use crate::workspace::{Package, Workspace};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Layer {
    /// Uses anything below, but no other program.
    Program,
    /// Protocol and decision logic: uses `flow` alone.
    Core,
    /// Speaks the kernel's formats: uses the ground.
    Kernel,
    /// Uses nothing of ours.
    Ground,
    /// Stands beside the house and uses nothing of ours.
    Tooling,
}

/// Every crate of the workspace. A crate that is not here is an error.
const CRATES: &[(&str, Layer)] = &[
    ("conntrack", Layer::Program),
    ("nfct", Layer::Program),
    ("conntrackd", Layer::Program),
    ("ctwatch", Layer::Program),
    ("ctsync", Layer::Core),
    ("cthelper", Layer::Core),
    ("flow-watch", Layer::Core),
    ("ctnetlink", Layer::Kernel),
    ("flow", Layer::Ground),
    ("sys", Layer::Ground),
    ("xtask", Layer::Tooling),
];

/// What code without I/O, clock and globals does not name.
const IMPURE: &[&[&str]] = &[
    &["TcpStream"],
    &["UdpSocket"],
    &["std", "fs"],
    &["std", "env"],
    &["Instant", "now"],
    &["SystemTime", "now"],
];

/// Ways to write to standard error.
const STDERR: &[&[&str]] = &[&["eprint!"], &["eprintln!"], &["dbg!"], &["io", "stderr"]];

const FORBID_UNSAFE: &str = "#![forbid(unsafe_code)]";

/// What the rules look at.
struct Crate {
    name: String,
    /// Names of the packages that it uses, ours or not.
    uses: Vec<String>,
    /// Paths of its root files, as in `sources`.
    roots: Vec<String>,
    sources: Vec<Source>,
}

struct Source {
    /// Relative to the folder of the crate, such as `src/client.rs`.
    path: String,
    text: String,
}

/// The command `layers`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    program::no_arguments(words)?;
    Ok(check(&Workspace::load()?)?.exit_code())
}

/// Prints what breaks the rules; counts as one check.
pub(crate) fn check(workspace: &Workspace) -> Result<Counts> {
    let crates = workspace.packages.iter().map(Crate::read).collect::<Result<Vec<_>>>()?;
    let faults = faults(&crates);
    for fault in &faults {
        println!("FAIL layers: {fault}");
    }
    if faults.is_empty() {
        println!("layers: {} crates keep the rules", crates.len());
    }
    Ok(Counts::of_check(faults.is_empty()))
}

impl Crate {
    fn read(package: &Package) -> Result<Self> {
        let mut sources = Vec::new();
        read_sources(&package.folder, &package.folder.join("src"), &mut sources)?;
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            name: package.name.clone(),
            uses: package.uses.clone(),
            roots: package.roots.iter().map(|root| relative(&package.folder, root)).collect(),
            sources,
        })
    }
}

fn relative(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}

fn read_sources(top: &Path, folder: &Path, found: &mut Vec<Source>) -> Result<()> {
    let fault = |path: &Path, error| format!("{}: {error}", path.display());
    for entry in fs::read_dir(folder).map_err(|error| fault(folder, error))? {
        let path = entry.map_err(|error| fault(folder, error))?.path();
        if path.is_dir() {
            read_sources(top, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(|error| fault(&path, error))?;
            found.push(Source { path: relative(top, &path), text });
        }
    }
    Ok(())
}

/// Everything that breaks a rule, in words.
fn faults(crates: &[Crate]) -> Vec<String> {
    let mut faults = Vec::new();
    for one in crates {
        let Some(layer) = layer_of(&one.name) else {
            faults.push(format!(
                "{} is not in the table; add it to CRATES in xtask/src/layers.rs",
                one.name
            ));
            continue;
        };
        faults.extend(dependency_faults(one, layer, crates));
        faults.extend(root_faults(one));
        for source in &one.sources {
            faults.extend(source_faults(&one.name, layer, source));
        }
    }
    faults
}

fn layer_of(name: &str) -> Option<Layer> {
    CRATES.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

fn dependency_faults(one: &Crate, layer: Layer, crates: &[Crate]) -> Vec<String> {
    let ours = |name: &&String| crates.iter().any(|other| other.name == **name);
    let refused = |name: &&String| !layer_of(name).is_some_and(|below| may_use(layer, below, name));
    let used = one.uses.iter().filter(ours).filter(refused);
    used.map(|name| format!("{} must not use {name}", one.name)).collect()
}

fn may_use(layer: Layer, below: Layer, name: &str) -> bool {
    match layer {
        Layer::Program => matches!(below, Layer::Core | Layer::Kernel | Layer::Ground),
        Layer::Core => name == "flow",
        Layer::Kernel => below == Layer::Ground,
        Layer::Ground | Layer::Tooling => false,
    }
}

fn root_faults(one: &Crate) -> Vec<String> {
    if one.name == "sys" {
        return Vec::new();
    }
    let forbids = |root: &&String| {
        let mut sources = one.sources.iter().filter(|source| source.path == **root);
        sources.any(|source| source.text.lines().any(|line| line == FORBID_UNSAFE))
    };
    let open = one.roots.iter().filter(|root| !forbids(root));
    open.map(|root| format!("{}: {root} has no {FORBID_UNSAFE}", one.name)).collect()
}

fn source_faults(name: &str, layer: Layer, source: &Source) -> Vec<String> {
    if is_test_file(&source.path) {
        return Vec::new();
    }
    let paths = paths::named(&paths::without_tests(&source.text));
    let mut faults = Vec::new();
    let mut forbid = |patterns: &[&[&str]], why: &str| {
        for pattern in patterns.iter().filter(|pattern| paths.iter().any(|p| p.contains(pattern))) {
            let named = pattern.join("::");
            faults.push(format!("{name}: {} names {named}: {why}", source.path));
        }
    };
    let is_client = source.path == "src/client.rs" || source.path.starts_with("src/client/");
    let is_edge = layer == Layer::Program && is_edge_file(&source.path);
    if !is_edge && layer != Layer::Tooling {
        forbid(STDERR, "only main.rs and report.rs of a program write to standard error");
    }
    let is_pure = match layer {
        Layer::Core => true,
        Layer::Kernel => !is_client,
        Layer::Ground => name == "flow",
        Layer::Program | Layer::Tooling => false,
    };
    if is_pure {
        forbid(IMPURE, "this code does no I/O and reads no clock and no environment");
    }
    if layer == Layer::Kernel && !is_client && paths.iter().any(|path| path.begins_with("sys")) {
        faults.push(format!("{name}: {} names sys: only client does", source.path));
    }
    faults
}

/// `tests.rs` and folders of tests, which are compiled for tests only.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn is_edge_file(path: &str) -> bool {
    path.ends_with("/main.rs") || path.ends_with("/report.rs") || path.contains("/report/")
}
