//! The part of `--help` about the environment, generated from the table of settings. Text only.

#[cfg(test)]
mod documents;

use std::fmt::Write as _;

use crate::config::table::{self, Setting, Subcommand, Topic, Unset};

pub(super) const ABOUT_BACKFILL: &str = "\
Copy all of Clerk's users, organizations and memberships into the database, or report how the two
differ.

Without an option: asks Clerk's Backend API for all of them and writes what is missing here or newer
there; nothing is removed. Servers may run and receive webhooks meanwhile. It can be stopped
at any time (Ctrl-C, SIGTERM, even SIGKILL): the next run continues after the last written page,
unless the interrupted run began more than a day ago or --from-start is set.
Creates or updates the tables first, as `serve` does; --dry-run does not.

--remove-gone works only on a database that was completely filled from this Clerk instance. It
checks twice: Clerk must leave a user or an organization out of its list, and then deny that the id
exists; a member must be missing in the complete list of the organization, and in one for this user
alone. What was created within the last hour stays.";
pub(super) const ABOUT_DOCTOR: &str = "\
Check whether everything fits together, and say what to do about what does not.

Reads the same environment as `serve`, asks Clerk's two APIs, the database, and Redis and the AI
service where they are set, and changes nothing.
It never shows a secret, a token or an e-mail address. Works beside a running server.";

pub(super) const ABOUT_PARKED: &str = "\
List, retry or drop the webhooks that could not be applied.

A webhook is parked if it lacks what a row needs, or if the database has refused its row for an hour:
a value that does not fit, or a constraint. Clerk is told that it arrived, and does not send it again.
One that is only noted is still refused, and sent again. After 30 days both are deleted, and those of
a user with the user. Works beside a running server, and creates no tables.";

/// Returns the end of the program's own `--help`: the variables by subcommand, and each one once.
pub(super) fn all() -> String {
    let mut text = "Environment, by subcommand:".to_owned();
    for subcommand in Subcommand::ALL {
        let settings = table::read_by(subcommand).flat_map(|(_, settings)| settings);
        let names: Vec<&str> = settings.flat_map(|setting| setting.names).copied().collect();
        let _ = write!(text, "\n  {}:", subcommand.name());
        push_wrapped(&mut text, "      ", &names.join(", "));
    }
    for topic in &table::TOPICS {
        push_heading(&mut text, topic);
        for setting in topic.settings {
            push_setting(&mut text, setting, "");
        }
    }
    text + "\n\n" + SOURCES + " `--help` of a subcommand says\nmore about what it reads."
}

/// Returns the end of a subcommand's `--help`: the variables that it reads, and its exit codes.
pub(super) fn of(subcommand: Subcommand) -> String {
    let mut text = "Environment:".to_owned();
    for (topic, settings) in table::read_by(subcommand) {
        push_heading(&mut text, topic);
        for setting in settings {
            push_setting(&mut text, setting, setting.details);
        }
    }
    text = text + "\n\n" + SOURCES;
    match subcommand {
        Subcommand::Backfill => text + "\n\n" + BACKFILL_CODES,
        Subcommand::Doctor => text + "\n\n" + DOCTOR_CODES,
        Subcommand::Parked => text + "\n\n" + PARKED_CODES,
        Subcommand::DevClerk | Subcommand::Migrate | Subcommand::Serve => text,
    }
}

fn push_heading(text: &mut String, topic: &Topic) {
    let _ = write!(text, "\n\n{}:", topic.title);
    if !topic.about.is_empty() {
        push_wrapped(text, "  ", topic.about);
        text.push('\n');
    }
}

fn push_setting(text: &mut String, setting: &Setting, details: &str) {
    let _ = write!(text, "\n  {}", setting.names.join(", "));
    let secret = if setting.is_secret { "secret; " } else { "" };
    let known = match setting.unset {
        Unset::Value(value) => format!("[{secret}default: {value}]"),
        Unset::Effect(effect) => format!("[{secret}example: {}; unset: {effect}]", setting.example),
    };
    push_wrapped(text, "      ", &[setting.meaning, details, &known].join(" "));
}

/// Adds a paragraph, each line of it on a new line after `indent`.
fn push_wrapped(text: &mut String, indent: &str, paragraph: &str) {
    for line in wrapped(paragraph, WIDTH - indent.len()) {
        let _ = write!(text, "\n{indent}{line}");
    }
}

/// Breaks a paragraph into lines of at most `width` characters, as far as its words allow.
fn wrapped(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

const WIDTH: usize = 80;
const SOURCES: &str = "\
A .env file in the working directory is read too; the process's own environment
overrides it. A variable that is empty counts as unset.";
const BACKFILL_CODES: &str = "\
Exit codes: 0 done, and with --dry-run no difference; 1 failed or stopped;
2 the configuration or the command line cannot be used; 3 --dry-run found
differences, or something may be missing after a run: Clerk listed fewer than
it counts, or the database refuses some.";
const PARKED_CODES: &str = "\
Exit codes: 0 done; 1 failed, or nothing of that id is parked; 2 the
configuration or the command line cannot be used; 3 a retry was refused again,
and the webhook is still parked.";
const DOCTOR_CODES: &str =
    "Exit codes: 0 nothing failed, warnings are allowed; 1 something failed.";
