//! The application's foreign keys that refer to the sink's rows and keep them when they are to be
//! deleted.

use std::borrow::Cow;
use std::fmt;

use ::sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult};

use super::{inspect, queries};
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::pooling::Pooling;
use crate::sea_orm::schema::Schema;
use crate::sea_orm::tables::TableName;
use crate::sea_orm::transaction;
use crate::trace::event;

/// A foreign key without `ON DELETE CASCADE` or `SET NULL`. While it holds the row of a deleted record, the
/// row is emptied and kept.
///
/// `Display` writes it for an operator, by the names of its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldingKey {
    /// The constraint's name; `None` on SQLite, which does not keep it.
    pub constraint: Option<String>,
    /// The table whose rows refer.
    pub table: String,
    /// The table that they refer to, one of the sink's.
    pub refers_to: String,
}

impl fmt::Display for HoldingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { constraint, table, refers_to } = self;
        match constraint {
            Some(constraint) => write!(f, "{constraint} of `{table}` to `{refers_to}`"),
            None => write!(f, "`{table}` to `{refers_to}`"),
        }
    }
}

impl Schema {
    /// Returns the foreign keys that refer to the tables and keep a deleted record's row, by the names of
    /// their tables. [`check`](Self::check) and `migrate` log a warning for each.
    ///
    /// Where such a key holds a row, the deletion is applied all the same, and the row is emptied and
    /// kept. To have it removed, give the key an `ON DELETE`, or delete what refers to the row in an
    /// [`InTransaction`](crate::sea_orm::InTransaction).
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn holding_keys(&self, db: &DatabaseConnection) -> Result<Vec<HoldingKey>, DbErr> {
        match (Dialect::of(db)?, self.pooled()) {
            (Dialect::Postgres, pooling @ Pooling::Transaction) => {
                let tx = transaction::begin(db, pooling, None).await?;
                let keys = holding_keys(self, &tx).await?;
                tx.commit().await?;
                Ok(keys)
            }
            (Dialect::Postgres, Pooling::Session) | (Dialect::MySql | Dialect::Sqlite, _) => {
                holding_keys(self, db).await
            }
        }
    }
}

/// Warns of each key that holds rows.
pub(super) async fn warn(schema: &Schema, db: &impl ConnectionTrait) -> Result<(), DbErr> {
    for _key in holding_keys(schema, db).await? {
        event!(
            warn,
            constraint = _key.constraint,
            table = _key.table,
            refers_to = _key.refers_to,
            "a foreign key has no ON DELETE: the row of a deleted record that it refers to will be \
             emptied and kept; give the key an ON DELETE, or delete in a hook what refers to the row",
        );
    }
    Ok(())
}

async fn holding_keys(
    schema: &Schema,
    db: &impl ConnectionTrait,
) -> Result<Vec<HoldingKey>, DbErr> {
    let dialect = Dialect::of(db)?;
    let tables = schema.tables();
    let organizations = tables.organizations.iter();
    let organizations = organizations.flat_map(|kinds| [&kinds.organizations, &kinds.memberships]);
    let mut keys = Vec::new();
    for kind in [&tables.users].into_iter().chain(organizations) {
        keys.extend(to_table(db, dialect, &kind.rows.table).await?);
    }
    Ok(keys)
}

async fn to_table(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
) -> Result<Vec<HoldingKey>, DbErr> {
    let sql: Cow<'_, str> = match dialect {
        Dialect::Postgres => queries::POSTGRES_HOLDING_KEYS.into(),
        Dialect::MySql => queries::MYSQL_HOLDING_KEYS.into(),
        // A key of SQLite refers to a table of its own schema.
        Dialect::Sqlite => {
            let master = TableName { schema: table.schema.clone(), name: "sqlite_master".into() };
            queries::sqlite_holding_keys(&master.quoted(dialect)).into()
        }
    };
    let rows = inspect::ask(db, dialect, table, &sql).await?;
    let key = |row: &QueryResult| {
        Ok(HoldingKey {
            constraint: row.try_get_by_index(0)?,
            table: row.try_get_by_index(1)?,
            refers_to: table.name.to_string(),
        })
    };
    rows.iter().map(key).collect()
}
