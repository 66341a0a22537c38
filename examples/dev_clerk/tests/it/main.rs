//! Tests of the built program: each starts it on its own port and file and drives it over HTTP.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod faults;
mod machines;
mod organizations;
mod outside;
mod program;
mod readme;
mod support;
