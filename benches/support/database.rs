//! Throw-away databases for benchmarks.

use std::path::PathBuf;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};

/// A database to measure: SQLite, or a server that a variable names.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    server: Option<String>,
}

/// Returns SQLite, and the servers of `TEST_POSTGRES_URL` and `TEST_MYSQL_URL` if they are set.
pub(crate) fn places() -> Vec<Place> {
    let server = |name, variable| Some(Place { name, server: Some(std::env::var(variable).ok()?) });
    let sqlite = Place { name: "SQLite", server: None };
    [Some(sqlite), server("PostgreSQL", "TEST_POSTGRES_URL"), server("MySQL", "TEST_MYSQL_URL")]
        .into_iter()
        .flatten()
        .collect()
}

/// A new database, to be removed by hand.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    server: Option<(String, String)>,
    folder: PathBuf,
}

impl TestDatabase {
    pub(crate) async fn create(place: &Place) -> Self {
        let name = format!("tower_clerk_bench_{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        if let Some(server) = &place.server {
            run(server, &format!("CREATE DATABASE {name}")).await;
            let (address, _) = server.rsplit_once('/').unwrap();
            let url = format!("{address}/{name}");
            return Self { url, server: Some((server.clone(), name)), folder };
        }
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.join("bench.db").display());
        Self { url, server: None, folder }
    }

    pub(crate) async fn remove(self) {
        match self.server {
            Some((server, name)) => run(&server, &format!("DROP DATABASE {name}")).await,
            None => std::fs::remove_dir_all(self.folder).unwrap(),
        }
    }
}

pub(crate) async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(4).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    if db.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared("PRAGMA journal_mode = WAL").await.unwrap();
    }
    db
}

async fn run(server: &str, sql: &str) {
    let db = connect(server).await;
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}
