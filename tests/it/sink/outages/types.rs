//! A column's type is changed, as a migration may, while the sink runs.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_clerk::sea_orm::{OutdatedConnections, Schema, SeaOrmSink, UserStatus};

use super::{created, post, updated};
use crate::support::database::{Place, on_postgres};
use crate::support::delivery::builder;

on_postgres!(fault_s24_a_column_may_change_its_type_while_the_sink_runs);

const CLIENTS: u32 = 8;
const CHANGES: [&str; 4] = [
    "ALTER TABLE users ALTER COLUMN email TYPE varchar(300)",
    "ALTER TABLE users ALTER COLUMN id TYPE text, ALTER COLUMN first_name TYPE varchar(300)",
    "ALTER TABLE users ALTER COLUMN email TYPE text",
    "ALTER TABLE clerk_user_versions ALTER COLUMN id TYPE text",
];

async fn fault_s24_a_column_may_change_its_type_while_the_sink_runs(place: Place) {
    let outdated = OutdatedConnections::new();
    let asked = outdated.clone();
    let db = place
        .pool_with(|options| {
            options.max_connections(CLIENTS).map_sqlx_postgres_before_acquire(
                move |_, connection| {
                    let may_be_used = asked.allow(connection.age);
                    Box::pin(async move { Ok(may_be_used) })
                },
            )
        })
        .await;
    let schema = Schema::new();
    schema.migrate(&db).await.unwrap();
    let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap().outdated_connections(outdated);
    let service = builder(sink.clone()).build().unwrap();
    let (rounds, seen) = watch::channel([0; CLIENTS as usize]);
    let (stop, stopped) = watch::channel(false);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (sink, service, rounds, stopped) =
            (sink.clone(), service.clone(), rounds.clone(), stopped.clone());
        clients.spawn(async move {
            let user = format!("user_{client}");
            for version in 0.. {
                let id = format!("msg_{client}_{version}");
                let body = if version == 0 { created(&user) } else { updated(&user, version) };
                assert_eq!(post(&service, &id, &body).await.status(), 204, "{id}");
                let row = sink.find_user(&user).await.unwrap().unwrap();
                assert_eq!(row.email, Some(super::email(version)));
                assert_eq!(sink.ensure_user(&user).await.unwrap(), UserStatus::Active);
                rounds.send_modify(|rounds| rounds[client as usize] = version);
                if *stopped.borrow() {
                    return;
                }
            }
        });
    }
    let admin = place.pool(1).await;
    let in_time = Duration::from_secs(60);
    for change in CHANGES {
        // Every client has statements of before.
        let before = *seen.borrow();
        let mut seen = seen.clone();
        let all = seen.wait_for(|now| now.iter().zip(before).all(|(now, then)| *now > then + 3));
        tokio::time::timeout(in_time, all).await.expect("everybody is served").unwrap();
        admin.execute_unprepared(change).await.unwrap();
    }
    let before = *seen.borrow();
    let mut seen = seen.clone();
    let all = seen.wait_for(|now| now.iter().zip(before).all(|(now, then)| *now > then + 3));
    tokio::time::timeout(in_time, all).await.expect("everybody is served").unwrap();
    stop.send(true).unwrap();
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    admin.close().await.unwrap();
}
