//! Instances that wait for each other, with shorter limits on other statements than in production.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::Executor as _;
use sea_orm::{ConnectOptions, DatabaseConnection, TransactionTrait as _};
use tower_clerk::sea_orm::{OutdatedConnections, Pooling};

use super::*;

#[expect(dead_code, reason = "SQLite is not waited on here")]
#[path = "../../../../../tests/it/support/own_database.rs"]
mod own_database;

use own_database::{Backend, OwnDatabase};

#[tokio::test]
async fn postgres_waits_for_another_instance_longer_than_a_statement_may_last() {
    let hold = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND wait_event = 'advisory' \
                 AND clock_timestamp() - query_start > INTERVAL '1.5 s'";
    waits_for_another_instance(Backend::Postgres, &hold, waits).await;
}

#[tokio::test]
async fn mysql_waits_for_another_instance_longer_than_a_statement_may_last() {
    let hold = format!("DO GET_LOCK({MYSQL_LOCK}, 0)");
    let waits = "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND state = 'User lock' AND time > 1";
    waits_for_another_instance(Backend::MySql, &hold, waits).await;
}

async fn waits_for_another_instance(backend: Backend, hold: &str, waits: &str) {
    let Some(database) =
        OwnDatabase::create(backend, "a migration that waits", Path::new("")).await
    else {
        return;
    };
    let url = database.url.clone();
    let (hold, waits) = (hold.to_owned(), waits.to_owned());
    // As a task, so that its panic does not keep the database from being dropped.
    let test = tokio::spawn(async move {
        let other = sea_orm::Database::connect(&url).await.unwrap();
        // Ours are still to be applied: where nothing is, nobody waits.
        tower_clerk::sea_orm::Schema::new().with_organizations().migrate(&other).await.unwrap();
        let held = other.begin().await.unwrap();
        held.execute_unprepared(&hold).await.unwrap();

        let waiting = tokio::spawn(async move {
            let db = hasty(&url).await;
            let outdated = OutdatedConnections::new();
            migrate_own(&Database::new(db.clone(), Pooling::Session, outdated)).await.unwrap();
            // The longer limit applied to the lock only.
            let slow = match db.get_database_backend() {
                DbBackend::Postgres => "SELECT pg_sleep(30)",
                _ => "SELECT SLEEP(30), COUNT(*) FROM seaql_migrations",
            };
            db.execute_unprepared(slow).await.unwrap_err();
        });
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        let is_waiting = async || {
            let query = Statement::from_string(other.get_database_backend(), waits.clone());
            let row = other.query_one_raw(query).await.unwrap().unwrap();
            row.try_get_by_index::<i64>(0).unwrap() == 1
        };
        while !waiting.is_finished() && !is_waiting().await {
            pace.tick().await;
        }
        assert!(!waiting.is_finished(), "it gave up: {:?}", waiting.await);
        held.execute_unprepared(&release(other.get_database_backend())).await.unwrap();
        held.commit().await.unwrap();
        waiting.await.unwrap();
    });
    let outcome = tokio::time::timeout(Duration::from_secs(30), test).await;
    database.remove().await;
    outcome.expect("in time").unwrap();
}

/// Opens a pool whose statements may last a second.
async fn hasty(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .map_sqlx_postgres_opts(|postgres| {
            postgres.options([("statement_timeout", "1s"), ("lock_timeout", "1s")])
        })
        .map_sqlx_mysql_pool_opts(|pool| {
            let limits = "SET SESSION lock_wait_timeout = 1 \
                          /*M!100101 , SESSION max_statement_time = 1 */ \
                          /*!50708 , SESSION max_execution_time = 1000 */";
            pool.after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(limits).await.map(drop) })
            })
        });
    sea_orm::Database::connect(options).await.unwrap()
}

fn release(backend: DbBackend) -> String {
    match backend {
        DbBackend::MySql => format!("DO RELEASE_LOCK({MYSQL_LOCK})"),
        // Released with its transaction.
        _ => "SELECT 1".to_owned(),
    }
}
