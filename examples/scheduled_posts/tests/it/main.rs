//! The built binary, started on free ports in a folder of its own and driven over HTTP.

mod answers;
mod config;
mod dev_clerk;
mod keys;
mod ownership;
mod posts;
mod shutdown;
mod support;
mod users;
