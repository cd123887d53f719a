//! Programs in fresh network, mount and process namespaces: what they make there is gone when they end, however they do.
//!
//! As root, or as a user who may make user namespaces.

use std::process::Command;

use crate::program;

/// What to say where no namespace can be made.
pub(crate) const HOW: &str = "it needs network namespaces. Run it as root (CAP_SYS_ADMIN), or allow unprivileged user \
     namespaces (user.max_user_namespaces, kernel.unprivileged_userns_clone, \
     kernel.apparmor_restrict_unprivileged_userns).";

/// A way to get the right to make namespaces.
#[derive(Clone, Copy)]
pub(crate) struct Isolation {
    /// The options of `unshare` that give it.
    options: &'static [&'static str],
}

impl Isolation {
    /// The way that works here, or `None`.
    pub(crate) fn find() -> Option<Self> {
        let as_root: &[&str] = &[];
        let as_user: &[&str] = &["--user", "--map-root-user"];
        [as_root, as_user].into_iter().map(|options| Self { options }).find(|isolation| {
            program::quietly(isolation.unshare().args(["mount", "-t", "tmpfs", "tmpfs", "/run"]))
        })
    }

    /// The beginning of a command in namespaces of its own, ended with all its children when we end.
    pub(crate) fn unshare(self) -> Command {
        let mut command = program::command("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare"]).args(self.options);
        command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.arg("--");
        command
    }

    /// The beginning of a command for which `/run` is empty too, so that names of namespaces are its own.
    pub(crate) fn with_own_run(self) -> Command {
        let mut command = self.unshare();
        command.args(["sh", "-c", "mount -t tmpfs tmpfs /run && exec \"$@\"", "sh"]);
        command
    }
}
