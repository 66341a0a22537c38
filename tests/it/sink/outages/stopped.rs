//! The database is stopped and started again, or lets nobody write for a while.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, sqlx};
use tokio::task::{JoinSet, block_in_place};

use super::{Known, created, fresh_service, is_recorded, known, post, put_off, taken_in, updated};
use crate::support::database::{Backend, Place, count, execute};
use crate::support::delivery::{send, signed};
use crate::support::server::OwnServer;

/// Each of these on a server of its own.
macro_rules! on_own_servers {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::on_own_server(super::Backend::MySql, stringify!($test), super::$test).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::on_own_server(super::Backend::Postgres, stringify!($test), super::$test)
                    .await;
            })+
        }
    };
}

on_own_servers!(
    e43_deliveries_to_a_stopped_database_are_put_off_and_apply_when_it_is_back,
    e43_a_database_that_is_read_only_for_a_while_is_one_that_is_away,
);

async fn on_own_server<F: Future<Output = ()>>(
    backend: Backend,
    name: &str,
    test: impl FnOnce(OwnServer, Place) -> F,
) {
    let Some(server) = block_in_place(|| OwnServer::start(backend, name)) else { return };
    let place = server.database().await;
    test(server, place).await;
}

const DEADLINE: Duration = Duration::from_secs(3);
const CONNECTIONS: u32 = 4;

async fn pool(place: &Place) -> DatabaseConnection {
    let wait = Duration::from_secs(1);
    place.pool_with(|options| options.max_connections(CONNECTIONS).acquire_timeout(wait)).await
}

async fn e43_deliveries_to_a_stopped_database_are_put_off_and_apply_when_it_is_back(
    server: OwnServer,
    place: Place,
) {
    let db = pool(&place).await;
    let service = fresh_service(&db, DEADLINE).await;
    taken_in(&service, "msg_0", &created("user_0")).await;

    // It stops in the midst of many deliveries.
    let mut deliveries = JoinSet::new();
    for n in 1..=400 {
        let (service, id) = (service.clone(), format!("msg_{n}"));
        deliveries.spawn(async move {
            let body = created(&format!("user_{n}"));
            (n, send(&service, signed(&id, &body).into_request()).await.status())
        });
    }
    let mut answers = Vec::new();
    answers.extend(deliveries.join_next().await);
    block_in_place(|| server.stop());
    answers.extend(deliveries.join_all().await.into_iter().map(Ok));
    put_off(&service, "msg_update", &updated("user_0", 1)).await;
    put_off(&service, "msg_401", &created("user_401")).await;

    block_in_place(|| server.start_again());
    let mut put_off = 0;
    for (n, status) in answers.into_iter().map(Result::unwrap) {
        let (id, user) = (format!("msg_{n}"), format!("user_{n}"));
        let recorded = is_recorded(&db, &id).await;
        let state = if recorded { Known::Version(0) } else { Known::Nothing };
        assert_eq!(known(&db, &user).await, state, "{user}");
        match status {
            204 => assert!(recorded, "{id} was acknowledged and is lost"),
            status => assert_eq!(status, 503, "{id}"),
        }
        put_off += usize::from(status == 503);
        taken_in(&service, &id, &created(&user)).await;
    }
    assert!(put_off > 0, "all were done before the server stopped");
    for _ in 0..2 {
        taken_in(&service, "msg_update", &updated("user_0", 1)).await;
        taken_in(&service, "msg_401", &created("user_401")).await;
    }
    assert_eq!(known(&db, "user_0").await, Known::Version(1));
    for table in ["users", "clerk_user_versions"] {
        assert_eq!(count(&db, table).await, 402, "{table}");
    }
    assert_eq!(count(&db, "clerk_deliveries").await, 403);
}

async fn e43_a_database_that_is_read_only_for_a_while_is_one_that_is_away(
    server: OwnServer,
    place: Place,
) {
    let admin = pool(&place).await;
    // MySQL's administrators may write all the same.
    if place.backend == Backend::MySql {
        admin.execute_unprepared("CREATE USER plain@'127.0.0.1'").await.unwrap();
        admin.execute_unprepared("GRANT ALL ON app.* TO plain@'127.0.0.1'").await.unwrap();
    }
    let url = place.url.replacen("//root@", "//plain@", 1);
    let db = pool(&Place { url, ..place }).await;
    let service = fresh_service(&db, DEADLINE).await;
    taken_in(&service, "msg_1", &created("user_1")).await;

    set_read_only(&server, place.backend, true).await;
    until_read_only(&db, true).await;
    put_off(&service, "msg_2", &updated("user_1", 1)).await;
    assert_eq!(known(&admin, "user_1").await, Known::Version(0));
    assert!(!is_recorded(&admin, "msg_2").await);

    set_read_only(&server, place.backend, false).await;
    until_read_only(&db, false).await;
    taken_in(&service, "msg_2", &updated("user_1", 1)).await;
    assert_eq!(known(&admin, "user_1").await, Known::Version(1));
    assert_eq!(post(&service, "msg_2", &updated("user_1", 1)).await.status(), 204);
}

pub(super) async fn set_read_only(server: &OwnServer, backend: Backend, on: bool) {
    match backend {
        Backend::MySql => execute(&server.url, &format!("SET GLOBAL read_only = {on}")).await,
        _ => {
            let set = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
            execute(&server.url, &set).await;
            execute(&server.url, "SELECT pg_reload_conf()").await;
        }
    }
}

/// PostgreSQL's sessions hear of a new setting a little later, each by itself.
pub(super) async fn until_read_only(db: &DatabaseConnection, wanted: bool) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let pool = db.get_postgres_connection_pool();
    let mut sessions = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        sessions.push(pool.acquire().await.unwrap());
    }
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let all = async {
        for session in &mut sessions {
            let show = "SHOW default_transaction_read_only";
            while (sqlx::query_scalar::<_, String>(show).fetch_one(&mut **session).await.unwrap()
                == "on")
                != wanted
            {
                pace.tick().await;
            }
        }
    };
    tokio::time::timeout(DEADLINE, all).await.expect("every session knows the new setting");
}
