//! From a token's text to a session or a refusal, with real signatures.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tower_clerk::clock::Clock;
use tower_clerk::session::{AuthErrorKind, PemKey, StaticKeys, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::servers::{ISS, issuer};

fn verifier(issuer: &Issuer) -> Verifier {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    Verifier::builder(ISS, keys).build().unwrap()
}

async fn kind(verifier: &Verifier, token: &str) -> AuthErrorKind {
    verifier.verify(token).await.expect_err("a refusal").kind()
}

#[tokio::test]
async fn a_genuine_token_names_its_user_and_session() {
    let issuer = issuer();
    let session = verifier(&issuer).verify(&issuer.token("user_1").mint()).await.unwrap();
    assert_eq!(session.user_id(), "user_1");
    assert_eq!(session.session_id(), Some("sess_user_1"));
    assert_eq!(session.claims().issuer(), ISS);
}

#[tokio::test]
async fn another_keys_signature_is_refused_under_the_genuine_kid() {
    let (genuine, other) = (issuer(), issuer());
    let verifier = verifier(&genuine);
    let forged = other.token("user_1").mint();
    assert_eq!(kind(&verifier, &forged).await, AuthErrorKind::BadSignature);
    let unknown = other.token("user_1").header("kid", "ins_2").mint();
    assert_eq!(kind(&verifier, &unknown).await, AuthErrorKind::UnknownKey);
    let none = genuine.token("user_1").without_header("kid").mint();
    assert_eq!(kind(&verifier, &none).await, AuthErrorKind::UnknownKey);
}

#[tokio::test]
async fn one_changed_character_anywhere_is_refused() {
    let issuer = issuer();
    let verifier = verifier(&issuer);
    let token = issuer.token("user_1").mint();
    for (position, old) in token.char_indices() {
        let new = if old == 'A' { "B" } else { "A" };
        let mut changed = token.clone();
        changed.replace_range(position..=position, new);
        assert!(verifier.verify(&changed).await.is_err(), "position {position}");
    }
}

#[tokio::test]
async fn an_expired_token_is_told_apart_only_when_its_signature_is_good() {
    let issuer = issuer();
    let clock = Arc::new(ManualClock::new());
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys).clock(clock.clone()).build().unwrap();
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(Duration::from_secs(66));
    assert_eq!(kind(&verifier, &token).await, AuthErrorKind::Expired);
    let forged = Issuer::new(ISS, "ins_1").token("user_1").issued_at(clock.now()).mint();
    assert_eq!(kind(&verifier, &forged).await, AuthErrorKind::BadSignature);
}

#[tokio::test]
async fn a_genuinely_signed_token_of_another_sort_is_refused() {
    let issuer = issuer();
    let verifier = verifier(&issuer);
    let token = || issuer.token("user_1");
    for (token, expected) in [
        (token().header("cat", "cl_B7d4PD222AAA"), AuthErrorKind::WrongTokenType),
        (token().header("cat", "cl_B7d4PD333AAA"), AuthErrorKind::WrongTokenType),
        (token().header("typ", "at+jwt"), AuthErrorKind::WrongTokenType),
        (token().claim("sub", "mch_1"), AuthErrorKind::WrongTokenType),
        (token().header("crit", json!(["exp"])), AuthErrorKind::CriticalHeader),
        (token().header("b64", false), AuthErrorKind::CriticalHeader),
        (token().header("alg", "HS256"), AuthErrorKind::UnsupportedAlgorithm),
        (token().claim("iss", "https://clerk.example.com/"), AuthErrorKind::IssuerMismatch),
        (token().claim("sts", "pending"), AuthErrorKind::PendingSession),
        (token().claim("exp", json!(null)), AuthErrorKind::InvalidClaims),
        (token().without_claim("exp"), AuthErrorKind::InvalidClaims),
    ] {
        assert_eq!(kind(&verifier, &token.mint()).await, expected, "{token:?}");
    }
}

#[tokio::test]
async fn a_payload_that_is_not_one_json_object_is_refused_though_signed() {
    let issuer = issuer();
    let verifier = verifier(&issuer);
    let header = br#"{"alg":"RS256","kid":"ins_1"}"#;
    for payload in
        [&b""[..], b"null", b"[]", b"\"x\"", b"{}x", b"{}{}", b"\xff\xfe{\0}\0", b"\xef\xbb\xbf{}"]
    {
        let token = issuer.mint_raw(header, payload);
        assert_eq!(kind(&verifier, &token).await, AuthErrorKind::InvalidClaims, "{payload:?}");
    }
}

#[tokio::test]
async fn what_the_header_offers_as_a_key_is_not_used() {
    let (genuine, attacker) = (issuer(), issuer());
    let verifier = verifier(&genuine);
    for kid in ["ins_1", "ins_2"] {
        let token =
            attacker.token("user_1").header("kid", kid).header("jwk", attacker.jwk()).mint();
        assert!(verifier.verify(&token).await.is_err());
    }
    let harmless = genuine.token("user_1").header("jwk", attacker.jwk()).mint();
    assert!(verifier.verify(&harmless).await.is_ok(), "unknown header members are ignored");
}

#[tokio::test]
async fn a_pem_key_needs_no_kid_and_comes_in_any_form_an_environment_leaves_it_in() {
    let issuer = issuer();
    let pem = issuer.pem();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    for form in [
        pem.clone(),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', "\\n"),
        pem.replace('\n', " "),
        pem.replace('\n', ""),
        format!("\"{pem}\""),
        body.clone(),
    ] {
        let verifier = Verifier::builder(ISS, PemKey::parse(&form).unwrap()).build().unwrap();
        for token in [issuer.token("user_1"), issuer.token("user_1").without_header("kid")] {
            assert!(verifier.verify(&token.mint()).await.is_ok(), "{form:?}");
        }
    }
    for bad in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        &pem.replace("END PUBLIC", "END RSA PUBLIC"),
        &pem.replace("PUBLIC", "PRIVATE"),
        &body[..body.len() - 8],
        &body.replace('A', "*"),
    ] {
        assert!(PemKey::parse(bad).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn one_odd_entry_does_not_sink_a_jwks_and_is_not_used() {
    let (good, bad) = (issuer(), issuer());
    let bent = |name: &str, value: serde_json::Value| {
        let mut jwk = bad.jwk();
        jwk["kid"] = json!("ins_bad");
        jwk[name] = value;
        jwk
    };
    for odd in [
        json!(7),
        json!(null),
        json!({}),
        json!({ "kty": "oct", "kid": "ins_1", "k": "c2VjcmV0" }),
        json!({ "kty": "EC", "kid": "ins_1", "crv": "P-256", "x": "AA", "y": "AA" }),
        bent("kty", json!("AKP")),
        bent("kid", json!(7)),
        bent("use", json!("enc")),
        bent("key_ops", json!(["encrypt"])),
        bent("alg", json!("RS512")),
        bent("alg", json!("HS256")),
        bent("n", json!("AQAB")),
        bent("n", json!("not base64!")),
        bent("e", json!("AQ")),
        bent("e", json!("AA")),
        bent("e", json!("Ag")),
    ] {
        let set = json!({ "keys": [odd, good.jwk()] }).to_string();
        let keys = StaticKeys::from_jwks(&set).unwrap();
        let verifier = Verifier::builder(ISS, keys).build().unwrap();
        assert!(verifier.verify(&good.token("user_1").mint()).await.is_ok(), "{odd}");
        let token = bad.token("user_1").header("kid", "ins_bad").mint();
        assert_eq!(kind(&verifier, &token).await, AuthErrorKind::UnknownKey, "{odd}");
    }
}

#[tokio::test]
async fn two_different_keys_under_one_kid_are_both_passed_over_in_either_order() {
    let (a, b, c) = (issuer(), issuer(), Issuer::new(ISS, "ins_2"));
    for pair in [[a.jwk(), b.jwk()], [b.jwk(), a.jwk()]] {
        let [x, y] = pair;
        let set = json!({ "keys": [x, y, c.jwk(), c.jwk()] }).to_string();
        let verifier =
            Verifier::builder(ISS, StaticKeys::from_jwks(&set).unwrap()).build().unwrap();
        for issuer in [&a, &b] {
            let token = issuer.token("user_1").mint();
            assert_eq!(kind(&verifier, &token).await, AuthErrorKind::UnknownKey);
        }
        assert!(
            verifier.verify(&c.token("user_1").mint()).await.is_ok(),
            "the same key twice is one"
        );
    }
}

#[tokio::test]
async fn nothing_of_a_token_is_in_a_refusal() {
    let issuer = issuer();
    let verifier = verifier(&issuer);
    let token = issuer.token("user_canary").header("kid", "kid_canary").mint();
    let error = verifier.verify(&token).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("canary") && !text.contains("ins_1"), "{text}");
}
