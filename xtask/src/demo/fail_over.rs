//! Two firewalls with a daemon each: one dies in the middle of a download, the other one goes on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::peer::{Peer, in_namespace};
use crate::program::{self, Result};

const SESSIONS: &str = include_str!("../../demo/sessions.py");

/// Where configurations, sockets and logs of this demo are: private, and gone with the mount namespace.
const FOLDER: &str = "/run/demo";

/// How long a daemon may take until it answers, and the flows until the other one knows them.
const SOON: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Two daemons that have just met forget what they may have to send again, for a second or two.
const GREETING: Duration = Duration::from_secs(3);
/// A connection that stood still waits longer and longer before it tries again.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The size of the file, and how much of it goes through the first firewall.
const FILE_MIB: u32 = 10;
const FIRST_MIB: u32 = 3;

/// What the demo shows.
pub(super) struct Programs<'a> {
    /// `conntrack`.
    pub(super) tool: &'a Path,
    /// `conntrackd`.
    pub(super) daemon: &'a Path,
    /// `primary-backup.sh`.
    pub(super) script: &'a Path,
}

/// Plays the story inside the namespaces that `fail-over.sh` has built.
pub(super) fn play(programs: &Programs<'_>) -> Result<ExitCode> {
    let mut story = Story { programs, faults: 0 };
    println!(
        "Two firewalls, a and b, hide a client behind 198.51.100.1. a is in charge; b knows of it"
    );
    println!(
        "all that a's conntrackd tells over a cable. They let pass what belongs to a known connection."
    );
    story.tell()?;
    println!();
    if story.faults > 0 {
        println!("{} things were not as they must be; they are marked with !!.", story.faults);
        return Ok(ExitCode::FAILURE);
    }
    println!("Both connections outlived the firewall that they were made through.");
    Ok(ExitCode::SUCCESS)
}

struct Story<'a> {
    programs: &'a Programs<'a>,
    faults: u32,
}

impl<'a> Story<'a> {
    fn tell(&mut self) -> Result<()> {
        let mut a = self.firewall("a", "10.99.0.1", "10.99.0.2")?;
        let b = self.firewall("b", "10.99.0.2", "10.99.0.1")?;
        thread::sleep(GREETING);

        let server = Peer::start("server", SESSIONS, "server")?;
        let sent = server.next_line(SOON).unwrap_or_default();
        let mut session = Peer::start("client", SESSIONS, "session")?;
        let download = Peer::start("client", SESSIONS, "download")?;
        println!(
            "\n# A session like that of ssh, and a download of {FILE_MIB} MiB, both through a."
        );
        self.talk(&mut session, "who is there")?;
        for _ in 0..FIRST_MIB {
            download.next_line(SOON);
        }
        println!("download: {FIRST_MIB} of {FILE_MIB} MiB");

        println!("\n# What b has been told:\nb$ conntrackd -e");
        for port in [22, 80] {
            let flow = b.external(port)?;
            self.check(
                flow.contains("ESTABLISHED") && flow.contains("[ASSURED]"),
                "b does not know this flow",
            );
            println!("{flow}");
        }

        println!("\n# a dies.");
        println!(
            "a$ kill -KILL $(pidof conntrackd); ip link set lan down; ip link set wan down; ip link set sync down"
        );
        a.kill()?;
        let stopped = now();

        println!("\n# What keepalived does on b: the script, then the addresses.");
        println!("b$ primary-backup.sh primary");
        b.play_role("primary")?;
        println!("b$ ip address add 192.0.2.1/24 dev lan");
        println!("b$ ip address add 198.51.100.1/24 dev wan");
        b.take_addresses()?;
        self.kernel_has_both(&b)?;

        println!("\n# And the connections?");
        self.talk(&mut session, "still there")?;
        println!("session: {:.1} s after the death of a", stopped.elapsed().as_secs_f64());
        let came = last_line(&download);
        println!("client: received sha256 {}", start_of(&came));
        println!("server: sent     sha256 {}", start_of(&sent));
        self.check(!sent.is_empty() && came == sent, "the file is not the one that was sent");
        Ok(())
    }

    fn firewall(&self, name: &'static str, own: &str, other: &str) -> Result<Firewall<'a>> {
        let firewall = Firewall::start(self.programs, name, &configuration(name, own, other))?;
        let answers = soon(|| Ok(firewall.ask("-s")?.is_some()))?;
        if answers { Ok(firewall) } else { Err(firewall.failed("does not answer")) }
    }

    /// A line to the server and back.
    fn talk(&mut self, session: &mut Peer, line: &str) -> Result<()> {
        session.tell(line)?;
        let answer = session.next_line(ANSWER_WITHIN).unwrap_or_default();
        println!("session: sent `{line}', came back `{answer}'");
        self.check(answer == line, "the session is broken");
        Ok(())
    }

    /// Shows the flows in the kernel's table, with the address behind which the client is hidden.
    fn kernel_has_both(&mut self, firewall: &Firewall<'_>) -> Result<()> {
        println!("b$ conntrack -L -p tcp");
        let output = firewall.run(self.programs.tool, &["-L", "-p", "tcp"])?.unwrap_or_default();
        print!("{output}");
        for port in [22, 80] {
            let is_flow = |line: &str| {
                line.contains(&format!(" dport={port} ")) && line.contains(" dst=198.51.100.1 ")
            };
            self.check(output.lines().any(is_flow), "a flow is not in the kernel");
        }
        Ok(())
    }

    fn check(&mut self, holds: bool, fault: &str) {
        if !holds {
            println!("!! {fault}");
            self.faults += 1;
        }
    }
}

/// A node and its daemon.
struct Firewall<'a> {
    name: &'static str,
    programs: &'a Programs<'a>,
    folder: PathBuf,
    daemon: Child,
}

impl<'a> Firewall<'a> {
    fn start(programs: &'a Programs<'a>, name: &'static str, text: &str) -> Result<Self> {
        let folder = Path::new(FOLDER).join(name);
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::write(folder.join("conntrackd.conf"), text).map_err(failed)?;
        let log = File::create(folder.join("log")).map_err(failed)?;
        let both = log.try_clone().map_err(failed)?;
        // nsenter becomes the daemon, so this child is the daemon itself.
        let mut command = in_namespace(name, programs.daemon);
        command.arg("-C").arg(folder.join("conntrackd.conf"));
        command.stdin(Stdio::null()).stdout(log).stderr(both);
        let daemon = command.spawn().map_err(|error| program::cannot_run(&command, error))?;
        Ok(Self { name, programs, folder, daemon })
    }

    /// The answer to a command of the daemon, or `None` if it failed.
    fn ask(&self, word: &str) -> Result<Option<String>> {
        let config = self.folder.join("conntrackd.conf");
        self.run(self.programs.daemon, &["-C", &config.to_string_lossy(), word])
    }

    /// What the external cache has of the flow to a port, or nothing after a while.
    fn external(&self, port: u16) -> Result<String> {
        let mut found = String::new();
        soon(|| {
            let cache = self.ask("-e")?.unwrap_or_default();
            let wanted = format!(" dport={port} ");
            let line = cache.lines().find(|line| line.contains(&wanted)).unwrap_or_default();
            line.clone_into(&mut found);
            Ok(line.contains("[ASSURED]"))
        })?;
        Ok(found)
    }

    /// What a program prints that is run here, or `None` if it failed.
    fn run(&self, program: &Path, words: &[&str]) -> Result<Option<String>> {
        let output = program::output(in_namespace(self.name, program).args(words))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(output.status.success().then_some(text))
    }

    fn play_role(&self, role: &str) -> Result<()> {
        let mut script = in_namespace(self.name, self.programs.script);
        script.env("CONNTRACKD_BIN", self.programs.daemon);
        script.env("CONNTRACKD_CONFIG", self.folder.join("conntrackd.conf"));
        self.succeed(script.arg(role).stdout(Stdio::null()))
    }

    fn take_addresses(&self) -> Result<()> {
        for (address, device) in [("192.0.2.1/24", "lan"), ("198.51.100.1/24", "wan")] {
            let mut ip = in_namespace(self.name, Path::new("ip"));
            self.succeed(ip.args(["address", "add", address, "dev", device]))?;
        }
        Peer::start(self.name, SESSIONS, "announce").map(drop)
    }

    /// The daemon gets no chance to say good-bye.
    fn kill(&mut self) -> Result<()> {
        self.daemon.kill().map_err(|error| self.failed(&format!("cannot be killed: {error}")))?;
        for device in ["lan", "wan", "sync"] {
            let mut ip = in_namespace(self.name, Path::new("ip"));
            self.succeed(ip.args(["link", "set", device, "down"]))?;
        }
        Ok(())
    }

    fn succeed(&self, command: &mut Command) -> Result<()> {
        if program::succeeds(command)? {
            return Ok(());
        }
        Err(self.failed(&format!("has not done `{}'", program::line(command))))
    }

    fn failed(&self, what: &str) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        format!("{} {what}\n{log}", self.name)
    }
}

impl Drop for Firewall<'_> {
    fn drop(&mut self) {
        // It may be dead already; a daemon that is not is of no use any more.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn configuration(name: &str, own: &str, other: &str) -> String {
    format!(
        "Sync {{\n\tMode FTFW {{\n\t}}\n\tUDP {{\n\t\tIPv4_address {own}\n\t\t\
         IPv4_Destination_Address {other}\n\t\tPort 3780\n\t\tInterface sync\n\t}}\n}}\n\
         General {{\n\tLockFile {FOLDER}/{name}/lock\n\t\
         UNIX {{\n\t\tPath {FOLDER}/{name}/control\n\t}}\n}}\n"
    )
}

#[expect(clippy::disallowed_methods, reason = "a program's edge: the demo runs in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Whether it holds within a while.
fn soon(mut holds: impl FnMut() -> Result<bool>) -> Result<bool> {
    let start = now();
    while start.elapsed() < SOON {
        if holds()? {
            return Ok(true);
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(false)
}

/// The line behind the numbers of MiB: the checksum, or nothing.
fn last_line(download: &Peer) -> String {
    loop {
        match download.next_line(ANSWER_WITHIN) {
            Some(line) if line.parse::<u32>().is_ok() => {}
            line => return line.unwrap_or_default(),
        }
    }
}

/// Enough of a checksum for the eye.
fn start_of(checksum: &str) -> &str {
    checksum.get(..16).unwrap_or("(nothing)")
}
