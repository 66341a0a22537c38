//! Settings that cannot be meant are refused when the server is built, not when it is attacked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tower_clerk::PublishableKey;
use tower_clerk::config::ClerkConfig;
use tower_clerk::session::keys::{Fetch, FetchError, FetchFuture, Fetched, RemoteKeys};
use tower_clerk::session::{
    AudiencePolicy, AuthErrorKind, AuthorizedPartyPolicy, PemKey, StaticKeys, Verifier,
    VerifierBuilder,
};
use tower_clerk::test_util::Issuer;
use tower_clerk::webhook::WebhookService;

use super::target::{Target, encoded, key_number};
use crate::support::delivery::Recorder;
use crate::support::servers::{Answer, ISS, JwksServer, issuer};

fn builder(iss: &str) -> VerifierBuilder {
    static KEYS: LazyLock<StaticKeys> =
        LazyLock::new(|| StaticKeys::from_jwks(&issuer().jwks().to_string()).unwrap());
    Verifier::builder(iss, KEYS.clone())
}

/// The setting that a builder's refusal names.
fn refused(builder: VerifierBuilder) -> String {
    builder.build().expect_err("refused").setting().to_owned()
}

#[test]
fn g1_an_issuer_that_no_token_could_match_is_refused() {
    for iss in [
        "https://clerk.example.com",
        "https://clerk.example.com:8443",
        "https://app.example.com/__clerk",
        "http://127.0.0.1:8003",
        "http://[::1]:8003",
        "http://localhost:8003",
    ] {
        assert!(builder(iss).build().is_ok(), "{iss}");
    }
    for iss in [
        "",
        " ",
        "https://",
        "https:///x",
        "clerk.example.com",
        "//clerk.example.com",
        "ftp://clerk.example.com",
        "HTTPS://clerk.example.com",
        "http://clerk.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@clerk.example.com",
        "https://clerk.example.com/",
        "https://clerk.example.com?x",
        "https://clerk.example.com/?x",
        "https://clerk.example.com#x",
        "https://user@clerk.example.com",
        "https://*.example.com",
        "https://clerk.example.com ",
        " https://clerk.example.com",
        "https://clerk.example.com\n",
        "https://clerk.exämple.com",
    ] {
        assert_eq!(refused(builder(iss)), "issuer", "{iss:?}");
        assert_eq!(refused(builder(ISS).also_issuer(iss)), "issuer", "{iss:?}");
    }
}

#[tokio::test]
async fn g2_no_authorized_parties_and_an_empty_list_are_not_the_same() {
    let parties = |parties: &[&str]| builder(ISS).authorized_parties(parties.iter().copied());
    for good in ["https://app.example.com", "http://localhost:3000", "app://shell"] {
        assert!(parties(&[good]).build().is_ok(), "{good}");
    }
    for bad in [
        &[][..],
        &[""],
        &[" "],
        &["https://app.example.com", ""],
        &["https://app.example.com/"],
        &["https://app.example.com/path"],
        &["https://app.example.com?x"],
        &["https://app.example.com#"],
        &["https://user@app.example.com"],
        &["https://app.example.com "],
        &["https://App.example.com"],
        &["HTTPS://app.example.com"],
        &["https://*.example.com"],
        &["https://a.example,https://b.example"],
        &["app.example.com"],
        &["https://"],
        &["*"],
        &["null"],
    ] {
        assert_eq!(refused(parties(bad)), "authorized parties", "{bad:?}");
        let lenient = parties(bad).authorized_party_policy(AuthorizedPartyPolicy::MissingAllowed);
        assert_eq!(refused(lenient), "authorized parties", "{bad:?}");
    }
    for bad in [vec![], vec![String::new()], vec!["api".into(), String::new()]] {
        for policy in [AudiencePolicy::Required(bad.clone()), AudiencePolicy::IfPresent(bad)] {
            assert_eq!(refused(builder(ISS).audience(policy)), "audience");
        }
    }
    // Unset, nothing is checked; set, an empty `azp` is not one of them.
    let unset = Target::new();
    unset.accepts("unset", &unset.token().claim("azp", "").mint()).await;
    let set = Target::with(|builder| builder.authorized_parties(["https://app.example.com"]));
    let empty = set.token().claim("azp", "").mint();
    set.refuses("set", &empty, AuthErrorKind::AuthorizedPartyMissing).await;
}

/// Answers like a server with odd ideas of time, and counts how often it is asked.
struct Odd {
    document: String,
    max_age: Option<Duration>,
    retry_after: Option<Duration>,
    asked: Arc<AtomicUsize>,
}

impl Fetch for Odd {
    fn fetch(&self) -> FetchFuture<'_> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = match (self.retry_after, self.max_age) {
            (Some(pause), _) => Err(FetchError::new("busy").with_retry_after(pause)),
            (None, Some(age)) => Ok(Fetched::new(self.document.clone()).with_max_age(age)),
            (None, None) => Ok(Fetched::new(self.document.clone())),
        };
        Box::pin(async { answer })
    }
}

#[tokio::test(start_paused = true)]
async fn g3_times_and_sizes_without_sense_are_refused_or_clamped() {
    for skew in [Duration::from_millis(300_001), Duration::MAX] {
        assert_eq!(refused(builder(ISS).skew(skew)), "skew");
    }
    // Any size of the cache is one: none at all means that nothing is remembered.
    for bytes in [0, 1, u64::MAX] {
        let target = Target::with(|builder| builder.cache_bytes(bytes));
        let (token, other) = (target.token().mint(), target.token().claim("sub", "").mint());
        for _ in 0..3 {
            target.accepts(bytes, &token).await;
            target.refuses(bytes, &other, AuthErrorKind::InvalidClaims).await;
        }
    }
    // How often keys are fetched stays between a minute and a quarter of an hour, a tenth more or
    // less, whatever their server says.
    for (max_age, quiet, busy) in [(Duration::ZERO, 53, 67), (Duration::MAX, 809, 991)] {
        let (asked, document) = (Arc::default(), issuer().jwks().to_string());
        let odd = Odd { document, max_age: Some(max_age), retry_after: None, asked };
        let asked = odd.asked.clone();
        let keys = RemoteKeys::new(odd);
        keys.warm_up().await.unwrap();
        tokio::time::advance(Duration::from_secs(quiet)).await;
        settle().await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{max_age:?}");
        tokio::time::advance(Duration::from_secs(busy - quiet)).await;
        settle().await;
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{max_age:?}");
    }
    // A pause that a failing server asks for is honoured up to 15 s while there are no keys.
    let odd = Odd {
        document: String::new(),
        max_age: None,
        retry_after: Some(Duration::MAX),
        asked: Arc::default(),
    };
    let asked = odd.asked.clone();
    let keys = RemoteKeys::new(odd);
    assert!(keys.warm_up().await.is_err());
    tokio::time::advance(Duration::from_secs(14)).await;
    settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    settle().await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

/// Lets every task that can go on do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn config(vars: &[(&str, &str)]) -> Result<ClerkConfig, String> {
    let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
    ClerkConfig::from_vars(get).map_err(|errors| errors.to_string())
}

const KEY: (&str, &str) = ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k");

/// Where keys come from follows from the publishable key, or is said outright: from an issuer
/// alone no address is guessed, and no server can send us on to another.
#[tokio::test]
async fn g4_keys_come_from_the_issuers_host_unless_another_is_named_outright() {
    let key = PublishableKey::parse(KEY.1).unwrap();
    assert!(key.jwks_url().starts_with(&format!("{}/", key.issuer())));
    let issuer_alone = [("CLERK_ISSUER", "https://clerk.example.com")];
    assert!(config(&issuer_alone).unwrap_err().contains("CLERK_JWKS_URL"));
    let url_alone = [("CLERK_JWKS_URL", "https://keys.example.net/jwks")];
    assert!(config(&url_alone).unwrap_err().contains("CLERK_ISSUER"));
    assert!(config(&[issuer_alone[0], url_alone[0]]).is_ok());
    for url in [
        "http://keys.example.net/jwks",
        "http://127.0.0.1.example.net/jwks",
        "file:///etc/passwd",
        "https://user:canary@keys.example.net/jwks",
        "keys.example.net",
    ] {
        let error = config(&[KEY, ("CLERK_JWKS_URL", url)]).unwrap_err();
        assert!(error.contains("CLERK_JWKS_URL") && !error.contains("canary"), "{error}");
        assert!(RemoteKeys::from_url(url).is_err(), "{url}");
    }
    let issuer = issuer();
    let elsewhere = JwksServer::start(Answer::jwks(&issuer)).await;
    let server = JwksServer::start(Answer::redirect(&elsewhere.url())).await;
    let verifier = Verifier::builder(ISS, RemoteKeys::from_url(&server.url()).unwrap());
    let refused = verifier.build().unwrap().verify(&issuer.token("user_1").mint()).await;
    assert_eq!(refused.unwrap_err().kind(), AuthErrorKind::KeysUnavailable);
    assert_eq!((server.requests(), elsewhere.requests()), (1, 0));
}

#[test]
fn g5_without_a_signing_secret_there_is_no_webhook_service() {
    let none = WebhookService::builder([], Arc::new(Recorder::default())).build();
    assert!(none.is_err());
    for unset in [&[KEY][..], &[KEY, ("CLERK_WEBHOOK_SIGNING_SECRET", "")]] {
        let secrets = config(unset).unwrap().signing_secrets().to_vec();
        assert!(WebhookService::builder(secrets, Arc::new(Recorder::default())).build().is_err());
    }
    for bad in ["whsec_", "whsec_c2hvcnQ=", "c2VjcmV0", "off", " ,"] {
        assert!(config(&[KEY, ("CLERK_WEBHOOK_SIGNING_SECRET", bad)]).is_err(), "{bad:?}");
    }
}

/// A DER element.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = match contents.len() {
        short @ ..0x80 => vec![short as u8],
        byte @ 0x80..0x100 => vec![0x81, byte as u8],
        long => [&[0x82], &(long as u16).to_be_bytes()[..]].concat(),
    };
    [&[tag], &*length, contents].concat()
}

/// A public key in PEM, SubjectPublicKeyInfo and PKCS#1, of any numbers at all.
fn pems(n: &[u8], e: &[u8]) -> [String; 2] {
    let positive = |number: &[u8]| match number.first() {
        Some(..0x80) => der(2, number),
        _ => der(2, &[&[0], number].concat()),
    };
    let pkcs1 = der(0x30, &[positive(n), positive(e)].concat());
    let algorithm = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let spki = der(0x30, &[&algorithm[..], &der(3, &[&[0], &*pkcs1].concat())].concat());
    let pem = |label: &str, der: &[u8]| {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    };
    [pem("PUBLIC KEY", &spki), pem("RSA PUBLIC KEY", &pkcs1)]
}

fn document(issuer: &Issuer, n: &[u8], e: &[u8]) -> String {
    let mut jwk = issuer.jwk();
    jwk["n"] = json!(encoded(n));
    jwk["e"] = json!(encoded(e));
    json!({ "keys": [jwk] }).to_string()
}

/// Sizes and exponents are judged here, when a key arrives, in whatever form it does; what a
/// backend of jsonwebtoken would take does not matter.
#[test]
fn g7_weak_keys_are_refused_in_every_form_whatever_the_backend() {
    let issuer = issuer();
    let (n, e) = (key_number(&issuer, "n"), key_number(&issuer, "e"));
    assert!(StaticKeys::from_jwks(&document(&issuer, &n, &e)).is_ok());
    for pem in pems(&n, &e) {
        assert!(PemKey::parse(&pem).is_ok(), "{pem}");
    }
    let mut even = n.clone();
    even[255] &= 0xfe;
    let odd = |bytes: usize| {
        let mut number = vec![0xff; bytes];
        number[bytes - 1] = 0xf1;
        number
    };
    for (label, n, e) in [
        ("512 bits", odd(64), e.clone()),
        ("1024 bits", odd(128), e.clone()),
        ("2040 bits", odd(255), e.clone()),
        ("8200 bits", odd(1025), e.clone()),
        ("16384 bits", odd(2048), e.clone()),
        ("an even modulus", even, e.clone()),
        ("no modulus", vec![], e.clone()),
        ("a zero modulus", vec![0; 256], e.clone()),
        ("exponent 0", n.clone(), vec![0]),
        ("exponent 1", n.clone(), vec![1]),
        ("exponent 2", n.clone(), vec![2]),
        ("an even exponent", n.clone(), vec![1, 0, 0]),
        ("no exponent", n.clone(), vec![]),
        ("a 40-bit exponent", n.clone(), vec![0xff, 0, 0, 0, 1]),
        ("a 2048-bit exponent", n.clone(), n.clone()),
    ] {
        assert!(StaticKeys::from_jwks(&document(&issuer, &n, &e)).is_err(), "{label} in a JWKS");
        for pem in pems(&n, &e) {
            assert!(PemKey::parse(&pem).is_err(), "{label} in PEM");
        }
    }
}

#[test]
fn g8_a_bad_variable_is_named_and_its_value_is_not() {
    for (name, value) in [
        ("CLERK_PUBLISHABLE_KEY", "pk_test_canary"),
        ("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "canary"),
        ("CLERK_SECRET_KEY", "canary"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_canary"),
        ("CLERK_WEBHOOK_SECRET", "canary"),
        ("CLERK_JWT_KEY", "-----BEGIN PRIVATE KEY-----canary-----END PRIVATE KEY-----"),
        ("CLERK_JWKS_URL", "http://canary.example.com/jwks"),
        ("CLERK_API_URL", "http://canary.example.com"),
        ("CLERK_ISSUER", "canary"),
        ("CLERK_AUTHORIZED_PARTIES", "https://app.example.com, canary"),
    ] {
        let also = if name.ends_with("PUBLISHABLE_KEY") { ("", "") } else { KEY };
        let error = config(&[also, (name, value)]).expect_err(name);
        assert!(error.contains(name), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn fault_k10_what_no_token_can_match_is_refused_with_what_was_meant() {
    for (iss, said) in [
        ("https://a.example.com,https://b.example.com", "without a comma"),
        ("https://%", "host"),
        ("https://clerk.example.com%2F", "host"),
        ("https://CLERK.example.com", "lower case"),
        ("https://clerk.example.com/.well-known/jwks.json", "is the JWKS URL"),
        ("https://api.clerk.com/v1/jwks", "is the JWKS URL"),
        ("https://clerk.example.com:443", "leave out `:443`"),
        ("https://clerk.example.com:", "leave the colon out"),
        ("https://clerk.example.com:/__clerk", "leave the colon out"),
        ("https://clerk.example.com:0443", "from 1 to 65535"),
        ("http://127.0.0.1:80", "`:80` with http"),
        ("http://[::1]:", "leave the colon out"),
        ("\"https://clerk.example.com\"", "quotes"),
        ("https://clerk.example.com/\"", "quotes"),
        ("https://[zz]x", "`[::1]`"),
        ("https://a..example.com", "host in lower case"),
    ] {
        let error = builder(iss).build().unwrap_err();
        assert_eq!(error.setting(), "issuer", "{iss}");
        assert!(error.to_string().contains(said), "{iss}: {error}");
    }
    for (origin, said) in [
        ("https://app.example.com:443", "leave out `:443`"),
        ("https://app.example.com:", "leave the colon out"),
        ("http://app.example.com:80", "`:80` with http"),
        ("http://[::1]:80", "`:80` with http"),
        ("https://app.example.com:0", "from 1 to 65535"),
        ("https://app.example.com:65536", "from 1 to 65535"),
        ("https://app.example.com:+1", "from 1 to 65535"),
        ("https://:3000", "host"),
        ("tauri://localhost:", "leave the colon out"),
        ("\"https://app.example.com\"", "quotes"),
        ("'https://app.example.com'", "quotes"),
        ("https ://app.example.com", "a scheme is"),
        ("*://app.example.com", "`*` matches nothing"),
        ("origin=https://app.example.com", "a scheme is"),
        ("https://a]b", "plain host name"),
        ("https://[zz]", "plain host name"),
        ("http://[::1]3000", "plain host name"),
        ("https://a..b", "plain host name"),
    ] {
        let error = builder(ISS).authorized_parties([origin]).build().unwrap_err();
        assert_eq!(error.setting(), "authorized parties", "{origin}");
        assert!(error.to_string().contains(said), "{origin}: {error}");
    }
    for origin in [
        "https://app.example.com:80",
        "http://app.example.com:443",
        "http://localhost:3000",
        "http://[::1]:3000",
        "http://[::1]",
        "tauri://localhost",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
        "http://my_host:8080",
    ] {
        assert!(builder(ISS).authorized_parties([origin]).build().is_ok(), "{origin}");
    }
}
