//! Checks whether existing tables can hold what the sink writes. Changes nothing.

mod definition;
mod expected;
mod inbound;
mod inspect;
mod place;
mod queries;
mod remedy;
mod rules;

use ::sea_orm::sea_query::IntoIden;
use ::sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

pub(super) use self::expected::Extent;
pub use self::inbound::HoldingKey;
pub(super) use self::place::before_making;
use self::place::unusable;
use self::rules::Problem;
use super::dialect::Dialect;
use super::pooling::Pooling;
use super::schema::Schema;
use super::tables::TableName;
use super::transaction;

impl Schema {
    /// Checks whether the tables can hold what the sink writes, the columns of
    /// [`user_column`](Self::user_column) included.
    ///
    /// [`migrate`](Self::migrate) checks all columns but those, so that the application can add
    /// them afterwards. Call this after that.
    ///
    /// A table of users fits when, by the names that the `Schema` gives to the columns,
    ///
    /// - `id` is text of 255 characters or more, compared byte for byte, and unique by itself; it may
    ///   allow NULL, in rows of people who are not at Clerk;
    /// - `email`, `first_name`, `last_name`, `username` and `image_url` are text without a limit
    ///   that a name could reach, and allow NULL;
    /// - `created_at` and `updated_at` hold times and do not allow NULL, and `deleted_at`, where
    ///   deleted users are marked, allows it; on MySQL and MariaDB they are `DATETIME`, since
    ///   `TIMESTAMP` ends in 2038;
    /// - the column of [`email_verified_column`](Self::email_verified_column) holds truth values and
    ///   allows NULL;
    /// - every other column, those of `user_column` included, has a default or allows NULL;
    /// - none of the columns that the sink fills is generated;
    /// - no other column that the sink fills is unique, since two users of a Clerk instance may share
    ///   an e-mail address, and every exclusion constraint about one includes `id`;
    /// - a column that the sink does not fill is unique only where the application has named the column
    ///   of Clerk's id by [`user_column_named`](Self::user_column_named): otherwise it may hold Clerk's
    ///   ids itself;
    /// - it is a table and not a view, on MySQL and MariaDB with the engine InnoDB.
    ///
    /// Names of columns may be in any case where the database makes no difference. `CHECK`
    /// constraints, triggers, row security and privileges are not checked: while they refuse an
    /// event's data, the event is not applied. A foreign key that keeps the rows of deleted records is
    /// a warning in the log; see [`holding_keys`](Self::holding_keys).
    ///
    /// # Errors
    ///
    /// Fails with everything that does not fit, at once, and with statements that correct it and
    /// keep all data, or with instructions where there is no such statement. Fails if a name of the
    /// `Schema` cannot be used. Otherwise returns the database's error.
    pub async fn check(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        match (Dialect::of(db)?, self.pooled()) {
            (Dialect::Postgres, pooling @ Pooling::Transaction) => {
                let tx = transaction::begin(db, pooling, None).await?;
                check(self, &tx, Extent::Whole).await?;
                tx.commit().await
            }
            (Dialect::Postgres, Pooling::Session) | (Dialect::MySql | Dialect::Sqlite, _) => {
                check(self, db, Extent::Whole).await
            }
        }
    }
}

/// Returns whether a table has a column.
pub(super) async fn has_column(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
    column: impl IntoIden,
) -> Result<bool, DbErr> {
    let column = column.into_iden().to_string();
    let found = inspect::table(db, dialect, table).await?;
    Ok(found.columns.iter().any(|one| dialect.is_same_name(&one.name, &column)))
}

/// Returns whether a table has an index of this name, where the database cannot tell by itself: on MySQL.
pub(super) async fn has_index(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
    name: &str,
) -> Result<bool, DbErr> {
    match dialect {
        Dialect::MySql => {
            let found = inspect::table(db, dialect, table).await?;
            Ok(found.indices.iter().any(|index| dialect.is_same_name(&index.name, name)))
        }
        Dialect::Postgres | Dialect::Sqlite => Ok(false),
    }
}

pub(super) async fn check(
    schema: &Schema,
    db: &impl ConnectionTrait,
    extent: Extent,
) -> Result<(), DbErr> {
    let dialect = Dialect::of(db)?;
    schema.validate(dialect).map_err(|error| unusable(&error))?;
    let tables = schema.tables();
    let users = expected::users(&tables.user_columns, schema.is_of_the_application(), extent);
    let mut wanted = vec![(tables.users.rows.table, users)];
    // They do not exist yet while the first migration runs; once they exist, they are complete.
    if let Some(kinds) = tables.organizations {
        for (table, columns) in [
            (kinds.organizations.rows.table, expected::organizations()),
            (kinds.memberships.rows.table, expected::memberships()),
        ] {
            if extent == Extent::Whole || inspect::is_there(db, dialect, &table).await? {
                wanted.push((table, columns));
            }
        }
    }
    let mut text = String::new();
    for (table, expected) in &wanted {
        let found = inspect::table(db, dialect, table).await?;
        let problems = rules::problems(dialect, table, expected, &found);
        text.push_str(&describe(table, &problems));
    }
    if !text.is_empty() {
        return Err(DbErr::Migration(text));
    }
    inbound::warn(schema, db).await
}

fn describe(table: &TableName, problems: &[Problem]) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    format!(
        "the table `{}` does not fit and was not changed; change it as follows, or name other \
         columns, leave columns out (without_user_column) or name another table in the Schema:{lines}\n",
        table.name
    )
}
