//! `examples/sqlx_postgres.rs`, which passes the checks for sinks.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/sqlx_postgres.rs"]
mod example;

use ::axum::body::Body;
use example::PostgresSink;
use http::Request;
use http_body_util::BodyExt;
use sqlx::PgPool;
use tower::ServiceExt;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::conformance::{self, SinkUnderTest, Stored};
use tower_clerk::test_util::{user_created, user_deleted};

use crate::support::database::{Place, at_place};
use crate::support::delivery::{SECRET, signed_now};

mod postgres {
    super::at_place!(
        Postgres: a_sink_by_plain_sqlx_passes_every_check,
        users_come_and_go_by_webhooks
    );
}

struct UnderTest {
    pools: [PgPool; 2],
}

impl UnderTest {
    async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pools[0]).await.unwrap();
    }
}

impl SinkUnderTest for UnderTest {
    type Sink = PostgresSink;

    async fn empty(&self) -> PostgresSink {
        let sink = PostgresSink::new(self.pools[0].clone()).await.unwrap();
        self.execute("TRUNCATE users, user_versions, deliveries").await;
        sink
    }

    async fn another(&self, _: &PostgresSink) -> Option<PostgresSink> {
        Some(PostgresSink::new(self.pools[1].clone()).await.unwrap())
    }

    async fn stored(&self, _: &PostgresSink, user_id: &str) -> Stored {
        let select = "SELECT known.deleted, users.id IS NOT NULL, users.email \
            FROM user_versions AS known LEFT JOIN users USING (id) WHERE id = $1";
        let select = sqlx::query_as::<_, (bool, bool, Option<String>)>(select).bind(user_id);
        match select.fetch_optional(&self.pools[0]).await.unwrap() {
            Some((true, false, _)) => Stored::Tombstone,
            Some((false, true, email)) => Stored::Row(email),
            None => Stored::Nothing,
            Some(odd) => panic!("{user_id}: {odd:?}"),
        }
    }

    async fn break_writes(&self, _: &PostgresSink) -> bool {
        self.execute("ALTER TABLE users RENAME TO users_away").await;
        true
    }

    async fn mend_writes(&self, _: &PostgresSink) {
        self.execute("ALTER TABLE users_away RENAME TO users").await;
    }
}

async fn a_sink_by_plain_sqlx_passes_every_check(place: Place) {
    let pools =
        [PgPool::connect(&place.url).await.unwrap(), PgPool::connect(&place.url).await.unwrap()];
    conformance::run_all(&UnderTest { pools }).await.unwrap();
}

async fn users_come_and_go_by_webhooks(place: Place) {
    let pool = PgPool::connect(&place.url).await.unwrap();
    let secret = SigningSecret::parse(SECRET).unwrap();
    let app = example::app(pool, vec![secret.clone()]).await.unwrap();
    let answer = async |request: Request<Body>| {
        let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
        (parts.status.as_u16(), body.collect().await.unwrap().to_bytes())
    };
    let created = user_created("user_1", Some("ann@example.com"), 1_716_883_200_000);
    for (id, event, status, email) in
        [("msg_1", created, 200, "ann@example.com"), ("msg_2", user_deleted("user_1"), 404, "")]
    {
        let mut request = signed_now(id, &event).into_request().map(Body::new);
        *request.uri_mut() = "/api/webhooks/clerk".parse().unwrap();
        assert_eq!(answer(request).await.0, 204);
        let request = Request::get("/users/user_1").body(Body::empty()).unwrap();
        assert_eq!(answer(request).await, (status, email.into()));
    }
}
