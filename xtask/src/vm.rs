//! `cargo xtask vm`: nfct and the registry of helpers, in a virtual machine with Debian's kernel.
//!
//! The registry is one for the whole machine, and many kernels lack it, so that no test may touch that of the host. The
//! machine is emulated and lives in memory: no network, no disk, nothing installed. What it is made of is taken from the
//! system, or else fetched by apt (about 100 MB, as root) and unpacked below `target/vm`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::counts::{Counts, counted};
use crate::program::{self, Result};
use crate::setup;
use crate::workspace::Workspace;

/// The Debian packages that the machine is made of.
const PACKAGES: [&str; 3] = ["qemu-system-x86", "linux-image-amd64", "busybox-static"];
/// Programs of the host that the tests use inside, beside ip and nft.
const PROGRAMS: [&str; 6] = ["ip", "nft", "setpriv", "unshare", "diff", "realpath"];

/// The command `vm`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    program::no_arguments(words)?;
    let workspace = Workspace::load()?;
    setup::install_missing()?;
    let nfct = workspace.build("nfct")?;
    let root = match ready(&workspace) {
        Some(root) => root,
        None => fetch(&workspace)?,
    };
    let counts = counted(&mut machine(&workspace, &root, &nfct)?, Counts::from_summary)?;
    println!("{counts}");
    Ok(counts.exit_code())
}

/// The same as a test: skipped where the machine was never put together.
pub(crate) fn if_ready(workspace: &Workspace, nfct: &Path) -> Result<Counts> {
    let Some(root) = ready(workspace) else {
        println!("SKIP helpers need a virtual machine: `cargo xtask vm' fetches and runs it");
        return Ok(Counts::SKIPPED);
    };
    counted(&mut machine(workspace, &root, nfct)?, Counts::from_summary)
}

/// Where the parts of the machine are, if all of them are there.
fn ready(workspace: &Workspace) -> Option<PathBuf> {
    let has = |root: &Path, path: &str, name: &str| {
        program::is_program(&root.join(path)) || program::find(name).is_some()
    };
    [PathBuf::from("/"), folder(workspace).join("root")].into_iter().find(|root| {
        has_kernel(root)
            && has(root, "usr/bin/qemu-system-x86_64", "qemu-system-x86_64")
            && has(root, "bin/busybox", "busybox")
    })
}

fn has_kernel(root: &Path) -> bool {
    fs::read_dir(root.join("boot")).is_ok_and(|mut entries| {
        entries.any(|entry| {
            let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
            let name = name.to_string_lossy();
            let version = name.strip_prefix("vmlinuz-");
            version.is_some_and(|version| root.join("lib/modules").join(version).is_dir())
        })
    })
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("vm")
}

/// Fetches what apt would install and unpacks it. Nothing is installed.
fn fetch(workspace: &Workspace) -> Result<PathBuf> {
    let (archives, root) = (folder(workspace).join("archives"), folder(workspace).join("root"));
    let fault = |path: &Path, error| format!("{}: {error}", path.display());
    fs::create_dir_all(archives.join("partial")).map_err(|error| fault(&archives, error))?;
    let mut fetch = program::command("apt-get");
    fetch.args(["install", "--yes", "--no-install-recommends", "--download-only"]);
    let mut cache = std::ffi::OsString::from("Dir::Cache::Archives=");
    cache.push(&archives);
    program::require(fetch.arg("-o").arg(cache).args(PACKAGES))?;
    for entry in fs::read_dir(&archives).map_err(|error| fault(&archives, error))? {
        let path = entry.map_err(|error| fault(&archives, error))?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = program::command("dpkg-deb");
            if !program::succeeds(unpack.arg("-x").args([&path, &root]))? {
                return Err(format!("cannot unpack {}", path.display()));
            }
        }
    }
    fs::remove_dir_all(&archives).map_err(|error| fault(&archives, error))?;
    let missing = || format!("apt gave too little for a machine: {}", PACKAGES.join(" "));
    ready(workspace).ok_or_else(missing)
}

/// The command that boots the machine and runs the tests in it.
fn machine(workspace: &Workspace, root: &Path, nfct: &Path) -> Result<Command> {
    let bin = folder(workspace).join("bin");
    let copied = fs::create_dir_all(&bin).and_then(|()| fs::copy(nfct, bin.join("nfct")));
    copied.map_err(|error| format!("{}: {error}", bin.display()))?;
    let mut boot = workspace.command(workspace.root.join("conformance/vm/boot"));
    boot.arg("-r").arg(root).arg("-b").arg(bin);
    boot.args(PROGRAMS.iter().filter(|name| program::find(name).is_some()).flat_map(|n| ["-p", n]));
    let bash = program::find("bash").ok_or("bash is missing")?;
    let copy = |from: &Path, to: &str| {
        let mut pair = from.as_os_str().to_owned();
        pair.push(to);
        pair
    };
    boot.arg("-c").arg(copy(&bash, ":/bin/bash"));
    boot.arg("-c").arg(copy(&workspace.root.join("conformance/nfct"), ":/conformance"));
    // A helper of the kernel's own stands in the way of one in user space.
    boot.args(["-m", "nf_conntrack_sane", "conformance/vm/nfct"]);
    Ok(boot)
}
