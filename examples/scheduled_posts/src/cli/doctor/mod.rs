//! `doctor`: checks the set-up as an operator would. This file has the list and order of checks.
//! They change nothing, and none stops the others.

mod check;
mod clerk;
mod database;
mod environment;
mod facts;
mod http;
mod report;
mod services;
mod settings;
mod token;

use std::convert::Infallible;
use std::fmt;
use std::io::Read as _;
use std::process::ExitCode;
use std::str::FromStr;

use crate::cli::answer;
use crate::cli::doctor::check::Check;
use crate::cli::doctor::clerk::Answers;
use crate::cli::doctor::database::Findings;
use crate::cli::doctor::facts::Facts;
use crate::cli::doctor::report::Report;
use crate::cli::doctor::services::Services;
use crate::cli::failure::Failure;
use crate::config::Env;

/// The options of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Also check this session token; `-` reads it from standard input, which no history keeps
    #[arg(long, value_name = "TOKEN")]
    token: Option<GivenToken>,
}

/// A session token, which is never shown.
#[derive(Clone)]
struct GivenToken(String);

impl FromStr for GivenToken {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for GivenToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenToken([redacted])")
    }
}

/// Prints the report. Returns exit code 0 when nothing failed, otherwise 1.
pub(super) async fn run(env: Result<Env, String>, args: &Args) -> Result<ExitCode, Failure> {
    let checks = match &env {
        Ok(env) => examine(&Facts::read(env), args.token.as_ref()).await,
        Err(error) => vec![settings::unreadable(error)],
    };
    let report = Report::new(checks);
    answer::print(&report.shown(args.json))?;
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(facts: &Facts, token: Option<&GivenToken>) -> Vec<Check> {
    let (answers, found, services) =
        tokio::join!(Answers::ask(facts), Findings::look(facts), Services::ask(facts));
    let mut checks = settings::checks(facts);
    checks.extend(environment::checks(facts));
    checks.extend(clerk::checks(facts, &answers));
    if let Some(GivenToken(token)) = token {
        checks.extend(match text_of(token) {
            Ok(token) => token::checks(facts, &answers, token.trim()).await,
            Err(check) => vec![check],
        });
    }
    checks.extend(database::checks(facts, &answers, &found));
    checks.extend(services::checks(facts, &services));
    checks
}

fn text_of(given: &str) -> Result<String, Check> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    // Longer than any token, and still limited.
    let read = std::io::stdin().take(64 * 1024).read_to_string(&mut text);
    match read {
        Ok(_) => Ok(text),
        Err(_) => Err(Check::fail(
            "token",
            "standard input cannot be read as text",
            "pipe the token in: `scheduled-posts doctor --token - < file`",
        )),
    }
}
