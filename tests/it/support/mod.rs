//! What several topics share: a sink that remembers, bodies that misbehave, databases of one's own,
//! and a line to them that can be cut.

pub(crate) mod body;
pub(crate) mod database;
pub(crate) mod delivery;
pub(crate) mod log;
pub(crate) mod observed;
mod own_database;
pub(crate) mod pooler;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod servers;
pub(crate) mod signing;
pub(crate) mod sink_service;
pub(crate) mod tls;
