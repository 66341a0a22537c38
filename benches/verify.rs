//! What verifying a token costs beside the RSA check that it cannot do without.
#![expect(clippy::expect_used, reason = "it stops")]

use std::hint::black_box;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use tower_clerk::session::{StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

fn verify(c: &mut Criterion) {
    let issuer = Issuer::new("https://clerk.example.com", "ins_1");
    let token =
        issuer.token("user_2g7np7Hrk0SN6kj5EDMLDaKNL0S").claim("exp", 4_000_000_000_u64).mint();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let verifier = Verifier::builder(issuer.iss(), keys).build().expect("a verifier");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");

    let mut group = c.benchmark_group("verify");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let part = |name: &str| {
        URL_SAFE_NO_PAD.decode(issuer.jwk()[name].as_str().expect("text")).expect("base64url")
    };
    let key = RsaPublicKeyComponents { n: part("n"), e: part("e") }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .expect("a key");
    group.bench_function("raw aws-lc-rs, key parsed (the limit)", |b| {
        b.iter(|| key.verify_sig(black_box(signed.as_bytes()), black_box(&signature)));
    });
    group.bench_function("tower-clerk, cold", |b| {
        b.iter(|| runtime.block_on(verifier.verify(black_box(&token))).is_ok());
    });
    let expired = issuer.token("user_1").claim("exp", 1_600_000_000).mint();
    group.bench_function("tower-clerk, expired", |b| {
        b.iter(|| runtime.block_on(verifier.verify(black_box(&expired))).is_err());
    });
    group.bench_function("tower-clerk, garbage", |b| {
        b.iter(|| runtime.block_on(verifier.verify(black_box("x.y.z"))).is_err());
    });
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
