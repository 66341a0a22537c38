//! The cost of verifying a token compared with the RSA check that it needs.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::hint::black_box;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use support::service::at_once;
use support::turns::{Limit, Turns};
use support::{parsed_key, signed_parts};

const ISS: &str = "https://clerk.example.com";
const USER: &str = "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S";
const RAW: &str = "raw RSA";

fn main() {
    let issuer = Issuer::new(ISS, "ins_1");
    let mint = |user: &str, exp: u64| issuer.token(user).claim("exp", exp).mint();
    let [token, other] = [USER, "user_other"].map(|user| mint(user, 4_000_000_000));
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let builder = || Verifier::builder(ISS, keys.clone());
    let verifier = builder().without_cache().build().expect("a verifier");
    let remembering = builder().build().expect("a verifier");

    let jwk = issuer.jwk();
    let (key, (signed, signature)) = (parsed_key(&jwk), signed_parts(&token));
    let text = |name: &str| jwk[name].as_str().expect("text");
    let decoding = DecodingKey::from_rsa_components(text("n"), text("e")).expect("a key");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[ISS]);
    let (_, own) = token.rsplit_once('.').expect("three parts");
    let (rest, _) = other.rsplit_once('.').expect("three parts");
    let forged = format!("{rest}.{own}");
    let unknown = Issuer::new(ISS, "ins_other").token("user_1").mint();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let remote = RemoteKeys::new(support::Document(issuer.jwks().to_string()));
    let remote = Verifier::builder(ISS, remote).build().expect("a verifier");
    // The first token causes a fetch.
    runtime.block_on(remote.verify(&unknown)).expect_err("nobody's key");
    let _inside = runtime.enter();

    let mut turns = Turns::new("verify");
    turns.case(RAW, || key.verify_sig(black_box(signed), black_box(&signature)));
    turns.case("jsonwebtoken decode", || {
        let token = black_box(&token);
        jsonwebtoken::decode::<serde_json::Value>(token, &decoding, &validation).expect("good")
    });
    for (name, verifier, token, passes) in [
        ("cold", &verifier, token.clone(), true),
        ("hit", &remembering, token.clone(), true),
        ("expired", &verifier, mint(USER, 1_600_000_000), false),
        ("bad signature", &verifier, forged, false),
        ("garbage", &verifier, "x.y.z".repeat(180), false),
    ] {
        turns.case(name, move || {
            let verified = at_once(verifier.verify(black_box(&token)));
            assert_eq!(verified.is_ok(), passes);
        });
    }
    turns.case("unknown kid", || {
        at_once(remote.verify(black_box(&unknown))).expect_err("unknown");
    });

    let figures = turns.take();
    for name in
        ["jsonwebtoken decode", "cold", "hit", "expired", "bad signature", "garbage", "unknown kid"]
    {
        figures.beside(name, RAW, Limit::None);
    }
}
