//! What `--check` prints: every diagnostic with its place and its line, then a line that sums up.

use annotate_snippets::{AnnotationKind, Level as Title, Origin, Renderer, Snippet};

use super::{Exit, Report};
use crate::config::diagnostic::{Diagnostic, Level};
use crate::config::source::{line_number, line_span};

/// The most diagnostics that are shown in full.
const SHOWN_MAX: usize = 100;

/// A longer line is not shown.
const LINE_MAX_BYTES: usize = 2000;

/// Prints the diagnostics to standard error, the sum to standard output.
pub fn print(path: &str, source: &[u8], diagnostics: &[Diagnostic], report: &mut Report) -> Exit {
    for diagnostic in diagnostics.iter().take(SHOWN_MAX) {
        let text = render(path, source, diagnostic);
        report.error_output(&format!("{text}\n\n"));
    }
    let count = |level| diagnostics.iter().filter(|found| found.problem.level() == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let verdict = if errors == 0 { "valid" } else { "not valid" };
    let sum = format!(
        "{path}: {verdict} ({}, {})\n",
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    let printed = report.output(sum.as_bytes());
    if errors == 0 { printed } else { Exit::Failure }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A diagnostic with the line that it starts in, if that is one for the eye.
fn render(path: &str, source: &[u8], diagnostic: &Diagnostic) -> String {
    let span = diagnostic.span;
    let line = line_span(source, span.start);
    let text = |start: usize, end: usize| {
        String::from_utf8_lossy(source.get(start..end).unwrap_or_default()).into_owned()
    };
    // Places in the shown line, which is longer than the source's where that is no UTF-8.
    let start = text(line.start, span.start).len();
    let end = start + text(span.start, span.end.min(line.end).max(span.start)).len();
    let shown = text(line.start, line.end);
    let sentence = diagnostic.problem.to_string();
    let title = match diagnostic.problem.level() {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
    };
    let title = title.primary_title(sentence.trim_end());
    let number = line_number(source, span.start);
    if shown.len() > LINE_MAX_BYTES {
        let column = shown.get(..start).map_or(0, |before| before.chars().count()) + 1;
        let place = Origin::path(path).line(number).char_column(column);
        return Renderer::plain().render(&[title.element(place)]);
    }
    let hint = diagnostic.problem.hint();
    let mark = AnnotationKind::Primary.span(start.min(shown.len())..end.min(shown.len()));
    let snippet =
        Snippet::source(shown.as_str()).path(path).line_start(number).annotation(match &hint {
            Some(hint) => mark.label(hint.as_str()),
            None => mark,
        });
    Renderer::plain().render(&[title.element(snippet)])
}
