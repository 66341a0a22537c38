//! Tests of the rules on bare claims: exact times, and policies. Refusals are in
//! `tests/it/attacks`.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::*;

/// The time of the tests, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

fn policy() -> Policy {
    Policy::new("https://clerk.example.com".into())
}

fn claims() -> Value {
    json!({
        "iss": "https://clerk.example.com", "sub": "user_1", "sid": "sess_1",
        "exp": NOW + 60, "nbf": NOW - 10, "iat": NOW,
    })
}

fn verdict_at(claims: &Value, policy: &Policy, now: SystemTime) -> Result<(), AuthErrorKind> {
    assert_eq!(checked(claims, policy, now).unwrap_or(None), None, "nothing is reported");
    checked(claims, policy, now).map(|_| ())
}

fn checked(
    claims: &Value,
    policy: &Policy,
    now: SystemTime,
) -> Result<Option<AuthErrorKind>, AuthErrorKind> {
    let json = claims.to_string();
    let wire = Wire::parse(json.as_bytes()).ok_or(AuthErrorKind::InvalidClaims)?;
    check(&wire, TokenClass::Session, policy, now).map(|accepted| accepted.violation)
}

fn verdict_without(name: &str) -> Result<(), AuthErrorKind> {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    verdict_at(&claims, &policy(), now())
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

#[test]
fn not_before_and_issued_at_may_lie_ahead_by_the_skew_and_no_more() {
    for (name, kind) in
        [("nbf", AuthErrorKind::NotYetValid), ("iat", AuthErrorKind::IssuedInFuture)]
    {
        let mut claims = claims();
        claims[name] = json!(NOW + 5);
        assert_eq!(verdict_at(&claims, &policy(), now()), Ok(()), "{name}");
        let early = now() - Duration::from_millis(1);
        assert_eq!(verdict_at(&claims, &policy(), early), Err(kind), "{name}");
        assert_eq!(verdict_without(name), Ok(()), "{name}");
    }
}

#[test]
fn a_time_may_be_fractional_and_its_fraction_is_cut_off() {
    for exp in ["1800000060.5", "1.80000006e9", "1800000060.0", "9E9", "32472144000"] {
        let json = claims().to_string().replace("1800000060", exp);
        let wire = Wire::parse(json.as_bytes()).unwrap();
        assert!(check(&wire, TokenClass::Session, &policy(), now()).is_ok(), "{exp}");
    }
    let mut claims = claims();
    claims["exp"] = json!(NOW as f64 + 0.9);
    let late = now() + Duration::from_secs(5);
    assert_eq!(verdict_at(&claims, &policy(), late), Err(AuthErrorKind::Expired));
}

#[test]
fn a_reported_azp_passes_and_is_told() {
    let mut policy = policy();
    policy.authorized_parties = Some(vec!["https://app.example.com".into()]);
    policy.authorized_party_policy = AuthorizedPartyPolicy::Report;
    let missing = checked(&claims(), &policy, now());
    assert_eq!(missing, Ok(Some(AuthErrorKind::AuthorizedPartyMissing)));
    let mut claims = claims();
    claims["azp"] = json!("https://evil.example");
    let wrong = checked(&claims, &policy, now());
    assert_eq!(wrong, Ok(Some(AuthErrorKind::AuthorizedPartyMismatch)));
    claims["azp"] = json!("https://app.example.com");
    assert_eq!(checked(&claims, &policy, now()), Ok(None));
}

#[test]
fn several_issuers_may_be_accepted_each_to_the_letter() {
    let mut policy = policy();
    policy.issuers.push("https://app.example.com/__clerk".into());
    let with = |iss: &str| {
        let mut claims = claims();
        claims["iss"] = json!(iss);
        verdict_at(&claims, &policy, now())
    };
    assert_eq!(with("https://clerk.example.com"), Ok(()));
    assert_eq!(with("https://app.example.com/__clerk"), Ok(()));
    assert_eq!(with("https://app.example.com"), Err(AuthErrorKind::IssuerMismatch));
}

#[test]
fn pending_sessions_and_impersonation_are_choices() {
    let pending = Policy { pending_allowed: true, ..policy() };
    let strict = Policy { impersonation_denied: true, ..policy() };
    let mut claims = claims();
    claims["sts"] = json!("pending");
    assert_eq!(verdict_at(&claims, &pending, now()), Ok(()));
    claims["sts"] = json!("active");
    assert_eq!(verdict_at(&claims, &strict, now()), Ok(()));
    for act in [json!({ "sub": "user_admin" }), json!({}), json!("user_admin")] {
        claims["act"] = act;
        assert_eq!(verdict_at(&claims, &policy(), now()), Ok(()));
        assert_eq!(verdict_at(&claims, &strict, now()), Err(AuthErrorKind::Impersonation));
    }
}

#[test]
fn the_window_of_a_token_that_passed_says_exactly_when_it_does() {
    let mut claims = claims();
    claims["exp"] = json!(NOW + 60);
    claims["nbf"] = json!(NOW - 20);
    claims["iat"] = json!(NOW - 10);
    let json = claims.to_string();
    let wire = Wire::parse(json.as_bytes()).unwrap();
    let window = check(&wire, TokenClass::Session, &policy(), now()).unwrap().valid_during;
    for ms in (-16_000_i64..66_000).step_by(500).chain([-15_001, 64_999, 65_001]) {
        let at = match u64::try_from(ms) {
            Ok(ms) => now() + Duration::from_millis(ms),
            Err(_) => now() - Duration::from_millis(ms.unsigned_abs()),
        };
        let passes = check(&wire, TokenClass::Session, &policy(), at).is_ok();
        assert_eq!(window.contains(at), passes, "{ms} ms from now");
    }
}

#[test]
fn fault_k20_a_token_that_lives_longer_than_the_maximum_is_refused() {
    let mut policy = policy();
    policy.max_lifetime = Some(Duration::from_secs(60));
    assert_eq!(verdict_at(&claims(), &policy, now()), Ok(()), "exactly as long");
    for (name, value, expected) in [
        ("exp", json!(NOW + 61), Err(AuthErrorKind::LifetimeTooLong)),
        ("iat", json!(NOW - 1), Err(AuthErrorKind::LifetimeTooLong)),
        ("iat", json!(-1e10), Err(AuthErrorKind::LifetimeTooLong)),
        ("exp", json!(NOW + 59), Ok(())),
        ("iat", json!(null), Err(AuthErrorKind::InvalidClaims)),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        assert_eq!(verdict_at(&claims, &policy, now()), expected, "{name} {value}");
    }
    let mut without = claims();
    without.as_object_mut().unwrap().remove("iat");
    assert_eq!(verdict_at(&without, &policy, now()), Err(AuthErrorKind::InvalidClaims));
}

#[test]
fn fault_k4_a_token_without_a_sessions_category_needs_a_session_id() {
    let verdict = |class, sid: Option<Value>, policy: &Policy| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("sid");
        if let Some(sid) = sid {
            claims["sid"] = sid;
        }
        let json = claims.to_string();
        check(&Wire::parse(json.as_bytes()).unwrap(), class, policy, now()).map(|_| ())
    };
    let mut admitting = policy();
    admitting.templates_allowed = true;
    for (class, sid, expected) in [
        (TokenClass::Session, None, Ok(())),
        (TokenClass::Session, Some(json!("sess_1")), Ok(())),
        (TokenClass::Unmarked, Some(json!("sess_1")), Ok(())),
        (TokenClass::Unmarked, None, Err(AuthErrorKind::WrongTokenType)),
        (TokenClass::Unmarked, Some(json!("")), Err(AuthErrorKind::WrongTokenType)),
        (TokenClass::Unmarked, Some(json!(null)), Err(AuthErrorKind::WrongTokenType)),
        (TokenClass::Unmarked, Some(json!(["sess_1"])), Err(AuthErrorKind::WrongTokenType)),
        (TokenClass::Template, None, Err(AuthErrorKind::WrongTokenType)),
    ] {
        assert_eq!(verdict(class, sid.clone(), &policy()), expected, "{class:?} {sid:?}");
        assert_eq!(verdict(class, sid.clone(), &admitting), Ok(()), "{class:?} {sid:?}");
    }
}
