//! What a delivery costs from the request to the typed event, beside svix's check of the signature
//! alone: small and large bodies.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on ends, and prints what it found"
)]

mod support;

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http_body_util::Full;
use serde_json::json;
use tower::Service;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{ManualClock, SignedDelivery, user_updated};
use tower_clerk::webhook::{Delivery, Outcome, Sink, SinkError, WebhookService};

use support::Ratios;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Looks at the event and does nothing.
struct Blind;

impl Sink for Blind {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        black_box(delivery.event());
        Ok(Outcome::Ignored)
    }
}

fn webhook(c: &mut Criterion) {
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    let svix = svix::webhooks::Webhook::new(SECRET).expect("a secret");
    let now = SystemClock::new().now();
    // Time does not pass: the same delivery stays within its tolerance.
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(now);
    let service = WebhookService::builder([secret.clone()], Blind).clock(clock);
    let mut service = service.build().expect("a service");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");

    let mut group = c.benchmark_group("webhook");
    for (size, bytes) in [("1 KB", 1024), ("64 KB", 64 * 1024)] {
        let delivery = SignedDelivery::new(&secret, "msg_1", now, body(bytes));
        group.bench_function(format!("svix verify, {size}"), |b| {
            b.iter(|| {
                svix.verify_ignoring_timestamp(black_box(delivery.body()), delivery.headers())
                    .expect("a good signature");
            });
        });
        let _inside = runtime.enter();
        group.bench_function(format!("request to event, {size}"), |b| {
            b.iter_batched(
                || delivery.clone().into_request(),
                |request| call(&mut service, request),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();

    let ratios = Ratios::of("webhook");
    for size in ["1 KB", "64 KB"] {
        ratios.beside(&format!("request to event, {size}"), &format!("svix verify, {size}"));
    }
}

/// A user with as much metadata as it takes.
fn body(bytes: usize) -> String {
    let mut event = user_updated("user_1", Some("ann@example.com"), 1_716_883_200_000);
    let missing = bytes.saturating_sub(event.to_string().len() + 12);
    event["data"]["public_metadata"] = json!({ "filler": "x".repeat(missing) });
    event.to_string()
}

/// Calls a service whose body is at hand and whose sink answers at once.
fn call(service: &mut WebhookService<Blind>, request: http::Request<Full<Bytes>>) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(
        <WebhookService<Blind> as Service<http::Request<Full<Bytes>>>>::poll_ready(
            service,
            &mut context
        )
        .is_ready()
    );
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(Ok(response)) => {
            let response: http::Response<Full<Bytes>> = response;
            assert_eq!(response.status(), 204);
        }
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => panic!("it waits"),
    }
}

criterion_group! {
    name = benches;
    config = support::criterion();
    targets = webhook
}
criterion_main!(benches);
