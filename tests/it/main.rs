//! The promises of the crate, a folder for each module. Over real sockets where it is about sockets.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attacks;
mod backfill;
mod examples;
mod keys;
mod layering;
mod session;
mod sink;
mod support;
mod webhook;
