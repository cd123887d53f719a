//! `cargo xtask fuzz`: the fuzz targets, for a bounded time each.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::program::{self, Result};
use crate::workspace::Workspace;

/// How long a target runs when nothing else is asked for.
const SECONDS: u64 = 60;

/// The command `fuzz`.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let (seconds, wanted) = parse(words)?;
    let workspace = Workspace::load()?;
    let mut targets = targets(&workspace.root.join("fuzz/fuzz_targets"))?;
    if let Some(wanted) = wanted {
        if !targets.contains(&wanted) {
            return Err(format!("no target `{wanted}'; there are: {}", targets.join(" ")));
        }
        targets = vec![wanted];
    }
    if !program::quietly(&mut workspace.cargo(&["fuzz", "--version"])) {
        println!("cargo-fuzz is missing and is now installed into cargo's own folder");
        program::require(&mut workspace.cargo(&["install", "cargo-fuzz", "--locked"]))?;
    }
    // Without the seeds the fuzzer would have to find the formats by itself.
    let seed = ["run", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--example", "seed_corpus"];
    program::require(&mut workspace.cargo(&seed))?;
    for target in targets {
        let limit = format!("-max_total_time={seconds}");
        let mut fuzz = workspace.cargo(&["fuzz", "run", "--fuzz-dir", "fuzz"]);
        fuzz.args([target.as_str(), "--", limit.as_str()]);
        // The sanitizer flags are unstable; this variable lets the stable compiler take them.
        program::require(fuzz.env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(words: &[String]) -> Result<(u64, Option<String>)> {
    let (mut seconds, mut target) = (SECONDS, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let value = words.next().and_then(|value| value.parse().ok());
            seconds = value.ok_or("--seconds needs a number")?;
        } else if word.starts_with('-') || target.is_some() {
            return Err(format!("unexpected argument `{word}'"));
        } else {
            target = Some(word.clone());
        }
    }
    Ok((seconds, target))
}

/// The names of the targets, in order.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn seconds_and_target_come_in_any_order() {
        let wanted = Ok((5, Some("flow_view".to_owned())));
        assert_eq!(parse(&words("--seconds 5 flow_view")), wanted);
        assert_eq!(parse(&words("flow_view --seconds 5")), wanted);
        assert_eq!(parse(&[]), Ok((SECONDS, None)));
    }

    #[test]
    fn second_target_and_bad_number_are_errors() {
        assert!(parse(&words("one two")).is_err());
        assert!(parse(&words("--seconds soon")).is_err());
        assert!(parse(&words("--secs 5")).is_err());
    }
}
