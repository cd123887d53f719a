//! Development commands of the workspace: `cargo xtask COMMAND`.
//!
//! Each command is a module; the table [`TASKS`] is the only place that lists them. Commands print
//! what they run, and return an exit code that a script can rely on.

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod conformance;
mod counts;
mod demo;
mod fuzz;
mod instructions;
mod isolation;
mod layers;
mod program;
mod reference;
mod setup;
mod suite;
mod vm;
mod workspace;

use std::process::ExitCode;

use program::Result;

/// One command: its name, its arguments as the usage text shows them, and what it does.
struct Task {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<ExitCode>,
}

const TASKS: &[Task] = &[
    Task {
        name: "setup",
        arguments: "",
        about: "install the programs that the tests need, if some are missing",
        run: setup::run,
    },
    Task {
        name: "test",
        arguments: "",
        about: "setup, then all Rust tests, the conformance cases, and pairs of daemons",
        run: suite::run,
    },
    Task {
        name: "conformance",
        arguments: "[-k TEXT] [-v] [--binary PATH] [--topics A,B] | --nfct [-k TEXT] [-v] [--binary PATH] | --daemon [--scenarios | --mixed] [-k TEXT] [-v] [--binary PATH]",
        about: "the conformance cases of conntrack, those of nfct, or the configuration cases and scenarios of conntrackd",
        run: conformance::run,
    },
    Task {
        name: "compare",
        arguments: "[-k TEXT] [-v] [--binary PATH]",
        about: "the same command lines with the installed conntrack and with ours",
        run: conformance::compare,
    },
    Task {
        name: "vm",
        arguments: "",
        about: "what nfct does with helpers, in a virtual machine whose kernel has them (about a minute)",
        run: vm::run,
    },
    Task {
        name: "layers",
        arguments: "",
        about: "check which crate may use which, and what pure crates must not touch",
        run: layers::run,
    },
    Task {
        name: "fuzz",
        arguments: "[--seconds N] [TARGET]",
        about: "run the fuzz targets with cargo-fuzz",
        run: fuzz::run,
    },
    Task {
        name: "bench",
        arguments: "[list | daemon] [ARGUMENT...]",
        about: "run bench/compare or bench/daemon with our release build",
        run: bench::run,
    },
    Task {
        name: "instructions",
        arguments: "[--update]",
        about: "count the instructions of a listed flow with valgrind; a tenth more than agreed fails",
        run: instructions::run,
    },
    Task {
        name: "demo",
        arguments: "[tool | fail-over]",
        about: "show the tool at work on a firewall, then two firewalls of which one dies, in network namespaces",
        run: demo::run,
    },
    Task { name: "ci", arguments: "", about: "every check, as .ci/run does", run: ci::run },
];

fn usage() -> String {
    let tasks = TASKS.iter().map(|task| {
        let call = format!("{} {}", task.name, task.arguments);
        format!("  {}\n      {}\n", call.trim_end(), task.about)
    });
    format!("usage: cargo xtask COMMAND\n\n{}", tasks.collect::<String>())
}

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let Some((name, rest)) = words.split_first() else {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    };
    if let Some(task) = TASKS.iter().find(|task| task.name == name) {
        return (task.run)(rest).unwrap_or_else(|message| {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        });
    }
    eprint!("xtask: there is no command `{name}'\n\n{}", usage());
    ExitCode::from(2)
}
