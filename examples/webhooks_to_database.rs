//! Clerk's users in the database of an existing axum application, kept up to date by webhooks; the
//! new tables and routes stand beside the application's own. It needs no account: without
//! `CLERK_WEBHOOK_SIGNING_SECRET` it uses a published secret and a database in memory, and prints
//! signed deliveries. With it, `DATABASE_URL` names a PostgreSQL, MySQL or SQLite database.
//!
//! ```sh
//! cargo run --example webhooks_to_database
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::{net::SocketAddr, time::Duration};

use axum::extract::{Path, State};
use axum::{Json, Router, http::StatusCode, routing::get};
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectOptions, Database, Schema, Set};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::SeaOrmSink;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_created, user_deleted};
use tower_clerk::webhook::WebhookService;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    let addr = listener.local_addr()?;
    let app = if let Ok(text) = std::env::var("CLERK_WEBHOOK_SIGNING_SECRET") {
        let secrets = SigningSecret::parse_list(&text)?;
        let url = std::env::var("DATABASE_URL").unwrap_or("sqlite://notes.db?mode=rwc".to_owned());
        println!("deliveries are accepted at http://{addr}{PATH}");
        app(&Database::connect(url).await?, secrets).await?
    } else {
        let (db, secret) = (in_memory().await?, SigningSecret::parse(PUBLISHED_SECRET)?);
        println!("{}", instructions(addr, &secret));
        let app = app(&db, vec![secret]).await?;
        write_note(&db, "user_1", "Buy milk").await?;
        app
    };
    axum::serve(listener, app).await?;
    Ok(())
}

/// Returns the whole service: the application as it was, and the routes and tables for Clerk.
pub(crate) async fn app(
    db: &DatabaseConnection,
    secrets: Vec<SigningSecret>,
) -> Result<Router, Box<dyn std::error::Error>> {
    let notes = notes_app(db).await?;
    // Creates `users` and tables named `clerk_…`, and touches no other. If the application has a
    // `users` already, `tower_clerk::sea_orm::Schema` sets another name, here and for the sink.
    tower_clerk::sea_orm::migrate(db).await?;
    let sink = SeaOrmSink::new(db.clone())?;
    let webhooks = WebhookService::builder(secrets, sink.clone()).build()?;
    let authors = Router::new().route("/authors/{id}", get(author)).with_state((db.clone(), sink));
    // Outside of layers that require a session or change bodies: the signature authenticates it.
    Ok(notes.merge(authors).route_service(PATH, webhooks))
}

/// Reads the row that the webhooks maintain and the application's own rows beside it.
async fn author(
    State((db, sink)): State<(DatabaseConnection, SeaOrmSink)>,
    Path(id): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    let user = sink.find_user(&id).await.map_err(failed)?.ok_or(StatusCode::NOT_FOUND)?;
    let notes = note::Entity::find().filter(note::Column::UserId.eq(user.id));
    let notes = notes.count(&db).await.map_err(failed)?;
    Ok(Json(json!({ "first_name": user.first_name, "notes": notes })))
}

/// Returns the application as it was, with its only table.
async fn notes_app(db: &DatabaseConnection) -> Result<Router, DbErr> {
    let mut table = Schema::new(db.get_database_backend()).create_table_from_entity(note::Entity);
    db.execute(table.if_not_exists()).await?;
    Ok(Router::new().route("/notes", get(notes)).with_state(db.clone()))
}

async fn notes(State(db): State<DatabaseConnection>) -> Result<Json<Value>, StatusCode> {
    let notes = note::Entity::find().all(&db).await.map_err(failed)?;
    Ok(Json(notes.iter().map(|note| json!({ "by": note.user_id, "text": note.text })).collect()))
}

/// Opens a database in memory. It ends with its only connection, which must therefore never expire.
pub(crate) async fn in_memory() -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
    Database::connect(options).await
}

pub(crate) async fn write_note(db: &DatabaseConnection, by: &str, text: &str) -> Result<(), DbErr> {
    let (user_id, text) = (Set(by.to_owned()), Set(text.to_owned()));
    note::ActiveModel { user_id, text, ..Default::default() }.insert(db).await.map(drop)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: DbErr) -> StatusCode {
    tracing::error!(%error, "a database query failed");
    StatusCode::INTERNAL_SERVER_ERROR
}

#[allow(unreachable_pub, reason = "the macro generates public types")]
mod note {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "notes")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub user_id: String,
        pub text: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Returns the commands that try the server, each below the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, secret: &SigningSecret) -> String {
    let mut created = user_created("user_1", None, 1_716_883_200_000);
    created["data"]["first_name"] = "Ann".into();
    let curl = |id, body: Value| {
        let delivery = SignedDelivery::new(secret, id, SystemClock::new().now(), body.to_string());
        let headers = delivery.headers().iter().map(|(name, value)| {
            format!(" -H '{name}: {}'", String::from_utf8_lossy(value.as_bytes()))
        });
        format!("curl -i{} -d '{body}' http://{addr}{PATH}", headers.collect::<String>())
    };
    let (created, deleted) = (curl("msg_1", created), curl("msg_2", user_deleted("user_1")));
    let author = format!("curl -i http://{addr}/authors/user_1");
    let steps = [
        ("200, the application's own table", &format!("curl -i http://{addr}/notes")),
        ("404, because the author's row has not arrived from Clerk", &author),
        ("204, Clerk sends it; the signature is valid for five minutes", &created),
        ("200, with the name", &author),
        ("204, Clerk reports that the user was deleted", &deleted),
        ("404, and the name is gone", &author),
    ];
    let steps = steps.map(|(status, command)| format!("\n{status}:\n  {command}\n"));
    format!("In another terminal:\n{}", steps.concat())
}

const PATH: &str = "/api/webhooks/clerk";

/// A secret from Svix's documentation. It is public: anyone can sign with it, so use it for tests.
pub(crate) const PUBLISHED_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
