//! Why a subcommand ended badly, and how a database's failure is told.

use crate::config::ConfigErrors;

/// Why a subcommand ended badly.
pub(super) enum Failure {
    Config(ConfigErrors),
    /// Something outside did not play along; says what, and what to do.
    Start(String),
    /// Nobody reads the answer any more.
    Unread,
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

/// A database that cannot be opened or brought up to date.
pub(super) fn database_failure(error: &sea_orm::DbErr) -> Failure {
    Failure::Start(format!(
        "DATABASE_URL: the database cannot be used: {error}\nIs it running, may this user create \
         tables in it, and is the folder of an SQLite file writable?"
    ))
}
