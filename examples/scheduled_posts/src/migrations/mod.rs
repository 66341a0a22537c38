//! The application's migrations, which run after the crate's. One file each, never changed after a
//! release.

mod m20261123_000001_posts;

use sea_orm_migration::prelude::*;

/// The application's list of migrations; the crate has its own list and its own table.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261123_000001_posts::Migration)]
    }
}
