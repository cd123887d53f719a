//! The `conntrack` program.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use conntrack::real::{RealKernel, RealSystem};
use conntrack::surroundings::Surroundings;

fn main() -> ExitCode {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let exit = conntrack::run::run(&mut Surroundings {
        args: std::env::args_os().collect(),
        stdin: &mut io::stdin().lock(),
        stdout_is_terminal: stdout.is_terminal(),
        stdout: &mut stdout.lock(),
        stderr_is_terminal: stderr.is_terminal(),
        stderr: &mut stderr.lock(),
        kernel: &RealKernel,
        system: &RealSystem::default(),
    });
    exit.into()
}
