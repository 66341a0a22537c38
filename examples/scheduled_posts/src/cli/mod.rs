//! The command line: which subcommand, and what a failure looks like to a shell.

mod answer;
mod backfill;
mod dev_clerk;
mod doctor;
mod help;
mod listening;
mod logging;
mod migrate;
mod openapi;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::logging::Log;
use crate::config::{ConfigErrors, Env, table};
use crate::stand_in::{Place, StartError};

/// A scheduled-posts API whose users sign in with Clerk
#[derive(Debug, Parser)]
#[command(name = "scheduled-posts", version, after_help = help::all())]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and its page (the default)
    #[command(after_help = help::of(table::Subcommand::Serve))]
    Serve,
    /// Run the stand-in for Clerk alone, and print the variables that point a server at it
    #[command(after_help = help::of(table::Subcommand::DevClerk))]
    DevClerk,
    /// Bring all of Clerk's users into the database, or see how the two differ
    #[command(long_about = help::ABOUT_BACKFILL, after_help = help::of(table::Subcommand::Backfill))]
    Backfill(backfill::Args),
    /// Look whether everything fits together, and say what to do about what does not
    #[command(long_about = help::ABOUT_DOCTOR, after_help = help::of(table::Subcommand::Doctor))]
    Doctor(doctor::Args),
    /// Create or update the tables and exit
    #[command(after_help = help::of(table::Subcommand::Migrate))]
    Migrate,
    /// Print the API's description, OpenAPI 3.1 as JSON
    Openapi,
}

/// Runs a subcommand. 2 is a configuration that cannot be used, an address that cannot be listened on
/// too; 1 is any other failure; what a subcommand itself has to say by its code is above those.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    let Ok(log) = Log::new() else {
        // Without threads there is no way to say so that could not fail as well.
        return ExitCode::FAILURE;
    };
    let done = match (cli.command.unwrap_or(Command::Serve), Env::read()) {
        // What cannot be read is what it is there for.
        (Command::Doctor(args), env) => doctor::run(env, &args).await,
        (_, Err(error)) => Err(Failure::Config(error.into())),
        (Command::Serve, Ok(env)) => serve::run(&env, &log).await.map(success),
        (Command::DevClerk, Ok(env)) => dev_clerk::run(&env, &log).await.map(success),
        (Command::Backfill(args), Ok(env)) => backfill::run(&env, args, &log).await,
        (Command::Migrate, Ok(env)) => migrate::run(&env, &log).await.map(success),
        (Command::Openapi, Ok(_)) => openapi::run().map(success),
    };
    let code = match done {
        Ok(code) => code,
        Err(Failure::Config(errors)) => {
            log.say(&errors.to_string());
            ExitCode::from(2)
        }
        Err(Failure::Start(problem)) => {
            log.say(&problem);
            ExitCode::FAILURE
        }
        Err(Failure::Unread) => ExitCode::FAILURE,
    };
    log.flush();
    code
}

fn success((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Why a subcommand ended badly.
enum Failure {
    Config(ConfigErrors),
    /// Something outside did not play along; says what, and what to do.
    Start(String),
    /// Nobody reads the answer any more.
    Unread,
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

/// A database that cannot be opened or brought up to date.
fn database_failure(error: &sea_orm::DbErr) -> Failure {
    Failure::Start(format!(
        "DATABASE_URL: the database cannot be used: {error}\nIs it running, may this user create \
         tables in it, and is the folder of an SQLite file writable?"
    ))
}

/// A stand-in that does not start: its port, or the file that it keeps its users in.
fn dev_clerk_failure(place: &Place, error: StartError) -> Failure {
    match error {
        StartError::File(problem) => Failure::Config(
            format!(
                "DATABASE_URL: the dev Clerk keeps its users and its key beside the database: \
                 {problem}"
            )
            .into(),
        ),
        StartError::Missing => Failure::Start(
            "this program was built without the dev Clerk; `cargo run -p dev-clerk` runs it alone"
                .to_owned(),
        ),
        StartError::Other(problem) => {
            Failure::Start(format!("the dev Clerk does not start: {problem}"))
        }
        StartError::Port(error) => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
            listening::DEV_CLERK.failure(address, &error)
        }
    }
}
