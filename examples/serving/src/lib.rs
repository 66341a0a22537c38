//! Connections: who may have one, how long each may take, TLS, and an orderly end. Knows no routes.
//!
//! Each file names the rows that need it, of `tests/attack-rows.tsv` and `tests/fault-rows.tsv`.
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
