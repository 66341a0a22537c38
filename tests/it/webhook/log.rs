//! What the webhook flow says in the log: enough to find a delivery, nothing about a person.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_created};
use tower_clerk::webhook::{Delivery, Effect, Outcome, Sink, SinkError, sink_fn};

use crate::support::delivery::{
    NOW, OTHER_SECRET, Recorder, SECRET, at, builder, clock, secret, send, signed,
};
use crate::support::log::Log;
use crate::support::observed::Observed;

struct Away;

impl Sink for Away {
    async fn apply(&self, _: &Delivery) -> Result<Outcome, SinkError> {
        Err(SinkError::transient("no route to the database"))
    }
}

#[tokio::test]
async fn the_log_names_the_delivery_and_the_cause_and_nothing_of_the_user() {
    let log = Log::start();
    let body = user_created("user_1", Some("ann@example.com"), 1);

    let service = builder(Arc::new(Recorder::default())).build().unwrap();
    send(&service, signed("msg_good", &body).into_request()).await;
    let mut bad = body.clone();
    bad["data"]["id"] = json!(["ann@example.com"]);
    send(&service, signed("msg_unusable", &bad).into_request()).await;
    let other = SignedDelivery::new(&secret(), "msg_late", at(NOW - 400), body.to_string());
    send(&service, other.into_request()).await;
    let code = json!({ "type": "sms.created", "data": { "message": "418295 is your code" } });
    send(&service, signed("msg_code", &code).into_request()).await;
    let away = builder(Away).build().unwrap();
    send(&away, signed("msg_away", &body).into_request()).await;

    let text = log.text();
    for told in [
        "msg_good",
        "user.created",
        "Applied",
        "msg_unusable",
        "msg_late",
        "sms.created",
        "no route to the",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    for secret in ["ann@", "user_1", SECRET.trim_start_matches("whsec_"), "v1,", "idn_", "418295"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// An anonymous client decides how often this happens, but not how much is written.
#[tokio::test]
async fn fault_c14_refusals_that_need_no_secret_are_counted_each_and_logged_in_samples() {
    let observed = Observed::start();
    let clock = clock();
    let service = builder(Arc::new(Recorder::default())).clock(clock.clone()).build().unwrap();
    let lines = |word: &str| {
        let told = "webhook delivery refused";
        observed.text().lines().filter(|line| line.contains(told) && line.contains(word)).count()
    };
    let unsigned = || Request::post("/").body(Full::<Bytes>::default()).unwrap();
    for _ in 0..1000 {
        assert_eq!(send(&service, unsigned()).await.status(), 400);
    }
    assert_eq!(lines("InvalidHeaders"), 1);

    // Another kind is not hidden by the flood.
    let forged = SignedDelivery::new(
        &SigningSecret::parse(OTHER_SECRET).unwrap(),
        "msg_forged",
        at(NOW),
        user_created("user_1", None, 1).to_string(),
    );
    assert_eq!(send(&service, forged.into_request()).await.status(), 400);
    assert_eq!(lines("msg_forged"), 1);

    clock.advance(Duration::from_secs(10));
    assert_eq!(send(&service, unsigned()).await.status(), 400);
    assert_eq!(lines("InvalidHeaders"), 2);
    assert!(observed.text().contains("left_out=999"), "{}", observed.text());

    let counts = observed.metrics();
    assert_eq!(counts["clerk_webhook_refused_total{reason=invalid_headers}"], 1001.0);
    assert_eq!(counts["clerk_webhook_refused_total{reason=invalid_signature}"], 1.0);
}

/// Each of these is a delivery of Clerk's that was not applied.
#[tokio::test]
async fn fault_c14_refusals_of_signed_deliveries_are_all_logged() {
    let observed = Observed::start();
    let away = builder(Away).build().unwrap();
    let body = user_created("user_1", Some("ann@example.com"), 1);
    for id in ["msg_1", "msg_2", "msg_3"] {
        assert_eq!(send(&away, signed(id, &body).into_request()).await.status(), 503);
        assert!(observed.text().contains(id), "{id} in {}", observed.text());
    }
}

/// A sink that hangs is the operator's trouble, and no stranger's.
#[tokio::test(start_paused = true)]
async fn fault_c14_a_signed_delivery_that_takes_too_long_is_logged_each_time_with_its_id() {
    let observed = Observed::start();
    let hanging = sink_fn(async |_: Delivery| std::future::pending().await);
    let service = builder(hanging).build().unwrap();
    let body = user_created("user_1", None, 1);
    for id in ["msg_1", "msg_2"] {
        assert_eq!(send(&service, signed(id, &body).into_request()).await.status(), 503);
        assert!(observed.text().contains(id), "{id} in {}", observed.text());
    }
}

#[tokio::test]
async fn fault_s11_deliveries_are_counted_by_type_and_outcome_with_their_lag() {
    let observed = Observed::start();
    let outcomes = Mutex::new(VecDeque::from([
        Ok(Outcome::Applied(Effect::Other)),
        Ok(Outcome::Stale),
        Ok(Outcome::Ignored),
        Err(SinkError::transient("the database is away")),
    ]));
    let sink = sink_fn(move |_: Delivery| {
        let outcome = outcomes.lock().unwrap().pop_front().unwrap();
        async move { outcome }
    });
    let service = builder(sink).build().unwrap();
    let mut body = user_created("user_1", None, 1);
    body["timestamp"] = json!((NOW - 90) * 1000);
    for (n, kind) in
        ["user.created", "user.created", "novelty.born", "user.updated"].iter().enumerate()
    {
        body["type"] = json!(kind);
        send(&service, signed(&format!("msg_{n}"), &body).into_request()).await;
    }
    let metrics = observed.metrics();
    for (labels, expected) in [
        ("event=user.created,outcome=applied", 1.0),
        ("event=user.created,outcome=stale", 1.0),
        ("event=unknown,outcome=ignored", 1.0),
        ("event=user.updated,outcome=failed", 1.0),
    ] {
        let name = format!("clerk_webhook_deliveries_total{{{labels}}}");
        assert_eq!(metrics.get(&name), Some(&expected), "{name} in {metrics:?}");
    }
    assert_eq!(metrics["clerk_webhook_last_delivery_seconds{}"], NOW as f64);
    assert_eq!(metrics["clerk_webhook_lag_seconds{}"], 90.0);
}

#[tokio::test]
async fn fault_s11_members_of_an_unexpected_type_are_counted() {
    let observed = Observed::start();
    let service = builder(Arc::new(Recorder::default())).build().unwrap();
    let mut body = user_created("user_1", None, 1);
    // Missing and null are as Clerk writes what is absent.
    body["data"]["first_name"] = json!(null);
    body["data"].as_object_mut().unwrap().remove("last_name");
    for odd in ["username", "image_url"] {
        body["data"][odd] = json!({ "odd": true });
    }
    assert_eq!(send(&service, signed("msg_1", &body).into_request()).await.status(), 204);
    assert_eq!(observed.metrics()["clerk_unreadable_members_total{}"], 2.0);
}
