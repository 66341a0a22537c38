//! A database for each test.

use std::path::Path;

use sea_orm::{ConnectionTrait as _, Database};
use uuid::Uuid;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    MySql,
    Postgres,
    Sqlite,
}

/// Where a test's database is, and how it goes away.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// The server that it is on, and the statement that drops it there.
    drop: Option<(String, String)>,
}

impl TestDatabase {
    /// `None` when there is no server to test on and none is required.
    pub(crate) async fn create(backend: Backend, folder: &Path) -> Option<Self> {
        let name = format!("scheduled_posts_{}", Uuid::new_v4().simple());
        let (variable, create, drop) = match backend {
            // Unlike anything that the tables want, so that they have to say what they want.
            Backend::MySql => (
                "TEST_MYSQL_URL",
                format!("CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci"),
                format!("DROP DATABASE IF EXISTS {name}"),
            ),
            Backend::Postgres => (
                "TEST_POSTGRES_URL",
                format!("CREATE DATABASE {name}"),
                format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            ),
            Backend::Sqlite => {
                let url = format!("sqlite://{}?mode=rwc", folder.join("posts.db").display());
                return Some(Self { url, drop: None });
            }
        };
        let Ok(server) = std::env::var(variable) else {
            not_run(&format!("{variable} is unset"));
            return None;
        };
        let admin = Database::connect(&server).await.expect(variable);
        admin.execute_unprepared(&create).await.unwrap();
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (base, _) = base.rsplit_once('/').filter(|(base, _)| base.contains("//")).unwrap();
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        Some(Self { url: format!("{base}/{name}{query}"), drop: Some((server, drop)) })
    }

    pub(crate) async fn drop(self) {
        if let Some((server, drop)) = self.drop {
            let admin = Database::connect(&server).await.unwrap();
            admin.execute_unprepared(&drop).await.unwrap();
        }
    }
}

/// Says that a test lacks a server; fails where it must not.
pub(super) fn not_run(why: &str) {
    let required = ["CI", "TEST_REQUIRE_SERVERS"].into_iter().any(is_set);
    assert!(!required, "{why}, and CI or TEST_REQUIRE_SERVERS is set");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("NOT RUN: {test}: {why}");
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
