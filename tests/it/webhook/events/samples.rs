//! The types, and a sample of what each carries. What `Debug` must not show has `private` in it.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use tower_clerk::webhook::{Delivery, Event};

use crate::support::delivery::{Answer, Recorder, builder, send, signed};

/// Each type, and the name of its sample.
pub(super) const TYPES: [(&str, &str); 46] = [
    ("email.created", "email"),
    ("organization.created", "organization"),
    ("organization.deleted", "deleted_organization"),
    ("organization.updated", "organization"),
    ("organizationDomain.created", "domain"),
    ("organizationDomain.deleted", "deleted"),
    ("organizationDomain.updated", "domain"),
    ("organizationInvitation.accepted", "invitation"),
    ("organizationInvitation.created", "invitation"),
    ("organizationInvitation.revoked", "invitation"),
    ("organizationMembership.created", "membership"),
    ("organizationMembership.deleted", "deleted_membership"),
    ("organizationMembership.updated", "membership"),
    ("paymentAttempt.created", "payment_attempt"),
    ("paymentAttempt.updated", "payment_attempt"),
    ("permission.created", "permission"),
    ("permission.deleted", "deleted"),
    ("permission.updated", "permission"),
    ("role.created", "role"),
    ("role.deleted", "deleted"),
    ("role.updated", "role"),
    ("session.created", "session"),
    ("session.ended", "session"),
    ("session.pending", "session"),
    ("session.removed", "session"),
    ("session.revoked", "session"),
    ("sms.created", "sms"),
    ("subscription.active", "subscription"),
    ("subscription.created", "subscription"),
    ("subscription.pastDue", "subscription"),
    ("subscription.updated", "subscription"),
    ("subscriptionItem.abandoned", "subscription_item"),
    ("subscriptionItem.active", "subscription_item"),
    ("subscriptionItem.canceled", "subscription_item"),
    ("subscriptionItem.created", "subscription_item"),
    ("subscriptionItem.ended", "subscription_item"),
    ("subscriptionItem.freeTrialEnding", "subscription_item"),
    ("subscriptionItem.incomplete", "subscription_item"),
    ("subscriptionItem.pastDue", "subscription_item"),
    ("subscriptionItem.upcoming", "subscription_item"),
    ("subscriptionItem.updated", "subscription_item"),
    ("user.created", "user"),
    ("user.deleted", "deleted_user"),
    ("user.updated", "user"),
    ("waitlistEntry.created", "waitlist_entry"),
    ("waitlistEntry.updated", "waitlist_entry"),
];

pub(super) fn sample(name: &str) -> Value {
    static SAMPLES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../../../vectors/webhook_data.json")).unwrap()
    });
    SAMPLES[name].clone()
}

pub(super) fn envelope(kind: &str, data: &Value) -> Value {
    json!({
        "object": "event", "type": kind, "timestamp": 1_649_367_000, "instance_id": "ins_1",
        "event_attributes": { "http_request": { "client_ip": "203.0.113.7" } }, "data": data,
    })
}

/// Posts an event; what was answered, and what the sink was given.
pub(super) async fn post(kind: &str, data: &Value) -> (Answer, Option<Delivery>) {
    let recorder = Arc::new(Recorder::default());
    let service = builder(Arc::clone(&recorder)).build().unwrap();
    let answer = send(&service, signed("msg_1", &envelope(kind, data)).into_request()).await;
    (answer, recorder.deliveries().pop())
}

/// Posts an event that must arrive.
pub(super) async fn arrives(kind: &str, data: &Value) -> Delivery {
    let (answer, delivery) = post(kind, data).await;
    assert_eq!(answer.status(), 204, "{kind} {data}");
    let delivery = delivery.unwrap();
    assert_eq!(delivery.event().kind(), kind);
    delivery
}

pub(super) fn is_unknown(event: &Event) -> bool {
    matches!(event, Event::Unknown(_))
}
