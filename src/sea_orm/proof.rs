//! The proof that a transaction in which an application's statements have run is still the one that was
//! begun.
//!
//! A statement that failed and was ignored can end a transaction without a word: PostgreSQL answers
//! `COMMIT` with a rollback and no error, and MySQL rolls back after a deadlock and runs the rest in
//! autocommit. A delivery would be acknowledged and lost.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use ::sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, Statement};

use super::dialect::Dialect;
use super::failure;

/// A mark that ends with the transaction.
#[derive(Debug)]
pub(super) enum Proof {
    /// None is needed: only the sink's own statements run.
    None,
    /// A random value, set on PostgreSQL for this transaction.
    Value(String),
    /// A savepoint right after the beginning, on MySQL and SQLite.
    Savepoint,
}

impl Proof {
    /// Returns the proof of a transaction that begins now.
    pub(super) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => {
                // Each `RandomState` has keys of its own.
                Self::Value(format!("{:016x}", RandomState::new().build_hasher().finish()))
            }
            Dialect::MySql | Dialect::Sqlite => Self::Savepoint,
        }
    }

    /// Returns the statement that sets the mark, for the beginning of the transaction.
    pub(super) fn set(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Value(value) => Some(format!("SELECT set_config('{VALUE}', '{value}', true)")),
            Self::Savepoint => Some(format!("SAVEPOINT {SAVEPOINT}")),
        }
    }

    /// Checks that the mark is still set.
    pub(super) async fn check(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let proved = match self {
            Self::None => return Ok(()),
            Self::Value(value) => {
                let ask = format!("SELECT current_setting('{VALUE}', true)");
                let ask = Statement::from_string(Dialect::Postgres.backend(), ask);
                tx.query_one_raw(ask).await.and_then(|row| {
                    let found = row.map(|row| row.try_get_by_index::<Option<String>>(0));
                    Ok(found.transpose()?.flatten().as_ref() == Some(value))
                })
            }
            Self::Savepoint => {
                let release = format!("RELEASE SAVEPOINT {SAVEPOINT}");
                tx.execute_unprepared(&release).await.map(|_| true)
            }
        };
        match proved {
            Ok(true) => Ok(()),
            Ok(false) => Err(DbErr::Custom(ENDED.to_owned())),
            Err(error) if failure::is_from_the_server(&error) => {
                Err(DbErr::Custom(ENDED.to_owned()))
            }
            Err(error) => Err(error),
        }
    }
}

const VALUE: &str = "tower_clerk.transaction";
const SAVEPOINT: &str = "tower_clerk_begun";

const ENDED: &str = "the sink's transaction was over before its commit, so that nothing of it is kept: a \
    hook (InTransaction) ignored the error of a statement, or ran COMMIT, ROLLBACK or a statement that \
    commits by itself; run a statement that may fail between `tx.begin()` and its commit, which is a \
    savepoint, and return every other error";
