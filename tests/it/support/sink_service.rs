//! A sink on fresh tables behind a service, as in a server.

use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::DatabaseConnection;
use serde_json::Value;
use tower_clerk::sea_orm::{Schema, SeaOrmSink};
use tower_clerk::webhook::WebhookService;

use super::delivery::{builder, clock, send, signed};

pub(crate) struct Server {
    pub(crate) sink: SeaOrmSink,
    pub(crate) service: WebhookService<SeaOrmSink>,
}

impl Server {
    pub(crate) async fn start(db: DatabaseConnection) -> Self {
        Self::start_with(db, Schema::new()).await
    }

    pub(crate) async fn start_with(db: DatabaseConnection, schema: Schema) -> Self {
        schema.migrate(&db).await.unwrap();
        Self::on(SeaOrmSink::with_schema(db, schema).unwrap())
    }

    /// On tables that are there.
    pub(crate) fn on(sink: SeaOrmSink) -> Self {
        let sink = sink.clock(clock());
        let service = builder(sink.clone()).build().unwrap();
        Self { sink, service }
    }

    pub(crate) async fn post(&self, id: &str, body: &Value) {
        let answer = send(&self.service, signed(id, body).into_request()).await;
        assert_eq!(answer.status(), 204, "{id} {:?}", answer.body);
    }

    /// Posts a body under an id that was never used.
    pub(crate) async fn post_new(&self, body: &Value) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        self.post(&format!("msg_new_{}", COUNT.fetch_add(1, Ordering::Relaxed)), body).await;
    }

    pub(crate) async fn email(&self, id: &str) -> Option<String> {
        self.sink.find_user(id).await.unwrap().and_then(|user| user.email)
    }
}
