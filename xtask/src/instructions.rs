//! `cargo xtask instructions`: what a listed flow costs, in user instructions.
//!
//! Time on a shared machine says little; instructions of one build say the same every time. `bench-helper format` lists
//! flows that are in memory, and valgrind counts. Only the difference of many rounds and one is looked at, so start-up is
//! no part of it. The counts that were last agreed on are in `bench/instructions.json`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::counts::Counts;
use crate::program::{self, Result};
use crate::workspace::Workspace;

const AGREED: &str = "bench/instructions.json";
/// So many percent more than agreed fail. A compiler or C library of another version makes a few.
const MOST_GROWTH: u64 = 10;
const ROUNDS: u64 = 10;

/// Name in the file, and words behind `-L`.
const FORMS: [(&str, &[&str]); 7] = [
    ("plain", &[]),
    ("extended,id", &["-o", "extended,id"]),
    ("xml", &["-o", "xml"]),
    ("save", &["-o", "save"]),
    ("saveall", &["-o", "saveall"]),
    ("json", &["-o", "json"]),
    ("no match", &["-s", "192.0.2.77"]),
];

/// The command `instructions`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    match words {
        [] => Ok(check(&workspace)?.exit_code()),
        [word] if word == "--update" => update(&workspace),
        [word, ..] => Err(format!("unexpected argument `{word}'")),
    }
}

/// Counts, and compares with what was agreed on. Without valgrind it says so.
pub(crate) fn check(workspace: &Workspace) -> Result<Counts> {
    let Some(valgrind) = Counter::build(workspace)? else {
        println!(
            "SKIP instructions of a flow: valgrind is not installed, so growth is not noticed"
        );
        return Ok(Counts::SKIPPED);
    };
    let agreed = read(&workspace.root.join(AGREED))?;
    let mut total = Counts::default();
    for (name, words) in FORMS {
        let counted = valgrind.count(words)?;
        let verdict = match agreed.get(name).and_then(Value::as_u64) {
            Some(before) => judge(before, counted),
            None => Err(format!("not in {AGREED}")),
        };
        let said = verdict.as_ref().unwrap_or_else(|failed| failed);
        println!("instructions of a flow, {name}: {counted} ({said})");
        if verdict.is_err() {
            println!("FAIL {name}: if that is meant, run `cargo xtask instructions --update'");
        }
        total += Counts::of_check(verdict.is_ok());
    }
    Ok(total)
}

fn update(workspace: &Workspace) -> Result<ExitCode> {
    let counter = Counter::build(workspace)?.ok_or("valgrind is not installed")?;
    let mut counts = Map::new();
    for (name, words) in FORMS {
        counts.insert(name.to_owned(), counter.count(words)?.into());
    }
    let path = workspace.root.join(AGREED);
    let text = format!("{:#}\n", Value::Object(counts));
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("written: {AGREED}");
    Ok(ExitCode::SUCCESS)
}

/// How a count stands to the one that was agreed on. More than [`MOST_GROWTH`] is the error.
fn judge(before: u64, now: u64) -> std::result::Result<String, String> {
    let percent = now.saturating_mul(100) / before.max(1);
    let said = format!("{percent} % of the agreed {before}");
    if percent > 100 + MOST_GROWTH { Err(said) } else { Ok(said) }
}

fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The built helper under valgrind.
struct Counter {
    valgrind: PathBuf,
    helper: PathBuf,
}

impl Counter {
    /// `None` without valgrind.
    fn build(workspace: &Workspace) -> Result<Option<Self>> {
        let Some(valgrind) = program::find("valgrind") else {
            return Ok(None);
        };
        Ok(Some(Self { valgrind, helper: workspace.build_bench_helper()? }))
    }

    /// Instructions of each flow.
    fn count(&self, words: &[&str]) -> Result<u64> {
        let (one, _) = self.collect(1, words)?;
        let (many, flows) = self.collect(1 + ROUNDS, words)?;
        Ok(many.saturating_sub(one) / (ROUNDS * flows.max(1)))
    }

    /// Instructions of so many lists, and the flows of each.
    fn collect(&self, rounds: u64, words: &[&str]) -> Result<(u64, u64)> {
        let mut command = program::command(&self.valgrind);
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.arg(&self.helper).args(["format", &rounds.to_string()]).args(words);
        let output = program::output(&mut command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let flows = String::from_utf8_lossy(&output.stdout).trim().parse();
        match (collected(&said), flows) {
            (Some(instructions), Ok(flows)) if output.status.success() => Ok((instructions, flows)),
            _ => Err(program::cannot_run(&command, said.trim())),
        }
    }
}

/// The number of the line `==77== Collected : 8733774`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{collected, judge};

    #[test]
    fn a_tenth_more_is_the_most() {
        for (now, is_good) in [(1, true), (1000, true), (1100, true), (1110, false), (9000, false)]
        {
            assert_eq!(judge(1000, now).is_ok(), is_good, "{now}");
        }
    }

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 8733774\n==7== \n";
        assert_eq!(collected(said), Some(8_733_774));
        assert_eq!(collected("==7== nothing\n"), None);
    }
}
