//! The application's own tables as rows. Users are the crate's; no queries here.
#![expect(unreachable_pub, reason = "the derive writes public items")]

pub(crate) mod scheduled_post;
pub(crate) mod x_account;
