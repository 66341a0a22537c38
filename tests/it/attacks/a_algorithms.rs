//! Algorithms and signatures: one key, one algorithm, one signature per message.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_clerk::session::{AuthErrorKind, PemKey, StaticKeys};
use tower_clerk::test_util::Issuer;

use super::target::{Target, decoded, encoded, key_number, parts, text, with_signature};
use crate::support::servers::issuer;

/// A token whose header names `alg`, signed over with whatever `sign` makes of it.
fn signed(target: &Target, alg: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let token = target.token().header("alg", alg).mint();
    let [header, payload, _] = parts(&token);
    let signature = sign(format!("{header}.{payload}").as_bytes());
    with_signature(&token, &signature)
}

#[tokio::test]
async fn a1_a_token_without_a_signature_is_refused_however_it_says_so() {
    let target = Target::new();
    for alg in ["none", "None", "NONE", "nOnE", "none ", " none", "none\0", "", "null", "no"] {
        let genuine = target.token().header("alg", alg).mint();
        for token in [
            with_signature(&genuine, b""),
            with_signature(&genuine, b"junk"),
            with_signature(&genuine, &[0; 256]),
            genuine,
        ] {
            target.refuses(alg, &token, AuthErrorKind::UnsupportedAlgorithm).await;
        }
    }
    for alg in [json!(null), json!(0), json!(["RS256"]), json!({ "alg": "RS256" }), json!(true)] {
        let token = target.token().header("alg", alg.clone()).mint();
        target.refuses(text(&alg), &token, AuthErrorKind::Malformed).await;
    }
    let missing = target.token().without_header("alg").mint();
    target.refuses("no alg", &missing, AuthErrorKind::Malformed).await;
    let unsigned = with_signature(&target.token().mint(), b"");
    target.refuses("RS256 of nothing", &unsigned, AuthErrorKind::BadSignature).await;
}

/// Everything that an attacker could take for a secret that the verifier shares.
fn public_secrets(issuer: &Issuer) -> Vec<Vec<u8>> {
    let pem = issuer.pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let spki = STANDARD.decode(&body).unwrap();
    // A 2048-bit SubjectPublicKeyInfo is 24 bytes and then the PKCS#1 form.
    let pkcs1 = spki[24..].to_vec();
    let pkcs1_pem = format!(
        "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
        STANDARD.encode(&pkcs1)
    );
    let (n, e) = (key_number(issuer, "n"), key_number(issuer, "e"));
    vec![
        pem.trim_end().into(),
        pem.replace('\n', "\r\n").into(),
        pem.replace('\n', "").into(),
        pem.into(),
        body.into(),
        spki,
        pkcs1,
        pkcs1_pem.into(),
        encoded(&n).into(),
        n,
        e,
        issuer.jwk().to_string().into(),
        issuer.jwks().to_string().into(),
        issuer.kid().into(),
        issuer.iss().into(),
        Vec::new(),
    ]
}

#[tokio::test]
async fn a2_the_public_key_is_no_shared_secret() {
    let by_jwks = Target::new();
    let mut jwk = by_jwks.issuer.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let without_alg = json!({ "keys": [jwk] }).to_string();
    let issuer = || by_jwks.issuer.clone();
    let targets = [
        Target::by_keys(issuer(), StaticKeys::from_jwks(&without_alg).unwrap(), |b| b),
        Target::by_keys(issuer(), PemKey::parse(&issuer().pem()).unwrap(), |b| b),
        by_jwks,
    ];
    for target in &targets {
        target.accepts("genuine", &target.token().mint()).await;
        for secret in public_secrets(&target.issuer) {
            for (alg, hash) in [
                ("HS256", hmac::HMAC_SHA256),
                ("HS384", hmac::HMAC_SHA384),
                ("HS512", hmac::HMAC_SHA512),
            ] {
                let key = hmac::Key::new(hash, &secret);
                let sign = |message: &[u8]| hmac::sign(&key, message).as_ref().to_vec();
                let token = signed(target, alg, sign);
                target.refuses(alg, &token, AuthErrorKind::UnsupportedAlgorithm).await;
                let token = signed(target, "RS256", sign);
                target.refuses(alg, &token, AuthErrorKind::BadSignature).await;
            }
        }
    }
}

fn signature(issuer: &Issuer, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let key = rsa::KeyPair::from_pkcs8(&issuer.to_pkcs8()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

#[tokio::test]
async fn a3_the_same_key_signs_by_one_algorithm_only() {
    let target = Target::new();
    for (alg, encoding) in [
        ("RS384", &RSA_PKCS1_SHA384 as &'static dyn RsaEncoding),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
    ] {
        let sign = |message: &[u8]| signature(&target.issuer, encoding, message);
        let token = signed(&target, alg, sign);
        target.refuses(alg, &token, AuthErrorKind::UnsupportedAlgorithm).await;
        let token = signed(&target, "RS256", sign);
        target.refuses(alg, &token, AuthErrorKind::BadSignature).await;
    }
    let sign = |message: &[u8]| signature(&target.issuer, &RSA_PKCS1_SHA256, message);
    target.accepts("RS256 made the same way", &signed(&target, "RS256", sign)).await;
}

#[tokio::test]
async fn a4_an_elliptic_curve_signature_is_none_whoever_made_it() {
    let target = Target::new();
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let ed = Ed25519KeyPair::generate().unwrap();
    let key = ec.public_key().as_ref().to_vec();
    let psychic = vec![0; 64];
    for (alg, forged) in [
        ("ES256", None),
        ("ES384", Some(vec![0; 96])),
        ("ES256K", Some(psychic.clone())),
        ("EdDSA", None),
        ("ES256", Some(psychic.clone())),
        ("EdDSA", Some(psychic)),
    ] {
        let sign = |message: &[u8]| match (forged, alg) {
            (Some(forged), _) => forged,
            (None, "ES256") => ec.sign(&random, message).unwrap().as_ref().to_vec(),
            (None, _) => ed.sign(message).as_ref().to_vec(),
        };
        let token = signed(&target, alg, sign);
        target.refuses(alg, &token, AuthErrorKind::UnsupportedAlgorithm).await;
        let as_rs256 = with_signature(&target.token().mint(), &decoded(parts(&token)[2]));
        target.refuses(alg, &as_rs256, AuthErrorKind::BadSignature).await;
    }
    let with_key =
        target.token().header("alg", "ES256").header("x5c", json!([STANDARD.encode(key)]));
    target.refuses("x5c", &with_key.mint(), AuthErrorKind::UnsupportedAlgorithm).await;
}

#[tokio::test]
async fn a5_the_algorithms_name_is_compared_to_the_letter() {
    let target = Target::new();
    for alg in [
        "rs256",
        "Rs256",
        "RS256 ",
        " RS256",
        "RS256\0",
        "RS256\n",
        "RS256,HS256",
        "HS256,RS256",
        "RЅ256",
        "ＲＳ２５６",
        "RS-256",
        "RS2560",
        "RS25",
        "SHA256withRSA",
        "RSASSA-PKCS1-v1_5",
    ] {
        let token = target.token().header("alg", alg).mint();
        target.refuses(alg, &token, AuthErrorKind::UnsupportedAlgorithm).await;
    }
}

#[tokio::test]
async fn a36_a_signature_is_one_number_of_the_keys_length_below_the_modulus() {
    let target = Target::new();
    let token = target.token().mint();
    let genuine = decoded(parts(&token)[2]);
    let n = key_number(&target.issuer, "n");
    let mut one = vec![0; 256];
    one[255] = 1;
    let mut below = n.clone();
    below[255] -= 1;
    let longer = |zeros: usize| [vec![0; zeros], genuine.clone()].concat();
    let shorter = |end: usize| genuine[..end].to_vec();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("0", vec![0; 256]),
        ("1", one),
        ("n - 1", below),
        ("n", n.clone()),
        ("s + n", sum(&genuine, &n)),
        ("a zero more before", longer(1)),
        ("two zeros more before", longer(2)),
        ("a zero more after", [genuine.clone(), vec![0]].concat()),
        ("a byte less after", shorter(255)),
        ("a byte less before", genuine[1..].to_vec()),
        ("half", shorter(128)),
        ("nothing", shorter(0)),
        ("twice", [genuine.clone(), genuine.clone()].concat()),
        ("reversed", genuine.iter().rev().copied().collect()),
    ];
    for (label, signature) in cases {
        let token = with_signature(&token, &signature);
        target.refuses(label, &token, AuthErrorKind::BadSignature).await;
    }
    target.accepts("the genuine one", &token).await;
}

/// One in 256 signatures starts with a zero, and is as good as any other; without the zero it is
/// none. One that starts with several stays below 2^2048 when the modulus is added to it.
#[tokio::test]
async fn a36_a_genuine_signature_may_start_with_zero() {
    let target = Target::new();
    let token = (0..)
        .map(|n| target.token().claim("n", n).mint())
        .find(|token| decoded(parts(token)[2])[0] == 0)
        .unwrap();
    target.accepts("starts with zero", &token).await;
    let signature = decoded(parts(&token)[2]);
    let stripped = with_signature(&token, &signature[1..]);
    target.refuses("zero stripped", &stripped, AuthErrorKind::BadSignature).await;
    let raised = sum(&signature, &key_number(&target.issuer, "n"));
    let raised = with_signature(&token, &raised);
    target.refuses("s + n", &raised, AuthErrorKind::BadSignature).await;
}

/// The sum of two big-endian numbers, a byte longer where it has to be.
fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    assert_eq!(a.len(), b.len());
    let mut carry = 0_u16;
    let mut digits: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            carry += u16::from(*a) + u16::from(*b);
            let digit = carry.to_le_bytes()[0];
            carry >>= 8;
            digit
        })
        .collect();
    if carry > 0 {
        digits.push(1);
    }
    digits.reverse();
    digits
}

/// A set may hold an entry for another algorithm under the genuine `kid`: it is no way in.
#[tokio::test]
async fn g6_nothing_makes_a_verifier_accept_another_algorithm() {
    let issuer = issuer();
    let oct =
        |alg: Value| json!({ "kty": "oct", "kid": "ins_1", "alg": alg, "k": encoded(b"secret") });
    for set in [
        json!({ "keys": [oct(json!("HS256")), issuer.jwk()] }),
        json!({ "keys": [issuer.jwk(), oct(json!("HS256"))] }),
        json!({ "keys": [oct(json!("none")), issuer.jwk()] }),
        json!({ "keys": [oct(json!(null)), issuer.jwk()] }),
    ] {
        let keys = StaticKeys::from_jwks(&set.to_string()).unwrap();
        let target = Target::by_keys(issuer.clone(), keys, |builder| builder);
        target.accepts("genuine", &target.token().mint()).await;
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let token = signed(&target, "HS256", |m| hmac::sign(&key, m).as_ref().to_vec());
        target.refuses(text(&set), &token, AuthErrorKind::UnsupportedAlgorithm).await;
        let token = with_signature(&target.token().header("alg", "none").mint(), b"");
        target.refuses(text(&set), &token, AuthErrorKind::UnsupportedAlgorithm).await;
    }
    // Alone such an entry is no key at all: building fails.
    for alone in [json!({ "keys": [oct(json!("HS256"))] }), json!({ "keys": [oct(json!("none"))] })]
    {
        assert!(StaticKeys::from_jwks(&alone.to_string()).is_err());
    }
}
