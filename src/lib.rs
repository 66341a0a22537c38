//! Clerk for any hyper, axum or tonic server.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
pub mod clock;
#[cfg(feature = "reqwest")]
pub mod config;
mod error;
#[cfg(feature = "reqwest")]
mod http_client;
pub mod instance;
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
