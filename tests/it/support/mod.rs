//! What several topics share: a sink that remembers, bodies that misbehave, databases of one's own,
//! and a line to them that can be cut.

pub(crate) mod body;
pub(crate) mod database;
pub(crate) mod delivery;
pub(crate) mod log;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod signing;
