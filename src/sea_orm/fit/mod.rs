//! Whether tables that are there can take what the sink writes. Looks and says; changes nothing.

mod definition;
mod expected;
mod inspect;
mod place;
mod queries;
mod remedy;
mod rules;

use ::sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

pub(super) use self::expected::Extent;
pub(super) use self::place::before_making;
use self::place::unusable;
use self::rules::Problem;
use super::schema::Schema;
use super::tables::TableName;
use super::transaction;

impl Schema {
    /// Whether the tables can take what the sink writes, the columns of
    /// [`user_column`](Self::user_column) included. [`migrate`](Self::migrate) asks for all but
    /// those, so that an application can add them afterwards; this is for after that.
    ///
    /// A table of users fits when
    ///
    /// - `id` is text of 255 characters or more, compared byte for byte, and by itself unique;
    /// - `email`, `first_name`, `last_name`, `username` and `image_url` are text without a limit
    ///   that somebody's name could meet, and may be null;
    /// - `created_at` and `updated_at` hold times and may not be null, and `deleted_at`, where deleted
    ///   users are marked, may; on MySQL and MariaDB they are `DATETIME`, since `TIMESTAMP` ends in
    ///   2038;
    /// - every other column, those of `user_column` included, has a default or may be null;
    /// - none of the columns that the sink fills is generated;
    /// - nothing but `id` is unique: two users of a Clerk instance may share an e-mail address;
    ///   neither are there exclusion constraints without it;
    /// - it is a table and no view, on MySQL and MariaDB of InnoDB.
    ///
    /// Names of columns may be in any case where the database makes no difference. `CHECK`
    /// constraints, triggers, row security and privileges are not looked at: what they refuse keeps
    /// an event from being taken in, for as long as they do.
    ///
    /// # Errors
    ///
    /// What does not fit, all at once, with statements that would mend it and keep what the table
    /// holds, or words where there is no such statement. A `Schema` whose names cannot be used.
    /// Whatever keeps the database from answering.
    pub async fn check(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        if !transaction::is_supported(db.get_database_backend()) {
            return Err(DbErr::Migration(transaction::UNSUPPORTED.into()));
        }
        check(self, db, Extent::Whole).await
    }
}

pub(super) async fn check(
    schema: &Schema,
    db: &impl ConnectionTrait,
    extent: Extent,
) -> Result<(), DbErr> {
    schema.validate(db.get_database_backend()).map_err(|error| unusable(&error))?;
    let tables = schema.tables();
    let mut wanted = vec![(tables.users.rows, expected::users(schema, extent))];
    // Not yet there while the first migration runs, and whole when they are.
    if let Some(kinds) = tables.organizations {
        for (table, columns) in [
            (kinds.organizations.rows, expected::organizations()),
            (kinds.memberships.rows, expected::memberships()),
        ] {
            if extent == Extent::Whole || inspect::is_there(db, &table).await? {
                wanted.push((table, columns));
            }
        }
    }
    let mut text = String::new();
    for (table, columns) in &wanted {
        let found = inspect::table(db, table).await?;
        let problems = rules::problems(db.get_database_backend(), table, columns, &found);
        text.push_str(&told(table, &problems));
    }
    if text.is_empty() { Ok(()) } else { Err(DbErr::Migration(text)) }
}

fn told(table: &TableName, problems: &[Problem]) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    format!(
        "the table {} does not fit and was left as it is; mend it, or give the sink another one \
         by its Schema:{lines}\n",
        table.name
    )
}
