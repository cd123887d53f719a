//! Processes inside the demo's network: the client, the server, and the event listener.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::program::{self, Result};

/// How often the listener's socket is looked for, and how long between two looks.
const LOOKS: usize = 1500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A command inside the network namespace of this name.
pub(super) fn in_namespace(name: &str, program: &Path) -> Command {
    let mut command = program::command("nsenter");
    command.arg(format!("--net=/run/netns/{name}")).arg("--").arg(program);
    command
}

/// How long a part may take until it can be used.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A part of a script of the demo, which runs until this value is dropped.
pub(super) struct Peer {
    child: Child,
    /// The script ends when this closes.
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Peer {
    /// Starts a part and waits until it says that it is ready.
    pub(super) fn start(namespace: &str, script: &str, part: &str) -> Result<Self> {
        let mut command = in_namespace(namespace, Path::new("python3"));
        command.args(["-c", script, part]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| program::cannot_run(&command, error))?;
        let lines = lines_of(child.stdout.take());
        let peer = Self { stdin: child.stdin.take(), child, lines };
        if peer.next_line(READY_WITHIN).is_some_and(|line| line == "ready") {
            Ok(peer)
        } else {
            Err(format!("the {part} part of the demo did not become ready"))
        }
    }

    /// The next line that it prints, if it comes in time.
    pub(super) fn next_line(&self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }

    /// Gives it a line.
    pub(super) fn tell(&mut self, line: &str) -> Result<()> {
        let Some(stdin) = &mut self.stdin else {
            return Ok(());
        };
        writeln!(stdin, "{line}").map_err(|error| format!("a part of the demo is gone: {error}"))
    }
}

/// The lines of a pipe, read by a thread that ends with it.
fn lines_of(stdout: Option<ChildStdout>) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = stdout {
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(std::result::Result::ok);
            // The receiver is gone only when the demo is over.
            lines.for_each(|line| drop(sender.send(line)));
        });
    }
    lines
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Nobody needs its exit code any more.
        let _ = self.child.wait();
    }
}

/// An event listener in the firewall, and the lines it has written so far.
pub(super) struct Listener {
    child: Child,
    lines: Receiver<String>,
}

impl Listener {
    /// Starts the command and waits until its socket has joined an event group.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| program::cannot_run(command, error))?;
        let lines = lines_of(child.stdout.take());
        let listener = Self { child, lines };
        for _ in 0..LOOKS {
            if has_joined()? {
                return Ok(listener);
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Err(format!("`{}' joined no event group", program::line(command)))
    }

    /// The next line, if it comes in time.
    pub(super) fn next_line(&self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }

    /// Interrupts the program as Ctrl-C does; returns whether it succeeded, and its standard error.
    pub(super) fn interrupt(self) -> Result<(bool, String)> {
        let pid = self.child.id().to_string();
        program::quietly(program::command("kill").args(["-INT", &pid]));
        let output = self.child.wait_with_output().map_err(|error| error.to_string())?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

/// Whether a netfilter socket of the firewall has joined an event group.
fn has_joined() -> Result<bool> {
    let mut cat = in_namespace("firewall", Path::new("cat"));
    let output = program::output(cat.arg("/proc/net/netlink"))?;
    let sockets = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(sockets.lines().any(is_joined_socket))
}

/// Reads a line of `/proc/net/netlink`: address, protocol (12 is netfilter), port id, groups.
fn is_joined_socket(line: &str) -> bool {
    let mut fields = line.split_whitespace();
    fields.nth(1) == Some("12") && fields.nth(1).is_some_and(|groups| groups != "00000000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_netfilter_socket_with_groups_has_joined() {
        assert!(is_joined_socket("0000000050a0 12  4171 00000007 0 0 0 2 0 71"));
        assert!(!is_joined_socket("0000000050a0 12  4171 00000000 0 0 0 2 0 71"));
        assert!(!is_joined_socket("0000000050a0 0   4171 00000007 0 0 0 2 0 71"));
        assert!(!is_joined_socket("sk               Eth Pid        Groups   Rmem"));
    }
}
