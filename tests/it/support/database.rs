//! Tests that run on each database, each on one of its own: see `own_database`.

use std::env;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::task::JoinError;

use super::own_database::OwnDatabase;
pub(crate) use super::own_database::{Backend, execute, not_run, with_database};

/// Runs each of these `async fn(DatabaseConnection)` on every backend, as tests of their own.
macro_rules! on_each_database {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $crate::support::database::on_database!(MySql: $($test),+);
        }
        mod postgres {
            $crate::support::database::on_database!(Postgres: $($test),+);
        }
        mod sqlite {
            $crate::support::database::on_database!(Sqlite: $($test),+);
        }
    };
}
pub(crate) use on_each_database;

macro_rules! on_database {
    ($backend:ident: $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let backend = $crate::support::database::Backend::$backend;
                $crate::support::database::run(backend, stringify!($test), super::$test).await;
            }
        )+
    };
}
pub(crate) use on_database;

/// Runs each of these `async fn(Place)` on every database that is a server.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $crate::support::database::at_place!(MySql: $($test),+);
        }
        mod postgres {
            $crate::support::database::at_place!(Postgres: $($test),+);
        }
    };
}
pub(crate) use on_each_server;

/// Runs each of these `async fn(Place)` on PostgreSQL.
macro_rules! on_postgres {
    ($($test:ident),+ $(,)?) => {
        mod postgres {
            $crate::support::database::at_place!(Postgres: $($test),+);
        }
    };
}
pub(crate) use on_postgres;

/// Runs each of these `async fn(Place)` on every backend.
macro_rules! on_each_place {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $crate::support::database::at_place!(MySql: $($test),+);
        }
        mod postgres {
            $crate::support::database::at_place!(Postgres: $($test),+);
        }
        mod sqlite {
            $crate::support::database::at_place!(Sqlite: $($test),+);
        }
    };
}
pub(crate) use on_each_place;

macro_rules! at_place {
    ($backend:ident: $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let backend = $crate::support::database::Backend::$backend;
                $crate::support::database::run_at(backend, stringify!($test), super::$test).await;
            }
        )+
    };
}
pub(crate) use at_place;

/// Runs a test on an empty database, and removes the database whatever became of the test.
pub(crate) async fn run<F>(
    backend: Backend,
    name: &str,
    test: impl FnOnce(DatabaseConnection) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    run_at(backend, name, move |place: Place| async move {
        let connection = place.pool(8).await;
        let outcome = tokio::spawn(test(connection.clone())).await;
        let _closed = connection.close().await;
        resume(outcome);
    })
    .await;
}

/// Runs a test that opens the connections to an empty database itself.
pub(crate) async fn run_at<F>(backend: Backend, name: &str, test: impl FnOnce(Place) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let folder = new_folder();
    let database = OwnDatabase::create(backend, name, &folder.join("test.db")).await;
    if let Some(database) = database {
        let place = Place { backend, url: database.url.clone() };
        let outcome = tokio::spawn(test(place)).await;
        database.remove().await;
        std::fs::remove_dir_all(folder).unwrap();
        resume(outcome);
    } else {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("tower_clerk_{}_{count}", process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn resume(outcome: Result<(), JoinError>) {
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic.into_panic());
    }
}

/// Where a database is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    pub(crate) url: String,
}

impl Place {
    /// A pool of so many connections at most.
    pub(crate) async fn pool(&self, most: u32) -> DatabaseConnection {
        self.pool_with(|options| options.max_connections(most)).await
    }

    /// A pool with options of its own.
    pub(crate) async fn pool_with(
        &self,
        set: impl FnOnce(&mut ConnectOptions) -> &mut ConnectOptions,
    ) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.url);
        set(options.sqlx_logging(false));
        let connection = Database::connect(options).await.unwrap();
        if self.backend == Backend::Sqlite {
            connection.execute_unprepared("PRAGMA journal_mode = WAL").await.unwrap();
        }
        connection
    }
}

/// How many rows a table has.
pub(crate) async fn count(db: &DatabaseConnection, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
