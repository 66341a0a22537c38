//! Clerk's users in PostgreSQL by plain sqlx: a sink of one's own on `tower_clerk::sync`, without sea-orm.
//! Its test gives it to the checks of `tower_clerk::test_util::conformance`.
//!
//! ```sh
//! export DATABASE_URL=postgres://localhost/test CLERK_WEBHOOK_SIGNING_SECRET=whsec_…
//! cargo run --example sqlx_postgres
//! ```

use axum::extract::{Path, State};
use axum::{Router, http::StatusCode, routing::get};
use sqlx::{PgConnection, PgPool};
use tokio::net::TcpListener;
use tower_clerk::secret::SigningSecret;
use tower_clerk::sync::{Change, Version};
use tower_clerk::webhook::{Delivery, Effect, Outcome, Sink, SinkError, User, WebhookService};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    let secrets = SigningSecret::parse_list(&std::env::var("CLERK_WEBHOOK_SIGNING_SECRET")?)?;
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    axum::serve(listener, app(pool, secrets).await?).await?;
    Ok(())
}

/// Returns the whole service: the webhooks, and a route that reads what they keep.
pub(crate) async fn app(
    pool: PgPool,
    secrets: Vec<SigningSecret>,
) -> Result<Router, Box<dyn std::error::Error>> {
    let sink = PostgresSink::new(pool.clone()).await?;
    let webhooks = WebhookService::builder(secrets, sink).build()?;
    Ok(Router::new()
        .route("/users/{id}", get(email))
        .with_state(pool)
        .route_service(PATH, webhooks))
}

async fn email(State(pool): State<PgPool>, Path(id): Path<String>) -> Result<String, StatusCode> {
    let select = sqlx::query_scalar("SELECT email FROM users WHERE id = $1").bind(id);
    let row: Option<Option<String>> =
        select.fetch_optional(&pool).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    row.map(Option::unwrap_or_default).ok_or(StatusCode::NOT_FOUND)
}

/// A sink that keeps the id and the e-mail address of each user. Clones share the pool.
#[derive(Clone)]
pub(crate) struct PostgresSink {
    pool: PgPool,
}

impl PostgresSink {
    /// Creates the tables that are missing, and a sink on them.
    pub(crate) async fn new(pool: PgPool) -> Result<Self, sqlx::Error> {
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        Ok(Self { pool })
    }

    async fn apply_at_once(&self, delivery: &Delivery) -> Result<Outcome, sqlx::Error> {
        let Some(change) = Change::of(delivery.event()) else { return Ok(Outcome::Ignored) };
        let mut tx = self.pool.begin().await?;
        if sqlx::query(RECORD).bind(delivery.id()).execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(Outcome::Duplicate);
        }
        let outcome = match change {
            Change::User(user, cause) => {
                let version = cause.version(user.updated_at, delivery.occurred_at(), &user.data);
                match raise(&mut tx, &user.id, version).await? {
                    true => Outcome::Applied(write(&mut tx, user).await?),
                    false => Outcome::Stale,
                }
            }
            Change::UserGone(id) => {
                // The version first, as above: in one order, two deliveries cannot deadlock.
                let marked = sqlx::query(MARK).bind(&**id).execute(&mut *tx).await?.rows_affected();
                sqlx::query("DELETE FROM users WHERE id = $1")
                    .bind(&**id)
                    .execute(&mut *tx)
                    .await?;
                if marked == 0 { Outcome::Stale } else { Outcome::Applied(Effect::Deleted) }
            }
            _ => Outcome::Ignored,
        };
        tx.commit().await?;
        Ok(outcome)
    }
}

impl Sink for PostgresSink {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        // On a task of its own: a client that disconnects ends this future, and not the transaction.
        let (sink, delivery) = (self.clone(), delivery.clone());
        let applied = tokio::spawn(async move { sink.apply_at_once(&delivery).await });
        applied.await.map_err(SinkError::transient)?.map_err(|error| {
            let code = error.as_database_error().and_then(|error| error.code());
            // What every retry would meet again: data, constraints, and tables that are missing.
            match code.as_deref().and_then(|code| code.get(..2)) {
                Some("0A" | "22" | "23" | "42") => SinkError::permanent(error),
                _ => SinkError::transient(error),
            }
        })
    }

    fn acts_on(&self, kind: &str) -> bool {
        kind.starts_with("user.")
    }
}

/// Raises a user's version and locks it until the commit. Returns `false` if it is no news.
async fn raise(tx: &mut PgConnection, id: &str, version: Version) -> Result<bool, sqlx::Error> {
    let insert = sqlx::query(RAISE).bind(id);
    let insert = version.parts().into_iter().fold(insert, |insert, part| insert.bind(part));
    Ok(insert.execute(tx).await?.rows_affected() == 1)
}

async fn write(tx: &mut PgConnection, user: &User) -> Result<Effect, sqlx::Error> {
    // PostgreSQL's texts cannot hold U+0000.
    let email = user.email.as_ref().map(|email| email.replace('\0', ""));
    let is_new = sqlx::query_scalar(WRITE).bind(&*user.id).bind(email).fetch_one(tx).await?;
    Ok(if is_new { Effect::Inserted } else { Effect::Updated })
}

// After a month, a delivery's id may be deleted: whatever comes again after that is no news.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS users (id text PRIMARY KEY, email text);
    CREATE TABLE IF NOT EXISTS deliveries (id text PRIMARY KEY, at timestamptz DEFAULT now());
    CREATE TABLE IF NOT EXISTS user_versions (id text PRIMARY KEY, updated_at bigint,
        is_update bigint, occurred bigint, digest bigint, deleted boolean NOT NULL DEFAULT FALSE)";
const RECORD: &str = "INSERT INTO deliveries (id) VALUES ($1) ON CONFLICT (id) DO NOTHING";
const RAISE: &str = "INSERT INTO user_versions AS known VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET (updated_at, is_update, occurred, digest) = ($2, $3, $4, $5)
    WHERE NOT known.deleted AND
    (known.updated_at, known.is_update, known.occurred, known.digest) < ($2, $3, $4, $5)";
const MARK: &str = "INSERT INTO user_versions AS known VALUES ($1, 0, 0, 0, 0, TRUE)
    ON CONFLICT (id) DO UPDATE SET deleted = TRUE WHERE NOT known.deleted";
// Only an inserted row has no `xmax`.
const WRITE: &str = "INSERT INTO users (id, email) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET email = excluded.email RETURNING xmax = 0";

const PATH: &str = "/api/webhooks/clerk";
