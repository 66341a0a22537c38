//! A transaction of the sink: its beginning, with limits on time; its steps, by each database's own
//! means; and another try after a conflict. Together because a step is only right in such a
//! transaction, and a transaction only if it may be tried again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use ::sea_orm::error::ConnAcquireErr;
use ::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel,
    SqliteTransactionMode, StatementBuilder, TransactionOptions, TransactionTrait as _, Value,
};

use super::dialect::Dialect;
use super::hook::Hook;
use super::outdated::OutdatedConnections;
use super::pooling::Pooling;
use super::proof::Proof;
use super::row::Row;
use super::schema::Schema;
use super::statements::Recording;
use super::tables::{Kind, TableName, Tables};
use super::{failure, statements};
use crate::clock::Clock;
use crate::ids::{Id, InstanceId, UserId};
use crate::sync::Version;
use crate::webhook::{Delivery, Effect, Outcome, User};

/// The database of a sink, and all that its transactions need.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) db: DatabaseConnection,
    pub(super) dialect: Dialect,
    pub(super) schema: Arc<Schema>,
    pub(super) tables: Arc<Tables>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hooks: Vec<Arc<dyn Hook>>,
    pub(super) outdated: OutdatedConnections,
}

impl Store {
    /// Begins a transaction that may write.
    pub(super) async fn begin(&self) -> Result<Transaction<'_>, DbErr> {
        let proof = match &*self.hooks {
            [] => Proof::None,
            [..] => Proof::new(self.dialect),
        };
        let tx = begin(&self.db, self.schema.pooled(), proof.set()).await?;
        Ok(Transaction { tx, proof, store: self })
    }

    /// Runs a whole transaction, and again when the database gives it up in favour of another: a few
    /// times with short pauses, as long as a last try fits within a delivery's deadline. Runs it once
    /// more, at once, if the connection turned out to be out of date.
    pub(super) async fn retrying<T, F>(
        &self,
        mut transaction: impl FnMut() -> F,
    ) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let start = self.clock.monotonic();
        let (mut pauses, mut renewed) = (PAUSES.into_iter(), false);
        loop {
            let error = match transaction().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let is_outdated = self.outdated.note(&error);
            if self.clock.monotonic().saturating_duration_since(start) > ENOUGH {
                return Err(error);
            }
            if is_outdated && !renewed {
                renewed = true;
            } else if failure::is_conflict(&error)
                && let Some(longest) = pauses.next()
            {
                tokio::time::sleep(jitter(longest)).await;
            } else {
                return Err(error);
            }
        }
    }

    /// Returns the row of a user's state.
    pub(super) fn row_of_user(&self, user: &User) -> Row {
        Row::of_user(user, &self.tables.user_columns, self.dialect)
    }

    /// Returns the row of a user of whom only the id is known.
    pub(super) fn row_of_unknown_user(&self, id: &UserId) -> Row {
        Row::of_unknown_user(id, &self.now(), &self.tables.user_columns, self.dialect)
    }

    /// Returns the time as a value for a statement.
    pub(super) fn now(&self) -> Value {
        self.dialect.time(self.clock.now().into())
    }
}

/// A transaction that may write. Dropping it rolls it back.
pub(super) struct Transaction<'s> {
    /// For hooks, and for queries.
    pub(super) tx: DatabaseTransaction,
    proof: Proof,
    pub(super) store: &'s Store,
}

impl Transaction<'_> {
    /// Checks that the hooks which have run did not end the transaction. To be called before any other
    /// statement, which would be committed by itself.
    pub(super) async fn prove(&self) -> Result<(), DbErr> {
        self.proof.check(&self.tx).await
    }

    pub(super) async fn commit(self) -> Result<(), DbErr> {
        self.tx.commit().await
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.store.tables
    }

    /// Records a delivery. Returns `false` if a committed transaction has recorded it already.
    pub(super) async fn record(&self, delivery: &Delivery) -> Result<bool, DbErr> {
        let recording = self.recording(delivery);
        match self.store.dialect {
            Dialect::Postgres | Dialect::Sqlite => {
                self.affects(&statements::record_delivery(&recording)).await
            }
            Dialect::MySql => match self.execute(&statements::insert_delivery(&recording)).await {
                Ok(_) => Ok(true),
                Err(error) if failure::is_duplicate(&error) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    /// Records a delivery and applies the state that it carries.
    pub(super) async fn record_and_upsert(
        &self,
        delivery: &Delivery,
        kind: &Kind,
        row: &Row,
        version: Version,
    ) -> Result<Outcome, DbErr> {
        if row.is_plain() && self.can_at_once(kind).await? {
            let recording = self.recording(delivery);
            let at_once = statements::record_and_upsert(&recording, kind, row, version);
            return Ok(match self.tx.execute_raw(at_once).await?.rows_affected() {
                0 => Outcome::Duplicate,
                1 => Outcome::Stale,
                2 => Outcome::Applied(Effect::Updated),
                _ => Outcome::Applied(Effect::Inserted),
            });
        }
        if !self.record(delivery).await? {
            return Ok(Outcome::Duplicate);
        }
        self.upsert(kind, row, version).await
    }

    /// Applies a state. Raises the version first: the lock of its row keeps other writers of the same
    /// record out until the commit.
    pub(super) async fn upsert(
        &self,
        kind: &Kind,
        row: &Row,
        version: Version,
    ) -> Result<Outcome, DbErr> {
        if !self.raise_version(kind, &row.id, version).await? {
            return Ok(Outcome::Stale);
        }
        Ok(Outcome::Applied(self.write_row(kind, row).await?))
    }

    /// Marks a record, known or not, as deleted for ever; stale if it was marked already.
    pub(super) async fn tombstone(&self, kind: &Kind, id: &Id) -> Result<Outcome, DbErr> {
        let table = &kind.versions;
        let is_new = match self.store.dialect {
            Dialect::Postgres | Dialect::Sqlite => {
                self.affects(&statements::tombstone(table, id)).await?
            }
            Dialect::MySql => {
                self.execute(&statements::start_versions(table, &[id.as_str()])).await?;
                self.affects(&statements::tombstone_started(table, id)).await?
            }
        };
        Ok(if is_new { Outcome::Applied(Effect::Deleted) } else { Outcome::Stale })
    }

    /// Locks a version, which orders what follows against a deletion on another connection. Returns
    /// `false` if the record is deleted.
    pub(super) async fn lock(&self, kind: &Kind, id: &Id) -> Result<bool, DbErr> {
        self.execute(&statements::start_versions(&kind.versions, &[id.as_str()])).await?;
        self.affects(&statements::lock_version(&kind.versions, id)).await
    }

    /// Locks a version and inserts a row for a record that has none. If other code removed an earlier
    /// row, it also sets the version below that of every state, so that any event and any backfill fills
    /// the new row.
    pub(super) async fn start(&self, kind: &Kind, row: &Row) -> Result<Started, DbErr> {
        if !self.lock(kind, &row.id).await? {
            return Ok(Started::Deleted);
        }
        let known = statements::select_rows(&kind.rows, &[row.id.as_str()]);
        if self.tx.query_one(&known).await?.is_some() {
            return Ok(Started::Known);
        }
        self.execute(&statements::forget_version_without_row(kind, &row.id)).await?;
        self.start_row(kind, row).await?;
        Ok(Started::New)
    }

    /// Inserts a row, unless an application's own code has inserted it in the meantime. Fails if another
    /// unique column keeps it out: MySQL's conflict clause would not tell.
    async fn start_row(&self, kind: &Kind, row: &Row) -> Result<(), DbErr> {
        let start = match self.store.dialect {
            Dialect::Postgres | Dialect::Sqlite => statements::start_row(&kind.rows, row),
            Dialect::MySql => statements::insert_rows(&kind.rows, std::slice::from_ref(row)),
        };
        match self.execute(&start).await {
            Err(error) if failure::is_duplicate(&error) => {
                let known = statements::select_rows(&kind.rows, &[row.id.as_str()]);
                match self.store.dialect {
                    Dialect::MySql if self.tx.query_one(&known).await?.is_some() => Ok(()),
                    Dialect::MySql | Dialect::Postgres | Dialect::Sqlite => Err(error),
                }
            }
            started => started.map(drop),
        }
    }

    /// Records that users belong to an instance.
    ///
    /// Last in a transaction, because a backfill's page also locks the users' versions first and the
    /// instance's row last: in the same order the two cannot deadlock.
    pub(super) async fn record_instance(&self, id: &InstanceId) -> Result<(), DbErr> {
        self.execute(&statements::start_run(&self.tables().backfills, id)).await?;
        Ok(())
    }

    /// Deletes deliveries that were received before a time, `most` at most, and returns how many.
    pub(super) async fn forget_deliveries(
        &self,
        table: &TableName,
        before: Value,
        most: u64,
    ) -> Result<u64, DbErr> {
        let forget = match self.store.dialect {
            Dialect::MySql => statements::forget_some_deliveries(table, before, most),
            Dialect::Postgres | Dialect::Sqlite => {
                statements::forget_deliveries(table, before, most)
            }
        };
        self.execute(&forget).await
    }

    /// Executes a statement, and returns how many rows it affected.
    pub(super) async fn execute(&self, statement: &impl StatementBuilder) -> Result<u64, DbErr> {
        Ok(self.tx.execute(statement).await?.rows_affected())
    }

    /// Raises a version and locks it until the end of the transaction. Returns `false` if a state at
    /// least as new is known or the record is deleted.
    async fn raise_version(&self, kind: &Kind, id: &Id, version: Version) -> Result<bool, DbErr> {
        let table = &kind.versions;
        match self.store.dialect {
            Dialect::Postgres | Dialect::Sqlite => {
                self.affects(&statements::raise_versions(table, &[(id.as_str(), version)])).await
            }
            Dialect::MySql => {
                self.execute(&statements::start_versions(table, &[id.as_str()])).await?;
                self.affects(&statements::raise_started_version(table, id, version)).await
            }
        }
    }

    /// Writes a row whose version is locked.
    ///
    /// On MySQL it uses no conflict clause, which cannot name the key that it applies to: it would
    /// overwrite an unrelated row if the application has made another column unique. Elsewhere it does,
    /// because an application's own code may be inserting the row.
    async fn write_row(&self, kind: &Kind, row: &Row) -> Result<Effect, DbErr> {
        if self.affects(&statements::update_row(&kind.rows, row)).await? {
            return Ok(Effect::Updated);
        }
        let rows = std::slice::from_ref(row);
        self.execute(&match self.store.dialect {
            Dialect::Postgres | Dialect::Sqlite => statements::write_rows(&kind.rows, rows),
            Dialect::MySql => statements::insert_rows(&kind.rows, rows),
        })
        .await?;
        Ok(Effect::Inserted)
    }

    /// Returns whether one statement can do all, which says what became of the row: on PostgreSQL, unless
    /// the table is partitioned. Asks the database once for each kind of record.
    async fn can_at_once(&self, kind: &Kind) -> Result<bool, DbErr> {
        match self.store.dialect {
            Dialect::Postgres => {}
            Dialect::MySql | Dialect::Sqlite => return Ok(false),
        }
        if let Some(known) = kind.can_at_once.get() {
            return Ok(*known);
        }
        let answer = self.tx.query_one_raw(statements::select_can_at_once(kind)).await?;
        // Without a table the statement fails, and its error says why.
        let Some(answer) = answer else { return Ok(true) };
        let can = answer.try_get_by_index(0)?;
        Ok(*kind.can_at_once.get_or_init(|| can))
    }

    async fn affects(&self, statement: &impl StatementBuilder) -> Result<bool, DbErr> {
        // On MySQL sqlx asks for the number of matched rows, whether or not they changed.
        Ok(self.execute(statement).await? != 0)
    }

    fn recording<'a>(&'a self, delivery: &'a Delivery) -> Recording<'a> {
        let (table, id) = (&self.tables().deliveries, delivery.id());
        Recording { table, id, received_at: self.store.now() }
    }
}

/// The result of giving a record a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// It is deleted for ever, and has no row.
    Deleted,
    /// It has had a row.
    Known,
    /// It has a row now.
    New,
}

impl Pooling {
    /// Begins a transaction for statements of an application's own, as the sink begins its own: read
    /// committed, with the write lock on SQLite, with limits on time that end with it, and behind a pooler
    /// without anybody's prepared statements. It begins within 5.5 s or not at all; a lock is waited for
    /// 5 s, and on PostgreSQL a statement lasts 8 s at most.
    ///
    /// Behind a pooler in transaction mode every statement of an application needs such a transaction,
    /// also one that reads.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn begin(self, db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
        begin(db, self, None).await
    }
}

/// Begins a transaction that may write. Its limits are shorter than the time that Svix waits for an
/// answer: 5.5 s for a connection and the beginning, then 5 s for a lock and 8 s for a statement.
///
/// On PostgreSQL and MySQL it is read committed, so that a writer that waited for a row's lock sees
/// what the other one committed instead of failing, and so that MySQL locks rows and not the gaps
/// between them. On SQLite it takes the write lock from the start, since a lock that is requested
/// later is refused at once if another transaction has written in between.
/// `first` is a statement for the beginning.
pub(super) async fn begin(
    db: &DatabaseConnection,
    pooling: Pooling,
    first: Option<String>,
) -> Result<DatabaseTransaction, DbErr> {
    let dialect = Dialect::of(db)?;
    let begun = async {
        match dialect {
            // The driver waits 5 s for the lock.
            Dialect::Sqlite => begin_on_sqlite(db, first).await,
            Dialect::MySql => run_to_completion(begin_on_mysql(db.clone(), first)).await,
            Dialect::Postgres => {
                run_to_completion(begin_on_postgres(db.clone(), pooling, first)).await
            }
        }
    };
    match tokio::time::timeout(FOR_A_CONNECTION, begun).await {
        Ok(begun) => begun,
        Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

/// Begins a transaction for migrations, which may have to wait for each other. The future must not
/// be dropped before the transaction has begun: see [`run_to_completion`].
#[cfg(feature = "sea-orm-migration")]
pub(super) async fn begin_patiently(
    db: &DatabaseConnection,
    pooling: Pooling,
) -> Result<DatabaseTransaction, DbErr> {
    match Dialect::of(db)? {
        Dialect::MySql => db.begin_with_options(read_committed()).await,
        Dialect::Sqlite => db.begin_with_options(immediate()).await,
        Dialect::Postgres => {
            let tx = db.begin_with_options(read_committed()).await?;
            if pooling == Pooling::Transaction {
                tx.execute_unprepared(REMOVE_STATEMENTS).await?;
            }
            Ok(tx)
        }
    }
}

/// Runs `work` on its own task, so that dropping the caller does not cancel it.
///
/// The driver knows of a transaction only after the server has answered `BEGIN`. If the future is
/// dropped before that, the connection returns to the pool with an open transaction, and the
/// application's next statements become part of it. On its own task the work always ends: a
/// transaction that was only begun is dropped and rolls back; a delivery is committed, although no
/// caller waits for it. MySQL's driver also loses count of the answers if it is cancelled while it
/// prepares a statement: that connection hangs from then on.
pub(super) async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, DbErr>> + Send + 'static,
) -> Result<T, DbErr> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down and has cancelled the task.
            Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
        },
    }
}

async fn begin_on_sqlite(
    db: &DatabaseConnection,
    first: Option<String>,
) -> Result<DatabaseTransaction, DbErr> {
    let tx = db.begin_with_options(immediate()).await?;
    if let Some(first) = first {
        tx.execute_unprepared(&first).await?;
    }
    Ok(tx)
}

async fn begin_on_mysql(
    db: DatabaseConnection,
    first: Option<String>,
) -> Result<DatabaseTransaction, DbErr> {
    let tx = db.begin_with_options(read_committed()).await?;
    tx.execute_unprepared(MYSQL_LIMITS).await?;
    if let Some(first) = first {
        tx.execute_unprepared(&first).await?;
    }
    Ok(tx)
}

async fn begin_on_postgres(
    db: DatabaseConnection,
    pooling: Pooling,
    first: Option<String>,
) -> Result<DatabaseTransaction, DbErr> {
    // All in one message. The isolation level would be another as an option, and must be set first.
    let tx = db.begin().await?;
    let pooled = (pooling == Pooling::Transaction).then_some(REMOVE_STATEMENTS);
    let all = [Some(POSTGRES_ISOLATION), pooled, Some(POSTGRES_LIMITS), first.as_deref()];
    let all: Vec<_> = all.into_iter().flatten().collect();
    tx.execute_unprepared(&all.join("; ")).await?;
    Ok(tx)
}

fn read_committed() -> TransactionOptions {
    let isolation_level = Some(IsolationLevel::ReadCommitted);
    TransactionOptions { isolation_level, ..TransactionOptions::default() }
}

fn immediate() -> TransactionOptions {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() }
}

/// Returns a random pause from half of `longest` to `longest`, so that two transactions do not meet
/// again.
fn jitter(longest: Duration) -> Duration {
    // Each `RandomState` has keys of its own.
    let random = RandomState::new().build_hasher().finish() % 1024;
    let half = longest / 2;
    half + half.mul_f64(f64::from(u32::try_from(random).unwrap_or_default()) / 1024.0)
}

/// The time that a transaction may take to begin, the wait for a connection included: a little
/// longer than SQLite's driver waits for its lock.
const FOR_A_CONNECTION: Duration = Duration::from_millis(5500);

/// Removes the prepared statements that others have left behind a pooler: the driver gives its own the
/// same names.
const REMOVE_STATEMENTS: &str = "DEALLOCATE ALL";

const POSTGRES_ISOLATION: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Limits that last until the end of the transaction, set only where the connection has none.
const POSTGRES_LIMITS: &str = "SELECT \
    CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', '5s', true) END, \
    CASE current_setting('statement_timeout') WHEN '0' THEN \
    set_config('statement_timeout', '8s', true) END";

/// A limit that MySQL has for sessions only, so that it stays set; the server's default is 50 s.
/// MySQL has no limit for statements that write; those here are short unless they wait for a lock.
const MYSQL_LIMITS: &str =
    "SET innodb_lock_wait_timeout = LEAST(@@SESSION.innodb_lock_wait_timeout, 5)";

const PAUSES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(90),
    Duration::from_millis(270),
    Duration::from_millis(810),
];

/// The time after which no retry begins. With a lock timeout of 5 s for the last try, a delivery
/// stays well under its 14 s.
const ENOUGH: Duration = Duration::from_secs(6);
