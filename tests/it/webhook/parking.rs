//! Deliveries that cannot be read, and sinks that keep them.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tower_clerk::test_util::user_created;
use tower_clerk::webhook::{
    Delivery, DeliveryErrorKind, Effect, EventRouter, Outcome, Sink, SinkError, UnreadableDelivery,
    sink_fn,
};

use crate::support::delivery::{Recorder, builder, send, signed};
use crate::support::observed::Observed;

/// Keeps what cannot be read, and acts on one kind of record.
#[derive(Clone, Debug)]
struct Keeper {
    of: &'static str,
    kept: Arc<Mutex<Vec<String>>>,
    answer: Result<Option<Outcome>, &'static str>,
}

impl Keeper {
    fn of(of: &'static str) -> Self {
        Self { of, kept: Arc::default(), answer: Ok(Some(Outcome::Parked)) }
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.kept.lock().unwrap())
    }
}

impl Sink for Keeper {
    async fn apply(&self, _: &Delivery) -> Result<Outcome, SinkError> {
        Ok(Outcome::Applied(Effect::Other))
    }

    fn acts_on(&self, kind: &str) -> bool {
        kind.starts_with(self.of)
    }

    async fn park(&self, delivery: &UnreadableDelivery) -> Result<Option<Outcome>, SinkError> {
        assert!(!format!("{delivery:?}").contains("canary"), "{delivery:?}");
        let text = format!("{} {}", delivery.id(), std::str::from_utf8(delivery.body()).unwrap());
        self.kept.lock().unwrap().push(text);
        self.answer.map_err(SinkError::transient)
    }
}

/// Refuses it as it did before there was parking.
fn plain() -> impl Sink {
    sink_fn(async |_: Delivery| Ok(Outcome::Applied(Effect::Other)))
}

fn bad(kind: &str) -> serde_json::Value {
    json!({ "type": kind, "data": { "first_name": "canary" } })
}

async fn post(sink: impl Sink, kind: &str) -> u16 {
    let service = builder(sink).build().unwrap();
    let answer = send(&service, signed("msg_1", &bad(kind)).into_request()).await;
    if answer.status() == 400 {
        assert_eq!(answer.refusal(), DeliveryErrorKind::InvalidEvent);
    }
    answer.status()
}

#[tokio::test]
async fn fault_s12_every_sink_of_sinks_passes_on_what_cannot_be_read() {
    let keeper = Keeper::of("user.");
    let expected = [format!("msg_1 {}", bad("user.updated"))];
    assert_eq!(post(keeper.clone(), "user.updated").await, 204);
    assert_eq!(keeper.taken(), expected);
    assert_eq!(post(Arc::new(keeper.clone()), "user.updated").await, 204);
    assert_eq!(keeper.taken(), expected);
    assert_eq!(post(EventRouter::new().on_user(keeper.clone()), "user.updated").await, 204);
    assert_eq!(keeper.taken(), expected);
    assert_eq!(post(EventRouter::new().otherwise(keeper.clone()), "user.updated").await, 204);
    assert_eq!(keeper.taken(), expected);
    assert_eq!(post(keeper.clone().then(plain()), "user.updated").await, 204);
    assert_eq!(keeper.taken(), expected);
    assert_eq!(post(plain().then(keeper.clone()), "user.updated").await, 204);
    assert_eq!(keeper.taken(), expected);
    let nested = EventRouter::new().on_user(Arc::new(plain().then(keeper.clone())));
    assert_eq!(post(nested, "user.updated").await, 204);
    assert_eq!(keeper.taken(), expected);
}

#[tokio::test]
async fn fault_s12_a_sink_is_asked_only_for_what_it_acts_on() {
    let (users, organizations) = (Keeper::of("user."), Keeper::of("organization."));
    let both = || users.clone().then(organizations.clone());
    assert_eq!(post(both(), "organization.updated").await, 204);
    assert_eq!((users.taken().len(), organizations.taken().len()), (0, 1));
    assert_eq!(post(both(), "organizationMembership.updated").await, 204);
    assert_eq!((users.taken().len(), organizations.taken().len()), (0, 0));
    // Nobody is asked for what cannot be unreadable, one-time codes among them.
    let all = Keeper::of("");
    for kind in ["email.created", "sms.created", "session.created", "what.ever"] {
        assert_eq!(post(all.clone(), kind).await, 204, "{kind}");
        assert_eq!(all.taken().len(), 0, "{kind}");
    }
}

#[tokio::test]
async fn fault_s12_without_a_sink_that_keeps_it_an_unreadable_delivery_is_refused() {
    assert_eq!(post(plain(), "user.updated").await, 400);
    assert_eq!(post(Recorder::default(), "user.updated").await, 400);
    assert_eq!(post(plain().then(plain()), "user.updated").await, 400);
    assert_eq!(post(EventRouter::new().on_user(plain()), "user.updated").await, 400);
    assert_eq!(post(EventRouter::new(), "user.updated").await, 204);
    let mut keeper = Keeper::of("user.");
    keeper.answer = Ok(None);
    assert_eq!(post(keeper.clone(), "user.updated").await, 400);
    keeper.answer = Err("away");
    assert_eq!(post(keeper.clone(), "user.updated").await, 503);
    assert_eq!(post(plain().then(keeper), "user.updated").await, 503);
}

#[tokio::test]
async fn fault_s12_what_a_sink_parked_counts_as_parked_in_a_chain() {
    let parks = || sink_fn(async |_: Delivery| Ok(Outcome::Parked));
    for outcome in
        [Outcome::Applied(Effect::Other), Outcome::Duplicate, Outcome::Ignored, Outcome::Stale]
    {
        let other = move || sink_fn(move |_: Delivery| async move { Ok(outcome) });
        let seen = Arc::new(Recorder::default());
        let service = builder(Arc::clone(&seen)).build().unwrap();
        let body = user_created("user_1", None, 1);
        assert_eq!(send(&service, signed("msg_1", &body).into_request()).await.status(), 204);
        let delivery = seen.only();
        assert_eq!(parks().then(other()).apply(&delivery).await.unwrap(), Outcome::Parked);
        assert_eq!(other().then(parks()).apply(&delivery).await.unwrap(), Outcome::Parked);
    }
}

#[tokio::test]
async fn fault_s12_unreadable_deliveries_are_counted_by_type_and_outcome() {
    let observed = Observed::start();
    assert_eq!(post(Keeper::of("user."), "user.updated").await, 204);
    assert_eq!(post(plain(), "user.updated").await, 400);
    let metrics = observed.metrics();
    let of = |outcome| {
        metrics[&format!("clerk_webhook_deliveries_total{{event=user.updated,outcome={outcome}}}")]
    };
    assert_eq!((of("parked"), of("failed")), (1.0, 1.0));
    assert_eq!(metrics["clerk_webhook_refused_total{reason=invalid_event}"], 1.0);
    assert!(!observed.text().contains("canary"), "{}", observed.text());
}
