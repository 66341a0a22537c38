//! JWKS documents with odd entries: the good key works, and the odd one never does.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower_clerk::clock::Clock;
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{AuthErrorKind, StaticKeys, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::keys::remote::{outcome, verifier};
use crate::support::servers::{Answer, ISS, JwksServer, issuer};

/// Reads the keys in this order; `None` when none of them can be used.
fn read(keys: &[&Value]) -> Option<Verifier> {
    let keys = StaticKeys::from_jwks(&json!({ "keys": keys }).to_string()).ok()?;
    Some(Verifier::builder(ISS, keys).build().unwrap())
}

/// The good key beside the odd entry, before and after it.
async fn is_passed_over(odd: &Value, good: &Issuer) {
    for keys in [[odd, &good.jwk()], [&good.jwk(), odd]] {
        let verifier = read(&keys).expect("the good key is there");
        assert_eq!(outcome(&verifier, good).await, Ok(()), "{odd}");
    }
    assert!(read(&[odd]).is_none(), "{odd}");
}

fn changed(key: &Issuer, member: &str, value: Value) -> Value {
    let mut jwk = key.jwk();
    jwk[member] = value;
    jwk
}

#[tokio::test]
async fn c18_unsupported_and_broken_entries_do_not_sink_the_good_key() {
    let (good, other) = (issuer(), issuer().rotated("odd"));
    let mut odd = vec![
        json!({ "kty": "EC", "crv": "P-256", "kid": "odd", "x": "AA", "y": "AA", "alg": "ES256" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "odd", "x": "AA" }),
        json!({ "kty": "oct", "kid": "odd", "k": "c2VjcmV0", "alg": "HS256" }),
        json!({ "kty": "AKP", "kid": "odd", "alg": "ML-DSA-44", "pub": "AA" }),
        json!({ "kty": "novel", "kid": "odd" }),
        json!({ "kid": "odd" }),
        json!({}),
        json!([]),
        json!(null),
        json!(7),
        json!("text"),
    ];
    for member in ["kty", "n", "e", "kid"] {
        let mut without = other.jwk();
        without.as_object_mut().unwrap().remove(member);
        odd.push(without);
        for value in [json!(7), json!(null), json!([]), json!({}), json!(true)] {
            odd.push(changed(&other, member, value));
        }
    }
    for n in ["", "=", "!", "AQAB=", "A A", "+/+/"] {
        odd.push(changed(&other, "n", json!(n)));
        odd.push(changed(&other, "e", json!(n)));
    }
    for entry in &odd {
        is_passed_over(entry, &good).await;
    }
    let mut all: Vec<&Value> = odd.iter().collect();
    let jwk = good.jwk();
    all.push(&jwk);
    let server = JwksServer::start(Answer::json(&json!({ "keys": all }).to_string())).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    assert_eq!(outcome(&verifier(&keys), &good).await, Ok(()), "over the network too");
}

#[tokio::test]
async fn c19_a_key_of_another_kind_under_the_same_kid_is_not_in_the_way() {
    let good = issuer();
    let modulus = good.jwk()["n"].clone();
    for odd in [
        json!({ "kty": "oct", "kid": good.kid(), "k": "c2VjcmV0", "alg": "HS256" }),
        json!({ "kty": "oct", "kid": good.kid(), "k": modulus, "alg": "RS256" }),
        json!({ "kty": "EC", "crv": "P-256", "kid": good.kid(), "x": "AA", "y": "AA" }),
    ] {
        is_passed_over(&odd, &good).await;
        for keys in [[&odd, &good.jwk()], [&good.jwk(), &odd]] {
            let token = good.token("user_1").header("alg", "HS256").mint();
            let error = read(&keys).unwrap().verify(&token).await.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::UnsupportedAlgorithm);
        }
    }
}

#[tokio::test]
async fn c20_two_keys_under_one_kid_are_both_tried_in_either_order_and_one_twice_is_one() {
    let (a, b, other) = (issuer(), issuer(), issuer().rotated("ins_2"));
    let (one, two, third) = (a.jwk(), b.jwk(), other.jwk());
    for keys in [[&one, &two, &third], [&two, &third, &one], [&third, &two, &one]] {
        let verifier = read(&keys).unwrap();
        for published in [&a, &b, &other] {
            assert_eq!(outcome(&verifier, published).await, Ok(()));
        }
        assert_eq!(outcome(&verifier, &issuer()).await, Err(AuthErrorKind::BadSignature));
        let stray = other.rotated("ins_3");
        assert_eq!(outcome(&verifier, &stray).await, Err(AuthErrorKind::UnknownKey));
    }
    assert_eq!(outcome(&read(&[&one, &one]).unwrap(), &a).await, Ok(()));
    let more: Vec<_> = (0..5).map(|_| issuer().jwk()).collect();
    let of = |count: usize| read(&more.iter().take(count).collect::<Vec<_>>());
    assert!(of(4).is_some());
    assert!(of(5).is_none(), "each costs a verification of every forged token");
}

#[tokio::test]
async fn c21_a_key_that_is_published_for_something_else_is_not_used() {
    let (good, other) = (issuer(), issuer().rotated("odd"));
    for (member, value) in [
        ("use", json!("enc")),
        ("use", json!("SIG")),
        ("use", json!("")),
        ("key_ops", json!([])),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!(["encrypt", "wrapKey"])),
        ("alg", json!("RS384")),
        ("alg", json!("RS512")),
        ("alg", json!("PS256")),
        ("alg", json!("HS256")),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!("none")),
        ("alg", json!("rs256")),
        ("alg", json!(256)),
    ] {
        is_passed_over(&changed(&other, member, value), &good).await;
    }
    let mut plain = good.jwk();
    for optional in ["use", "alg"] {
        plain.as_object_mut().unwrap().remove(optional);
    }
    assert_eq!(outcome(&read(&[&plain]).unwrap(), &good).await, Ok(()));
    let may_verify = changed(&good, "key_ops", json!(["verify"]));
    assert_eq!(outcome(&read(&[&may_verify]).unwrap(), &good).await, Ok(()));
}

#[tokio::test]
async fn c22_keys_of_a_bad_size_or_exponent_are_passed_over() {
    let (good, other) = (issuer(), issuer().rotated("odd"));
    let number = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let of_bits = |bits: usize| {
        let mut bytes = vec![0xff; bits / 8];
        bytes[0] = 0x80;
        number(&bytes)
    };
    for bits in [8, 512, 1024, 2040, 16_384, 65_536] {
        is_passed_over(&changed(&other, "n", of_bits(bits)), &good).await;
    }
    let modulus = URL_SAFE_NO_PAD.decode(other.jwk()["n"].as_str().unwrap()).unwrap();
    let mut even = modulus.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let padded_small = [vec![0; 200], vec![0xff; 128]].concat();
    for n in [&even[..], &[0], &[0; 256], &padded_small, &[]] {
        is_passed_over(&changed(&other, "n", number(n)), &good).await;
    }
    for e in [&[1][..], &[0], &[0, 0, 1], &[2], &[1, 0, 0], &[], &[0xff; 256], &modulus] {
        is_passed_over(&changed(&other, "e", number(e)), &good).await;
    }
}

#[tokio::test]
async fn c24_instances_with_the_same_kid_share_neither_keys_nor_verdicts() {
    let (a, b) = (issuer(), issuer());
    let (one, two) =
        (JwksServer::start(Answer::jwks(&a)).await, JwksServer::start(Answer::jwks(&b)).await);
    let of = |server: &JwksServer| verifier(&RemoteKeys::from_url(&server.url()).unwrap());
    let (first, second) = (of(&one), of(&two));
    for _ in 0..2 {
        assert_eq!(outcome(&first, &a).await, Ok(()));
        assert_eq!(outcome(&second, &b).await, Ok(()));
        assert_eq!(outcome(&first, &b).await, Err(AuthErrorKind::BadSignature));
        assert_eq!(outcome(&second, &a).await, Err(AuthErrorKind::BadSignature));
    }
    // A second source of the same document is another one still.
    assert_eq!(outcome(&of(&one), &a).await, Ok(()));
    let token = a.token("user_1").mint();
    assert!(first.verify(&token).await.is_ok());
    assert!(second.verify(&token).await.is_err(), "though the first has it in its cache");
}

#[tokio::test]
async fn c24_several_instances_are_told_apart_by_issuer_and_share_nothing() {
    let clock = Arc::new(ManualClock::new());
    let (a, b) =
        (Issuer::new("https://a.example", "ins_1"), Issuer::new("https://b.example", "ins_1"));
    let one = |issuer: &Issuer| {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(issuer.iss(), keys).clock(clock.clone()).build().unwrap()
    };
    let both = Verifier::any_of([one(&a), one(&b)]).unwrap();
    for issuer in [&a, &b] {
        let token = issuer.token("user_1").issued_at(clock.now()).mint();
        for _ in 0..2 {
            assert_eq!(both.verify(&token).await.unwrap().claims().issuer(), issuer.iss());
        }
    }
    let crossed = a.token("user_1").claim("iss", b.iss()).issued_at(clock.now()).mint();
    assert_eq!(kind(&both, &crossed).await, Some(AuthErrorKind::BadSignature));
    for iss in ["https://c.example", "https://a.example/", "HTTPS://A.EXAMPLE"] {
        let token = a.token("user_1").claim("iss", iss).issued_at(clock.now()).mint();
        assert_eq!(kind(&both, &token).await, Some(AuthErrorKind::IssuerMismatch), "{iss}");
    }
    assert!(Verifier::any_of([]).is_err());
    assert!(Verifier::any_of([one(&a), one(&a)]).is_err());
}

async fn kind(verifier: &Verifier, token: &str) -> Option<AuthErrorKind> {
    verifier.verify(token).await.err().map(|error| error.kind())
}
