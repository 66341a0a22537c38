//! `.env.example` and `docs/settings.md`, generated from the table of settings, and the test that
//! the files in the repository are up to date.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::help::wrapped;
use crate::config::table::{Setting, Subcommand, TOPICS, Unset};

#[test]
fn the_example_file_and_the_chapter_on_settings_are_made_of_the_table() {
    for (file, made) in [(".env.example", env_example()), ("docs/settings.md", chapter())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("UPDATE_SETTINGS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = made.lines().zip(found.lines()).find(|(made, found)| made != found);
        assert!(
            found == made,
            "{file} is not what src/config/table.rs gives (first difference: {differs:?}); \
             rewrite it by:\n    UPDATE_SETTINGS=1 cargo test -p scheduled-posts made_of_the_table"
        );
    }
}

#[test]
fn each_row_of_the_table_can_be_read_in_every_form() {
    for setting in TOPICS.iter().flat_map(|topic| topic.settings) {
        let Setting { names, meaning, details, example, .. } = setting;
        let sentence = |text: &str| text.ends_with('.') && !text.contains(['|', '\n']);
        assert!(sentence(meaning) && !meaning.contains(". "), "one sentence: {names:?}");
        assert!(details.is_empty() || sentence(details), "{names:?}");
        assert!(!example.is_empty() && !example.contains('|'), "{names:?}");
        let quoted = example.starts_with('\'') && example.ends_with('\'');
        assert!(quoted || !example.contains([' ', '#', '$', '\\']), "quotes: {names:?}");
    }
}

fn env_example() -> String {
    let mut text = commented(HEAD);
    for topic in &TOPICS {
        let _ = write!(text, "\n# --- {} ---\n", topic.title);
        if !topic.about.is_empty() {
            let _ = write!(text, "\n{}", commented(topic.about));
        }
        for setting in topic.settings {
            let secret = if setting.is_secret { "Keep it secret." } else { "" };
            let unset = match setting.unset {
                Unset::Value(value) if value == setting.example => String::new(),
                Unset::Value(value) => format!("Default: {value}"),
                Unset::Effect(effect) => format!("Unset: {effect}."),
            };
            let comment = [setting.meaning, setting.details, secret, &unset].join(" ");
            let _ = write!(text, "\n{}", commented(&comment));
            for (n, name) in setting.names.iter().enumerate() {
                if n > 0 {
                    text.push_str("# The same under another name; set one of the two.\n");
                }
                let _ = writeln!(text, "#{name}={}", setting.example);
            }
        }
    }
    text
}

fn commented(paragraph: &str) -> String {
    wrapped(paragraph, 98).iter().fold(String::new(), |text, line| text + "# " + line + "\n")
}

fn chapter() -> String {
    let mut text = CHAPTER.to_owned();
    for topic in &TOPICS {
        let _ = write!(text, "\n## {}\n\n", topic.title);
        for line in wrapped(&topic.about.replace(PHASES, PHASES_LINK), 100) {
            let _ = writeln!(text, "{line}");
        }
        if !topic.about.is_empty() {
            text.push('\n');
        }
        text.push_str(
            "| variable | meaning | default | example | read by |\n|---|---|---|---|---|\n",
        );
        for setting in topic.settings {
            let names: Vec<String> = setting.names.iter().map(|name| code(name)).collect();
            let secret = if setting.is_secret { "**Secret.**" } else { "" };
            let meaning = joined(&[setting.meaning, setting.details, secret]);
            let unset = match setting.unset {
                Unset::Value(value) => code(value),
                Unset::Effect(effect) => format!("unset: {effect}"),
            };
            let read_by: Vec<String> = if setting.read_by == Subcommand::ALL {
                vec!["all".to_owned()]
            } else {
                setting.read_by.iter().map(|subcommand| code(subcommand.name())).collect()
            };
            let _ = writeln!(
                text,
                "| {} | {} | {unset} | {} | {} |",
                names.join(" or "),
                meaning,
                code(setting.example),
                read_by.join(", ")
            );
        }
    }
    text
}

/// Joins the texts that are not empty into one paragraph.
fn joined(texts: &[&str]) -> String {
    let texts: Vec<&str> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

const PHASES: &str = "docs/from-user-id-to-verified-tokens.md";
const PHASES_LINK: &str = "[the chapter on phases](from-user-id-to-verified-tokens.md)";

const HEAD: &str = "\
Every variable that the program reads. In this file nothing is set: then `serve` uses SQLite and a \
stand-in for Clerk. Copy this file to .env in the working directory, remove the `#` before the \
variables that you set, and check the result with `scheduled-posts doctor`. The process's own \
environment overrides .env; an empty variable counts as unset. Put values with spaces, # or $ in \
single quotes.";

const CHAPTER: &str = "\
# Settings

Every variable of the environment that the program reads. A `.env` file in the working directory is
read too, and the process's own environment overrides it; an empty variable counts as unset. Start
with a copy of [`.env.example`](../.env.example). `scheduled-posts doctor` reports what does not fit
together yet, and `--help` of each subcommand lists the variables that it reads.

All problems are reported at once, by the variables' names and never with their values, before the
program listens; the exit code is 2. It is also 2 when the program cannot listen on an address.

This page, `.env.example` and `--help` are generated from one table, `src/config/table.rs`: a new
setting is a row there and the code that reads it. A test compares this page and `.env.example` with
the table, and `UPDATE_SETTINGS=1 cargo test -p scheduled-posts made_of_the_table` rewrites both.
";
