//! The order of Clerk's data, without a database: what an event changes, and which of two states of a
//! record is the newer one. Sinks that keep rows are built on it.
//!
#![doc = include_str!("../docs/sync.md")]

mod change;
#[cfg(feature = "lockouts")]
mod lockout;
mod version;

pub use change::{Cause, Change};
#[cfg(feature = "lockouts")]
pub use lockout::lockout_of;
#[cfg(feature = "sea-orm")]
pub(crate) use version::UPDATED;
pub use version::Version;
#[cfg(feature = "sea-orm-migration")]
pub(crate) use version::fingerprint;
