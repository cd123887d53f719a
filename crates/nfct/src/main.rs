//! The `nfct` program.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use nfct::real::{RealKernel, RealStdout, RealSystem};
use nfct::surroundings::Surroundings;

fn main() -> ExitCode {
    let stderr = io::stderr();
    let exit = nfct::run::run(&mut Surroundings {
        args: std::env::args_os().collect(),
        stdout: &mut RealStdout,
        stderr_is_terminal: stderr.is_terminal(),
        stderr: &mut stderr.lock(),
        kernel: &RealKernel,
        system: &RealSystem,
    });
    exit.into()
}
