//! Options and environment variables, and which of them is meant when the stand-in does not start.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Parser;
use dev_clerk::{Place, StartError};
use tracing_subscriber::filter::Targets;

use crate::Failure;

/// Stands in for Clerk on this machine: users, sessions, tokens, webhooks
///
/// Prints the variables that point a server at it, as lines for a shell, and then closes standard
/// output: from then on it can be asked. The log is on standard error.
#[derive(Debug, Parser)]
#[command(name = "dev-clerk", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Port to listen on, on 127.0.0.1; 0 takes any that is free
    #[arg(long, env = "DEV_CLERK_PORT", default_value = PORT, hide_env_values = true)]
    port: OsString,
    /// File that users and keys are kept in; made when it is not there
    #[arg(long, env = "DEV_CLERK_FILE", default_value = FILE, hide_env_values = true)]
    file: OsString,
    /// URL that webhooks are posted to; without it none are posted
    #[arg(long, env = "DEV_CLERK_WEBHOOK_URL", value_name = "URL", hide_env_values = true)]
    webhook_url: Option<OsString>,
    /// What is logged: error, warn, info, debug, trace, or one of them for each target
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = LOG, hide_env_values = true)]
    log: OsString,
}

const PORT: &str = "8003";
const FILE: &str = "dev-clerk.json";
const LOG: &str = "info";
const EXIT_CODES: &str = "\
A variable that is empty counts as unset.

SIGTERM and SIGINT end it; a second one ends it at once.
Exit codes: 0 told to stop, 2 a setting cannot be used, 1 anything else.";

/// How the program was told to run.
pub(crate) struct Settings {
    port: u16,
    pub(crate) file: PathBuf,
    pub(crate) webhook_url: Option<String>,
    pub(crate) filter: Targets,
}

impl Settings {
    /// Reads options and variables; ends the process where they ask for help or do not exist.
    ///
    /// # Errors
    ///
    /// All that is wrong, each with its setting and never with its value.
    pub(crate) fn read() -> Result<Self, Vec<String>> {
        let Arguments { port, file, webhook_url, log } = Arguments::parse();
        let mut problems = Vec::new();
        let port = or_default(&port, PORT).to_str().and_then(|port| port.parse().ok());
        if port.is_none() {
            problems.push("DEV_CLERK_PORT (--port): must be a number from 0 to 65535".to_owned());
        }
        let filter = or_default(&log, LOG).to_str().and_then(|filter| filter.parse().ok());
        if filter.is_none() {
            let problem = "RUST_LOG (--log): must be a level, or targets with levels, as in \
                           warn,dev_clerk=debug";
            problems.push(problem.to_owned());
        }
        let webhook_url = webhook_url.filter(|url| !url.is_empty());
        // What is no text is no URL either.
        let webhook_url = webhook_url.map(|url| url.to_string_lossy().into_owned());
        match (port, filter) {
            (Some(port), Some(filter)) => {
                let file = or_default(&file, FILE).into();
                Ok(Self { port, file, webhook_url, filter })
            }
            _ => Err(problems),
        }
    }

    /// Where the stand-in is to listen and to keep its users.
    pub(crate) fn place(&self) -> Place {
        Place::new(self.port, &self.file)
    }
}

/// Says which setting keeps the stand-in from starting, and what to do.
pub(crate) fn explain(error: StartError) -> Failure {
    let (setting, advice) = match &error {
        StartError::File(_, cause) if cause.kind() == ErrorKind::InvalidData => (FILE_SETTING, ""),
        StartError::File(..) => {
            (FILE_SETTING, "\nChoose a file in a folder that this user can write to.")
        }
        StartError::FileInUse(_) => (FILE_SETTING, ""),
        StartError::Port(..) => (
            "DEV_CLERK_PORT (--port)",
            "\nStop what listens there, or choose another port: 0 takes any that is free.",
        ),
        StartError::WebhookUrl => ("DEV_CLERK_WEBHOOK_URL (--webhook-url)", ""),
        _ => return Failure::Other(error.into()),
    };
    Failure::Settings(vec![format!("{setting}: {error}{advice}")])
}

const FILE_SETTING: &str = "DEV_CLERK_FILE (--file)";

fn or_default<'a>(value: &'a OsStr, default: &'a str) -> &'a OsStr {
    if value.is_empty() { OsStr::new(default) } else { value }
}
