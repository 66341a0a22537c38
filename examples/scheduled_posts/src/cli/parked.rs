//! `parked`: what an operator does with webhooks that could not be applied. The exit code is part of
//! the result.

use std::process::ExitCode;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use sea_orm::DbErr;
use tower_clerk::sea_orm::{DeadLetter, Retried, SeaOrmSink};
use tower_clerk::webhook::Outcome;

use crate::cli::answer;
use crate::cli::failure::Failure;
use crate::cli::logging::Log;
use crate::config::{DatabaseUrl, Env, MigrateConfig};
use crate::store;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Debug, Subcommand)]
enum Task {
    /// Show each one's id, type, user and times, and why it could not be applied
    List {
        /// Also show the bodies, which hold personal data
        #[arg(long)]
        body: bool,
    },
    /// Apply them as if they arrived now; what is applied is no longer parked
    Retry(Which),
    /// Delete them for good
    Drop(Which),
}

#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The ids of webhooks, as `list` shows them
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(env: &Env, args: Args, log: &Log) -> Result<ExitCode, Failure> {
    // It needs the database alone, as `migrate` does.
    let MigrateConfig { common } = MigrateConfig::read(env)?;
    log.start(&common);
    let users = open(&common.database_url).await?;
    match args.task {
        Task::List { body } => list(&users, body).await,
        Task::Retry(which) => retry(&users, which).await,
        Task::Drop(which) => drop_all(&users, which).await,
    }
}

/// Opens the database as it is; creates neither a file nor a table.
async fn open(url: &DatabaseUrl) -> Result<SeaOrmSink, Failure> {
    if url.file().is_some_and(|file| !file.exists()) {
        return Err(Failure::Start(
            "DATABASE_URL: the SQLite file does not exist yet, so nothing is parked in it"
                .to_owned(),
        ));
    }
    let db = store::connect(url).await.map_err(|error| failure(&error))?;
    db.users().map_err(|error| Failure::Start(error.to_string()))
}

async fn list(users: &SeaOrmSink, with_body: bool) -> Result<ExitCode, Failure> {
    let (mut parked, mut noted) = (0_u32, 0_u32);
    let mut after: Option<String> = None;
    loop {
        let page = users.parked(PAGE, after.as_deref()).await.map_err(|error| failure(&error))?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for letter in page {
            *(if letter.parked_at.is_some() { &mut parked } else { &mut noted }) += 1;
            let mut text = described(&letter);
            if with_body {
                let body = users.parked_body(&letter.id).await.map_err(|error| failure(&error))?;
                text += &printable(&String::from_utf8_lossy(&body.unwrap_or_default()));
                text.push('\n');
            }
            answer::print(&text)?;
        }
    }
    answer::print(&format!("{parked} parked, {noted} noted\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn retry(users: &SeaOrmSink, which: Which) -> Result<ExitCode, Failure> {
    let (mut refused, mut unknown) = (false, false);
    for id in ids(users, which).await? {
        let shown = printable(&id);
        let text = match users.retry(&id).await.map_err(|error| failure(&error))? {
            Retried::Taken(Outcome::Ignored) => {
                refused = true;
                format!("{shown}: nothing is done about its type; it stays parked")
            }
            Retried::Taken(outcome) => format!("{shown}: {}", outcome.as_str()),
            Retried::Refused(reason) => {
                refused = true;
                format!("{shown}: refused again: {}", printable(&reason))
            }
            _ => {
                unknown = true;
                format!("{shown}: nothing of this id is parked")
            }
        };
        answer::print(&(text + "\n"))?;
    }
    Ok(match (unknown, refused) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => INCOMPLETE.into(),
        (false, false) => ExitCode::SUCCESS,
    })
}

async fn drop_all(users: &SeaOrmSink, which: Which) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for id in ids(users, which).await? {
        let is_dropped = users.drop_parked(&id).await.map_err(|error| failure(&error))?;
        let what = if is_dropped { "dropped" } else { "nothing of this id is parked" };
        if !is_dropped {
            code = ExitCode::FAILURE;
        }
        answer::print(&format!("{}: {what}\n", printable(&id)))?;
    }
    Ok(code)
}

/// Returns the ids that the command line names, or all that are there now.
async fn ids(users: &SeaOrmSink, which: Which) -> Result<Vec<String>, Failure> {
    if !which.all {
        return Ok(which.ids);
    }
    let mut ids: Vec<String> = Vec::new();
    loop {
        let after = ids.last().map(String::as_str);
        let page = users.parked(PAGE, after).await.map_err(|error| failure(&error))?;
        if page.is_empty() {
            return Ok(ids);
        }
        ids.extend(page.into_iter().map(|letter| letter.id));
    }
}

/// Returns what is known of a webhook without its body.
fn described(letter: &DeadLetter) -> String {
    let since = match letter.parked_at {
        Some(time) => format!("parked {}", shown(time)),
        None => "noted, and still sent again".to_owned(),
    };
    let user = letter.user_id.as_deref().unwrap_or("unknown");
    let instance = letter.instance_id.as_deref().unwrap_or("unknown");
    let lines = [
        format!("{} {}, {since}", letter.id, letter.kind),
        format!("  failed first {}; user {user}, instance {instance}", shown(letter.failed_at)),
        format!("  {}", letter.reason),
    ];
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn shown(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Removes control characters, which a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn failure(error: &DbErr) -> Failure {
    Failure::Start(format!(
        "DATABASE_URL: the database cannot be used: {error}\nCheck that it is running, and that its \
         tables are of this version: `scheduled-posts migrate` creates them."
    ))
}

/// How many are asked for at once.
const PAGE: u64 = 100;
/// The exit code if one is still parked after its retry.
const INCOMPLETE: u8 = 3;
