//! The webhook flow: signed deliveries become typed events for a [`Sink`].
//!
//! [`WebhookService`] is a Tower service for any server. A [`Sink`] acts on the events: a closure
//! can be one ([`sink_fn`], [`sink_fn_with_state`]), and the feature `sea-orm` has one for databases. The module [`event`]
//! has the types of the events.
//!
//! ```
//! use std::sync::Mutex;
//!
//! use tower_clerk::secret::SigningSecret;
//! use tower_clerk::webhook::{Delivery, Effect, Event, Outcome, SinkError, Sink, WebhookService};
//!
//! #[derive(Default)]
//! struct Newcomers(Mutex<Vec<String>>);
//!
//! impl Sink for Newcomers {
//!     async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
//!         let Event::UserCreated(user) = delivery.event() else { return Ok(Outcome::Ignored) };
//!         self.0.lock().map_err(|error| SinkError::permanent(error.to_string()))?.push(user.id.to_string());
//!         Ok(Outcome::Applied(Effect::Other))
//!     }
//! }
//!
//! # fn main() -> Result<(), tower_clerk::ConfigError> {
//! let secrets = SigningSecret::parse_list("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! let service = WebhookService::builder(secrets, Newcomers::default()).build()?;
//!
//! let app: axum::Router = axum::Router::new().route_service("/api/webhooks/clerk", service);
//! # Ok(())
//! # }
//! ```
//!
#![doc = include_str!("../docs/webhooks.md")]
#![warn(clippy::indexing_slicing)]

mod body;
mod error;
pub mod event;
mod future;
mod headers;
mod instance;
mod refusals;
mod respond;
mod service;
mod sink;
mod taken;
mod verify;

pub use error::{DeliveryError, DeliveryErrorKind, SinkError};
pub use event::{DeletedUser, Event, User};
#[cfg(feature = "backfill")]
pub(crate) use event::{Listed, ListedRecord, listed_id};
pub use future::ResponseFuture;
#[cfg(feature = "test-util")]
pub(crate) use headers::SignedHeaders;
#[cfg(feature = "backfill")]
pub(crate) use instance::EXAMPLE;
pub use instance::OwnInstance;
pub use service::{WebhookService, WebhookServiceBuilder};
pub use sink::{
    Effect, EventRouter, Outcome, Sink, SinkFn, SinkFnWithState, Then, sink_fn, sink_fn_with_state,
};
pub use verify::{Delivery, UnreadableDelivery};
#[cfg(feature = "test-util")]
pub(crate) use verify::{DeliveryVerifier, Opened};
