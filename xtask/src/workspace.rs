//! The workspace as `cargo metadata` describes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{self, Result};

/// The manifests of the workspaces apart: what they use is nothing that the programs should be built with.
pub(crate) const APART: [&str; 2] = ["fuzz/Cargo.toml", BENCH_HELPER];

const BENCH_HELPER: &str = "bench/helper/Cargo.toml";

/// Where things are, and the packages of the workspace.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Names of all packages that it uses at run time or to build; those of tests only are left out.
    pub(crate) uses: Vec<String>,
    /// The root files of its library and programs.
    pub(crate) roots: Vec<PathBuf>,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let mut command = program::cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let output = program::output(&mut command)?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned());
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| program::cannot_run(&command, error))?;
        Self::from_metadata(&metadata)
            .ok_or_else(|| "cargo metadata gave another form than expected".to_owned())
    }

    fn from_metadata(metadata: &Value) -> Option<Self> {
        let packages = metadata.get("packages")?.as_array()?;
        Some(Self {
            root: path(metadata, "workspace_root")?,
            target: path(metadata, "target_directory")?,
            packages: packages.iter().map(Package::from_metadata).collect::<Option<_>>()?,
        })
    }

    /// A command that runs at the top of the repository.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = program::command(program.as_ref());
        command.current_dir(&self.root);
        command
    }

    /// A cargo command at the top of the repository.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let mut command = program::cargo();
        command.args(words).current_dir(&self.root);
        command
    }

    /// Builds a program with the release profile and returns its path.
    pub(crate) fn build(&self, package: &str) -> Result<PathBuf> {
        program::require(&mut self.cargo(&["build", "--release", "--package", package]))?;
        Ok(self.target.join("release").join(package))
    }

    /// Builds the helper of the benchmarks, which is a workspace apart, and returns its path.
    pub(crate) fn build_bench_helper(&self) -> Result<PathBuf> {
        let mut build = self.cargo(&["build", "--release", "--manifest-path", BENCH_HELPER]);
        program::require(build.arg("--target-dir").arg(&self.target))?;
        Ok(self.target.join("release/bench-helper"))
    }
}

impl Package {
    fn from_metadata(package: &Value) -> Option<Self> {
        let manifest = path(package, "manifest_path")?;
        let dependencies = package.get("dependencies")?.as_array()?;
        let targets = package.get("targets")?.as_array()?;
        Some(Self {
            name: text(package, "name")?,
            folder: manifest.parent()?.to_owned(),
            uses: dependencies
                .iter()
                .filter(|dependency| text(dependency, "kind").as_deref() != Some("dev"))
                .map(|dependency| text(dependency, "name"))
                .collect::<Option<_>>()?,
            roots: targets
                .iter()
                .filter(|target| is_shipped(target))
                .map(|target| path(target, "src_path"))
                .collect::<Option<_>>()?,
        })
    }
}

/// Whether a target is a library or a program, not a test, an example or a build script.
fn is_shipped(target: &Value) -> bool {
    let kinds = target.get("kind").and_then(Value::as_array);
    kinds.is_some_and(|kinds| {
        kinds.iter().filter_map(Value::as_str).any(|kind| kind.ends_with("lib") || kind == "bin")
    })
}

fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

fn path(object: &Value, key: &str) -> Option<PathBuf> {
    text(object, key).map(PathBuf::from)
}
