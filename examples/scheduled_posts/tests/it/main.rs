//! The built binary, started on free ports in a folder of its own and driven over HTTP.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod backfill;
mod browser;
mod config;
mod deliveries;
mod dev_clerk;
mod keys;
mod killed;
mod ownership;
mod posts;
mod shutdown;
mod storm;
mod support;
mod users;
