//! The promises of the crate, one file per topic. Over real sockets where it is about sockets.

mod axum;
mod hyper;
mod layering;
mod remote_keys;
mod servers;
mod service;
mod tonic;
mod verify;
