//! The promises of the crate, one file per topic.

mod sink;
mod sink_faults;
mod support;
mod webhook_authenticity;
mod webhook_transport;
