//! Keys that are fetched, kept and refreshed.

pub(crate) mod remote;
mod replacement;
