//! Keys that are fetched, kept and refreshed.

mod model;
pub(crate) mod remote;
mod replacement;
