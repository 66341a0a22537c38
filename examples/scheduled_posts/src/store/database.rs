//! The one way by which statements reach the database: whether each is a transaction, which limits it
//! has, and on which connections it runs.

use std::time::Duration;

use sea_orm::error::ConnAcquireErr;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{QueryResult, StatementBuilder};
use tokio::time::timeout;
use tower_clerk::ConfigError;
use tower_clerk::sea_orm::{OutdatedConnections, Pooling, Schema, SeaOrmSink};

/// A database. Clones share the pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pool: DatabaseConnection,
    pooling: Pooling,
    outdated: OutdatedConnections,
}

impl Database {
    pub(super) fn new(
        pool: DatabaseConnection,
        pooling: Pooling,
        outdated: OutdatedConnections,
    ) -> Self {
        Self { pool, pooling, outdated }
    }

    /// Returns the pool itself, for what runs no statements.
    pub(crate) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(crate) fn pooling(&self) -> Pooling {
        self.pooling
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    /// Returns the crate's tables, of users, organizations and memberships, reached the same way.
    pub(crate) fn schema(&self) -> Schema {
        Schema::new().with_organizations().pooling(self.pooling)
    }

    /// Returns the crate's sink into these tables.
    pub(crate) fn users(&self) -> Result<SeaOrmSink, ConfigError> {
        let users = SeaOrmSink::with_schema(self.pool.clone(), self.schema())?;
        Ok(users.outdated_connections(self.outdated.clone()))
    }

    /// Returns the rows that a statement selects.
    pub(crate) async fn rows(
        &self,
        select: &impl StatementBuilder,
    ) -> Result<Vec<QueryResult>, DbErr> {
        self.again(|| self.ask(select)).await
    }

    /// Executes a statement that writes, and returns how many rows it affected.
    pub(crate) async fn execute(&self, statement: &impl StatementBuilder) -> Result<u64, DbErr> {
        self.again(|| self.write(statement)).await
    }

    /// Begins a transaction. What runs in it is to be run [`again`](Self::again).
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.pooling.begin(&self.pool).await
    }

    /// Runs work, and once more if the connection turned out to be out of date: after a failover, or
    /// after the type of a column was changed.
    pub(crate) async fn again<T, E: Cause, F>(&self, mut work: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        match work().await {
            Err(error) if error.cause().is_some_and(|cause| self.outdated.note(cause)) => {
                work().await
            }
            done => done,
        }
    }

    async fn ask(&self, select: &impl StatementBuilder) -> Result<Vec<QueryResult>, DbErr> {
        if self.pooling == Pooling::Transaction {
            let tx = self.begin().await?;
            let rows = tx.query_all(select).await?;
            tx.commit().await?;
            return Ok(rows);
        }
        let rows = self.pool.query_all(select);
        match self.backend() {
            DbBackend::Postgres => match timeout(LONGEST, rows).await {
                Ok(rows) => rows,
                Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            },
            _ => rows.await,
        }
    }

    async fn write(&self, statement: &impl StatementBuilder) -> Result<u64, DbErr> {
        match self.backend() {
            // The limits on its time end with a transaction.
            DbBackend::Postgres => {
                let tx = self.begin().await?;
                let done = tx.execute(statement).await?;
                tx.commit().await?;
                Ok(done.rows_affected())
            }
            _ => Ok(self.pool.execute(statement).await?.rows_affected()),
        }
    }
}

/// An error that may have come from the database.
pub(crate) trait Cause {
    /// Returns the database's error, if it is one.
    fn cause(&self) -> Option<&DbErr>;
}

impl Cause for DbErr {
    fn cause(&self) -> Option<&DbErr> {
        Some(self)
    }
}

/// The time that a query outside of a transaction may take on PostgreSQL, which has no limit of its own
/// there: it would belong to the connection, which may be a pooler's.
const LONGEST: Duration = Duration::from_secs(8);
