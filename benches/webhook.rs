//! The cost of a delivery from the request to the typed event, compared with svix's check of the
//! signature alone: small and large bodies.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::hint::black_box;
use std::sync::Arc;

use serde_json::json;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{ManualClock, SignedDelivery, user_updated};
use tower_clerk::webhook::{Delivery, Outcome, Sink, SinkError, WebhookService};

use support::service::call;
use support::turns::{Limit, Turns};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A sink that reads the event and does nothing.
struct Blind;

impl Sink for Blind {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        black_box(delivery.event());
        Ok(Outcome::Ignored)
    }
}

fn main() {
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    let svix = svix::webhooks::Webhook::new(SECRET).expect("a secret");
    let now = SystemClock::new().now();
    // The clock stands still, so that the same delivery stays within its tolerance.
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(now);
    let service = WebhookService::builder([secret.clone()], Blind).clock(clock);
    let service = service.build().expect("a service");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    // For the service's deadline.
    let _inside = runtime.enter();

    let sizes = [("1 KB", 1024, Limit::AtMost(2.0)), ("64 KB", 64 * 1024, Limit::None)];
    let mut turns = Turns::new("webhook");
    for (size, bytes, _) in sizes {
        let delivery = SignedDelivery::new(&secret, "msg_1", now, body(bytes));
        let (svix, checked) = (&svix, delivery.clone());
        turns.case(&by_svix(size), move || {
            svix.verify_ignoring_timestamp(black_box(checked.body()), checked.headers())
                .expect("a good signature");
        });
        let mut service = service.clone();
        turns.batched(
            &by_service(size),
            move || delivery.clone().into_request(),
            move |request| call(&mut service, request, true),
        );
    }
    let figures = turns.take();
    for (size, _, limit) in sizes {
        figures.beside(&by_service(size), &by_svix(size), limit);
    }
}

fn by_svix(size: &str) -> String {
    format!("svix verify, {size}")
}

fn by_service(size: &str) -> String {
    format!("request to event, {size}")
}

/// Returns the event of a user with as much metadata as the size requires.
fn body(bytes: usize) -> String {
    let mut event = user_updated("user_1", Some("ann@example.com"), 1_716_883_200_000);
    let missing = bytes.saturating_sub(event.to_string().len() + 12);
    event["data"]["public_metadata"] = json!({ "filler": "x".repeat(missing) });
    event.to_string()
}
