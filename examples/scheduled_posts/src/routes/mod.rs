//! One file for each group of routes. What all answers have in common is in `app`.

pub(crate) mod accounts;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod me;
pub(crate) mod page;
pub(crate) mod posts;
pub(crate) mod suggestions;
