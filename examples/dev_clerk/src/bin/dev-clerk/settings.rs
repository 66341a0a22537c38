//! Options and environment variables, and the one to change when the stand-in does not start.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Parser;
use dev_clerk::{Place, StartError};
use tracing_subscriber::filter::Targets;

use crate::failure::Failure;

/// Stands in for Clerk on this machine: users, sessions, tokens, webhooks
///
/// Prints the variables that point a server at it, as lines for a shell, and closes standard output
/// when it is ready for requests. The log is on standard error.
#[derive(Debug, Parser)]
#[command(name = "dev-clerk", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Port on 127.0.0.1 to listen on; 0 takes any free port
    #[arg(long, env = "DEV_CLERK_PORT", default_value = PORT, hide_env_values = true)]
    port: OsString,
    /// File for users and keys; created when it does not exist
    #[arg(long, env = "DEV_CLERK_FILE", default_value = FILE, hide_env_values = true)]
    file: OsString,
    /// URL that webhooks are posted to; without it none are posted
    #[arg(long, env = "DEV_CLERK_WEBHOOK_URL", value_name = "URL", hide_env_values = true)]
    webhook_url: Option<OsString>,
    /// Level of the log: error, warn, info, debug, trace, or one of them per target
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = LOG, hide_env_values = true)]
    log: OsString,
}

const PORT: &str = "8003";
const FILE: &str = "dev-clerk.json";
const LOG: &str = "info";
const EXIT_CODES: &str = "\
A variable that is empty counts as unset.

SIGTERM and SIGINT end it; a second signal ends it at once.
Exit codes: 0 stopped by a signal, 2 a setting cannot be used, 1 anything else.";

/// The settings of the program.
pub(crate) struct Settings {
    port: u16,
    pub(crate) file: PathBuf,
    pub(crate) webhook_url: Option<String>,
    pub(crate) filter: Targets,
}

impl Settings {
    /// Reads options and variables. Ends the process on `--help`, `--version` or an unknown option.
    ///
    /// # Errors
    ///
    /// Returns all problems, each with the name of its setting and never with its value.
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
        // A value that is not UTF-8 is not a URL either.
        let webhook_url = webhook_url.map(|url| url.to_string_lossy().into_owned());
        match (port, filter) {
            (Some(port), Some(filter)) => {
                let file = or_default(&file, FILE).into();
                Ok(Self { port, file, webhook_url, filter })
            }
            _ => Err(problems),
        }
    }

    /// Returns the stand-in's port and file.
    pub(crate) fn place(&self) -> Place {
        Place::new(self.port, &self.file)
    }
}

/// Returns the failure that names the setting to change, and says what to do.
pub(crate) fn explain(error: StartError) -> Failure {
    let (setting, advice) = match &error {
        StartError::File(_, cause) if cause.kind() == ErrorKind::InvalidData => (FILE_SETTING, ""),
        StartError::File(..) => {
            (FILE_SETTING, "\nChoose a file in a folder that this user can write to.")
        }
        StartError::FileInUse(_) => (FILE_SETTING, ""),
        StartError::Port(..) => (
            "DEV_CLERK_PORT (--port)",
            "\nStop the program that listens there, or choose another port: 0 takes any free port.",
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
