//! What operators are told holds no key, no token, no secret and nobody's data, at any level.

use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_clerk::secret::SecretKey;
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{AuthBody, ClerkAuthLayer, PemKey, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use crate::keys::remote::{aging, outcome, verifier};
use crate::support::observed::Observed;
use crate::support::servers::{Answer, ISS, JwksServer, issuer, within};

/// Each text that must not be found, in the text where it must not.
fn free_of(text: &str, canaries: &[&str]) {
    assert!(!text.is_empty(), "there is something to look through");
    for canary in canaries {
        assert!(canary.len() >= 5 && !text.contains(canary), "{canary:?} in {text}");
    }
}

#[tokio::test]
async fn c23_private_members_of_a_published_key_are_neither_logged_nor_held() {
    let issuer = issuer();
    let mut jwk = issuer.jwk();
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        jwk[member] = json!("canary-private");
    }
    let observed = Observed::start();
    let document = json!({ "keys": [jwk] }).to_string();
    let server = JwksServer::start(Answer::json(&document)).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    let verifier = verifier(&keys);
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    server.answer(Answer::json(&document.replace("RSA", "canary")));
    assert!(outcome(&verifier, &issuer.rotated("ins_2")).await.is_err());
    let fixed = StaticKeys::from_jwks(&document).unwrap();
    let held = format!("{keys:?} {keys:#?} {verifier:?} {fixed:?} {fixed:#?}");
    free_of(&held, &["canary"]);
    free_of(&observed.text(), &["canary"]);
}

#[tokio::test]
async fn c25_nothing_that_is_said_of_an_unknown_kid_names_it_or_the_known_ones() {
    let issuer = Issuer::new(ISS, "ins_canary_known");
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, _stands_still) = aging(&server);
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    let observed = Observed::start();
    let service =
        ClerkAuthLayer::new(verifier.clone()).layer(service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        }));
    let token = issuer.rotated("ins_canary\r\n_unknown").token("user_1").mint();
    let error = within(verifier.verify(&token)).await.unwrap_err();
    let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
    let response = within(service.oneshot(request.body(()).unwrap())).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = text(body).await;
    free_of(&format!("{error} {error:?} {:?} {body}", parts.headers), &["canary", "ins_c"]);
    free_of(&observed.text(), &["canary", "ins_c"]);
}

#[tokio::test]
async fn d18_neither_debug_nor_events_nor_metrics_hold_a_token_a_claim_or_a_secret() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let secret = SecretKey::parse("sk_test_canarysecret").unwrap();
    let keys = RemoteKeys::from_backend_api(&format!("http://{}", server.addr()), &secret).unwrap();
    let observed = Observed::start();
    let verifier = Verifier::builder(ISS, keys.clone()).build().unwrap();
    let builder = || {
        issuer
            .token("user_shown")
            .claim("sid", "sess_canary")
            .claim("email", "canary@example.com")
            .organization("org_canary", "canary", "org:canary", &["org:canary:canary"])
    };
    let good = builder().mint();
    let tokens = vec![
        good.clone(),
        good.clone(),
        builder().claim("exp", 1_600_000_000).mint(),
        builder().claim("iss", "https://canary.example").mint(),
        builder().header("kid", "ins_canary").mint(),
        builder().header("alg", "canary").mint(),
        builder().header("crit", json!(["canary"])).mint(),
        builder().claim("sts", "pending").mint(),
        issuer.rotated("ins_1").token("user_shown").mint(),
        "canary".repeat(2000),
        "canary.canary.canary".into(),
        issuer.mint_raw(b"{\"alg\":\"RS256\",\"kid\":\"ins_1\"}", b"canary"),
    ];
    let layer = ClerkAuthLayer::new(verifier.clone());
    let mut shown = format!("{keys:?} {verifier:#?} {secret:?}");
    shown += &format!("{:?}", PemKey::parse(&issuer.pem()).unwrap());
    for mode in [layer.clone(), layer.clone().optional(), layer.report_only()] {
        shown += &format!("{mode:?}");
        let service = mode.layer(service_fn(|request: http::Request<()>| async move {
            let seen = format!("{:?}", request.extensions());
            Ok::<_, std::convert::Infallible>(http::Response::new(seen))
        }));
        for token in &tokens {
            let request =
                http::Request::get("/").header("authorization", format!("Bearer {token}"));
            let request = request.body(()).unwrap();
            let response = within(service.clone().oneshot(request)).await.unwrap();
            shown += &format!("{:?}", response.headers());
            shown += &text(response.into_body()).await;
        }
    }
    let session = within(verifier.verify(&good)).await.unwrap();
    shown += &format!("{session:?} {session:#?} {:?}", session.claims());
    server.answer(Answer::with_header("429 Slow Down", "x: canary", "canary"));
    assert!(outcome(&verifier, &issuer.rotated("ins_3")).await.is_err());
    let signature = good.rsplit('.').next().unwrap();
    let modulus = issuer.jwk()["n"].as_str().unwrap().to_owned();
    let canaries = ["canary", "Y2FuYXJ5", &good[..40], &signature[..40], &modulus[..40]];
    free_of(&shown, &canaries);
    // `Debug` of a session shows whose it is; events and metrics do not even do that.
    let canaries = [&canaries[..], &["user_shown"]].concat();
    free_of(&observed.text(), &canaries);
    let metrics = format!("{:?}", observed.metrics());
    free_of(&metrics, &canaries);
    assert!(metrics.contains("clerk_token_cache_hits_total"), "{metrics}");
}

async fn text(body: AuthBody<String>) -> String {
    use http_body_util::BodyExt;
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
