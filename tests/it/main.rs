//! The promises of the crate, one file per topic. Over real sockets where it is about sockets.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attacks;
mod axum;
mod backfill;
mod examples;
mod hyper;
mod layering;
mod observability;
mod observed;
mod outages;
mod remote_keys;
mod servers;
mod service;
mod sink;
mod sink_backfill;
mod sink_faults;
mod sink_fit;
mod sink_fit_names;
mod sink_instances;
mod sink_order;
mod sink_organizations;
mod sink_rowless;
mod sink_schema;
mod sink_storm;
mod support;
mod tls;
mod tonic;
mod verify;
mod webhook_authenticity;
mod webhook_events;
mod webhook_headers;
mod webhook_log;
mod webhook_replay;
mod webhook_sinks;
mod webhook_sockets;
mod webhook_transport;
