//! The failures of subcommands, and the message of a failed database.

use crate::config::ConfigErrors;
use crate::store;

/// The reason why a subcommand failed.
pub(super) enum Failure {
    Config(ConfigErrors),
    /// A failure outside of the program: what failed, and what to do.
    Start(String),
    /// The reader of standard output is gone.
    Unread,
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

/// Returns the failure for a database that cannot be opened or migrated.
pub(super) fn database_failure(error: &sea_orm::DbErr) -> Failure {
    if store::is_refused_by_a_pooler(error) {
        return Failure::Start(format!(
            "DATABASE_URL: a pooler stands before PostgreSQL and refuses the connection: {error}\n{}",
            store::REFUSED
        ));
    }
    Failure::Start(format!(
        "DATABASE_URL: the database cannot be used: {error}\nCheck that it is running, that this \
         user may create tables in it, and that the folder of an SQLite file is writable."
    ))
}
