//! Requests on their way to a handler: the verifier, the layer, and the servers that mount it.

mod axum;
mod guards;
mod hyper;
mod lockouts;
mod machines;
mod observability;
mod service;
mod sources;
mod sources_served;
mod tonic;
mod verify;
