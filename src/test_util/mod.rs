//! Tools for the tests of servers that mount this crate. Nothing here opens a socket, and nothing
//! in the crate names it.
#![doc = include_str!("../docs/testing.md")]

mod clock;
#[cfg(feature = "webhook")]
mod delivery;
mod issuer;
mod keys;

pub use clock::ManualClock;
#[cfg(feature = "webhook")]
pub use delivery::{SignedDelivery, user_created, user_deleted, user_updated};
pub use issuer::{Issuer, TokenBuilder};
pub use keys::ScriptedKeys;
