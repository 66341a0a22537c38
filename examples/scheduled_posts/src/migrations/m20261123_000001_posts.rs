//! X accounts and scheduled posts, hanging from the crate's `users` so that a user takes them along.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // MySQL keeps what it made before a failure: each statement may run a second time.
        let dialect = Dialect(manager.get_database_backend());
        manager.create_table(dialect.x_accounts()).await?;
        let mut posts = dialect.scheduled_posts();
        if dialect.is_mysql() {
            // It knows no `CREATE INDEX IF NOT EXISTS`.
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

/// What the list walks.
fn by_time() -> IndexCreateStatement {
    index("scheduled_posts_by_time").col("user_id").col("scheduled_at").col("id").take()
}

/// What the cascade from an account looks for; MySQL wants the foreign key's own order.
fn by_account() -> IndexCreateStatement {
    index("scheduled_posts_by_account").col("user_id").col("x_account_id").take()
}

fn index(name: &str) -> IndexCreateStatement {
    Index::create().if_not_exists().name(name).table("scheduled_posts").take()
}

/// The databases' names for the same types.
struct Dialect(DbBackend);

impl Dialect {
    /// Deleting from `users` locks in the order users, accounts, posts; so does everything else.
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
            // What posts refer to; its column order also serves the list of a user's accounts.
            .index(Index::create().name("x_accounts_of_user").unique().col("user_id").col("id"))
            .take()
    }

    /// The pair of keys makes a post on somebody else's account impossible, whatever the code does.
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

    /// On MySQL every text is compared byte for byte, as on the others and in `users`.
    fn table(&self, name: &str) -> TableCreateStatement {
        let mut table = Table::create().table(name.to_owned()).if_not_exists().take();
        if self.is_mysql() {
            table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
        }
        table
    }

    /// The type that `users.id` has.
    fn user_id(&self) -> ColumnDef {
        let mut id = ColumnDef::new("user_id");
        if self.is_mysql() {
            id.string_len(255)
        } else {
            id.text()
        };
        id.not_null().take()
    }

    /// MySQL's `TIMESTAMP` ends in 2038, and neither type has fractions unless it is told.
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
