//! The kind of pooler between the pool and PostgreSQL. A choice only; `transaction` and `reads` act on it.

/// The server process behind a connection of the pool: one, or another for each transaction.
///
/// ```
/// # #[cfg(feature = "sea-orm-migration")]
/// # async fn run(db: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// use tower_clerk::sea_orm::{Pooling, Schema, SeaOrmSink};
///
/// // `db` has `statement_cache_capacity(0)`.
/// let schema = Schema::new().pooling(Pooling::Transaction);
/// schema.migrate(&db).await?;
/// let sink = SeaOrmSink::with_schema(db, schema)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pooling {
    /// The same server process for as long as the connection lasts: the database itself, a pooler in
    /// session mode, or one that carries prepared statements along, as PgBouncer does from 1.21 on with
    /// `max_prepared_statements`.
    #[default]
    Session,
    /// Another server process for each transaction, without the statements that were prepared before:
    /// the transaction mode of a pooler before PostgreSQL. Makes no difference on other databases.
    ///
    /// Every query of the sink is a transaction then, and begins by removing the prepared statements of
    /// whoever used the server process before. The pool must keep no statements:
    /// `statement_cache_capacity(0)`.
    Transaction,
}
