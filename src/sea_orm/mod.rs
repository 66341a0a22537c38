//! Clerk's users in a database: the sink, the `users` entity, and their migration.
//!
//! | table | holds |
//! |---|---|
//! | `users` | the people: id, e-mail, names, picture, `created_at`, `updated_at` |
//! | `clerk_user_versions` | the newest state seen of each user, and who was deleted; kept for ever |
//! | `clerk_deliveries` | the deliveries taken in; [`SeaOrmSink::forget_deliveries`] removes old ones |
//!
//! One transaction takes a delivery in: its id is recorded, the version is raised if the state is
//! newer (the statement itself compares, so that no two deliveries can pass each other), and the
//! user's row is written or removed. A deletion stays: nothing that comes later brings a user back.
//!
//! PostgreSQL and SQLite. SQLite wants write-ahead logging and a busy timeout, or writers refuse
//! each other: `sqlite://app.db?mode=rwc` with `PRAGMA journal_mode = WAL`; sqlx waits 5 s for a
//! lock by default. With both databases, statement and pool timeouts belong well under 14 s.
//!
//! ```
//! # #[cfg(feature = "sea-orm-migration")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use tower_clerk::sea_orm::{SeaOrmSink, migrate};
//! use tower_clerk::secret::SigningSecret;
//! use tower_clerk::webhook::WebhookService;
//!
//! let db = sea_orm::Database::connect("sqlite://app.db?mode=rwc").await?;
//! migrate(&db).await?;
//!
//! let secrets = SigningSecret::parse_list(&std::env::var("CLERK_WEBHOOK_SIGNING_SECRET")?)?;
//! let service = WebhookService::builder(secrets, SeaOrmSink::new(db)?).build()?;
//! let app: axum::Router = axum::Router::new().route_service("/api/webhooks/clerk", service);
//! # Ok(())
//! # }
//! ```

mod entity;
mod hook;
#[cfg(feature = "sea-orm-migration")]
mod migration;
mod sink;
mod statements;
mod tables;
mod transaction;
mod users;

pub use entity::user;
pub use hook::{BoxFuture, InTransaction};
#[cfg(feature = "sea-orm-migration")]
pub use migration::{Migrator, migrate, migrations};
pub use sink::SeaOrmSink;
pub use users::UserStatus;
