//! What makes a delivery Clerk's: a signature over its bytes, by a configured secret.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_created};
use tower_clerk::webhook::{DeliveryErrorKind, Event, WebhookService};

use crate::support::delivery::{
    NOW, OTHER_SECRET, Recorder, SECRET, at, builder, clock, secret, send, signed,
};
use crate::support::signing::{
    BODY, ID, accepted, key, mac, now, post, raw_key, refused, sign, with,
};

#[tokio::test]
async fn e17_svixs_published_example_has_the_published_signature() {
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
async fn e17_svixs_published_lists_verify_as_published_under_both_families_of_names() {
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let good = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    let wrong = [
        "v1,R3PTzyfHASBKHH98a7yexTwaJ4yNIcGhFQc1yuN+BPU=",
        "v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ=",
        "v1,Mm7xgUVICxZfQ3bgf0h0Dof65L/IFx+PnZvnDWPCX6Q=",
        "v1,9DfC1c3eeOrXB6w/5dIDydLNQaEyww5KalE5jLBZucE=",
    ];
    let list = format!("{} {} {good} {}", wrong[1], wrong[2], wrong[3]);
    // The body is no event, so that authentic is told from forged by the refusal's kind.
    for (signature, kind) in [
        (wrong[0], DeliveryErrorKind::InvalidSignature),
        (&*wrong[1..].join(" "), DeliveryErrorKind::InvalidSignature),
        (&good[..8], DeliveryErrorKind::InvalidSignature),
        (good, DeliveryErrorKind::InvalidEvent),
        (&list, DeliveryErrorKind::InvalidEvent),
    ] {
        for family in ["svix", "webhook"] {
            let names = ["id", "timestamp", "signature"].map(|name| format!("{family}-{name}"));
            let now = now();
            let headers = [(&*names[0], ID), (&*names[1], &*now), (&*names[2], signature)];
            let (answer, applied) = post(&headers, body).await;
            assert_eq!((answer.refusal(), applied), (kind, 0), "{family} {signature}");
        }
    }
}

#[tokio::test]
async fn e17_a_mebibyte_is_verified_to_its_last_byte() {
    let now = now();
    let mut body = format!(r#"{{"type":"x.y","data":"{}"}}"#, "\u{e9}".repeat(524_274));
    body.extend(std::iter::repeat_n(' ', 1024 * 1024 - body.len()));
    let signature = sign(ID, &now, body.as_bytes());
    let headers = with(ID, &now, &signature);
    accepted("1 MiB", &headers, body.as_bytes()).await;
    body.replace_range(body.len() - 1.., "\n");
    let kind = refused("another last byte", &headers, body.as_bytes()).await;
    assert_eq!(kind, DeliveryErrorKind::InvalidSignature);
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
    let data: serde_json::Value = user.data.parse().unwrap();
    assert_eq!(data, body["data"]);
    assert_eq!(delivery.data(), &user.data);
    assert!(!format!("{delivery:?}").contains("ann@example.com"));
}

#[tokio::test]
async fn e2_only_the_configured_secret_in_its_decoded_form_verifies() {
    let now = now();
    let text = format!("{ID}.{now}.{BODY}");
    let undecoded = SECRET.trim_start_matches("whsec_").as_bytes();
    let other = STANDARD.decode(OTHER_SECRET.trim_start_matches("whsec_")).unwrap();
    for (case, key) in [
        ("another secret", &other[..]),
        ("an empty key", b""),
        ("the secret's text", SECRET.as_bytes()),
        ("the secret undecoded", undecoded),
        ("zeros", &[0; 24]),
    ] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(tag));
        let kind = refused(case, &with(ID, &now, &signature), BODY.as_bytes()).await;
        assert_eq!(kind, DeliveryErrorKind::InvalidSignature);
    }
}

#[tokio::test]
async fn e3_a_part_of_a_signature_or_more_than_one_is_none() {
    let now = now();
    let good = sign(ID, &now, BODY.as_bytes());
    let bare = good.trim_start_matches("v1,");
    for length in 0..good.len() {
        refused("a prefix", &with(ID, &now, &good[..length]), BODY.as_bytes()).await;
    }
    for bad in [
        "v1,".to_owned(),
        "v1".to_owned(),
        ",".to_owned(),
        bare.to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("v1,,{bare}"),
        format!("v1, {bare}"),
    ] {
        refused(&bad, &with(ID, &now, &bad), BODY.as_bytes()).await;
    }
}

#[tokio::test]
async fn e6_every_bit_of_a_signature_counts() {
    let now = now();
    let good = mac(ID, &now, BODY.as_bytes());
    for bit in 0..good.as_ref().len() * 8 {
        let mut bytes = good.as_ref().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let signature = format!("v1,{}", STANDARD.encode(bytes));
        refused(&signature, &with(ID, &now, &signature), BODY.as_bytes()).await;
    }
}

#[tokio::test]
async fn e4_the_right_signature_under_another_version_is_none() {
    let now = now();
    let good = sign(ID, &now, BODY.as_bytes());
    let bare = good.trim_start_matches("v1,");
    for bad in [
        bare.to_owned(),
        format!(",{bare}"),
        format!("v1a,{bare}"),
        format!("v2,{bare}"),
        format!("V1,{bare}"),
        format!("v10,{bare}"),
        format!("v1a,{bare} v2,{bare} {bare}"),
    ] {
        refused(&bad, &with(ID, &now, &bad), BODY.as_bytes()).await;
    }
}

#[tokio::test]
async fn e5_the_good_signature_is_found_anywhere_in_the_list() {
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
async fn e13_other_constructions_over_the_same_bytes_do_not_pass() {
    let now = now();
    let text = format!("{ID}.{now}.{BODY}");
    let mac_with = |algorithm, key: &[u8]| {
        STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, key), text.as_bytes()))
    };
    let tag = mac(ID, &now, BODY.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    for (case, signature) in [
        ("body only", STANDARD.encode(hmac::sign(&key(), BODY.as_bytes()))),
        ("no id", STANDARD.encode(hmac::sign(&key(), format!("{now}.{BODY}").as_bytes()))),
        ("no time", STANDARD.encode(hmac::sign(&key(), format!("{ID}.{BODY}").as_bytes()))),
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
async fn e10_the_raw_bytes_are_what_is_signed() {
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
async fn e21_signed_bytes_that_are_no_json_object_are_refused() {
    let now = now();
    for body in [
        &b""[..],
        b"null",
        b"42",
        b"[]",
        b"{}",
        b"not json",
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
async fn e16_during_a_rotation_either_secret_verifies() {
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
fn e15_what_is_no_signing_secret_is_refused_at_start_up_without_being_repeated() {
    for bad in [
        "",
        " ",
        "whsec_",
        "whsec_wronglength",
        "whsec_c2hvcnQ=",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjU*D8ILPZIo2LaLaSw",
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
        "sk_test_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "pk_test_Y2xlcmsuY2xlcmsuZGV2JA",
    ] {
        let beside_a_good_one = format!("{OTHER_SECRET} {bad}");
        let mut errors = vec![SigningSecret::parse(bad).unwrap_err()];
        errors.push(SigningSecret::parse_list(bad).unwrap_err());
        if !bad.trim().is_empty() {
            errors.push(SigningSecret::parse_list(&beside_a_good_one).unwrap_err());
        }
        for error in errors {
            assert_eq!(error.setting(), "webhook signing secret");
            let told = format!("{error} {error:?}");
            assert!(bad.len() < 8 || !told.contains(bad), "{told}");
            assert!(!told.contains("MfKQ9r8GKYqr"), "{told}");
        }
    }
    let none = WebhookService::builder([], Arc::new(Recorder::default())).build().unwrap_err();
    assert_eq!(none.setting(), "webhook signing secret");
}

#[test]
fn settings_with_which_nothing_could_be_received_are_refused() {
    let recorder = || Arc::new(Recorder::default());
    assert!(builder(recorder()).body_limit(0).build().is_err());
    assert!(builder(recorder()).body_timeout(Duration::ZERO).build().is_err());
    assert!(builder(recorder()).deadline(Duration::ZERO).build().is_err());
    let shown = format!("{:?}", builder(recorder()));
    assert!(!shown.contains(SECRET) && shown.contains("[redacted]"), "{shown}");
}

#[tokio::test]
async fn e24_events_of_unknown_types_reach_the_sink_as_they_came() {
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
