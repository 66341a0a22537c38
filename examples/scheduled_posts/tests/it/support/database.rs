//! A database for each test.

use std::path::Path;

use sea_orm::{ConnectionTrait as _, Database};
use uuid::Uuid;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Postgres,
    Sqlite,
}

/// Where a test's database is, and how it goes away.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    server: Option<(String, String)>,
}

impl TestDatabase {
    /// `None` when there is no server to test on and none is required.
    pub(crate) async fn create(backend: Backend, folder: &Path) -> Option<Self> {
        let Backend::Postgres = backend else {
            let url = format!("sqlite://{}?mode=rwc", folder.join("posts.db").display());
            return Some(Self { url, server: None });
        };
        let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
            let required = ["CI", "TEST_REQUIRE_SERVERS"].into_iter().any(is_set);
            assert!(!required, "TEST_POSTGRES_URL is unset, and CI or TEST_REQUIRE_SERVERS is set");
            let name = std::thread::current().name().unwrap_or("a test").to_owned();
            eprintln!("NOT RUN: {name}: TEST_POSTGRES_URL is unset");
            return None;
        };
        let name = format!("scheduled_posts_{}", Uuid::new_v4().simple());
        let admin = Database::connect(&server).await.expect("TEST_POSTGRES_URL");
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (base, _) = base.rsplit_once('/').filter(|(base, _)| base.contains("//")).unwrap();
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        Some(Self { url: format!("{base}/{name}{query}"), server: Some((server, name)) })
    }

    pub(crate) async fn drop(self) {
        if let Some((server, name)) = self.server {
            let admin = Database::connect(&server).await.unwrap();
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            admin.execute_unprepared(&drop).await.unwrap();
        }
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
