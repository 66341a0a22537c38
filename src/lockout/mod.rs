//! Lock-outs: users who are signed out or banned, and members who have left, are out at once, although
//! their tokens have not expired.
//!
#![doc = include_str!("../docs/lockouts.md")]
#![warn(clippy::indexing_slicing)]

mod lockouts;
mod order;
mod shared;
mod store;
mod task;
mod view;

pub use lockouts::Lockouts;
pub(crate) use lockouts::{PendingLook, Standing};
pub use order::{Barred, Lockout};
pub use store::{LockoutError, LockoutStore};
pub(crate) use view::{Bearer, Reason};

/// The longest lifetime of a token while lock-outs are on: a lock-out that is older than that bars no token
/// that is still valid.
pub(crate) const LONGEST_TOKEN: std::time::Duration = std::time::Duration::from_secs(3600);
