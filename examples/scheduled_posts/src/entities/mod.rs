//! The rows of the application's own tables. Users belong to the crate; no queries here.
#![expect(unreachable_pub, reason = "the derive writes public items")]

pub(crate) mod scheduled_post;
pub(crate) mod x_account;
