//! The command line: the subcommands and their exit codes.

mod answer;
mod backfill;
mod dev_clerk;
mod doctor;
mod failure;
mod help;
mod listening;
mod logging;
mod migrate;
mod openapi;
mod parked;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::failure::Failure;
use crate::cli::logging::Log;
use crate::config::{Env, table};

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
    /// Copy all of Clerk's users, organizations and memberships into the database, or report how the two differ
    #[command(long_about = help::ABOUT_BACKFILL, after_help = help::of(table::Subcommand::Backfill))]
    Backfill(backfill::Args),
    /// Check whether everything fits together, and say what to do about what does not
    #[command(long_about = help::ABOUT_DOCTOR, after_help = help::of(table::Subcommand::Doctor))]
    Doctor(doctor::Args),
    /// Create or update the tables and exit
    #[command(after_help = help::of(table::Subcommand::Migrate))]
    Migrate,
    /// List, retry or drop the webhooks that could not be applied
    #[command(long_about = help::ABOUT_PARKED, after_help = help::of(table::Subcommand::Parked))]
    Parked(parked::Args),
    /// Print the API's description, OpenAPI 3.1 as JSON
    Openapi,
}

/// Runs a subcommand and returns its exit code.
///
/// 2 means a configuration that cannot be used, including an address that cannot be listened on; 1
/// means any other failure. Codes with a meaning of a subcommand's own are above those.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    let Ok(log) = Log::new() else {
        // Without threads, every way to report this could fail as well.
        return ExitCode::FAILURE;
    };
    let done = match (cli.command.unwrap_or(Command::Serve), Env::read()) {
        // `doctor` reports an environment that cannot be read.
        (Command::Doctor(args), env) => doctor::run(env, &args).await,
        (_, Err(error)) => Err(Failure::Config(error.into())),
        (Command::Serve, Ok(env)) => serve::run(&env, &log).await.map(success),
        (Command::DevClerk, Ok(env)) => dev_clerk::run(&env, &log).await.map(success),
        (Command::Backfill(args), Ok(env)) => backfill::run(&env, args, &log).await,
        (Command::Migrate, Ok(env)) => migrate::run(&env, &log).await.map(success),
        (Command::Parked(args), Ok(env)) => parked::run(&env, args, &log).await,
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
