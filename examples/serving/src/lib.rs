//! HTTP connections: their number, their time limits, TLS, and an orderly end. Knows no routes.
//!
//! Each file names the rows of `tests/attack-rows.tsv` and `tests/fault-rows.tsv` that need it.
//! This one: rows F26 to F28, F30, F32, F35.

mod activity;
mod background;
mod connection;
mod host;
mod limits;
mod lines;
mod patience;
mod places;
mod seldom;
mod server;
pub mod tls;

#[cfg(test)]
mod tests;

pub use background::keep_running;
pub use connection::LocalAddress;
pub use host::Host;
pub use limits::Limits;
pub use lines::Lines;
pub use seldom::Seldom;
pub use server::{Server, serve};
