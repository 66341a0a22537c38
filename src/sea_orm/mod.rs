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
//! Of two states with the same `updated_at`, an update comes after a creation, and then a digest of
//! the data decides: the same one wins in whatever order they arrive.
//!
//! A transaction that is given up in favour of another (a deadlock, a serialisation failure, a busy
//! database) is tried again a few times. Any other failure goes back to Svix as a 5xx: 503 when it
//! may pass, 500 when the database refuses the statement itself, see [`is_transient`].
//!
//! PostgreSQL, MySQL or MariaDB, and SQLite. Statement, lock and pool timeouts belong well under
//! 14 s on all of them; MySQL's `innodb_lock_wait_timeout` is 50 s if nobody sets it. On MySQL the
//! tables are InnoDB, utf8mb4 and compared byte for byte: a column of yours that refers to
//! `users.id` is `VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`. SQLite wants write-ahead
//! logging and a busy timeout, or writers refuse each other: `sqlite://app.db?mode=rwc` with
//! `PRAGMA journal_mode = WAL`; sqlx waits 5 s for a lock by default.
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
mod failure;
mod hook;
#[cfg(feature = "sea-orm-migration")]
mod migration;
mod retry;
mod sink;
mod statements;
mod steps;
mod tables;
mod transaction;
mod users;
mod version;

pub use entity::user;
pub use failure::is_transient;
pub use hook::{BoxFuture, InTransaction};
#[cfg(feature = "sea-orm-migration")]
pub use migration::{Migrator, migrate, migrations};
pub use sink::SeaOrmSink;
pub use users::UserStatus;
