//! The printed report: lines for people, or one object for programs.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};

use serde_json::json;

use crate::cli::doctor::check::{Check, Outcome};

/// All checks, in the order of the report.
pub(super) struct Report {
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        Self { checks }
    }

    /// Returns whether nothing failed.
    pub(super) fn is_ok(&self) -> bool {
        self.count(Outcome::Fail) == 0
    }

    /// Returns the text for standard output.
    pub(super) fn shown(&self, as_json: bool) -> String {
        if as_json {
            return format!("{}\n", json!({ "ok": self.is_ok(), "checks": self.checks }));
        }
        self.text(stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }

    fn text(&self, colours: bool) -> String {
        let mut text = String::new();
        for Check { name, outcome, what, todo } in &self.checks {
            let (mark, colour) = match outcome {
                Outcome::Ok => ("✓ ok  ", "\x1b[32m"),
                Outcome::Warn => ("! warn", "\x1b[33m"),
                Outcome::Fail => ("✗ FAIL", "\x1b[31m"),
                Outcome::Skipped => ("- skip", "\x1b[2m"),
            };
            let (on, off) = if colours { (colour, "\x1b[0m") } else { ("", "") };
            let name = name.replace('_', " ");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{on}{mark}{off}  {name:WIDTH$}  {}", indented(what));
            if let Some(todo) = todo {
                let _ = writeln!(text, "{:8}{:WIDTH$}  → {}", "", "", indented(todo));
            }
        }
        let (failed, warned) = (self.count(Outcome::Fail), self.count(Outcome::Warn));
        let _ = match (failed, warned) {
            (0, 0) => writeln!(text, "\nEverything fits together."),
            (0, _) => writeln!(text, "\nNothing failed; {warned} to check."),
            _ => writeln!(text, "\n{failed} failed, {warned} more to check."),
        };
        text
    }
}

/// Indents the further lines of a text below its first line.
fn indented(text: &str) -> String {
    text.trim().replace('\n', &format!("\n{:1$}", "", 8 + WIDTH + 2))
}

/// The width of the longest name.
const WIDTH: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_words_in_columns_and_no_colours_unless_they_are_at_a_terminal() {
        let report = Report::new(vec![
            Check::ok("jwks", "2 keys"),
            Check::fail("cors_origins", "first\nsecond", "mend it"),
        ]);
        let text = "✓ ok    jwks                2 keys\n\
                    ✗ FAIL  cors origins        first\n                            second\n\
                    \u{20}                           → mend it\n\n\
                    1 failed, 0 more to check.\n";
        assert_eq!(report.text(false), text);
        assert!(report.text(true).contains("\x1b[31m✗ FAIL\x1b[0m"));
        assert!(!report.is_ok());
    }
}
