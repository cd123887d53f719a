//! What the demo shows: a table of steps, each with what it must give.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::peer::{Listener, Peer, in_namespace};
use crate::program::{self, Result};

const PEERS: &str = include_str!("../../demo/peers.py");

/// How long an expected event may take, and how long an unexpected one is waited for.
const EVENT_WITHIN: Duration = Duration::from_secs(30);
const QUIET_FOR: Duration = Duration::from_millis(500);

/// One command and what one sees in its output.
struct Step {
    about: &'static str,
    kind: Kind,
    /// The words after `conntrack`, separated by blanks.
    arguments: &'static str,
    expected: &'static [Expected],
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// Runs to its end.
    Plain,
    /// Listens while the client makes new connections, and is then interrupted.
    Live,
}

/// What the output of a command must have.
enum Expected {
    /// This number of lines.
    Lines(usize),
    /// A line with all of these parts.
    Line(&'static [&'static str]),
    /// This part in every line.
    Every(&'static str),
    /// This part in standard error.
    Note(&'static str),
}

use Expected::{Every, Line, Lines, Note};

const STEPS: &[Step] = &[
    Step {
        about: "Every connection through the firewall. The second half of a line is what the \
                answers look like: they go to 198.51.100.1, behind which the client is hidden.",
        kind: Kind::Plain,
        arguments: "-L",
        expected: &[
            Lines(6),
            Line(&["tcp ", "ESTABLISHED src=192.0.2.10 dst=198.51.100.80 sport=40022 dport=22 "]),
            Line(&["udp ", "sport=500 dport=500 src=198.51.100.80 dst=198.51.100.1 sport=500 "]),
            Line(&["udp ", "dport=53 "]),
            Line(&["icmp ", "type=8 code=0 id=77 "]),
            Note("6 flow entries have been shown."),
        ],
    },
    Step {
        about: "Their number alone.",
        kind: Kind::Plain,
        arguments: "-C",
        expected: &[Lines(1), Line(&["6"])],
    },
    Step {
        about: "TCP connections that are established: the client's ssh, http and https.",
        kind: Kind::Plain,
        arguments: "-L -p tcp --state ESTABLISHED",
        expected: &[Lines(3), Every(" ESTABLISHED "), Note("3 flow entries")],
    },
    Step {
        about: "The key exchange of a VPN, found by its port.",
        kind: Kind::Plain,
        arguments: "-L -p udp --dport 500",
        expected: &[Lines(1), Line(&["udp ", "sport=500 dport=500 "])],
    },
    Step {
        about: "One connection, looked up by its complete address pair.",
        kind: Kind::Plain,
        arguments: "-G -p tcp -s 192.0.2.10 -d 198.51.100.80 --sport 40443 --dport 443",
        expected: &[Lines(1), Line(&["tcp ", "sport=40443 dport=443 "])],
    },
    Step {
        about: "A mark is put on the VPN's flow.",
        kind: Kind::Plain,
        arguments: "-U -s 192.0.2.10 -p udp --dport 500 -m 7",
        expected: &[Lines(1), Line(&["dport=500 ", " mark=7 "]), Note("1 flow entries")],
    },
    Step {
        about: "The mark finds it again; this time as a command that would make the entry anew.",
        kind: Kind::Plain,
        arguments: "-L -m 7 -o save",
        expected: &[Lines(1), Every("-A "), Line(&[" -p udp --sport 500 --dport 500 "])],
    },
    Step {
        about: "Live: new connections as they are made, here to ssh, https and the name server.",
        kind: Kind::Live,
        arguments: "-E -e NEW",
        expected: &[
            Lines(3),
            Every("[NEW] "),
            Line(&["tcp ", " SYN_SENT ", " dport=22 "]),
            Line(&["tcp ", " SYN_SENT ", " dport=443 "]),
            Line(&["udp ", " dport=53 "]),
            Note("3 flow events have been shown."),
        ],
    },
    Step {
        about: "The same traffic again, but only new ssh connections are shown.",
        kind: Kind::Live,
        arguments: "-E -e NEW -p tcp --dport 22",
        expected: &[Lines(1), Every("[NEW] "), Every(" dport=22 "), Note("1 flow events")],
    },
    Step {
        about: "The http connection is taken out of the table.",
        kind: Kind::Plain,
        arguments: "-D -s 192.0.2.10 -p tcp --dport 80",
        expected: &[Lines(1), Line(&["dport=80 "]), Note("1 flow entries have been deleted.")],
    },
    Step {
        about: "It is gone.",
        kind: Kind::Plain,
        arguments: "-L -p tcp --dport 80",
        expected: &[Lines(0), Note("0 flow entries have been shown.")],
    },
    Step {
        about: "The kernel's statistics, one line for each processor.",
        kind: Kind::Plain,
        arguments: "-S",
        expected: &[Every("cpu="), Every("found="), Line(&["cpu=0 "])],
    },
];

/// What a command gave.
struct Shown {
    success: bool,
    out: Vec<String>,
    err: String,
}

/// Plays the scenario inside the namespaces that `network.sh` has built.
pub(super) fn play(binary: &Path) -> Result<ExitCode> {
    println!("A client, a firewall that hides it, and a server, each in a network namespace:");
    println!("192.0.2.10 -- 192.0.2.1 firewall 198.51.100.1 -- 198.51.100.80");
    println!("The client talks TCP to ports 22, 80 and 443, UDP to 53 and 500, and sends a ping.");
    let _server = Peer::start("server", PEERS, "server")?;
    let _client = Peer::start("client", PEERS, "hold")?;
    let mut mistakes = 0;
    for step in STEPS {
        println!("\n# {}\n$ conntrack {}", step.about, step.arguments);
        let shown = step.show(binary)?;
        for fault in step.faults(&shown) {
            println!("!! {fault}");
            mistakes += 1;
        }
    }
    println!();
    if mistakes > 0 {
        println!("{mistakes} things were not as they must be; they are marked with !!.");
        return Ok(ExitCode::FAILURE);
    }
    println!("All {} commands gave what they must.", STEPS.len());
    Ok(ExitCode::SUCCESS)
}

impl Step {
    /// Runs the command in the firewall and prints what it gives.
    fn show(&self, binary: &Path) -> Result<Shown> {
        let mut command = in_namespace("firewall", binary);
        command.args(self.arguments.split(' '));
        let shown = match self.kind {
            Kind::Plain => {
                let output = program::output(&mut command)?;
                let out: Vec<String> =
                    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
                for line in &out {
                    println!("{line}");
                }
                let err = String::from_utf8_lossy(&output.stderr).into_owned();
                Shown { success: output.status.success(), out, err }
            }
            Kind::Live => {
                let listener = Listener::start(&mut command)?;
                drop(Peer::start("client", PEERS, "burst")?);
                let out = self.hear(&listener);
                let (success, err) = listener.interrupt()?;
                println!("^C");
                Shown { success, out, err }
            }
        };
        print!("{}", shown.err);
        Ok(shown)
    }

    /// Prints the expected number of events as they come, and any that come soon after them.
    fn hear(&self, listener: &Listener) -> Vec<String> {
        let wanted = self.expected.iter().find_map(|expected| match expected {
            Lines(number) => Some(*number),
            _ => None,
        });
        let mut heard = Vec::new();
        loop {
            let is_due = wanted.is_some_and(|wanted| heard.len() < wanted);
            let within = if is_due { EVENT_WITHIN } else { QUIET_FOR };
            let Some(line) = listener.next_line(within) else {
                return heard;
            };
            println!("{line}");
            heard.push(line);
        }
    }

    /// What is not as it must be, in words.
    fn faults(&self, shown: &Shown) -> Vec<String> {
        let mut faults: Vec<String> =
            self.expected.iter().filter_map(|expected| expected.fault(shown)).collect();
        if !shown.success {
            faults.push("the command failed".to_owned());
        }
        faults
    }
}

impl Expected {
    fn fault(&self, shown: &Shown) -> Option<String> {
        let has_all = |line: &String, parts: &[&str]| parts.iter().all(|part| line.contains(part));
        let (holds, fault) = match self {
            Lines(number) => (
                shown.out.len() == *number,
                format!("{number} lines expected, {} seen", shown.out.len()),
            ),
            Line(parts) => (
                shown.out.iter().any(|line| has_all(line, parts)),
                format!("no line has {parts:?}"),
            ),
            Every(part) => (
                shown.out.iter().all(|line| line.contains(part)),
                format!("a line does not have {part:?}"),
            ),
            Note(part) => {
                (shown.err.contains(part), format!("standard error does not have {part:?}"))
            }
        };
        (!holds).then_some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(out: &[&str], err: &str) -> Shown {
        Shown {
            success: true,
            out: out.iter().map(|&line| line.to_owned()).collect(),
            err: err.to_owned(),
        }
    }

    #[test]
    fn each_expectation_can_hold_and_fail() {
        let some = shown(&["tcp a", "udp a"], "2 flow entries");
        for expected in [Lines(2), Line(&["udp", "a"]), Every("a"), Note("2 flow")] {
            assert_eq!(expected.fault(&some), None);
        }
        for expected in [Lines(1), Line(&["udp", "b"]), Every("tcp"), Note("3 flow")] {
            assert!(expected.fault(&some).is_some());
        }
    }

    #[test]
    fn failed_command_is_a_fault_even_with_the_right_output() {
        let step = Step { about: "", kind: Kind::Plain, arguments: "-C", expected: &[Lines(1)] };
        let mut one = shown(&["6"], "");
        assert!(step.faults(&one).is_empty());
        one.success = false;
        assert_eq!(step.faults(&one), ["the command failed"]);
    }
}
