//! A sink that keeps Clerk's users, and optionally organizations, in a database; entities to read
//! them with; and migrations. For PostgreSQL, MySQL or MariaDB, and SQLite.
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
//!
#![doc = include_str!("../docs/sea_orm.md")]
//!
//! # A table with a key of its own
//!
#![doc = include_str!("../docs/existing_table.md")]

#[cfg(feature = "backfill")]
mod backfill;
#[cfg(feature = "backfill")]
mod batch;
mod columns;
mod dialect;
mod entity;
mod failure;
#[cfg(feature = "sea-orm-migration")]
mod fit;
mod hook;
mod instances;
#[cfg(feature = "backfill")]
mod kept;
mod letters;
#[cfg(feature = "lockouts")]
mod lockouts;
mod mapping;
#[cfg(feature = "sea-orm-migration")]
mod migration;
mod outdated;
mod parked;
mod pooling;
mod proof;
mod reads;
#[cfg(feature = "backfill")]
mod records;
mod removal;
mod revive;
mod row;
mod schema;
mod sink;
mod statements;
mod tables;
mod transaction;
mod users;

pub use entity::{organization, organization_membership, user};
pub use failure::is_transient;
#[cfg(feature = "sea-orm-migration")]
pub use fit::HoldingKey;
pub use hook::{InTransaction, InTransactionFn, TransactionFn, in_transaction_fn_with_state};
#[cfg(feature = "sea-orm-migration")]
pub use migration::{Migrator, migrate, migrations};
pub use outdated::OutdatedConnections;
pub use parked::{DeadLetter, Retried};
pub use pooling::Pooling;
pub use schema::{Deletion, Schema};
pub use sink::SeaOrmSink;
pub use users::UserStatus;
