//! Sinks made of closures and of other sinks, and whose deliveries reach them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tower_clerk::test_util::user_created;
use tower_clerk::webhook::{
    Delivery, DeliveryErrorKind, Effect, EventRouter, Outcome, OwnInstance, Sink, SinkError,
    sink_fn, sink_fn_with_state,
};

use crate::support::delivery::{Recorder, builder, send, signed};
use crate::support::observed::Observed;

const APPLIED: Outcome = Outcome::Applied(Effect::Other);

/// Who was called, in order.
type Calls = Arc<Mutex<Vec<&'static str>>>;

/// A sink that notes that it was called, and answers each call with the next of its answers.
fn noting(
    calls: &Calls,
    name: &'static str,
    answers: &[Result<Outcome, &'static str>],
) -> impl Sink {
    let (calls, answers) = (Arc::clone(calls), Mutex::new(VecDeque::from(answers.to_vec())));
    sink_fn(move |_: Delivery| {
        calls.lock().unwrap().push(name);
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Ok(APPLIED));
        async move { answer.map_err(SinkError::transient) }
    })
}

fn taken(calls: &Calls) -> Vec<&'static str> {
    std::mem::take(&mut *calls.lock().unwrap())
}

fn of_kind(kind: &str) -> Value {
    let mut body = user_created("user_1", None, 1);
    body["type"] = json!(kind);
    body
}

async fn delivery(body: &Value) -> Delivery {
    let recorder = Arc::new(Recorder::default());
    let service = builder(Arc::clone(&recorder)).build().unwrap();
    assert_eq!(send(&service, signed("msg_1", body).into_request()).await.status(), 204);
    recorder.only()
}

#[tokio::test]
async fn a_closure_is_a_sink() {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ids);
    let sink = sink_fn(move |delivery: Delivery| {
        seen.lock().unwrap().push(delivery.id().to_owned());
        async move { Ok(APPLIED) }
    });
    let service = builder(sink).build().unwrap();
    let answer = send(&service, signed("msg_7", &of_kind("user.created")).into_request()).await;
    assert_eq!((answer.status(), &*ids.lock().unwrap()), (204, &vec!["msg_7".to_owned()]));

    let failing = sink_fn(async |_: Delivery| Err(SinkError::transient("away")));
    let service = builder(failing).build().unwrap();
    let answer = send(&service, signed("msg_8", &of_kind("user.created")).into_request()).await;
    assert_eq!(answer.refusal(), DeliveryErrorKind::SinkUnavailable);
}

#[tokio::test]
async fn fault_a7_a_closure_that_needs_a_state_awaits_with_it() {
    let (sender, mut received) = tokio::sync::mpsc::channel::<String>(1);
    let sink = sink_fn_with_state(
        sender,
        async |sender: tokio::sync::mpsc::Sender<String>, delivery: Delivery| {
            sender.send(delivery.id().to_owned()).await.map_err(SinkError::transient)?;
            Ok(APPLIED)
        },
    );
    let service = builder(sink).build().unwrap();
    let delivery = || signed("msg_7", &of_kind("user.created")).into_request();
    assert_eq!(send(&service, delivery()).await.status(), 204);
    assert_eq!(received.recv().await.as_deref(), Some("msg_7"));
    drop(received);
    assert_eq!(send(&service, delivery()).await.refusal(), DeliveryErrorKind::SinkUnavailable);
}

#[tokio::test]
async fn a_router_hands_an_event_to_the_first_route_that_wants_it() {
    let calls = Calls::default();
    let sink = |name| noting(&calls, name, &[]);
    let router = EventRouter::new()
        .on("user.created", sink("newcomers"))
        .on_user(sink("users"))
        .on_organization(sink("organizations"))
        .on_membership(sink("memberships"))
        .on_session(sink("sessions"))
        .on("novel.*", sink("novel"));
    assert!(format!("{router:?}").contains("user.*"));
    for (kind, name) in [
        ("user.created", Some("newcomers")),
        ("user.updated", Some("users")),
        ("user.novel", Some("users")),
        ("organization.novel", Some("organizations")),
        ("organizationDomain.created", None),
        ("organizationMembership.novel", Some("memberships")),
        ("session.pending", Some("sessions")),
        ("novel.thing", Some("novel")),
        ("novel", None),
        ("User.updated", None),
        ("users.updated", None),
    ] {
        let outcome = router.apply(&delivery(&of_kind(kind)).await).await.unwrap();
        assert_eq!(taken(&calls), Vec::from_iter(name), "{kind}");
        let expected = if name.is_some() { APPLIED } else { Outcome::Ignored };
        assert_eq!(outcome, expected, "{kind}");
    }

    let router = router.otherwise(sink("others"));
    router.apply(&delivery(&of_kind("email.created")).await).await.unwrap();
    router.apply(&delivery(&of_kind("user.deleted")).await).await.unwrap();
    assert_eq!(taken(&calls), ["others", "users"]);
}

#[tokio::test]
async fn sinks_in_sequence_each_get_their_chance_at_a_delivery() {
    let calls = Calls::default();
    let delivery = delivery(&of_kind("user.created")).await;
    // The second fails at first; by the next try the first has seen the delivery.
    let sink = noting(&calls, "first", &[Ok(APPLIED), Ok(Outcome::Duplicate)]).then(noting(
        &calls,
        "second",
        &[Err("away"), Ok(APPLIED)],
    ));
    assert!(sink.apply(&delivery).await.unwrap_err().retry_helps());
    assert_eq!(sink.apply(&delivery).await.unwrap(), APPLIED);
    assert_eq!(taken(&calls), ["first", "second", "first", "second"]);

    let sink = noting(&calls, "first", &[Err("away")]).then(noting(&calls, "second", &[]));
    assert!(sink.apply(&delivery).await.is_err());
    assert_eq!(taken(&calls), ["first"]);
}

#[tokio::test]
async fn the_outcome_of_a_sequence_is_the_one_that_says_most() {
    use Outcome::{Applied, Duplicate, Ignored, Stale};

    let [inserted, other] = [Effect::Inserted, Effect::Other].map(Applied);

    let calls = Calls::default();
    let delivery = delivery(&of_kind("user.created")).await;
    for (first, second, both) in [
        (inserted, Ignored, inserted),
        (inserted, other, inserted),
        (Ignored, other, other),
        (Stale, other, other),
        (Ignored, Stale, Stale),
        (Duplicate, Stale, Duplicate),
        (Ignored, Ignored, Ignored),
    ] {
        let sink = noting(&calls, "", &[Ok(first)]).then(noting(&calls, "", &[Ok(second)]));
        assert_eq!(sink.apply(&delivery).await.unwrap(), both, "{first:?} {second:?}");
    }
}

/// Notes what it was told that others did.
#[derive(Clone, Default)]
struct Listening(Arc<Mutex<Vec<Outcome>>>);

impl Sink for Listening {
    async fn apply(&self, _: &Delivery) -> Result<Outcome, SinkError> {
        panic!("nobody told it what became of the delivery")
    }

    async fn apply_after(&self, _: &Delivery, earlier: Outcome) -> Result<Outcome, SinkError> {
        self.0.lock().unwrap().push(earlier);
        Ok(Outcome::Ignored)
    }
}

#[tokio::test]
async fn fault_s10_a_sink_after_others_sees_what_became_of_the_delivery() {
    let delivery = delivery(&of_kind("user.created")).await;
    let told = Listening::default();
    let listening = || told.clone();
    let inserting = || sink_fn(async |_: Delivery| Ok(Outcome::Applied(Effect::Inserted)));
    let stale = || sink_fn(async |_: Delivery| Ok(Outcome::Stale));
    let routed = || EventRouter::new().on_user(Arc::new(listening()));
    let expected = Outcome::Applied(Effect::Inserted);

    assert_eq!(inserting().then(listening()).apply(&delivery).await.unwrap(), expected);
    assert_eq!(inserting().then(routed()).apply(&delivery).await.unwrap(), expected);
    inserting().then(stale()).then(listening()).apply(&delivery).await.unwrap();
    stale().then(inserting().then(routed())).apply(&delivery).await.unwrap();
    inserting().then(stale().then(listening())).apply(&delivery).await.unwrap();
    assert_eq!(*told.0.lock().unwrap(), [expected; 5]);

    let nobody = EventRouter::new().on("session.*", listening());
    assert_eq!(stale().then(nobody).apply(&delivery).await.unwrap(), Outcome::Stale);
    assert_eq!(told.0.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn fault_s2_a_delivery_of_another_instance_is_acknowledged_and_changes_nothing() {
    let observed = Observed::start();
    let recorder = Arc::new(Recorder::default());
    let ours = OwnInstance::new();
    let service = builder(Arc::clone(&recorder)).own_instance(ours.clone()).build().unwrap();
    let deliver = async |id: &str, instance: Value| {
        let mut body = of_kind("user.created");
        body["instance_id"] = instance;
        assert_eq!(send(&service, signed(id, &body).into_request()).await.status(), 204);
        recorder.deliveries().iter().map(|taken| taken.id().to_owned()).collect::<Vec<_>>()
    };
    // As long as nobody is certain which instance is ours, all are taken: no delivery tells.
    assert_eq!(deliver("msg_1", json!("ins_theirs")).await, ["msg_1"]);
    assert_eq!(deliver("msg_2", json!("ins_ours")).await, ["msg_1", "msg_2"]);
    ours.set("ins_ours").unwrap();
    ours.set("ins_theirs").unwrap();
    assert_eq!(ours.id(), Some("ins_ours"), "the first one stays");
    for other in [json!("ins_theirs"), json!("ins_Ours")] {
        assert_eq!(deliver("msg_3", other).await, ["msg_1", "msg_2"]);
    }
    // One that names none is ours.
    for (id, none) in [("msg_4", json!(null)), ("msg_5", json!(["ins_theirs"]))] {
        assert_eq!(deliver(id, none).await.last().unwrap(), id);
    }
    let text = observed.text();
    assert_eq!(text.matches("a delivery of another Clerk instance").count(), 1, "{text}");
    let counted = "clerk_webhook_ignored_total{reason=other_instance}";
    assert_eq!(observed.metrics()[counted], 2.0);
}

#[tokio::test]
async fn fault_s2_the_dashboards_example_is_acknowledged_and_changes_nothing() {
    let observed = Observed::start();
    let recorder = Arc::new(Recorder::default());
    for service in [
        builder(Arc::clone(&recorder)).build().unwrap(),
        builder(Arc::clone(&recorder)).instance_id("ins_ours").build().unwrap(),
    ] {
        for kind in ["user.created", "user.deleted"] {
            let mut body = of_kind(kind);
            body["instance_id"] = json!("ins_123");
            assert_eq!(send(&service, signed("msg_1", &body).into_request()).await.status(), 204);
        }
    }
    assert!(recorder.deliveries().is_empty());
    assert_eq!(observed.metrics()["clerk_webhook_ignored_total{reason=example}"], 4.0);
}

#[test]
fn an_instance_id_has_clerks_form() {
    for id in ["", "ins_", "ours", "ins_a b", "\"ins_ours\""] {
        let error = builder(Recorder::default()).instance_id(id).build().unwrap_err();
        assert_eq!(error.setting(), "webhook instance id");
    }
}
