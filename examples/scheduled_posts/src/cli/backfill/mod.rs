//! `backfill`: copies Clerk's users, organizations and memberships into the database, with the
//! crate's backfill. The exit code is part of the result.

mod explain;
mod progress;
mod summary;

use std::error::Error as _;
use std::process::ExitCode;
use std::sync::Arc;

use sea_orm::DbErr;
use tokio::time::Instant;
use tower_clerk::backfill::{BackendApi, Backfill, Target as _};
use tower_clerk::sea_orm::SeaOrmSink;

use crate::cli::answer;
use crate::cli::backfill::progress::Teller;
use crate::cli::failure::{Failure, database_failure};
use crate::cli::logging::Log;
use crate::config::{BackfillConfig, DatabaseUrl, Env};
use crate::store::Database;
use crate::{signals, store};

/// The options. Without any, `backfill` runs.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Only report how Clerk and the database differ; change nothing, not even the tables
    #[arg(long, conflicts_with = "remove_gone")]
    dry_run: bool,
    /// Instead remove the users whom Clerk no longer has, for good, with their accounts and posts, and the
    /// organizations and memberships that it no longer has
    #[arg(long, requires = "at_most")]
    remove_gone: bool,
    /// Also write users again who are known in the same state, to fill a column that is new; begins at
    /// the start
    #[arg(long, conflicts_with_all = ["dry_run", "remove_gone", "revive"])]
    rewrite: bool,
    /// Begin at the start, even if an interrupted run could be continued
    #[arg(long, conflicts_with_all = ["dry_run", "remove_gone"])]
    from_start: bool,
    /// Instead take back that a user was deleted here, so that `backfill` adds the user again
    #[arg(long, value_name = "USER_ID", conflicts_with_all = ["dry_run", "remove_gone", "from_start"])]
    revive: Option<String>,
    /// Instead forget that users came from a Clerk instance, for example ins_123, which the dashboard's
    /// examples name
    #[arg(
        long,
        value_name = "INSTANCE_ID",
        conflicts_with_all = ["dry_run", "remove_gone", "rewrite", "from_start", "revive"]
    )]
    forget_instance: Option<String>,
    /// With --remove-gone, how many users, organizations and memberships may be removed together; if there
    /// are more, none is
    #[arg(long, value_name = "N", requires = "remove_gone")]
    at_most: Option<u32>,
}

pub(super) async fn run(env: &Env, args: Args, log: &Log) -> Result<ExitCode, Failure> {
    let BackfillConfig { common, api } = BackfillConfig::read(env)?;
    let task = Task::of(args);
    let teller = Arc::new(Teller::new(task.name(), common.log_format));
    log.stand_beside(teller.bar());
    log.start(&common);
    let work = task.work(&common.database_url, api, &teller);
    tokio::select! {
        outcome = work => outcome,
        () = signals::stop_signal(log.lines()) => {
            teller.end();
            log.say(task.stopped());
            log.flush();
            // Exit at once: the end of the runtime would wait for a name lookup. The database rolls
            // back what was not committed.
            std::process::exit(1)
        }
    }
}

#[derive(Clone, Debug)]
enum Task {
    Compare,
    Forget { instance_id: String },
    Remove { at_most: u32 },
    Revive { user_id: String },
    Run { from_start: bool, rewrite: bool },
}

impl Task {
    fn of(args: Args) -> Self {
        match args {
            Args { dry_run: true, .. } => Self::Compare,
            Args { remove_gone: true, at_most: Some(at_most), .. } => Self::Remove { at_most },
            Args { revive: Some(user_id), .. } => Self::Revive { user_id },
            Args { forget_instance: Some(instance_id), .. } => Self::Forget { instance_id },
            Args { from_start, rewrite, .. } => Self::Run { from_start, rewrite },
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Compare => "comparing",
            Self::Forget { .. } => "forgetting an instance",
            Self::Revive { .. } => "taking a deletion back",
            Self::Remove { .. } => "looking for users who are gone",
            Self::Run { .. } => "backfill",
        }
    }

    /// Returns the message after a signal to stop.
    fn stopped(&self) -> &'static str {
        match self {
            Self::Compare | Self::Forget { .. } | Self::Revive { .. } => {
                "Stopped. Nothing was changed."
            }
            Self::Remove { .. } => {
                "Stopped. Users who were removed stay removed; run it again for the others."
            }
            Self::Run { .. } => {
                "Stopped. Run it again: it goes on after the last page that was written."
            }
        }
    }

    async fn work(
        &self,
        url: &DatabaseUrl,
        api: BackendApi,
        teller: &Arc<Teller>,
    ) -> Result<ExitCode, Failure> {
        let db = match self {
            Self::Compare => unchanged_database(url).await?,
            Self::Forget { .. } | Self::Remove { .. } | Self::Revive { .. } | Self::Run { .. } => {
                let db = store::connect(url).await.map_err(|error| database_failure(&error))?;
                store::migrate(&db).await.map_err(|error| database_failure(&error))?;
                db
            }
        };
        let users = db.users().map_err(|error| Failure::Start(error.to_string()))?;
        if matches!(self, Self::Compare) {
            has_tables(&users).await?;
        }
        let told = Arc::clone(teller);
        let backfill = Backfill::new(api, users.clone());
        let backfill = backfill.on_progress(move |progress| told.tell(progress));
        let begin = Instant::now();
        let outcome = match self {
            Self::Compare => backfill.dry_run().await.map(|drift| {
                let agrees = drift.is_none() && !drift.is_short();
                (summary::of_drift(&drift), code_of(agrees))
            }),
            Self::Remove { at_most } => {
                let removed = backfill.remove_gone(*at_most).await;
                removed.map(|removed| {
                    let is_complete = removed.memberships.incomplete == 0;
                    (summary::of_removal(&removed), code_of(is_complete))
                })
            }
            Self::Forget { instance_id } => {
                teller.end();
                return forget_instance(&users, instance_id).await;
            }
            Self::Revive { user_id } => {
                teller.end();
                return revive(&users, user_id).await;
            }
            Self::Run { from_start, rewrite } => {
                let backfill = if *from_start { backfill.from_start() } else { backfill };
                let backfill = if *rewrite { backfill.rewrite() } else { backfill };
                let report = backfill.run().await;
                report.map(|report| {
                    let summary = summary::of_run(&report, begin.elapsed());
                    (summary, code_of(!report.is_short() && report.all_refused() == 0))
                })
            }
        };
        teller.end();
        // Everything written is committed, so an error on closing changes nothing.
        let _ = db.pool().clone().close().await;
        let (summary, code) = outcome.map_err(|error| Failure::Start(explain::explain(&error)))?;
        answer::print(&format!("{summary}\n"))?;
        Ok(code)
    }
}

/// Takes a user's deletion back.
async fn revive(users: &SeaOrmSink, user_id: &str) -> Result<ExitCode, Failure> {
    if users.revive(user_id).await.map_err(|error| database_failure(&error))? {
        answer::print(
            "The deletion was taken back. Run `scheduled-posts backfill`, or wait for the next webhook \
             about this user.\n",
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Start(
        "--revive: the database does not have this user as deleted, so nothing was changed. Check the \
         id: user_… as `backfill --dry-run` lists it under `deleted`."
            .to_owned(),
    ))
}

/// Forgets that users came from an instance.
async fn forget_instance(users: &SeaOrmSink, id: &str) -> Result<ExitCode, Failure> {
    let forgotten = users.forget_instance(id).await.map_err(|error| match error {
        DbErr::Custom(problem) => Failure::Start(format!("--forget-instance: {problem}")),
        error => database_failure(&error),
    })?;
    if forgotten {
        answer::print(
            "The instance was forgotten; users who came from it stay. `scheduled-posts backfill \
             --dry-run` lists those whom Clerk does not know.\n",
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Start(
        "--forget-instance: the database knows no such instance, so nothing was changed. Check the id: \
         ins_… as the error of a backfill names it."
            .to_owned(),
    ))
}

/// Opens the database as it is; creates neither a file nor a table.
async fn unchanged_database(url: &DatabaseUrl) -> Result<Database, Failure> {
    if url.file().is_some_and(|file| !file.exists()) {
        return Err(nothing_yet("the SQLite file does not exist yet"));
    }
    store::connect(url).await.map_err(|error| database_failure(&error))
}

/// Checks that the tables exist that a comparison reads.
async fn has_tables(users: &SeaOrmSink) -> Result<(), Failure> {
    match users.runs().await {
        Err(error) if !error.retry_helps() => {
            let cause = error.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
            Err(nothing_yet(&format!("the tables of this version do not exist yet{cause}")))
        }
        // The comparison itself retries transient failures.
        _ => Ok(()),
    }
}

fn nothing_yet(what: &str) -> Failure {
    Failure::Start(format!(
        "DATABASE_URL: {what}, and a dry run creates nothing.\n  \
         `scheduled-posts backfill` creates the tables and fills them; `scheduled-posts migrate` \
         only creates them."
    ))
}

fn code_of(is_complete: bool) -> ExitCode {
    if is_complete { ExitCode::SUCCESS } else { INCOMPLETE.into() }
}

/// The exit code of a dry run that found differences, of a run after which users, organizations or
/// memberships may be missing, and of a removal that could not look at all memberships.
const INCOMPLETE: u8 = 3;
