//! What the scripts here cannot do themselves: fill the table quickly, read it without parsing, time a program.
//!
//! ```text
//! bench-helper fill FIRST COUNT             creates flows FIRST .. FIRST + COUNT of the mix
//! bench-helper fill FIRST COUNT RATE        the same at RATE flows a second; prints the microseconds that it took
//! bench-helper churn FIRST COUNT RATE SECONDS SEED
//!                                           creates, updates and ends flows of these; prints how many of each, how many
//!                                           changes were refused, and the microseconds that it took
//! bench-helper remove FIRST COUNT           ends these flows
//! bench-helper delete-some FIRST COUNT [CONDITION ..]
//!                                           reads as `dump' does, then ends those of these flows that are UDP to port 53
//! bench-helper mark-some FIRST COUNT MARK [CONDITION ..]
//!                                           the same, but gives a mark to those that are TCP over IPv6
//! bench-helper follow OTHER COUNT           creates COUNT flows one by one; prints after how many microseconds each one
//!                                           is an event in the network namespace of the file OTHER, or `lost'
//! bench-helper fill-tcp FIRST COUNT         the same with TCP flows alone
//! bench-helper dump [CONDITION .. [+ ..]]   reads the table as far as the kernel lets it pass, prints datagrams and bytes
//! bench-helper format ROUNDS [WORD ..]      lists a thousand flows that are in memory, so many times, to nowhere
//! bench-helper measure TIMES OUTPUT CMD ..  runs CMD, standard output to OUTPUT; prints what it used as JSON
//! ```

mod churn;
mod dump;
mod fill;
mod follow;
mod format;
mod measure;
mod mix;

use std::io;
use std::process::ExitCode;

use churn::{Churn, Deed};

const USAGE: &str = "usage: fill FIRST COUNT [RATE] | fill-tcp FIRST COUNT | \
     churn FIRST COUNT RATE SECONDS SEED | remove FIRST COUNT | \
     delete-some FIRST COUNT [CONDITION ..] | mark-some FIRST COUNT MARK [CONDITION ..] | follow OTHER COUNT | \
     dump [CONDITION ..] | format ROUNDS [WORD ..] | measure TIMES OUTPUT CMD ..";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-helper: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<()> {
    match words {
        ["fill", first, count] => fill::run(number(first)?, number(count)?, mix::flow),
        ["fill-tcp", first, count] => fill::run(number(first)?, number(count)?, mix::tcp_flow),
        ["fill", first, count, rate] => fill::paced(number(first)?, number(count)?, number(rate)?),
        ["churn", words @ ..] => churn::run(churn(words)?),
        ["remove", first, count] => {
            churn::sweep(number(first)?, number(count)?, Deed::Delete, |_| true)
        }
        ["delete-some", first, count, conditions @ ..] => {
            dump::run(conditions)?;
            churn::sweep(number(first)?, number(count)?, Deed::Delete, mix::asks_for_names)
        }
        ["mark-some", first, count, mark, conditions @ ..] => {
            dump::run(conditions)?;
            let deed = Deed::Mark(number(mark)?);
            churn::sweep(number(first)?, number(count)?, deed, mix::is_tcp_over_ipv6)
        }
        ["follow", other, count] => follow::run(other, number(count)?),
        ["dump", conditions @ ..] => dump::run(conditions),
        ["format", rounds, words @ ..] => format::run(number(rounds)?, words),
        ["measure", times, output, program, words @ ..] => {
            measure::run(number(times)?, output, program, words)
        }
        _ => Err(io::Error::other(USAGE)),
    }
}

fn churn(words: &[&str]) -> io::Result<Churn> {
    let [first, count, rate, seconds, seed] = words else { return Err(io::Error::other(USAGE)) };
    Ok(Churn {
        first: number(first)?,
        count: number(count)?,
        rate: number(rate)?,
        seconds: number(seconds)?,
        seed: number(seed)?,
    })
}

fn number(word: &str) -> io::Result<u32> {
    word.parse().map_err(|error| io::Error::other(format!("`{word}': {error}")))
}

/// An error of a socket that could not be opened.
fn open_error(error: sys::netlink::OpenError) -> io::Error {
    match error {
        sys::netlink::OpenError::Open(error) | sys::netlink::OpenError::Bind(error) => error,
    }
}
