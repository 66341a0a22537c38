//! What the webhook flow says in the log: enough to find a delivery, nothing about a person.

use std::sync::Arc;

use crate::support::delivery::{NOW, Recorder, SECRET, at, builder, secret, send, signed};
use crate::support::log::Log;
use serde_json::json;
use tower_clerk::test_util::{SignedDelivery, user_created};
use tower_clerk::webhook::{Delivery, Outcome, Sink, SinkError};

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
