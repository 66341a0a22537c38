//! A JWKS server whose answers are not what they should be: none is taken for keys, and those at
//! hand go on working.

use std::time::Duration;

use serde_json::json;
use tower_clerk::secret::SecretKey;
use tower_clerk::session::AuthErrorKind;
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::test_util::Issuer;

use crate::keys::remote::{aging, outcome, verifier};
use crate::support::observed::Observed;
use crate::support::servers::{Answer, JwksServer, issuer, within};
use crate::support::tls::serve_tls;

/// The answer leaves a cold source without keys and a warm one with those it had. `evil` is the
/// issuer whose keys it may hold.
async fn is_a_failure(answer: Answer, evil: &Issuer) {
    let good = issuer();
    let server = JwksServer::start(answer.clone()).await;
    let (cold, _stands_still) = aging(&server);
    assert_eq!(outcome(&cold, evil).await, Err(AuthErrorKind::KeysUnavailable));

    server.answer(Answer::jwks(&good));
    let (warm, _stands_still) = aging(&server);
    assert_eq!(outcome(&warm, &good).await, Ok(()));
    server.answer(answer);
    let unknown = good.rotated("ins_2");
    assert_eq!(outcome(&warm, &unknown).await, Err(AuthErrorKind::KeysUnavailable));
    assert_eq!(outcome(&warm, &good).await, Ok(()));
}

#[tokio::test]
async fn c5_a_status_other_than_200_brings_no_keys_and_costs_none() {
    let evil = issuer();
    let body = evil.jwks().to_string();
    for status in [
        "201 Created",
        "203 Changed",
        "204 No Content",
        "206 Partial Content",
        "304 Not Modified",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "429 Slow Down",
        "500 Oops",
        "502 Bad Gateway",
        "503 Busy",
    ] {
        let bodiless = status.starts_with("204") || status.starts_with("304");
        is_a_failure(Answer::status(status, if bodiless { "" } else { &body }), &evil).await;
    }
}

#[tokio::test]
async fn c5_a_retry_after_is_honoured_within_bounds() {
    let issuer = issuer();
    // Without keys a wish is granted for 15 s: everybody is refused meanwhile.
    for (status, line, expected, without_keys) in [
        ("429 Slow Down", "retry-after: 10", 10, 10),
        ("429 Slow Down", "retry-after: 120", 120, 15),
        ("503 Busy", "retry-after: 200", 200, 15),
        ("503 Busy", "retry-after: 999999", 300, 15),
    ] {
        let server = JwksServer::start(Answer::jwks(&issuer)).await;
        let (warm, clock) = aging(&server);
        assert_eq!(outcome(&warm, &issuer).await, Ok(()));
        server.answer(Answer::with_header(status, line, ""));
        let (cold, _stands_still) = aging(&server);
        let token = issuer.token("user_1").mint();
        let error = within(cold.verify(&token)).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(without_keys)), "{line}");
        // Nor does an unknown kid bring another attempt before that.
        let new = issuer.rotated("ins_2");
        assert_eq!(outcome(&warm, &new).await, Err(AuthErrorKind::KeysUnavailable));
        assert_eq!(server.requests(), 3);
        clock.advance(Duration::from_secs(expected - 1));
        assert_eq!(outcome(&warm, &new).await, Err(AuthErrorKind::KeysUnavailable));
        assert_eq!(server.requests(), 3, "{line}");
        clock.advance(Duration::from_secs(1));
        assert_eq!(outcome(&warm, &new).await, Err(AuthErrorKind::KeysUnavailable));
        assert_eq!(server.requests(), 4, "{line}");
    }
    for line in ["retry-after: 0", "retry-after: -5", "retry-after: soon", "retry-after: 1e9"] {
        let server = JwksServer::start(Answer::with_header("503 Busy", line, "")).await;
        let (cold, _stands_still) = aging(&server);
        let token = issuer.token("user_1").mint();
        let error = within(cold.verify(&token)).await.unwrap_err();
        assert!(error.retry_after().unwrap() < Duration::from_secs(2), "{line}");
    }
}

#[tokio::test]
async fn c6_a_200_that_is_no_jwks_document_is_a_failure_and_is_not_logged() {
    let evil = issuer();
    let whole = evil.jwks().to_string();
    let observed = Observed::start();
    let utf8 = whole.replace("ins_1", "ins_\u{1}").into_bytes();
    let invalid: Vec<u8> = utf8.iter().map(|b| if *b == 1 { 0xff } else { *b }).collect();
    for answer in [
        Answer::json("<html><title>canary portal</title>log in</html>"),
        Answer::json(""),
        Answer::json("{}"),
        Answer::json("null"),
        Answer::json(r#"{"keys":null,"x":"canary"}"#),
        Answer::json(r#"{"keys":{"canary":1}}"#),
        Answer::json(r#"{"kays":[]}"#),
        Answer::json(&json!([evil.jwk()]).to_string()),
        Answer::json(&evil.jwk().to_string()),
        Answer::json(&format!("{whole}canary")),
        Answer::json(&format!("{whole}{whole}")),
        Answer::json(&whole[..whole.len() - 2]),
        Answer::raw(invalid),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"keys\":[".to_vec()),
        Answer::Bytes(b"canary, not HTTP at all\r\n\r\n".to_vec()),
        Answer::Bytes(Vec::new()),
    ] {
        is_a_failure(answer, &evil).await;
    }
    let text = observed.text();
    assert!(text.contains("is not a JSON object with a list `keys`"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn c7_type_mark_and_repetition_do_not_change_from_one_answer_to_the_next() {
    let issuer = issuer();
    let body = issuer.jwks().to_string();
    let twice = format!(r#"{{"keys":[],"keys":{}}}"#, json!([issuer.jwk()]));
    for (answer, accepted) in [
        (Answer::with_header("200 OK", "x: no-type", &body), true),
        (Answer::with_header("200 OK", "content-type: text/html", &body), true),
        (Answer::json(&format!("\u{feff}{body}")), false),
        (Answer::json(&twice), false),
    ] {
        let server = JwksServer::start(answer).await;
        for _ in 0..3 {
            let (verifier, _stands_still) = aging(&server);
            assert_eq!(outcome(&verifier, &issuer).await.is_ok(), accepted, "{body}");
        }
    }
}

#[tokio::test]
async fn c8_a_body_without_end_is_taken_up_to_256_kib_and_no_further() {
    let evil = issuer();
    let start = format!(r#"{{"keys":[{}],"x":""#, evil.jwk());
    let chunk = "x".repeat(64 * 1024);
    let sized = format!("HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\n{start}");
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{start}\r\n",
        start.len()
    );
    let framed = format!("{:x}\r\n{chunk}\r\n", chunk.len());
    for (head, again) in [(sized, chunk.clone()), (chunked, framed)] {
        let server = JwksServer::start(Answer::Endless(head.into(), again.into())).await;
        let (verifier, _stands_still) = aging(&server);
        assert_eq!(outcome(&verifier, &evil).await, Err(AuthErrorKind::KeysUnavailable));
        server.was_left_by(1).await;
        // What lies in the sockets' buffers was sent, and not read.
        assert!(server.bytes() < 25 * 1024 * 1024, "{} bytes", server.bytes());
    }
    // Just too long, and gzip that would be long if anybody unpacked it.
    let long = format!("{start}{}\"}}", "x".repeat(256 * 1024));
    is_a_failure(Answer::json(&long), &evil).await;
    let mut bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    bomb.extend([0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf7, 0x4f, 0x6d]);
    bomb.extend([0x0e, 0x37, 0xa0, 0x00].repeat(10_000));
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    )
    .into_bytes();
    answer.extend(bomb);
    is_a_failure(Answer::Bytes(answer), &evil).await;
}

#[tokio::test]
async fn c9_a_redirect_is_not_followed_and_takes_no_credentials_along() {
    let evil = issuer();
    let elsewhere = JwksServer::start(Answer::jwks(&evil)).await;
    for to in [
        elsewhere.url(),
        format!("https://{}/", elsewhere.addr()),
        "file:///etc/passwd".into(),
        "http://169.254.169.254/latest/meta-data/".into(),
        "//127.0.0.1/".into(),
        "/.well-known/jwks.json".into(),
    ] {
        is_a_failure(Answer::redirect(&to), &evil).await;
    }
    let server = JwksServer::start(Answer::redirect(&elsewhere.url())).await;
    let secret = SecretKey::parse("sk_test_canary").unwrap();
    let keys = RemoteKeys::from_backend_api(&format!("http://{}", server.addr()), &secret).unwrap();
    assert_eq!(outcome(&verifier(&keys), &evil).await, Err(AuthErrorKind::KeysUnavailable));
    assert_eq!(server.requests(), 1);
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn c10_a_set_without_a_usable_key_is_a_failure_with_its_pause() {
    let evil = issuer();
    let mut small = evil.jwk();
    small["n"] = json!("AQAB");
    let mut symmetric = evil.jwk();
    symmetric["kty"] = json!("oct");
    symmetric["k"] = json!("c2VjcmV0");
    for keys in [json!([]), json!([small]), json!([symmetric, null, 7, "x", {}, []])] {
        let body = json!({ "keys": keys }).to_string();
        is_a_failure(Answer::json(&body), &evil).await;
        // Within the first pause, which is at least 750 ms: nobody is let through to the server.
        let server = JwksServer::start(Answer::json(&body)).await;
        let (verifier, _stands_still) = aging(&server);
        let tokens: Vec<_> = (0..20).map(|_| evil.token("user_1").mint()).collect();
        for token in &tokens {
            let error = within(verifier.verify(token)).await.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable);
        }
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn c26_a_certificate_that_nobody_vouches_for_is_refused() {
    let issuer = issuer();
    let (url, served) = serve_tls(&issuer).await;
    let observed = Observed::start();
    let keys = RemoteKeys::from_url(&url).unwrap();
    assert_eq!(outcome(&verifier(&keys), &issuer).await, Err(AuthErrorKind::KeysUnavailable));
    let text = observed.text();
    assert!(text.contains("certificate"), "it is the certificate that is refused: {text}");
    assert!(within(served).await.unwrap().is_err(), "no request came through");
    for url in ["http://clerk.example.com/jwks", "http://10.0.0.1/jwks", "ftp://127.0.0.1/"] {
        assert!(RemoteKeys::from_url(url).is_err(), "{url}");
    }
}
