//! The `conntrackd` program.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use conntrackd::real::RealSystem;
use conntrackd::surroundings::Surroundings;

fn main() -> ExitCode {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let exit = conntrackd::run::run(&mut Surroundings {
        args: std::env::args_os().collect(),
        stdout_is_terminal: stdout.is_terminal(),
        stdout: &mut stdout.lock(),
        stderr: &mut stderr.lock(),
        system: &RealSystem,
    });
    exit.into()
}
