//! The order of Clerk's data, without a database: what an event changes, and which of two states of a
//! record is the newer one. Sinks that keep rows are built on it.

mod change;
mod version;

pub(crate) use change::{Cause, Change};
#[cfg(feature = "sea-orm-migration")]
pub(crate) use version::fingerprint;
pub(crate) use version::{UPDATED, Version};
