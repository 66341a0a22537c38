//! `examples/webhooks_to_database.rs`, on each database.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/webhooks_to_database.rs"]
mod example;

use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tower_clerk::secret::SigningSecret;

use super::{follow, serve};
use crate::support::database::{count, on_each_database};

on_each_database! {
    an_application_with_tables_of_its_own_reads_the_rows_that_webhooks_keep,
}

async fn an_application_with_tables_of_its_own_reads_the_rows_that_webhooks_keep(
    db: DatabaseConnection,
) {
    let secret = SigningSecret::parse(example::PUBLISHED_SECRET).unwrap();
    let addr = serve(example::app(&db, vec![secret.clone()]).await.unwrap()).await;
    example::write_note(&db, "user_1", "Buy milk").await.unwrap();

    let bodies = follow(&example::instructions(addr, &secret)).await;
    let [notes, unknown, created, author, deleted, gone] = &bodies[..] else {
        panic!("{bodies:?}")
    };
    let json = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    assert_eq!(json(notes), json!([{ "by": "user_1", "text": "Buy milk" }]));
    assert_eq!(json(author), json!({ "first_name": "Ann", "notes": 1 }));
    assert!([unknown, created, deleted, gone].iter().all(|body| body.is_empty()), "{bodies:?}");

    assert_eq!(count(&db, "users").await, 0);
    assert_eq!(count(&db, "notes").await, 1, "the application's own rows are its own to remove");
}

#[tokio::test]
async fn a_start_on_a_database_that_is_there_keeps_everything() {
    let db = example::in_memory().await.unwrap();
    let secret = SigningSecret::parse(example::PUBLISHED_SECRET).unwrap();
    let _stopped = example::app(&db, vec![secret.clone()]).await.unwrap();
    example::write_note(&db, "user_1", "Buy milk").await.unwrap();
    let addr = serve(example::app(&db, vec![secret.clone()]).await.unwrap()).await;
    follow(&example::instructions(addr, &secret)).await;
    assert_eq!(count(&db, "notes").await, 1);
}
