//! The web page in a real browser, before the real server: what a user sees and does.

mod accessibility;
mod keyboard;
mod posts;
mod real_clerk;
mod signing;
mod troubles;
mod views;
