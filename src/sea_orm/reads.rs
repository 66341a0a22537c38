//! Queries outside of the sink's transactions: single statements, or a transaction for each where a
//! pooler stands between.

use ::sea_orm::sea_query::SelectStatement;
use ::sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, QueryResult};

use super::dialect::Dialect;
use super::pooling::Pooling;
use super::transaction::{self, Store};

/// A source of rows: a transaction, or the database outside of one.
pub(super) trait Reads {
    /// Returns the rows that a statement selects.
    fn rows(
        &self,
        select: &SelectStatement,
    ) -> impl Future<Output = Result<Vec<QueryResult>, DbErr>> + Send;
}

impl Reads for DatabaseTransaction {
    async fn rows(&self, select: &SelectStatement) -> Result<Vec<QueryResult>, DbErr> {
        self.query_all(select).await
    }
}

impl Reads for Store {
    /// Asks once more where the connection was out of date.
    async fn rows(&self, select: &SelectStatement) -> Result<Vec<QueryResult>, DbErr> {
        match self.ask(select).await {
            Err(error) if self.outdated.note(&error) => self.ask(select).await,
            other => other,
        }
    }
}

impl Store {
    /// Returns the first row that a statement selects.
    pub(super) async fn row(&self, select: &SelectStatement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.rows(select).await?.into_iter().next())
    }

    async fn ask(&self, select: &SelectStatement) -> Result<Vec<QueryResult>, DbErr> {
        match (self.dialect, self.schema.pooled()) {
            (Dialect::Postgres, Pooling::Transaction) => {
                let tx = transaction::begin(&self.db, Pooling::Transaction, None).await?;
                let rows = tx.query_all(select).await?;
                tx.commit().await?;
                Ok(rows)
            }
            (Dialect::Postgres, Pooling::Session) | (Dialect::MySql | Dialect::Sqlite, _) => {
                self.db.query_all(select).await
            }
        }
    }
}
