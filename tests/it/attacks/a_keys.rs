//! Which key: the instance's own under the token's `kid`, and nothing that a token brings along.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tower_clerk::session::keys::{Lookup, RemoteKeys};
use tower_clerk::session::{AuthErrorKind, KeySource, StaticKeys};

use super::target::{Target, text};
use crate::support::servers::{Answer, JwksServer, issuer};

#[tokio::test]
async fn a6_another_keys_signature_is_refused_under_any_kid_and_none() {
    let target = Target::new();
    let other = issuer();
    let forged = |kid: Option<&str>| {
        let token = other.token("user_1");
        match kid {
            Some(kid) => token.header("kid", kid).mint(),
            None => token.without_header("kid").mint(),
        }
    };
    target.refuses("genuine kid", &forged(Some("ins_1")), AuthErrorKind::BadSignature).await;
    target.refuses("unknown kid", &forged(Some("ins_2")), AuthErrorKind::UnknownKey).await;
    target.refuses("no kid", &forged(None), AuthErrorKind::UnknownKey).await;
}

#[tokio::test]
async fn a7_a_key_that_the_token_brings_along_is_not_used() {
    let target = Target::new();
    let attacker = issuer();
    for kid in ["ins_1", "ins_2", ""] {
        for (name, value) in [
            ("jwk", attacker.jwk()),
            ("jwk", json!({ "kty": "oct", "k": "" })),
            ("jwks", attacker.jwks()),
            ("x5c", json!(["MIIB"])),
            ("x5t", json!("AAAA")),
            ("x5t#S256", json!("AAAA")),
        ] {
            let token = attacker.token("user_1").header("kid", kid).header(name, value);
            target.refuses_somehow((name, kid), &token.mint()).await;
            let token = token.without_header("kid");
            target.refuses((name, "no kid"), &token.mint(), AuthErrorKind::UnknownKey).await;
        }
    }
}

/// The address in a token is never asked: it is a server that would be heard answering.
#[tokio::test]
async fn a8_no_address_in_a_token_is_fetched() {
    let (genuine, attacker) = (issuer(), issuer());
    let keys_server = JwksServer::start(Answer::jwks(&genuine)).await;
    let trap = JwksServer::start(Answer::jwks(&attacker)).await;
    let keys = RemoteKeys::from_url(&keys_server.url()).unwrap();
    let target = Target::by_keys(genuine, keys, |builder| builder);
    target.accepts("genuine", &target.token().mint()).await;
    for kid in ["ins_1", "ins_2"] {
        for member in ["jku", "x5u"] {
            for url in [
                trap.url(),
                trap.url().replace("http://", "https://"),
                "file:///etc/passwd".into(),
                "http://169.254.169.254/latest/meta-data/".into(),
                format!("https://clerk.example.com/redirect?to={}", trap.url()),
            ] {
                let token = attacker.token("user_1").header("kid", kid).header(member, url.clone());
                target.refuses_somehow((member, url), &token.mint()).await;
            }
        }
    }
    // Connections are accepted in the order in which they came, so this one is the first.
    crate::support::servers::request(trap.addr(), "GET", &[]).await;
    assert_eq!(trap.requests(), 1, "the test's own");
    // One for the genuine token, one for the first kid that the set lacks or the first bad
    // signature: the others come within the cool-down.
    assert!(keys_server.requests() <= 2, "{}", keys_server.requests());
    let path = keys_server.last_head();
    assert!(path.starts_with("GET /.well-known/jwks.json HTTP/1.1\r\n"), "{path}");
}

#[tokio::test]
async fn a9_an_address_or_key_in_a_genuine_token_is_ignored() {
    let trap = JwksServer::start(Answer::jwks(&issuer())).await;
    let target = Target::new();
    for (name, value) in [
        ("jku", json!(trap.url())),
        ("x5u", json!(trap.url())),
        ("jku", json!(7)),
        ("jwk", issuer().jwk()),
        ("jwk", json!(null)),
        ("x5c", json!([])),
    ] {
        let token = target.token().header(name, value.clone()).mint();
        target.accepts((name, text(&value)), &token).await;
    }
    crate::support::servers::request(trap.addr(), "GET", &[]).await;
    assert_eq!(trap.requests(), 1, "the test's own");
}

#[tokio::test]
async fn a10_a_kid_is_looked_up_to_the_letter_and_goes_nowhere_else() {
    let genuine = issuer();
    let server = JwksServer::start(Answer::jwks(&genuine)).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    let target = Target::by_keys(genuine, keys, |builder| builder);
    target.accepts("genuine", &target.token().mint()).await;
    for kid in [
        "",
        "../../../../dev/null",
        "/proc/self/environ",
        "' OR '1'='1",
        "ins_1' UNION SELECT 'key",
        "ins_1; touch /tmp/x",
        "$(id)",
        "`id`",
        "ins_1\0",
        "\0ins_1",
        "ins_1\r\nx-injected: 1",
        "http://attacker.example/jwks",
        "__proto__",
        "constructor",
        "*",
        "ins_?",
        "ins_*",
        " ins_1",
        "ins_1 ",
        "INS_1",
        "Ins_1",
        "ins_",
        "ins_11",
        "xins_1",
        "local-ins_1",
        "local",
        "x&kid=ins_1",
        "ins_1&kid=x",
        "ins_1#",
        "ins%5f1",
        "ins_１",
    ] {
        // The genuine key signed it: only a trial of other keys than the named could accept it.
        let token = target.token().header("kid", kid).mint();
        target.refuses(kid, &token, AuthErrorKind::UnknownKey).await;
        let head = server.last_head();
        assert!(head.starts_with("GET /.well-known/jwks.json HTTP/1.1\r\n"), "{kid:?}: {head}");
        assert!(!head.contains("x-injected"), "{head}");
    }
    assert_eq!(server.requests(), 2, "the set, and once more for the first unknown kid");
}

#[tokio::test]
async fn a11_a_kid_that_is_no_text_is_refused() {
    let target = Target::new();
    for kid in [json!(null), json!(1), json!(["ins_1"]), json!({ "ins_1": 1 }), json!(true)] {
        let token = target.token().header("kid", kid.clone()).mint();
        target.refuses(text(&kid), &token, AuthErrorKind::Malformed).await;
    }
}

#[tokio::test]
async fn a12_a_token_without_kid_is_refused_although_the_set_has_one_key() {
    let target = Target::new();
    let token = target.token().without_header("kid").mint();
    target.refuses("no kid", &token, AuthErrorKind::UnknownKey).await;
}

/// Counts what is asked of it.
#[derive(Clone, Debug)]
pub(crate) struct CountingKeys {
    keys: StaticKeys,
    lookups: Arc<AtomicUsize>,
}

impl CountingKeys {
    pub(crate) fn of(issuer: &tower_clerk::test_util::Issuer) -> Self {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Self { keys, lookups: Arc::default() }
    }

    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::Relaxed)
    }
}

impl KeySource for CountingKeys {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.keys.lookup(kid)
    }
}
