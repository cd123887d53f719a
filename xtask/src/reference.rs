//! Debian's conntrackd 1.4.7, which takes one node of a mixed pair.
//!
//! The installed one is used if there is one. To install it would start a service, so else apt only fetches the package
//! and what it links to that nothing else here brings, and they are unpacked below the target folder. No right is needed
//! for that, and nothing of the machine changes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::program::{self, Result};
use crate::setup;
use crate::workspace::Workspace;

/// Where Debian installs it.
const INSTALLED: &str = "/usr/sbin/conntrackd";
/// The beginning of what it says of itself when it is the version that `known-1.4.7` was written with.
const VERSION: &str = "Connection tracking userspace daemon v1.4.7.";

/// The packages. The other libraries come with `conntrack`, which the set-up installs, and with apt.
const PACKAGES: [&str; 3] = ["libnetfilter-cthelper0", "libnetfilter-queue1", "conntrackd"];
/// The folder below the target folder.
const FOLDER: &str = "debian-conntrackd";
/// Starts the unpacked daemon in its own place, so that its process is the one that was started.
const STARTER: &str = "#!/bin/sh
here=$(dirname \"$(readlink -f \"$0\")\")
for folder in \"$here\"/root/usr/lib/*/; do
\tLD_LIBRARY_PATH=\"$folder:$LD_LIBRARY_PATH\"
done
export LD_LIBRARY_PATH
exec \"$here/root/usr/sbin/conntrackd\" \"$@\"
";

/// The daemon, fetched if need be, or why there is none.
pub(crate) fn conntrackd(workspace: &Workspace) -> Result<PathBuf> {
    let installed = Path::new(INSTALLED);
    if is_wanted(installed).is_ok() {
        return Ok(installed.to_owned());
    }
    let folder = workspace.target.join(FOLDER);
    let starter = folder.join("conntrackd");
    if is_wanted(&starter).is_err() {
        fetch(&folder, &starter)?;
        is_wanted(&starter)?;
    }
    Ok(starter)
}

/// Whether a program is the version that the scripts know; if not, what it is.
fn is_wanted(program: &Path) -> Result<()> {
    let output = program::output(program::command(program).arg("-v"))?;
    if output.stdout.starts_with(VERSION.as_bytes()) {
        return Ok(());
    }
    let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    let said = String::from_utf8_lossy(said);
    let said = said.lines().next().unwrap_or("nothing");
    Err(format!("1.4.7 is needed, {} says: {said}", program.display()))
}

fn fetch(folder: &Path, starter: &Path) -> Result<()> {
    for name in ["apt-get", "dpkg-deb"] {
        if program::find(name).is_none() {
            return Err(format!("not installed, and without {name} it can't be fetched"));
        }
    }
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    // What an earlier fetch left is not trusted.
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    let root = folder.join("root");
    fs::create_dir_all(&root).map_err(failed)?;
    let mut download = program::command("apt-get");
    // Else root's apt warns that its own user may not write here.
    download.args(["-o", "APT::Sandbox::User=root", "download"]).args(PACKAGES).current_dir(folder);
    if let Err(message) = program::require(&mut download) {
        // A fresh machine may have no package lists.
        setup::update_lists().map_err(|_| message)?;
        program::require(&mut download)?;
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            program::require(program::command("dpkg-deb").arg("-x").arg(&path).arg(&root))?;
        }
    }
    fs::write(starter, STARTER).map_err(failed)?;
    fs::set_permissions(starter, fs::Permissions::from_mode(0o755)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_is_not_the_reference_and_says_what_it_is() {
        let error = is_wanted(Path::new("/bin/echo")).unwrap_err();
        assert_eq!(error, "1.4.7 is needed, /bin/echo says: -v");
    }
}
