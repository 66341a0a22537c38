//! Keys that an instance publishes: fetched once for all waiting requests, kept, and refreshed
//! ahead of time.
//!
//! `state` decides when to fetch, by the `times`; `shared` holds the keys and the waiters, `task` fetches, `lookup`
//! answers, and `jwks_client` is the usual [`Fetch`].

mod fetch;
#[cfg(feature = "reqwest")]
mod jwks_client;
mod lookup;
mod shared;
mod state;
mod task;
mod times;

pub use fetch::{Fetch, FetchError, FetchFuture, Fetched};
pub use lookup::RemoteKeys;
pub use times::FetchTimes;
