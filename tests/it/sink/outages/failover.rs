//! Another server takes the place of the one that a pool is connected to, which is read-only from then
//! on.

use std::time::Duration;

use sea_orm::DatabaseConnection;
use tokio::task::{JoinSet, block_in_place};
use tower_clerk::sea_orm::{OutdatedConnections, SeaOrmSink};

use super::stopped::{set_read_only, until_read_only};
use super::{Known, Service, created, fresh_service, known, post, taken_in, updated};
use crate::support::database::{Backend, Place, execute, on_each_server, with_database};
use crate::support::delivery::builder;
use crate::support::proxy::Proxy;
use crate::support::server::OwnServer;

on_each_server!(fault_s20_after_a_failover_deliveries_are_written_again_within_seconds);

const DEADLINE: Duration = Duration::from_secs(10);
const USERS: usize = 6;

async fn fault_s20_after_a_failover_deliveries_are_written_again_within_seconds(new: Place) {
    let Some(old_server) = block_in_place(|| OwnServer::start(new.backend, "fault_s20")) else {
        return;
    };
    let name = new.url.rsplit_once('/').unwrap().1.to_owned();
    execute(&old_server.url, &format!("CREATE DATABASE {name}")).await;
    let mut old = Place { url: with_database(&old_server.url, &name), ..new };
    let mut new = new.clone();
    // MySQL's administrators may write to a read-only server.
    if new.backend == Backend::MySql {
        for place in [&mut old, &mut new] {
            let admin = with_database(&place.url, "mysql");
            execute(&admin, &format!("CREATE OR REPLACE USER {name}@'127.0.0.1'")).await;
            execute(&admin, &format!("GRANT ALL ON {name}.* TO {name}@'127.0.0.1'")).await;
            place.url = place.url.replacen("//root@", &format!("//{name}@"), 1);
        }
    }
    let proxy = Proxy::start(&old).await;
    let outdated = OutdatedConnections::new();
    let db = pool(&proxy.place, &outdated).await;
    let (direct, replica) = (old.pool(1).await, new.pool(1).await);
    // What is written before is on both.
    let both = [fresh_service(&db, DEADLINE).await, fresh_service(&replica, DEADLINE).await];
    for service in &both {
        for n in 0..USERS {
            taken_in(service, &format!("msg_{n}"), &created(&format!("user_{n}"))).await;
        }
    }
    let sink = SeaOrmSink::new(db.clone()).unwrap().outdated_connections(outdated);
    let service = builder(sink).deadline(DEADLINE).build().unwrap();
    all_at_once(&service, 1).await;
    all_at_once(&both[1], 1).await;

    set_read_only(&old_server, new.backend, true).await;
    until_read_only(&db, true).await;
    assert_eq!(post(&service, "msg_2_0", &updated("user_0", 2)).await.status(), 503);
    proxy.lead_to(&new);

    let written = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        for n in 0..USERS {
            loop {
                pace.tick().await;
                let (id, user) = (format!("msg_2_{n}"), format!("user_{n}"));
                match post(&service, &id, &updated(&user, 2)).await.status() {
                    204 => break,
                    status => assert_eq!(status, 503, "{id}"),
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(15), written).await.expect("within 15 s");
    // None that leads to the old server is left.
    tokio::time::timeout(DEADLINE, async { while !none_is_put_off(&service).await {} })
        .await
        .expect("every connection leads to the new server");
    for n in 0..USERS {
        let user = format!("user_{n}");
        assert_eq!(known(&replica, &user).await, Known::Version(2), "{user}");
        assert_eq!(known(&direct, &user).await, Known::Version(1), "{user}");
    }
    for one in [db, direct, replica] {
        one.close().await.unwrap();
    }
}

/// As many deliveries as there are connections.
async fn all_at_once(service: &Service, version: i64) {
    let mut deliveries = JoinSet::new();
    for n in 0..USERS {
        let (service, user) = (service.clone(), format!("user_{n}"));
        deliveries.spawn(async move {
            let id = format!("msg_{version}_{n}");
            taken_in(&service, &id, &updated(&user, version)).await;
        });
    }
    deliveries.join_all().await;
}

async fn none_is_put_off(service: &Service) -> bool {
    let mut repeated = JoinSet::new();
    for n in 0..USERS {
        let service = service.clone();
        repeated.spawn(async move {
            let (id, user) = (format!("msg_2_{n}"), format!("user_{n}"));
            post(&service, &id, &updated(&user, 2)).await.status() == 204
        });
    }
    repeated.join_all().await.into_iter().all(|done| done)
}

async fn pool(place: &Place, outdated: &OutdatedConnections) -> DatabaseConnection {
    let most = u32::try_from(USERS).unwrap();
    place
        .pool_with(|options| {
            let (postgres, mysql) = (outdated.clone(), outdated.clone());
            options
                .max_connections(most)
                .map_sqlx_postgres_before_acquire(move |_, connection| {
                    let may_be_used = postgres.allow(connection.age);
                    Box::pin(async move { Ok(may_be_used) })
                })
                .map_sqlx_mysql_before_acquire(move |_, connection| {
                    let may_be_used = mysql.allow(connection.age);
                    Box::pin(async move { Ok(may_be_used) })
                })
        })
        .await
}
