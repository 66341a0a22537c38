//! Deliveries on their way to a sink.

mod authenticity;
mod conformance;
mod events;
mod headers;
mod log;
mod parking;
mod replay;
mod sinks;
mod sockets;
mod transport;
