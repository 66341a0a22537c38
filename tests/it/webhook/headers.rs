//! The three signed headers: their names, their form, and the time they tell.

use std::sync::Arc;

use http::Request;
use tower_clerk::webhook::DeliveryErrorKind;

use crate::support::body::Untouchable;
use crate::support::delivery::{NOW, Recorder, builder, send};
use crate::support::signing::{BODY, ID, accepted, now, refused, sign, with};

#[tokio::test]
async fn e1_a_header_that_is_missing_blank_or_not_ascii_refuses_the_delivery() {
    let signature = sign(ID, &now(), BODY.as_bytes());
    let now = now();
    let good = with(ID, &now, &signature);
    accepted("all three", &good, BODY.as_bytes()).await;

    for missing in 0..3 {
        let mut headers = good.to_vec();
        let (name, _) = headers.remove(missing);
        refused(&format!("no {name}"), &headers, BODY.as_bytes()).await;
        for bad in ["", "  ", "\t", "ms\u{e9}"] {
            let mut changed = headers.clone();
            changed.push((name, bad));
            refused(&format!("{name} {bad:?}"), &changed, BODY.as_bytes()).await;
        }
    }
    let padded = [format!(" {ID} "), format!("\t{now}"), format!("{signature} ")];
    accepted("padding", &with(&padded[0], &padded[1], &padded[2]), BODY.as_bytes()).await;
}

#[tokio::test]
async fn e11_a_repeated_header_refuses_the_delivery() {
    let (now, signature) = (now(), sign(ID, &now(), BODY.as_bytes()));
    let good = with(ID, &now, &signature);
    for (name, value) in good {
        for second in ["other", value] {
            for repeated in [[&good[..], &[(name, second)]], [&[(name, second)], &good[..]]] {
                let case = format!("{name} twice");
                let kind = refused(&case, &repeated.concat(), BODY.as_bytes()).await;
                assert_eq!(kind, DeliveryErrorKind::InvalidHeaders);
            }
        }
    }
}

#[tokio::test]
async fn e1_bad_headers_are_refused_before_the_body_is_read() {
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
async fn e12_the_two_families_of_names_are_never_mixed() {
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
async fn e7_the_tolerance_is_300_seconds_in_both_directions_inclusive() {
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
async fn e8_a_timestamp_that_is_no_number_of_seconds_is_refused() {
    let digits = "9".repeat(400);
    for timestamp in [
        "now",
        "NaN",
        "0x624f5a41",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-1649367553",
        "1649367553000",
        &digits,
    ] {
        for signed_text in [timestamp, "1649367553"] {
            let signature = sign(ID, signed_text, BODY.as_bytes());
            refused(timestamp, &with(ID, timestamp, &signature), BODY.as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn e9_a_number_that_is_written_otherwise_than_it_was_signed_is_refused() {
    for timestamp in [
        "+1649367553",
        "01649367553",
        "1649367553.0",
        "1649367553.5",
        "1649367553abc",
        "1649367553 1",
        "1_649_367_553",
    ] {
        for signed_text in [timestamp, "1649367553"] {
            let signature = sign(ID, signed_text, BODY.as_bytes());
            refused(timestamp, &with(ID, timestamp, &signature), BODY.as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn e7_what_was_signed_for_another_id_or_time_does_not_pass() {
    let signature = sign(ID, &now(), BODY.as_bytes());
    for (id, timestamp) in [("msg_2", NOW), (ID, NOW + 1), (ID, NOW - 1)] {
        let timestamp = timestamp.to_string();
        let kind = refused("changed", &with(id, &timestamp, &signature), BODY.as_bytes()).await;
        assert_eq!(kind, DeliveryErrorKind::InvalidSignature);
    }
}

#[tokio::test]
async fn e14_an_id_cannot_move_the_border_between_id_time_and_body() {
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
