//! Tests of the built binary: each starts it on free ports in its own folder and drives it over
//! HTTP.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod backfill;
mod browser;
mod canaries;
mod config;
mod cors;
mod deliveries;
mod dev_clerk;
mod disk;
mod doctor;
mod env_example;
mod generate_ai;
mod http2;
mod input;
mod instances;
mod keys;
mod killed;
mod limits;
mod listening;
mod log;
mod metrics;
mod openapi;
mod ownership;
mod parked;
mod phases;
mod posts;
mod reach;
mod shutdown;
mod smuggling;
mod sockets;
mod storm;
mod support;
mod tls;
mod users;
