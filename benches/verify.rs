//! What verifying a token costs beside the RSA check that it cannot do without.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on ends, and prints what it found"
)]

mod support;

use std::hint::black_box;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use support::Ratios;

const ISS: &str = "https://clerk.example.com";

fn verify(c: &mut Criterion) {
    let issuer = Issuer::new(ISS, "ins_1");
    let mint = |exp: u64| issuer.token("user_2g7np7Hrk0SN6kj5EDMLDaKNL0S").claim("exp", exp).mint();
    let token = mint(4_000_000_000);
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let builder = || Verifier::builder(ISS, keys.clone());
    let verifier = builder().without_cache().build().expect("a verifier");
    let remembering = builder().build().expect("a verifier");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");

    let mut group = c.benchmark_group("verify");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let raw_signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let jwk = issuer.jwk();
    let text = |name: &str| jwk[name].as_str().expect("text");
    let part = |name: &str| URL_SAFE_NO_PAD.decode(text(name)).expect("base64url");
    let key = RsaPublicKeyComponents { n: part("n"), e: part("e") }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .expect("a key");
    group.bench_function(RAW, |b| {
        b.iter(|| key.verify_sig(black_box(signed.as_bytes()), black_box(&raw_signature)));
    });
    let decoding = DecodingKey::from_rsa_components(text("n"), text("e")).expect("a key");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[ISS]);
    group.bench_function("jsonwebtoken decode", |b| {
        b.iter(|| {
            let token = black_box(&token);
            jsonwebtoken::decode::<serde_json::Value>(token, &decoding, &validation).expect("good")
        });
    });
    for (name, verifier, token, passes) in [
        ("cold", &verifier, token.clone(), true),
        ("hit", &remembering, token.clone(), true),
        ("expired", &verifier, mint(1_600_000_000), false),
        ("bad signature", &verifier, format!("{}.{signature}", mint_other(&issuer)), false),
        ("garbage", &verifier, "x.y.z".repeat(180), false),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let verified = runtime.block_on(verifier.verify(black_box(&token)));
                assert_eq!(verified.is_ok(), passes);
            });
        });
    }
    let unknown = Issuer::new(ISS, "ins_other").token("user_1").mint();
    let multi = tokio::runtime::Runtime::new().expect("a runtime");
    let remote = RemoteKeys::new(support::Document(issuer.jwks().to_string()));
    let verifier = Verifier::builder(ISS, remote).build().expect("a verifier");
    // The first one is looked for.
    multi.block_on(verifier.verify(&unknown)).expect_err("nobody's key");
    group.bench_function("unknown kid", |b| {
        b.iter(|| runtime.block_on(verifier.verify(black_box(&unknown))).expect_err("unknown"));
    });
    group.finish();

    let ratios = Ratios::of("verify");
    for name in
        ["jsonwebtoken decode", "cold", "hit", "expired", "bad signature", "garbage", "unknown kid"]
    {
        ratios.beside(name, RAW);
    }
}

/// Two parts of a token that this signature is not of.
fn mint_other(issuer: &Issuer) -> String {
    let token = issuer.token("user_other").claim("exp", 4_000_000_000_u64).mint();
    token.rsplit_once('.').expect("three parts").0.to_owned()
}

const RAW: &str = "raw RSA";

criterion_group! {
    name = benches;
    config = support::criterion();
    targets = verify
}
criterion_main!(benches);
