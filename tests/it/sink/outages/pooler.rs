//! A pooler stands before PostgreSQL, and gives each client a connection to the server for as long as
//! it stays, or for a transaction only.

use std::sync::Arc;

use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tokio::task::{JoinSet, block_in_place};
use tower_clerk::backfill::Target;
use tower_clerk::sea_orm::{Pooling, Schema, SeaOrmSink, UserStatus};
use tower_clerk::test_util::{user_created, user_updated};

use super::T;
use crate::support::database::{Place, count, on_postgres};
use crate::support::delivery::{builder, send, signed};
use crate::support::pooler::{Mode, Pooler};

on_postgres!(
    fault_s19_by_a_pooler_in_session_mode_everybody_gets_their_own_answers,
    fault_s19_by_a_pooler_in_transaction_mode_everybody_gets_their_own_answers,
);

const CLIENTS: usize = 24;
const USERS: usize = 24;
/// Of each user; 600 in all.
const DELIVERIES: i64 = 25;

async fn fault_s19_by_a_pooler_in_session_mode_everybody_gets_their_own_answers(place: Place) {
    mixed(&place, Mode::Session, 30, Pooling::Session).await;
}

async fn fault_s19_by_a_pooler_in_transaction_mode_everybody_gets_their_own_answers(place: Place) {
    mixed(&place, Mode::Transaction, 2, Pooling::Transaction).await;
}

/// 24 clients with 600 deliveries and as many reads of each kind, in between.
async fn mixed(place: &Place, mode: Mode, connections: u32, pooling: Pooling) {
    let name = "fault_s19";
    let pooler = block_in_place(|| Pooler::start(&place.url, mode, connections, name));
    let Some(pooler) = pooler else { return };
    let db = pool(&Place { url: pooler.url.clone(), ..*place }, pooling).await;
    let schema = Schema::new().with_organizations().pooling(pooling);
    schema.migrate(&db).await.unwrap();
    schema.check(&db).await.unwrap();
    let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap();
    let service = builder(sink.clone()).build().unwrap();

    let mut deliveries = Vec::new();
    for version in 0..DELIVERIES {
        deliveries.extend((0..USERS).map(|user| (user, version)));
    }
    let deliveries: Arc<[_]> = deliveries.into();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (sink, service) = (sink.clone(), service.clone());
        let deliveries = Arc::clone(&deliveries);
        clients.spawn(async move {
            for (user, version) in deliveries.iter().skip(client).step_by(CLIENTS) {
                // Another user each time, so that the clients meet.
                let user = format!("user_{}", (user + usize::try_from(*version).unwrap()) % USERS);
                let (id, body) = (format!("msg_{user}_{version}"), event(&user, *version));
                let answer = send(&service, signed(&id, &body).into_request()).await;
                assert_eq!(answer.status(), 204, "{id}: {:?}", answer.body);
                read(&sink, &user).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }

    let direct = place.pool(1).await;
    for user in 0..USERS {
        let user = format!("user_{user}");
        let row = sink.find_user(&user).await.unwrap().unwrap();
        assert_eq!(row.email.unwrap(), email(&user, DELIVERIES - 1));
        assert_eq!(row.updated_at.timestamp_millis(), T + DELIVERIES - 1);
    }
    let all = i64::try_from(USERS).unwrap();
    assert_eq!(count(&direct, "users").await, all);
    assert_eq!(count(&direct, "clerk_deliveries").await, all * DELIVERIES);
    db.close().await.unwrap();
}

/// Asks everything that the sink is asked outside of deliveries.
async fn read(sink: &SeaOrmSink, user: &str) {
    let row = sink.find_user(user).await.unwrap().unwrap();
    let address = row.email.unwrap();
    assert_eq!((&*row.id, address.split('.').next()), (user, Some(user)));
    assert_eq!(sink.user_status(user).await.unwrap(), UserStatus::Active);
    assert_eq!(sink.user_status("user_unknown").await.unwrap(), UserStatus::Unknown);
    assert_eq!(sink.ensure_user(user).await.unwrap(), UserStatus::Active);
    let ids = sink.ids_after(None, 1000).await.unwrap();
    assert!(ids.iter().any(|id| id == user) && ids.iter().all(|id| id.starts_with("user_")));
    let young = sink.created_after(&[user.to_owned()], 0).await.unwrap();
    assert_eq!(young, [user]);
    sink.runs().await.unwrap();
}

async fn pool(place: &Place, pooling: Pooling) -> DatabaseConnection {
    let most = u32::try_from(CLIENTS).unwrap();
    place
        .pool_with(|options| {
            options.max_connections(most).map_sqlx_postgres_opts(move |postgres| {
                let postgres = postgres.extra_float_digits(None);
                match pooling {
                    Pooling::Transaction => postgres.statement_cache_capacity(0),
                    _ => postgres,
                }
            })
        })
        .await
}

fn event(user: &str, version: i64) -> Value {
    let email = email(user, version);
    let mut body = match version {
        0 => user_created(user, Some(&email), T),
        _ => user_updated(user, Some(&email), T + version),
    };
    body["data"]["first_name"] = json!(user);
    body
}

fn email(user: &str, version: i64) -> String {
    format!("{user}.{version}@example.com")
}
