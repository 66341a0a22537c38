//! [Clerk](https://clerk.com) for servers: a Tower layer that verifies session tokens, and webhooks
//! and a backfill that keep a database in step with Clerk.
//!
//! ```
//! # #[cfg(feature = "axum")] mod example {
//! use axum::{Router, routing::get};
//! use tower_clerk::PublishableKey;
//! use tower_clerk::session::{ClerkAuthLayer, Session, Verifier};
//!
//! async fn me(session: Session) -> String {
//!     session.user_id().to_owned()
//! }
//!
//! fn app(publishable_key: &str) -> Result<Router, tower_clerk::ConfigError> {
//!     let key = PublishableKey::parse(publishable_key)?;
//!     let verifier = Verifier::for_instance(&key)?
//!         .authorized_parties(["https://app.example.com"])
//!         .build()?;
//!     Ok(Router::new().route("/me", get(me)).route_layer(ClerkAuthLayer::new(verifier)))
//! }
//! # }
//! ```
//!
//! axum's `route_layer` guards the routes above it and leaves an unknown path a 404. With `layer`
//! an unknown path is a 401 unless the caller is signed in.
//!
#![cfg_attr(all(feature = "full", feature = "test-util"), doc = include_str!("docs/tasks.md"))]
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `moka` (default) | a cache of verified tokens |
//! | `reqwest` (default) | keys from the Frontend API, [`config`] |
//! | `axum` | extractors for axum |
//! | `tonic` | sessions in tonic services |
//! | `webhook` | the webhook service, [`sync`] for a sink of your own |
//! | `backfill` | users from the Backend API: those from before the webhooks, and those that webhooks lost |
//! | `sea-orm`, `sea-orm-migration` | the sink for PostgreSQL, MySQL or MariaDB, and SQLite; its migrations |
//! | `lockouts` | users who are signed out, banned or no longer members are out at once: [`lockout`] |
//! | `machines` | callers beside users: API keys, machines and OAuth applications: [`session::machine`] |
//! | `metrics` | counters and gauges through the `metrics` facade |
//! | `tracing` | events; never a token, a secret or an e-mail address |
//! | `remote` | keys that are fetched by your own [`Fetch`](session::keys::Fetch) and kept up to date |
//! | `full` | all of the above |
//! | `test-util` | an issuer, signed deliveries, a clock and checks of sinks for your own tests |
//!
//! Features are additive: none changes a default or installs a process-wide crypto provider.
//! Without default features the crate verifies with PEM or static keys and needs no tokio.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "backfill")]
pub mod backfill;
pub mod clock;
#[cfg(feature = "reqwest")]
pub mod config;
mod detail;
mod error;
#[cfg(feature = "reqwest")]
mod http_client;
#[cfg(any(feature = "reqwest", feature = "webhook"))]
pub mod ids;
pub mod instance;
#[cfg(feature = "lockouts")]
pub mod lockout;
mod meter;
mod origin;
mod sampling;
#[cfg(feature = "sea-orm")]
pub mod sea_orm;
pub mod secret;
pub mod session;
#[cfg(feature = "webhook")]
pub mod sync;
#[cfg(feature = "test-util")]
pub mod test_util;
#[cfg(feature = "tonic")]
pub mod tonic;
mod trace;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use error::ConfigError;
pub use instance::PublishableKey;
pub use origin::Origin;

/// The README, whose examples run as tests.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
struct Readme;
