//! Our verdicts and those of Clerk's own SDK, `@clerk/backend`, on the same generated inputs: every
//! difference has a name and a reason. `scripts/against-clerk-sdk` says more.
//!
//! A file here for each category, and one in `theirs/`, which generates the inputs and asks the SDK.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "the account, shown by `--nocapture`")]

mod cookies;
mod has;
mod keys;
mod machines;
#[allow(dead_code, reason = "the other test calls all of it")]
#[path = "../it/attacks/members.rs"]
mod members;
mod tally;
mod theirs;
mod tokens;
