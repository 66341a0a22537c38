//! Users sign in with [Clerk](https://clerk.com); this crate tells a server who they are and keeps
//! its database in step.
//!
//! Three flows, each a module whose files are named after its stages:
//!
//! - [`session`]: a request's session token becomes a verified [`Session`](session::Session) in
//!   the request's extensions. [`ClerkAuthLayer`](session::ClerkAuthLayer) is a Tower layer for
//!   any hyper, axum or tonic server.
//! - `webhook`: a signed delivery becomes a typed event for a `Sink`; `sea_orm` has one that
//!   writes rows.
//! - `backfill`: users from the Backend API into a `Target`: who was there before the webhooks.
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
//! axum's `route_layer` guards the routes above it and leaves a path that does not exist a 404; with
//! its `layer` that would be 401 for whoever is not signed in.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `moka` (default) | a cache of verified tokens |
//! | `reqwest` (default) | keys from the Frontend API, [`config`] |
//! | `axum` | extractors for axum |
//! | `tonic` | sessions in tonic services |
//! | `webhook` | the webhook service |
//! | `backfill` | users from the Backend API: who was there before the webhooks, and what these lost |
//! | `sea-orm`, `sea-orm-migration` | the sink for PostgreSQL, MySQL or MariaDB, and SQLite; its migrations |
//! | `metrics` | counters and gauges through the `metrics` facade |
//! | `tracing` | events; never a token, a secret or an e-mail address |
//! | `remote` | the key engine over a [`Fetch`](session::keys::Fetch) of your own |
//! | `full` | all of the above |
//! | `test-util` | an issuer, signed deliveries and a clock for your own tests |
//!
//! Features only add: none changes a default or installs a process-wide crypto provider. Without
//! default features the crate verifies with PEM keys and needs no tokio.
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
#[cfg(feature = "webhook")]
pub mod ids;
pub mod instance;
mod meter;
mod sampling;
#[cfg(feature = "sea-orm")]
pub mod sea_orm;
pub mod secret;
pub mod session;
#[cfg(feature = "test-util")]
pub mod test_util;
#[cfg(feature = "tonic")]
pub mod tonic;
mod trace;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use error::ConfigError;
pub use instance::PublishableKey;

/// The README's examples are tests.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
struct Readme;
