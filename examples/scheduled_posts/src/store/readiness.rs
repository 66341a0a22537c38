//! Whether the database can be written to, and what to do if it cannot.

use std::time::Duration;

use sea_orm::ActiveValue::Set;
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, Connection as _, Executor as _, SqliteConnection};
use sea_orm::{DbErr, EntityTrait as _, RuntimeErr};
use tokio::time::{Instant, timeout};
use tower_clerk::sea_orm::{is_transient, user};
use uuid::Uuid;

use crate::store::verdict::Verdict;
use crate::store::{NotReady, OpenFile, Store};
use crate::time;
use serving::Seldom;

impl Store {
    /// Returns whether the database answers and can be written to. Writes at most once a second:
    /// whoever asks meanwhile gets the last verdict, or waits for the one that is on its way.
    pub(crate) async fn is_ready(&self) -> Verdict {
        if !self.file_is_in_place() {
            return Err(NotReady::Unwritable);
        }
        if !matches!(timeout(PATIENCE, self.db.pool().ping()).await, Ok(Ok(()))) {
            return Err(NotReady::Unavailable);
        }
        let mut last = self.last.0.lock().await;
        if let Some((at, verdict)) = *last
            && at.elapsed() < PAUSE
        {
            return verdict;
        }
        let verdict = self.try_to_write().await;
        *last = Some((Instant::now(), verdict));
        verdict
    }

    async fn try_to_write(&self) -> Verdict {
        let (error, verdict) =
            match timeout(PATIENCE, self.db.again(|| self.write_and_roll_back())).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) if reason(&error).is_none() && is_transient(&error) => {
                    (error, NotReady::Unavailable)
                }
                Ok(Err(error)) => (error, NotReady::Unwritable),
                Err(_) => {
                    let silent = RuntimeErr::Internal("no answer within 2 s".into());
                    (DbErr::Conn(silent), NotReady::Unavailable)
                }
            };
        if let Some(left_out) = UNWRITTEN.left_out() {
            tracing::error!(%error, left_out, "not ready: {}", advice(&error));
        }
        Err(verdict)
    }

    /// Returns whether SQLite's file is still the one that was opened; logs if it is not.
    pub(crate) fn file_is_in_place(&self) -> bool {
        let Some(file) = self.file.as_ref().filter(|file| !file.is_in_place()) else { return true };
        if let Some(left_out) = LOST.left_out() {
            tracing::error!(
                file = %file.path().display(),
                left_out,
                "the SQLite file of DATABASE_URL was deleted or replaced while the server has it \
                 open: nothing is written any more, because it would be lost; stop the server, put \
                 the file back, and start it again"
            );
        }
        false
    }

    async fn write_and_roll_back(&self) -> Result<(), DbErr> {
        if let Some(file) = &self.file {
            let failed = |error: sqlx::Error| DbErr::Exec(RuntimeErr::SqlxError(error.into()));
            return write_to_file(file).await.map_err(failed);
        }
        let tx = self.db.begin().await?;
        let now = Set(time::now());
        let row = user::ActiveModel {
            id: Set(format!("readiness_{}", Uuid::new_v4().simple())),
            created_at: now.clone(),
            updated_at: now,
            ..user::ActiveModel::default()
        };
        let written = user::Entity::insert(row).exec_without_returning(&tx).await.map(drop);
        let ended = tx.rollback().await;
        written.and(ended)
    }
}

/// Writes to SQLite's file by a connection of its own, whose memory for pages is so small that they
/// go to the disk before the transaction ends: otherwise a full disk would be noticed by nobody.
async fn write_to_file(file: &OpenFile) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file.path())
        .create_if_missing(false)
        .busy_timeout(PATIENCE)
        .pragma("cache_size", "1")
        .pragma("cache_spill", "1");
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let written = async {
        connection.execute("BEGIN IMMEDIATE").await?;
        connection.execute(LARGE_ROW).await?;
        connection.execute("ROLLBACK").await
    };
    let written = written.await.map(drop);
    // The verdict stands already.
    let _ = connection.close().await;
    written
}

/// Returns what an operator can do about a failure of the database.
pub(crate) fn advice(error: &DbErr) -> &'static str {
    match reason(error) {
        Some(Reason::Full) => "the disk of the database is full; free space on it",
        Some(Reason::ReadOnly) => {
            "the database is read-only; check the permissions of its files or, after a failover, \
             whether DATABASE_URL names the primary server"
        }
        Some(Reason::Disk) => "the database's files cannot be read or written; check its disk",
        None if is_transient(error) => {
            "the database is unavailable or busy; check that DATABASE_URL's server runs"
        }
        None => {
            "the database refuses to write; check the tables (`scheduled-posts doctor`) and the \
             permissions of DATABASE_URL's user"
        }
    }
}

/// The reason why a database that answers cannot be written to.
#[derive(Clone, Copy)]
enum Reason {
    Disk,
    Full,
    ReadOnly,
}

fn reason(error: &DbErr) -> Option<Reason> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    let error = error.as_database_error()?;
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return match error.number() {
            1021 | 1114 => Some(Reason::Full),
            1290 | 1792 | 1836 => Some(Reason::ReadOnly),
            _ => None,
        };
    }
    let code = error.code()?;
    match &*code {
        "53100" => Some(Reason::Full),
        "25006" => Some(Reason::ReadOnly),
        // SQLite's codes have variants in the upper bits.
        code if code.len() < SQLSTATE_LENGTH => match code.parse::<u32>().ok()? & 0xff {
            8 => Some(Reason::ReadOnly),
            10 | 14 => Some(Reason::Disk),
            13 => Some(Reason::Full),
            _ => None,
        },
        _ => None,
    }
}

const SQLSTATE_LENGTH: usize = 5;
/// More pages than the connection keeps in memory.
const LARGE_ROW: &str = "INSERT INTO users (id, email, created_at, updated_at) VALUES \
                         ('readiness', hex(zeroblob(32768)), '1970-01-01', '1970-01-01')";
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);
/// The limits on these lines.
static UNWRITTEN: Seldom = Seldom::new(Duration::from_secs(1));
static LOST: Seldom = Seldom::new(Duration::from_secs(1));
