//! The built program, started on ports and files of its own and driven over HTTP.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod faults;
mod outside;
mod program;
mod readme;
mod support;
