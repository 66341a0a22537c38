//! The metrics of `/metrics` and their names. Labels are words of this program, never text that a
//! client chose.

mod http;
mod listener;
mod pool;

pub(crate) use http::counted;
pub(crate) use listener::router;

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tower_clerk::webhook::{Outcome, SinkError};

use serving::keep_running;

use crate::time;

/// Starts counting. Without it nothing is counted, and each count costs next to nothing.
///
/// # Errors
///
/// Fails when this process has a recorder already.
pub(crate) fn start() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Full(DURATION.into()), &BUCKETS)?;
    let handle = builder.install_recorder()?;
    describe();
    // For alerts, a missing counter and a counter of zero must look the same.
    for limit in ["address", "user"] {
        counter!(RATE_LIMITED, "limit" => limit).increment(0);
    }
    for (name, label, value) in ALARMED {
        counter!(name, label => value).increment(0);
    }
    for name in ALARMED_WITHOUT_LABELS {
        counter!(name).increment(0);
    }
    // Until a delivery comes: otherwise an endpoint that is switched off stays unseen after a restart.
    gauge!(LAST_DELIVERY).set(time::now().timestamp() as f64);
    let upkeep = handle.clone();
    keep_running("adding up the numbers of /metrics", move || add_up(upkeep.clone()));
    Ok(handle)
}

/// Adds up observations at intervals. They are stored one by one until a scrape or this task does
/// so.
async fn add_up(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

/// Counts a 429 of the limit with this name, `address` or `user`.
pub(crate) fn rate_limited(limit: &'static str) {
    counter!(RATE_LIMITED, "limit" => limit).increment(1);
}

/// Counts the outcome of a delivery with a valid signature.
pub(crate) fn webhook(outcome: &Result<Outcome, SinkError>) {
    let outcome = match outcome {
        Ok(Outcome::Applied(_)) => "applied",
        Ok(Outcome::Duplicate) => "duplicate",
        Ok(Outcome::Ignored) => "ignored",
        Ok(Outcome::Parked) => "parked",
        Ok(Outcome::Stale) => "stale",
        Ok(_) => "other",
        Err(_) => "failed",
    };
    counter!(WEBHOOKS, "outcome" => outcome).increment(1);
}

/// Sets the phase of the server.
pub(crate) fn auth_phase(phase: u8) {
    gauge!(PHASE).set(f64::from(phase));
}

/// Counts a request of phase 1 or 2 by what phase 3 would have done with it.
pub(crate) fn phase_3_would(verdict: &'static str, reason: &'static str) {
    counter!(PHASE_3, "verdict" => verdict, "reason" => reason).increment(1);
}

/// Creates the counters of the verdicts, so that a zero is visible from the start.
pub(crate) fn phase_3_verdicts(verdicts: &[(&'static str, &'static str)]) {
    for &(verdict, reason) in verdicts {
        counter!(PHASE_3, "verdict" => verdict, "reason" => reason).increment(0);
    }
}

fn describe() {
    describe_counter!(REQUESTS, "Requests by route, method and status; gone: the client left");
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "Time from the head of a request to the head of its answer"
    );
    describe_gauge!(IN_FLIGHT, "Requests that are being answered");
    describe_counter!(RATE_LIMITED, "Requests that were answered 429, by limit");
    describe_counter!(WEBHOOKS, "Deliveries with a valid signature, by outcome");
    describe_counter!(
        "clerk_webhook_refused_total",
        "Deliveries that were refused, by reason: a wrong signature, an old timestamp, a sink that fails"
    );
    describe_counter!(
        "clerk_webhook_deliveries_total",
        "Deliveries that were given to the sink, by the event's type and the outcome"
    );
    describe_counter!(
        "clerk_webhook_ignored_total",
        "Deliveries that were acknowledged and changed nothing: examples, and other instances'"
    );
    describe_gauge!(
        LAST_DELIVERY,
        "When the last delivery came, or the server started, in seconds since 1970"
    );
    describe_counter!(
        "clerk_unreadable_members_total",
        "Members of events that were of an unexpected type"
    );
    describe_counter!(
        "clerk_rows_held_total",
        "Rows of deleted users that a foreign key holds, and that were emptied"
    );
    describe_counter!(
        "clerk_connections_outdated_total",
        "Times at which connections to the database were given up: read_only, statements"
    );
    describe_counter!(LOST_LINES, "Log lines that could not be written");
    describe_gauge!(PHASE, "AUTH_PHASE");
    describe_counter!(
        PHASE_3,
        "Requests of phases 1 and 2 by what phase 3 would do with them: same, refused, \
         someone_else, unidentified"
    );
    describe_gauge!(pool::CONNECTIONS, "Connections to the database: used, idle, most");
    describe_counter!(
        "clerk_auth_requests_total",
        "Requests by the outcome of their session token"
    );
    describe_counter!(
        "clerk_token_cache_hits_total",
        "Tokens that were found in the cache of verified tokens"
    );
    describe_counter!("clerk_keys_fetches_total", "Attempts to fetch the session keys");
    describe_gauge!("clerk_keys_age_seconds", "Age of the session keys at the last attempt's end");
}

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";
const IN_FLIGHT: &str = "http_requests_in_flight";
const RATE_LIMITED: &str = "http_rate_limited_total";
const LOST_LINES: &str = "log_lines_lost_total";
const WEBHOOKS: &str = "webhook_deliveries_total";
const LAST_DELIVERY: &str = "clerk_webhook_last_delivery_seconds";
/// The counters of the alarms in `docs/production.md`, each with its label.
const ALARMED: [(&str, &str, &str); 5] = [
    (WEBHOOKS, "outcome", "failed"),
    ("clerk_webhook_refused_total", "reason", "invalid_signature"),
    ("clerk_webhook_ignored_total", "reason", "other_instance"),
    ("clerk_webhook_unparked_total", "reason", "full"),
    ("clerk_webhook_unparked_total", "reason", "too_large"),
];
const ALARMED_WITHOUT_LABELS: [&str; 2] =
    ["clerk_rows_held_total", "clerk_unreadable_members_total"];
const PHASE: &str = "auth_phase";
const PHASE_3: &str = "auth_phase_3_verdicts_total";
/// The histogram's buckets, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0];
const UPKEEP: Duration = Duration::from_secs(5);
