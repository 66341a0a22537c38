//! What makes a delivery Clerk's: headers, time and signature.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use serde_json::json;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_created};
use tower_clerk::webhook::{DeliveryErrorKind, Event, WebhookService};

use crate::support::body::Untouchable;
use crate::support::delivery::{
    Answer, NOW, OTHER_SECRET, Recorder, SECRET, at, builder, clock, secret, send, signed,
};

const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const BODY: &str = r#"{"type":"x.y"}"#;

/// Posts these headers and this body; says what came back and how often the sink was called.
async fn post(headers: &[(&str, &str)], body: &[u8]) -> (Answer, usize) {
    let recorder = Arc::new(Recorder::default());
    let service = builder(Arc::clone(&recorder)).build().unwrap();
    let mut request = Request::post("/").body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let answer = send(&service, request).await;
    (answer, recorder.deliveries().len())
}

async fn accepted(case: &str, headers: &[(&str, &str)], body: &[u8]) {
    let (answer, applied) = post(headers, body).await;
    assert_eq!((answer.status(), applied), (204, 1), "{case}");
    assert!(answer.body.is_empty(), "{case}");
}

async fn refused(case: &str, headers: &[(&str, &str)], body: &[u8]) -> DeliveryErrorKind {
    let (answer, applied) = post(headers, body).await;
    assert_eq!((answer.status(), applied), (400, 0), "{case}");
    assert_eq!(answer.detail(), "Invalid webhook", "{case}: one text for all");
    answer.refusal()
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &raw_key())
}

fn raw_key() -> Vec<u8> {
    STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap()
}

fn mac(id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    hmac::sign(&key(), &[format!("{id}.{timestamp}.").as_bytes(), body].concat())
}

/// The signature by hand, over exactly this text.
fn sign(id: &str, timestamp: &str, body: &[u8]) -> String {
    format!("v1,{}", STANDARD.encode(mac(id, timestamp, body)))
}

fn with<'a>(id: &'a str, timestamp: &'a str, signature: &'a str) -> [(&'static str, &'a str); 3] {
    [("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)]
}

fn now() -> String {
    NOW.to_string()
}

#[tokio::test]
async fn svixs_published_example_has_the_published_signature() {
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let published = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    let delivery = SignedDelivery::new(&secret(), ID, at(NOW), &body[..]);
    assert_eq!(delivery.headers()["svix-signature"], published);

    // It is authentic, and not an event: another text than for a forgery.
    let (answer, applied) = post(&with(ID, &now(), published), body).await;
    assert_eq!((answer.status(), applied), (400, 0));
    assert_eq!(answer.refusal(), DeliveryErrorKind::InvalidEvent);
}

#[tokio::test]
async fn a_signed_delivery_reaches_the_sink_whole() {
    let recorder = Arc::new(Recorder::default());
    let service = builder(Arc::clone(&recorder)).build().unwrap();
    let body = user_created("user_1", Some("ann@example.com"), 1_649_367_000_000);
    let answer = send(&service, signed("msg_1", &body).into_request()).await;
    assert_eq!(answer.status(), 204);

    let delivery = recorder.only();
    assert_eq!(delivery.id(), "msg_1");
    assert_eq!(delivery.sent_at(), at(NOW));
    assert_eq!(delivery.instance_id(), Some("ins_1"));
    assert_eq!(delivery.event().kind(), "user.created");
    let Event::UserCreated(user) = delivery.event() else { panic!("{delivery:?}") };
    assert_eq!(user.email.as_deref(), Some("ann@example.com"));
    assert_eq!(user.updated_at, 1_649_367_000_000);
    assert_eq!(user.data["image_url"], "https://img.clerk.com/x");
    assert!(!format!("{delivery:?}").contains("ann@example.com"));
}

#[tokio::test]
async fn a_header_that_is_missing_blank_repeated_or_not_ascii_refuses_the_delivery() {
    let signature = sign(ID, &now(), BODY.as_bytes());
    let now = now();
    let good = with(ID, &now, &signature);
    accepted("all three", &good, BODY.as_bytes()).await;

    for missing in 0..3 {
        let mut headers = good.to_vec();
        let (name, value) = headers.remove(missing);
        refused(&format!("no {name}"), &headers, BODY.as_bytes()).await;
        for bad in ["", "  ", "\t", "ms\u{e9}"] {
            let mut changed = headers.clone();
            changed.push((name, bad));
            refused(&format!("{name} {bad:?}"), &changed, BODY.as_bytes()).await;
        }
        for second in ["other", value] {
            let mut repeated = good.to_vec();
            repeated.push((name, second));
            let kind = refused(&format!("{name} twice"), &repeated, BODY.as_bytes()).await;
            assert_eq!(kind, DeliveryErrorKind::InvalidHeaders);
        }
    }
    let padded = [format!(" {ID} "), format!("\t{now}"), format!("{signature} ")];
    accepted("padding", &with(&padded[0], &padded[1], &padded[2]), BODY.as_bytes()).await;
}

#[tokio::test]
async fn bad_headers_are_refused_before_the_body_is_read() {
    let service = builder(Arc::new(Recorder::default())).build().unwrap();
    for (id, timestamp) in [(ID, "soon"), ("a b", "1649367553"), (ID, "1649367000")] {
        let mut request = Request::post("/").body(Untouchable).unwrap();
        for (name, value) in with(id, timestamp, "v1,AAAA") {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        assert_eq!(send(&service, request).await.status(), 400);
    }
}

#[tokio::test]
async fn the_two_families_of_names_are_never_mixed() {
    let (now, signature) = (now(), sign(ID, &now(), BODY.as_bytes()));
    let unbranded =
        [("webhook-id", ID), ("webhook-timestamp", &*now), ("webhook-signature", &*signature)];
    accepted("webhook-*", &unbranded, BODY.as_bytes()).await;

    for (name, value) in with("msg_forged", &now, "v1,AAAA") {
        let mut headers = unbranded.to_vec();
        headers.push((name, value));
        refused(&format!("{name} beside webhook-*"), &headers, BODY.as_bytes()).await;
    }
    let bad = with(ID, &now, "v1,AAAA");
    refused("bad svix-*, good webhook-*", &[&bad[..], &unbranded[..]].concat(), BODY.as_bytes())
        .await;
    let good = with(ID, &now, &signature);
    let worse = [("webhook-id", "x"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,")];
    accepted("good svix-*, bad webhook-*", &[&good[..], &worse[..]].concat(), BODY.as_bytes())
        .await;
}

#[tokio::test]
async fn the_tolerance_is_300_seconds_in_both_directions_inclusive() {
    for (offset, ok) in
        [(0, true), (300, true), (-300, true), (301, false), (-301, false), (3600, false)]
    {
        let timestamp = NOW.checked_add_signed(offset).unwrap().to_string();
        let signature = sign(ID, &timestamp, BODY.as_bytes());
        let headers = with(ID, &timestamp, &signature);
        let case = format!("{offset} s");
        if ok {
            accepted(&case, &headers, BODY.as_bytes()).await;
        } else {
            let kind = refused(&case, &headers, BODY.as_bytes()).await;
            assert_eq!(kind, DeliveryErrorKind::TimestampOutOfTolerance);
        }
    }
}

#[tokio::test]
async fn a_timestamp_is_plain_decimal_digits() {
    let digits = "9".repeat(400);
    for timestamp in [
        "now",
        "NaN",
        "0x624f5a41",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        &digits,
        "+1649367553",
        "01649367553",
        "1649367553.0",
        "1649367553.5",
        "1649367553abc",
        "1649367553 1",
        "1649367553000",
        "1_649_367_553",
    ] {
        for signed_text in [timestamp, "1649367553"] {
            let signature = sign(ID, signed_text, BODY.as_bytes());
            refused(timestamp, &with(ID, timestamp, &signature), BODY.as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn what_was_signed_for_another_id_or_time_does_not_pass() {
    let signature = sign(ID, &now(), BODY.as_bytes());
    for (id, timestamp) in [("msg_2", NOW), (ID, NOW + 1), (ID, NOW - 1)] {
        let timestamp = timestamp.to_string();
        let kind = refused("changed", &with(id, &timestamp, &signature), BODY.as_bytes()).await;
        assert_eq!(kind, DeliveryErrorKind::InvalidSignature);
    }
}

#[tokio::test]
async fn an_id_cannot_move_the_border_between_id_time_and_body() {
    let (now, body) = (now(), format!("{NOW}.{BODY}"));
    let signature = sign("msg_1", &now, body.as_bytes());
    // The same signed text, cut elsewhere.
    let id = format!("msg_1.{now}");
    assert_eq!(signature, sign(&id, &now, BODY.as_bytes()));
    refused("a period", &with(&id, &now, &signature), BODY.as_bytes()).await;

    let long = "m".repeat(257);
    for id in ["msg 1", "msg/1", "msg:1", "msg,1", "'", &long] {
        let signature = sign(id, &now, BODY.as_bytes());
        refused(id, &with(id, &now, &signature), BODY.as_bytes()).await;
    }
    let longest = "m".repeat(256);
    let signature = sign(&longest, &now, BODY.as_bytes());
    accepted("256 characters", &with(&longest, &now, &signature), BODY.as_bytes()).await;
}

#[tokio::test]
async fn only_a_whole_v1_signature_counts() {
    let now = now();
    let good = sign(ID, &now, BODY.as_bytes());
    let bare = good.trim_start_matches("v1,");
    for bad in [
        "v1,".to_owned(),
        "v1".to_owned(),
        ",".to_owned(),
        bare.to_owned(),
        good[..good.len() - 1].to_owned(),
        good[..12].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("v1a,{bare}"),
        format!("v2,{bare}"),
        format!("V1,{bare}"),
        format!("v10,{bare}"),
        format!("v1,,{bare}"),
        format!("v1, {bare}"),
        format!("v1a,{bare} v2,{bare} {bare}"),
    ] {
        refused(&bad, &with(ID, &now, &bad), BODY.as_bytes()).await;
    }
}

#[tokio::test]
async fn the_good_signature_is_found_anywhere_in_the_list() {
    let now = now();
    let good = sign(ID, &now, BODY.as_bytes());
    let wrong = format!("v1,{}", STANDARD.encode([7; 32]));
    let fifty = vec![wrong.clone(); 50].join(" ");
    for list in [
        format!("{good} {wrong}"),
        format!("{wrong} {good}"),
        format!("{wrong} {good} {wrong}"),
        format!("v1a,{} {good}", STANDARD.encode([7; 64])),
        format!("{fifty} {good}"),
        format!("nocomma {good}"),
        format!("v1,*not*base64* {good}"),
        format!("  {good}"),
    ] {
        accepted(&list, &with(ID, &now, &list), BODY.as_bytes()).await;
    }
}

#[tokio::test]
async fn other_constructions_over_the_same_bytes_do_not_pass() {
    let now = now();
    let text = format!("{ID}.{now}.{BODY}");
    let key_as_text = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let undecoded = SECRET.trim_start_matches("whsec_").as_bytes();
    let mac_with = |algorithm, key: &[u8]| {
        STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, key), text.as_bytes()))
    };
    let tag = mac(ID, &now, BODY.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    for (case, signature) in [
        ("body only", STANDARD.encode(hmac::sign(&key(), BODY.as_bytes()))),
        ("no id", STANDARD.encode(hmac::sign(&key(), format!("{now}.{BODY}").as_bytes()))),
        ("no time", STANDARD.encode(hmac::sign(&key(), format!("{ID}.{BODY}").as_bytes()))),
        ("the secret's text", STANDARD.encode(hmac::sign(&key_as_text, text.as_bytes()))),
        ("the secret undecoded", mac_with(hmac::HMAC_SHA256, undecoded)),
        ("an empty key", mac_with(hmac::HMAC_SHA256, b"")),
        ("sha-1", mac_with(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &raw_key())),
        ("sha-512", mac_with(hmac::HMAC_SHA512, &raw_key())),
        ("no key", STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()))),
        ("hex", hex),
    ] {
        let signature = format!("v1,{signature}");
        refused(case, &with(ID, &now, &signature), BODY.as_bytes()).await;
    }
    let url = URL_SAFE.encode(tag);
    if url != STANDARD.encode(tag) {
        refused("url alphabet", &with(ID, &now, &format!("v1,{url}")), BODY.as_bytes()).await;
    }
}

#[tokio::test]
async fn the_raw_bytes_are_what_is_signed() {
    let body = r#"{"type":"x.y","data":{"a":"\u00e9","b":1}}"#;
    let now = now();
    let signature = sign(ID, &now, body.as_bytes());
    accepted("as signed", &with(ID, &now, &signature), body.as_bytes()).await;
    for changed in [
        format!("{body}\n"),
        format!(" {body}"),
        format!("\u{feff}{body}"),
        body.replace(":1", ": 1"),
        body.replace("\\u00e9", "\u{e9}"),
        r#"{"type":"x.y","data":{"b":1,"a":"\u00e9"}}"#.to_owned(),
        body[..body.len() - 1].to_owned(),
        String::new(),
    ] {
        let kind = refused(&changed, &with(ID, &now, &signature), changed.as_bytes()).await;
        assert_eq!(kind, DeliveryErrorKind::InvalidSignature);
    }
}

#[tokio::test]
async fn signed_bytes_that_are_no_event_are_refused() {
    let now = now();
    for body in [
        &b""[..],
        b"null",
        b"42",
        b"[]",
        b"{}",
        b"not json",
        b"{\"type\":null}",
        b"{\"type\":\"user.created\"}",
        b"{\"type\":\"user.created\",\"data\":[]}",
        b"{\"type\":\"x.y\",\"data\":\"\xff\"}",
        b"\xff\xfe{\0}\0",
    ] {
        let signature = sign(ID, &now, body);
        let (answer, applied) = post(&with(ID, &now, &signature), body).await;
        assert_eq!((answer.status(), applied), (400, 0), "{body:?}");
        answer.refusal();
    }
}

#[tokio::test]
async fn during_a_rotation_either_secret_verifies() {
    let old = SigningSecret::parse(OTHER_SECRET).unwrap();
    let recorder = Arc::new(Recorder::default());
    let both = WebhookService::builder([old.clone(), secret()], Arc::clone(&recorder))
        .clock(clock())
        .build()
        .unwrap();
    for (id, secret) in [("msg_1", &old), ("msg_2", &secret())] {
        let delivery = SignedDelivery::new(secret, id, at(NOW), BODY);
        assert_eq!(send(&both, delivery.into_request()).await.status(), 204);
    }
    assert_eq!(recorder.deliveries().len(), 2);

    let new_alone = builder(recorder).build().unwrap();
    let delivery = SignedDelivery::new(&old, "msg_3", at(NOW), BODY);
    let answer = send(&new_alone, delivery.into_request()).await;
    assert_eq!(answer.refusal(), DeliveryErrorKind::InvalidSignature);
}

#[test]
fn settings_with_which_nothing_could_be_received_are_refused() {
    let recorder = || Arc::new(Recorder::default());
    let no_secret = WebhookService::builder([], recorder()).build().unwrap_err();
    assert_eq!(no_secret.setting(), "webhook signing secret");
    assert!(builder(recorder()).body_limit(0).build().is_err());
    assert!(builder(recorder()).body_timeout(Duration::ZERO).build().is_err());
    assert!(builder(recorder()).deadline(Duration::ZERO).build().is_err());
    let shown = format!("{:?}", builder(recorder()));
    assert!(!shown.contains(SECRET) && shown.contains("[redacted]"), "{shown}");
}

#[tokio::test]
async fn events_that_are_not_read_reach_the_sink_as_they_came() {
    let recorder = Arc::new(Recorder::default());
    let service = builder(Arc::clone(&recorder)).build().unwrap();
    for (id, body) in [
        ("msg_1", json!({ "type": "session.created", "data": null, "novel": [1] })),
        ("msg_2", json!({ "type": "waitlistEntry.created", "data": { "object": "user" } })),
        ("msg_3", json!({ "type": "user.novel" })),
    ] {
        assert_eq!(send(&service, signed(id, &body).into_request()).await.status(), 204);
    }
    let kinds: Vec<_> = recorder.deliveries().iter().map(|d| d.event().kind().to_owned()).collect();
    assert_eq!(kinds, ["session.created", "waitlistEntry.created", "user.novel"]);
}
