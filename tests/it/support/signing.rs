//! Signatures by hand, and what becomes of a delivery that carries them.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use tower_clerk::webhook::DeliveryErrorKind;

use super::delivery::{Answer, NOW, Recorder, SECRET, builder, send};

pub(crate) const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
pub(crate) const BODY: &str = r#"{"type":"x.y"}"#;

/// Posts these headers and this body; says what came back and how often the sink was called.
pub(crate) async fn post(headers: &[(&str, &str)], body: &[u8]) -> (Answer, usize) {
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

pub(crate) async fn accepted(case: &str, headers: &[(&str, &str)], body: &[u8]) {
    let (answer, applied) = post(headers, body).await;
    assert_eq!((answer.status(), applied), (204, 1), "{case}");
    assert!(answer.body.is_empty(), "{case}");
}

pub(crate) async fn refused(
    case: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> DeliveryErrorKind {
    let (answer, applied) = post(headers, body).await;
    assert_eq!((answer.status(), applied), (400, 0), "{case}");
    assert_eq!(answer.detail(), "Invalid webhook", "{case}: one text for all");
    answer.refusal()
}

pub(crate) fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &raw_key())
}

pub(crate) fn raw_key() -> Vec<u8> {
    STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap()
}

pub(crate) fn mac(id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    hmac::sign(&key(), &[format!("{id}.{timestamp}.").as_bytes(), body].concat())
}

/// The signature by hand, over exactly this text.
pub(crate) fn sign(id: &str, timestamp: &str, body: &[u8]) -> String {
    format!("v1,{}", STANDARD.encode(mac(id, timestamp, body)))
}

pub(crate) fn with<'a>(
    id: &'a str,
    timestamp: &'a str,
    signature: &'a str,
) -> [(&'static str, &'a str); 3] {
    [("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)]
}

pub(crate) fn now() -> String {
    NOW.to_string()
}
