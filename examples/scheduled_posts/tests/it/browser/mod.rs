//! The web page in a real browser, with the real server.

mod accessibility;
mod cookies;
mod docs;
mod keyboard;
mod posts;
mod real_clerk;
mod signing;
mod troubles;
mod views;
