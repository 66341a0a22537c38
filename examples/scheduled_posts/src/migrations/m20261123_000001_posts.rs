//! The tables of X accounts and scheduled posts. They refer to the crate's `users`, so that they
//! are deleted with a user.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // MySQL keeps what was created before a failure, so each statement may run a second time.
        let dialect = Dialect(manager.get_database_backend());
        manager.create_table(dialect.x_accounts()).await?;
        let mut posts = dialect.scheduled_posts();
        if dialect.is_mysql() {
            // MySQL has no `CREATE INDEX IF NOT EXISTS`.
            manager.create_table(posts.index(&mut by_time()).index(&mut by_account()).take()).await
        } else {
            manager.create_table(posts).await?;
            manager.create_index(by_time()).await?;
            manager.create_index(by_account()).await
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("scheduled_posts").to_owned()).await?;
        manager.drop_table(Table::drop().table("x_accounts").to_owned()).await
    }
}

/// Returns the index for the list of posts.
fn by_time() -> IndexCreateStatement {
    index("scheduled_posts_by_time").col("user_id").col("scheduled_at").col("id").take()
}

/// Returns the index for the cascade from an account. MySQL requires the order of the foreign key.
fn by_account() -> IndexCreateStatement {
    index("scheduled_posts_by_account").col("user_id").col("x_account_id").take()
}

fn index(name: &str) -> IndexCreateStatement {
    Index::create().if_not_exists().name(name).table("scheduled_posts").take()
}

/// A database's names for the types.
struct Dialect(DbBackend);

impl Dialect {
    /// Returns the table of accounts. Deleting from `users` locks in the order users, accounts,
    /// posts; so does everything else.
    fn x_accounts(&self) -> TableCreateStatement {
        self.table("x_accounts")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(self.user_id())
            .col(ColumnDef::new("handle").text().not_null())
            .col(self.time("created_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("x_accounts_user")
                    .from("x_accounts", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            // Posts refer to this index. Its column order also serves the list of a user's
            // accounts.
            .index(Index::create().name("x_accounts_of_user").unique().col("user_id").col("id"))
            .take()
    }

    /// Returns the table of posts. The pair of keys makes a post on another user's account
    /// impossible, whatever the code does.
    fn scheduled_posts(&self) -> TableCreateStatement {
        self.table("scheduled_posts")
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(self.user_id())
            .col(ColumnDef::new("x_account_id").uuid().not_null())
            .col(ColumnDef::new("content").text().not_null())
            .col(self.time("scheduled_at"))
            .col(ColumnDef::new("status").text().not_null())
            .col(self.time("created_at"))
            .col(self.time("updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("scheduled_posts_account")
                    .from("scheduled_posts", ("user_id", "x_account_id"))
                    .to("x_accounts", ("user_id", "id"))
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take()
    }

    /// Begins a table. On MySQL, text is compared byte for byte, as on the other databases and in
    /// `users`.
    fn table(&self, name: &str) -> TableCreateStatement {
        let mut table = Table::create().table(name.to_owned()).if_not_exists().take();
        if self.is_mysql() {
            table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
        }
        table
    }

    /// Returns the column `user_id`, with the type of `users.id`.
    fn user_id(&self) -> ColumnDef {
        let mut id = ColumnDef::new("user_id");
        if self.is_mysql() {
            id.string_len(255)
        } else {
            id.text()
        };
        id.not_null().take()
    }

    /// Returns a column for an instant. MySQL's `TIMESTAMP` ends in 2038, and its types have no
    /// fractions of seconds unless a precision is given.
    fn time(&self, name: &'static str) -> ColumnDef {
        let mut time = ColumnDef::new(name);
        if self.is_mysql() {
            time.custom("datetime(6)")
        } else {
            time.timestamp_with_time_zone()
        };
        time.not_null().take()
    }

    fn is_mysql(&self) -> bool {
        self.0 == DbBackend::MySql
    }
}
