//! The application's migrations, run after the crate's. One file each, never changed once released.

mod m20261123_000001_posts;

use sea_orm_migration::prelude::*;

/// The application's own list; the crate keeps one of its own in a table of its own.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261123_000001_posts::Migration)]
    }
}
