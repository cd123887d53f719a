//! The `conntrack` program.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use conntrack::real::{End, RealKernel, RealStdout, RealSystem};
use conntrack::report::{Exit, Failure};
use conntrack::surroundings::Surroundings;

fn main() -> ExitCode {
    let (end, stderr) = (End::default(), io::stderr());
    let mut stdout = match RealStdout::new(&end) {
        Ok(stdout) => stdout,
        Err(error) => {
            Failure::Output(error).print(&mut stderr.lock());
            return Exit::Failure.into();
        }
    };
    let exit = conntrack::run::run(&mut Surroundings {
        args: std::env::args_os().collect(),
        stdin: &mut io::stdin().lock(),
        stdout_is_terminal: io::stdout().is_terminal(),
        stdout: &mut stdout,
        stderr_is_terminal: stderr.is_terminal(),
        stderr: &mut stderr.lock(),
        kernel: &RealKernel(&end),
        system: &RealSystem::default(),
    });
    if let (Exit::Interrupted, Some(signal)) = (exit, end.wish()) {
        // If that fails, the exit code says the same to a shell.
        let _ = signal.end_process();
    }
    exit.into()
}
