//! From a token's text to a session or a refusal, with real signatures.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use serde_json::json;
use tower_clerk::clock::Clock;
use tower_clerk::session::{AuthErrorKind, Denied, PemKey, Session, StaticKeys, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::support::servers::{ISS, issuer, within};

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

#[tokio::test]
async fn fault_a12_a_session_tells_when_it_has_expired_by_the_verifiers_clock() {
    let clock = Arc::new(ManualClock::new());
    let issuer = issuer().with_clock(clock.clone());
    let session = issuer.verifier().verify(&issuer.token("user_1").mint()).await.unwrap();
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.expired().await }
    });
    // `exp` is past, but the skew is not: the token is still accepted.
    clock.advance(Duration::from_secs(64));
    let mut asked = Box::pin(session.expired());
    let mut is_pending = || {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        asked.as_mut().poll(&mut context).is_pending()
    };
    assert!(is_pending() && !waiting.is_finished());
    // The clock goes back, as after an adjustment.
    clock.set_wall(clock.now() - Duration::from_secs(30));
    clock.advance(Duration::from_secs(30));
    assert!(is_pending() && !waiting.is_finished());
    clock.advance(Duration::from_secs(1));
    within(waiting).await.unwrap();
    within(asked).await;
    within(session.expired()).await;
}

#[tokio::test(start_paused = true)]
async fn fault_a12_by_the_systems_clock_it_looks_at_the_wall_clock_every_minute() {
    #[derive(Debug)]
    struct Wall(RwLock<std::time::SystemTime>, AtomicUsize);

    impl Clock for Wall {
        fn now(&self) -> std::time::SystemTime {
            self.1.fetch_add(1, Ordering::SeqCst);
            *self.0.read().unwrap()
        }

        fn monotonic(&self) -> std::time::Instant {
            ManualClock::new().monotonic()
        }
    }
    let start = ManualClock::new().now();
    let clock = Arc::new(Wall(RwLock::new(start), AtomicUsize::new(0)));
    let issuer = issuer().with_clock(clock.clone());
    let token = issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint();
    let session = issuer.verifier().verify(&token).await.unwrap();
    let waiting = tokio::spawn(async move { session.expired().await });
    let looks = clock.1.load(Ordering::SeqCst);
    // The machine slept: the wall clock is at the end, and the timer knows nothing of it.
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(clock.1.load(Ordering::SeqCst) - looks, 3);
    assert!(!waiting.is_finished());
    *clock.0.write().unwrap() = start + Duration::from_secs(3700);
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_check_of_ones_own_is_asked_cold_and_on_hits_and_chooses_the_refusal() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let refusal = Arc::new(RwLock::new(None::<Denied>));
    let verifier = Verifier::builder(ISS, keys)
        .check({
            let (asked, refusal) = (Arc::clone(&asked), Arc::clone(&refusal));
            move |session: &Session| {
                asked.fetch_add(1, Ordering::SeqCst);
                assert_eq!(session.user_id(), "user_1");
                refusal.read().unwrap().clone().map_or(Ok(()), Err)
            }
        })
        .build()
        .unwrap();
    let (token, set) = (issuer.token("user_1").mint(), |to| *refusal.write().unwrap() = to);
    // Cold, refused: the token is known from now on, and refused all the same.
    set(Some(Denied::unauthorized()));
    assert_eq!(kind(&verifier, &token).await, AuthErrorKind::CheckUnauthorized);
    set(Some(Denied::forbidden().because("the user is blocked")));
    let error = verifier.verify(&token).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::CheckForbidden);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the user is blocked");
    set(None);
    assert!(verifier.verify(&token).await.is_ok());
    set(Some(Denied::forbidden()));
    assert_eq!(kind(&verifier, &token).await, AuthErrorKind::CheckForbidden);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    // A bad token does not reach it.
    assert_eq!(kind(&verifier, "garbage").await, AuthErrorKind::Malformed);
    assert_eq!(kind(&verifier, &issuer.token("").mint()).await, AuthErrorKind::InvalidClaims);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn every_check_must_pass_and_of_several_instances_each_has_its_own() {
    let (issuer, other) = (issuer(), Issuer::new("https://other.example.com", "ins_2"));
    let first = Arc::new(AtomicBool::new(false));
    let of = |issuer: &Issuer, denies: Arc<AtomicBool>| {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(issuer.iss(), keys)
            .check(|_: &Session| Ok(()))
            .check(move |_: &Session| match denies.load(Ordering::SeqCst) {
                true => Err(Denied::forbidden()),
                false => Ok(()),
            })
            .build()
            .unwrap()
    };
    let both = Verifier::any_of([of(&issuer, first.clone()), of(&other, Arc::default())]).unwrap();
    let tokens = [issuer.token("user_1").mint(), other.token("user_1").mint()];
    for token in &tokens {
        assert!(both.verify(token).await.is_ok());
    }
    first.store(true, Ordering::SeqCst);
    assert_eq!(kind(&both, &tokens[0]).await, AuthErrorKind::CheckForbidden);
    assert!(both.verify(&tokens[1]).await.is_ok());
}

#[tokio::test]
async fn fault_k17_the_first_rule_that_fails_decides_as_the_chapter_lists_them() {
    use tower_clerk::session::AudiencePolicy;
    use tower_clerk::test_util::TokenBuilder;

    let (issuer, forger) = (issuer(), Issuer::new(ISS, "ins_1"));
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys)
        .audience(AudiencePolicy::Required(vec!["api".into()]))
        .authorized_parties(["https://app.example.com"])
        .max_lifetime(Duration::from_secs(60))
        .deny_impersonation()
        .check(|_: &Session| Err(Denied::forbidden()))
        .build()
        .unwrap();
    // In the chapter's order: what breaks the rule, and the kind of its error.
    type Breaks = fn(TokenBuilder) -> TokenBuilder;
    let rules: [(AuthErrorKind, Breaks); 14] = [
        (AuthErrorKind::TooLarge, |token| token.claim("pad", "x".repeat(9000))),
        (AuthErrorKind::UnsupportedAlgorithm, |token| token.header("alg", "HS256")),
        (AuthErrorKind::UnknownKey, |token| token.header("kid", "ins_9")),
        (AuthErrorKind::BadSignature, |token| token),
        (AuthErrorKind::IssuerMismatch, |token| token.claim("iss", "https://b.example.com")),
        (AuthErrorKind::InvalidClaims, |token| token.claim("sub", "")),
        (AuthErrorKind::WrongTokenType, |token| token.without_claim("sid").without_header("cat")),
        (AuthErrorKind::AudienceMismatch, |token| token.claim("aud", "web")),
        (AuthErrorKind::AuthorizedPartyMismatch, |token| {
            token.claim("azp", "https://b.example.com")
        }),
        (AuthErrorKind::Expired, |token| token.claim("exp", 1_700_000_000)),
        (AuthErrorKind::LifetimeTooLong, |token| token.claim("iat", 1_600_000_000)),
        (AuthErrorKind::PendingSession, |token| token.claim("sts", "pending")),
        (AuthErrorKind::Impersonation, |token| token.claim("act", json!({ "sub": "user_2" }))),
        (AuthErrorKind::CheckForbidden, |token| token),
    ];
    let signature = rules.iter().position(|(kind, _)| *kind == AuthErrorKind::BadSignature);
    for (first, (kind, _)) in rules.iter().enumerate() {
        let signer = if Some(first) <= signature { &forger } else { &issuer };
        let token =
            signer.token("user_1").claim("aud", "api").claim("azp", "https://app.example.com");
        let token = rules[first..].iter().rev().fold(token, |token, (_, breaks)| breaks(token));
        assert_eq!(self::kind(&verifier, &token.mint()).await, *kind);
    }
}
