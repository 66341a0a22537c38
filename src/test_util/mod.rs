//! Tools for testing servers that use this crate. Nothing here opens a socket, and no other module
//! of the crate uses it.
#![doc = include_str!("../docs/testing.md")]

mod clock;
#[cfg(feature = "webhook")]
pub mod conformance;
#[cfg(feature = "webhook")]
mod delivery;
mod issuer;
mod keys;

pub use clock::ManualClock;
#[cfg(feature = "webhook")]
pub use delivery::{SignedDelivery, user_created, user_deleted, user_updated};
pub use issuer::{Issuer, TokenBuilder};
pub use keys::ScriptedKeys;
