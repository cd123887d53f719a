//! Runs the program inside the test, with doubles for all that is outside.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use conntrackd::control::Request;
use conntrackd::control::client::AskError;
use conntrackd::report::Exit;
use conntrackd::run::run;
use conntrackd::surroundings::{Surroundings, System};
use flow::text::CivilTime;

/// A system with one configuration file, some devices and no daemon.
pub(crate) struct Double<'a> {
    pub(crate) config: &'a [u8],
    pub(crate) interfaces: &'a [&'a str],
}

/// What a run left behind.
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Exit,
}

impl System for Double<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("test.conf") => Ok(self.config.to_vec()),
            Some("/etc/protocols") => Ok(b"tcp 6 TCP\nicmp 1 ICMP\ndccp 33 DCCP\n\
                ipv6-icmp 58 IPv6-ICMP # version 6\nsctp 132 SCTP\nicmpv6 58 IPv6-ICMP\n"
                .to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn has_interface(&self, name: &str) -> bool {
        self.interfaces.contains(&name)
    }

    fn ask(&self, _: &Path, _: Request, _: &mut dyn Write) -> Result<(), AskError> {
        Err(AskError::Daemon(io::ErrorKind::NotFound.into()))
    }

    fn now_s(&self) -> u64 {
        1_795_344_940
    }

    fn civil_time(&self, _: u64) -> CivilTime {
        CivilTime { year: 2026, month: 11, day: 22, hour: 10, minute: 55, second: 40, weekday: 0 }
    }

    fn pid(&self) -> u32 {
        7
    }
}

pub(crate) fn run_with(system: &Double, words: &[&str]) -> Outcome {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let words = ["conntrackd"].iter().chain(words);
    let exit = run(&mut Surroundings {
        args: words.map(OsString::from).collect(),
        stdout: &mut stdout,
        stdout_is_terminal: false,
        stderr: &mut stderr,
        system,
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { stdout: text(stdout), stderr: text(stderr), exit }
}
