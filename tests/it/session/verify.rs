//! From a token's text to a session or a refusal, with real signatures.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tower_clerk::clock::Clock;
use tower_clerk::session::{AuthErrorKind, PemKey, StaticKeys, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::support::servers::{ISS, issuer};

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
async fn nothing_of_a_token_is_in_a_refusal() {
    let issuer = issuer();
    let verifier = verifier(&issuer);
    let token = issuer.token("user_canary").header("kid", "kid_canary").mint();
    let error = verifier.verify(&token).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("canary") && !text.contains("ins_1"), "{text}");
}

#[tokio::test]
async fn fault_k13_the_length_of_the_longest_token_is_set_within_bounds() {
    let issuer = issuer();
    let build = |bytes| {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(ISS, keys).max_token_bytes(bytes).build()
    };
    let long = issuer.token("user_1").claim("padding", "x".repeat(20_000)).mint();
    assert_eq!(kind(&build(8192).unwrap(), &long).await, AuthErrorKind::TooLarge);
    assert!(build(65_536).unwrap().verify(&long).await.is_ok());
    assert!(build(long.len()).unwrap().verify(&long).await.is_ok(), "exactly as long");
    assert_eq!(kind(&build(long.len() - 1).unwrap(), &long).await, AuthErrorKind::TooLarge);
    for outside in [0, 1023, 65_537, usize::MAX] {
        let error = build(outside).unwrap_err().to_string();
        assert!(error.contains("maximum token length"), "{error}");
    }
    // Behind several issuers each instance has its own maximum.
    let other = Issuer::new("https://other.example.com", "ins_2");
    let keys = StaticKeys::from_jwks(&other.jwks().to_string()).unwrap();
    let wide = Verifier::builder(other.iss(), keys).max_token_bytes(65_536).build().unwrap();
    let both = Verifier::any_of([build(8192).unwrap(), wide]).unwrap();
    assert_eq!(kind(&both, &long).await, AuthErrorKind::TooLarge);
    let long = other.token("user_1").claim("padding", "x".repeat(20_000)).mint();
    assert!(both.verify(&long).await.is_ok());
}

#[tokio::test]
async fn fault_k20_a_maximum_lifetime_is_set_within_bounds() {
    let issuer = issuer();
    let build = |lifetime| {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(ISS, keys).max_lifetime(lifetime).build()
    };
    let token = issuer.token("user_1").claim("exp", 4_000_000_000_u64).mint();
    let short = build(Duration::from_secs(3600)).unwrap();
    assert_eq!(kind(&short, &token).await, AuthErrorKind::LifetimeTooLong);
    assert!(short.verify(&issuer.token("user_1").mint()).await.is_ok());
    for outside in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
        let error = build(outside).unwrap_err().to_string();
        assert!(error.contains("maximum lifetime"), "{error}");
    }
}

#[tokio::test]
async fn fault_k4_tokens_of_templates_are_accepted_only_by_name() {
    let issuer = issuer();
    let builder = || {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(ISS, keys)
    };
    let (strict, admitting) =
        (builder().build().unwrap(), builder().accept_template_tokens().build().unwrap());
    let of_template = || issuer.token("user_1").without_claim("sid");
    for token in [
        of_template().header("cat", "cl_B7d4PD222AAA").mint(),
        of_template().without_header("cat").mint(),
        of_template().header("cat", "cl_I7d4PD111III").mint(),
    ] {
        assert_eq!(kind(&strict, &token).await, AuthErrorKind::WrongTokenType);
        let session = admitting.verify(&token).await.unwrap();
        assert_eq!((session.user_id(), session.session_id()), ("user_1", None));
    }
    let of_machine = of_template().header("cat", "cl_B7d4PD333AAA").mint();
    assert_eq!(kind(&admitting, &of_machine).await, AuthErrorKind::WrongTokenType);
}

#[tokio::test]
async fn fault_k19_a_jwt_key_may_be_the_base64_of_the_whole_file() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let issuer = issuer();
    let token = issuer.token("user_1").mint();
    let (pem, wrapped) = (issuer.pem(), STANDARD.encode(issuer.pem()));
    let of_windows = STANDARD.encode(pem.replace('\n', "\r\n"));
    let in_lines: String = wrapped
        .as_bytes()
        .chunks(76)
        .map(|line| format!("{}\n", str::from_utf8(line).unwrap()))
        .collect();
    for form in [wrapped.clone(), format!("\"{wrapped}\"\n"), in_lines, of_windows] {
        let verifier = Verifier::builder(ISS, PemKey::parse(&form).unwrap()).build().unwrap();
        assert!(verifier.verify(&token).await.is_ok(), "{form}");
    }
    let twice = STANDARD.encode(&wrapped);
    let private = STANDARD.encode("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----");
    for bad in [twice, private, STANDARD.encode("-----BEGIN \u{fffd}"), STANDARD.encode("hello")] {
        assert!(PemKey::parse(&bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn fault_a10_the_test_kit_has_one_clock_and_makes_verifiers_and_sessions() {
    let clock = Arc::new(ManualClock::new());
    let issuer = issuer().with_clock(clock.clone());
    let verifier = issuer.verifier();
    let old = issuer.token("user_1").mint();
    assert!(verifier.verify(&old).await.is_ok());
    clock.advance(Duration::from_secs(3600));
    assert_eq!(kind(&verifier, &old).await, AuthErrorKind::Expired);
    assert!(verifier.verify(&issuer.token("user_1").mint()).await.is_ok(), "issued now");
    assert!(issuer.rotated("ins_2").verifier().verify(&old).await.is_err());
    let session = issuer.session("user_7");
    assert_eq!((session.user_id(), session.session_id()), ("user_7", Some("sess_user_7")));
}

#[test]
fn fault_a5_an_error_that_main_returns_reads_well() {
    let vars = |name: &str| (name == "CLERK_ISSUER").then(|| "clerk".to_owned());
    let errors = tower_clerk::config::ClerkConfig::from_vars(vars).unwrap_err();
    let shown = format!("{:?}", Box::<dyn std::error::Error>::from(errors.clone()));
    assert_eq!(shown, errors.to_string());
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(shown.starts_with("CLERK_ISSUER: must be `https://`"), "{shown}");
    let one = errors.iter().next().unwrap();
    assert_eq!(format!("{one:?}"), one.to_string());
}
