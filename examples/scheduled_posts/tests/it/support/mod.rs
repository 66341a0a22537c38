//! Shared by the tests: a world to run the binary in, its processes, and clients of both servers.

pub(crate) mod ai;
pub(crate) mod browser;
mod clerk;
pub(crate) mod database;
mod front;
mod frontend_api;
mod http;
mod listing;
pub(crate) mod numbers;
#[path = "../../../../../tests/it/support/own_database.rs"]
mod own_database;
mod page;
#[path = "../../../../../tests/it/support/pooler.rs"]
pub(crate) mod pooler;
mod process;
#[expect(dead_code, reason = "no line is cut or held here")]
#[path = "../../../../../tests/it/support/proxy.rs"]
pub(crate) mod proxy;
mod random;
pub(crate) mod raw;
mod receive;
mod redis;
mod redis_tls;
#[expect(dead_code, reason = "no server is stopped here")]
#[path = "../../../../../tests/it/support/server.rs"]
pub(crate) mod server;
mod tls;
mod webhooks;
mod world;

pub(crate) use clerk::Clerk;
pub(crate) use front::{Fault, Front};
pub(crate) use frontend_api::FrontendApi;
pub(crate) use http::{Answer, Api, answer};
pub(crate) use listing::Listing;
pub(crate) use own_database::Backend;
pub(crate) use page::{DAY, Page};
pub(crate) use process::{PROGRAM, Process};
pub(crate) use random::Random;
pub(crate) use raw::{Frames, Raw};
pub(crate) use receive::Try;
pub(crate) use redis::{OwnRedis, redis_url};
pub(crate) use redis_tls::TlsRedis;
pub(crate) use tls::{MadeCertificate, TlsClient};
pub(crate) use webhooks::{State, Webhook, recorded, states};
pub(crate) use world::{World, free_port};

use std::time::Duration;

/// Each test once on SQLite, once on PostgreSQL and once on MySQL or MariaDB, which
/// `TEST_POSTGRES_URL` and `TEST_MYSQL_URL` name.
macro_rules! on_every_backend {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                $crate::support::World::run($crate::support::Backend::Sqlite, super::$name).await;
            })+
        }
        mod mysql {
            $(#[tokio::test]
            async fn $name() {
                $crate::support::World::run($crate::support::Backend::MySql, super::$name).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                $crate::support::World::run($crate::support::Backend::Postgres, super::$name).await;
            })+
        }
    };
}
pub(crate) use on_every_backend;

/// Asks again and again until there is an answer; panics when there is none in time.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pace = tokio::time::interval(Duration::from_millis(25));
    let answer = tokio::time::timeout(DEADLINE, async {
        loop {
            pace.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    });
    answer.await.unwrap_or_else(|_| panic!("waited {DEADLINE:?} in vain: {what}"))
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
