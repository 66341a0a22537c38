//! X accounts and scheduled posts, hanging from the crate's `users` so that a user takes them along.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(x_accounts()).await?;
        manager.create_table(scheduled_posts()).await?;
        manager
            .create_index(
                Index::create()
                    .if_not_exists()
                    .name("scheduled_posts_by_time")
                    .table("scheduled_posts")
                    .col("user_id")
                    .col("scheduled_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        // What the cascade from an account looks for.
        manager
            .create_index(
                Index::create()
                    .if_not_exists()
                    .name("scheduled_posts_by_account")
                    .table("scheduled_posts")
                    .col("x_account_id")
                    .col("user_id")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("scheduled_posts").to_owned()).await?;
        manager.drop_table(Table::drop().table("x_accounts").to_owned()).await
    }
}

/// Deleting from `users` locks in the order users, accounts, posts; so does everything else.
fn x_accounts() -> TableCreateStatement {
    Table::create()
        .table("x_accounts")
        .if_not_exists()
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("user_id").text().not_null())
        .col(ColumnDef::new("handle").text().not_null())
        .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
        .foreign_key(
            ForeignKey::create()
                .name("x_accounts_user")
                .from("x_accounts", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        // What posts refer to; its column order also serves the list of a user's accounts.
        .index(Index::create().name("x_accounts_of_user").unique().col("user_id").col("id"))
        .to_owned()
}

/// The pair of keys makes a post on somebody else's account impossible, whatever the code does.
fn scheduled_posts() -> TableCreateStatement {
    Table::create()
        .table("scheduled_posts")
        .if_not_exists()
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("user_id").text().not_null())
        .col(ColumnDef::new("x_account_id").uuid().not_null())
        .col(ColumnDef::new("content").text().not_null())
        .col(ColumnDef::new("scheduled_at").timestamp_with_time_zone().not_null())
        .col(ColumnDef::new("status").text().not_null())
        .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
        .col(ColumnDef::new("updated_at").timestamp_with_time_zone().not_null())
        .foreign_key(
            ForeignKey::create()
                .name("scheduled_posts_account")
                .from("scheduled_posts", ("user_id", "x_account_id"))
                .to("x_accounts", ("user_id", "id"))
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}
