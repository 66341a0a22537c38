//! The rules one by one, on bare claims.

use serde_json::{Value, json};

use super::*;

/// Seconds since 1970 at which the tests take place.
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

fn checked(claims: &Value, policy: &Policy, now: SystemTime) -> Result<Reported, AuthErrorKind> {
    let json = claims.to_string();
    let wire = Wire::parse(json.as_bytes()).ok_or(AuthErrorKind::InvalidClaims)?;
    check(&wire, policy, now)
}

fn verdict(name: &str, value: Value) -> Result<(), AuthErrorKind> {
    let mut claims = claims();
    claims[name] = value;
    verdict_at(&claims, &policy(), now())
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
fn the_issuer_is_compared_to_the_letter() {
    assert_eq!(verdict("iss", json!("https://clerk.example.com")), Ok(()));
    for iss in [
        json!("https://clerk.example.com/"),
        json!("http://clerk.example.com"),
        json!("https://CLERK.example.com"),
        json!("https://clerk.example.com:443"),
        json!("https://clerk.example.com.evil.com"),
        json!("https://evil.com/https://clerk.example.com"),
        json!(" https://clerk.example.com"),
        json!("https://clerk.example.com\u{0}"),
        json!(["https://clerk.example.com"]),
        json!({ "https://clerk.example.com": 1 }),
        json!(null),
        json!(1),
    ] {
        assert_eq!(verdict("iss", iss.clone()), Err(AuthErrorKind::IssuerMismatch), "{iss}");
    }
    assert_eq!(verdict_without("iss"), Err(AuthErrorKind::IssuerMismatch));
}

#[test]
fn the_subject_is_a_user_and_not_a_machine() {
    for sub in [json!(null), json!(1), json!(["user_1"]), json!({}), json!("")] {
        assert_eq!(verdict("sub", sub.clone()), Err(AuthErrorKind::InvalidClaims), "{sub}");
    }
    assert_eq!(verdict_without("sub"), Err(AuthErrorKind::InvalidClaims));
    assert_eq!(verdict("sub", json!("mch_1")), Err(AuthErrorKind::WrongTokenType));
}

#[test]
fn expired_at_the_very_millisecond_of_exp_and_skew() {
    let mut claims = claims();
    claims["exp"] = json!(NOW);
    claims["iat"] = json!(NOW - 60);
    let at = |ms: u64| verdict_at(&claims, &policy(), now() + Duration::from_millis(ms));
    assert_eq!(at(4_999), Ok(()));
    assert_eq!(at(5_000), Err(AuthErrorKind::Expired));
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
        assert_eq!(check(&wire, &policy(), now()), Ok(None), "{exp}");
    }
    let mut claims = claims();
    claims["exp"] = json!(NOW as f64 + 0.9);
    let late = now() + Duration::from_secs(5);
    assert_eq!(verdict_at(&claims, &policy(), late), Err(AuthErrorKind::Expired));
}

#[test]
fn a_time_of_a_wrong_type_or_size_is_refused() {
    for name in ["exp", "nbf", "iat"] {
        for value in ["null", "\"1\"", "true", "[]", "{}", "1e20", "-1e20", "1e308", "1e999"]
            .into_iter()
            .chain(["18446744073709551615", "18446744073709551616", "0x10", "+1", "01", "NaN"])
        {
            let mut claims = claims();
            claims[name] = json!("PLACE");
            let json = claims.to_string().replace("\"PLACE\"", value);
            assert!(Wire::parse(json.as_bytes()).is_none(), "{name}: {value}");
        }
    }
    assert_eq!(verdict_without("exp"), Err(AuthErrorKind::InvalidClaims));
    for exp in [json!(0), json!(-1), json!(-1.5)] {
        assert_eq!(verdict("exp", exp), Err(AuthErrorKind::Expired));
    }
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let json = claims().to_string().replacen('{', r#"{"sub":"user_2","#, 1);
    assert!(Wire::parse(json.as_bytes()).is_none());
}

#[test]
fn the_authorized_party_is_one_of_the_configured_to_the_letter() {
    let mut policy = policy();
    policy.authorized_parties =
        Some(vec!["https://app.example.com".into(), "http://localhost:3000".into()]);
    let with = |azp: Value| {
        let mut claims = claims();
        claims["azp"] = azp;
        verdict_at(&claims, &policy, now())
    };
    assert_eq!(with(json!("http://localhost:3000")), Ok(()));
    for azp in [
        json!("https://app.example.com/"),
        json!("https://app.example.com.evil.com"),
        json!("http://app.example.com"),
        json!("HTTPS://APP.EXAMPLE.COM"),
        json!("*"),
        json!("https://app.example.com,http://localhost:3000"),
        json!(["https://app.example.com"]),
        json!(1),
        json!(null),
    ] {
        assert_eq!(with(azp.clone()), Err(AuthErrorKind::AuthorizedPartyMismatch), "{azp}");
    }
    assert_eq!(with(json!("")), Err(AuthErrorKind::AuthorizedPartyMissing));
    let missing = verdict_at(&claims(), &policy, now());
    assert_eq!(missing, Err(AuthErrorKind::AuthorizedPartyMissing));
}

#[test]
fn without_authorized_parties_any_azp_passes() {
    for azp in [json!("https://anywhere.example"), json!(1), json!(null), json!([])] {
        assert_eq!(verdict("azp", azp.clone()), Ok(()), "{azp}");
    }
}

#[test]
fn an_audience_that_nobody_configured_locks_nobody_out() {
    for aud in [json!("x"), json!(["x"]), json!(1)] {
        assert_eq!(verdict("aud", aud.clone()), Ok(()), "{aud}");
    }
}

#[test]
fn a_pending_session_is_none_and_another_status_is_no_matter() {
    assert_eq!(verdict("sts", json!("pending")), Err(AuthErrorKind::PendingSession));
    for sts in [json!("active"), json!("Pending"), json!(1), json!(null)] {
        assert_eq!(verdict("sts", sts.clone()), Ok(()), "{sts}");
    }
}

#[test]
fn a_missing_azp_passes_where_that_is_the_policy_and_a_wrong_one_does_not() {
    let mut policy = policy();
    policy.authorized_parties = Some(vec!["https://app.example.com".into()]);
    policy.authorized_party_policy = AuthorizedPartyPolicy::MissingAllowed;
    assert_eq!(verdict_at(&claims(), &policy, now()), Ok(()));
    for (azp, kind) in [
        (json!(""), AuthErrorKind::AuthorizedPartyMissing),
        (json!(null), AuthErrorKind::AuthorizedPartyMismatch),
        (json!("https://evil.example"), AuthErrorKind::AuthorizedPartyMismatch),
    ] {
        let mut claims = claims();
        claims["azp"] = azp;
        assert_eq!(verdict_at(&claims, &policy, now()), Err(kind));
    }
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
fn a_configured_audience_must_match_and_a_missing_one_is_a_choice() {
    let accepted = vec!["api".to_owned(), "web".to_owned()];
    let required = Policy { audience: AudiencePolicy::Required(accepted.clone()), ..policy() };
    let if_present = Policy { audience: AudiencePolicy::IfPresent(accepted), ..policy() };
    let with = |aud: Value, policy: &Policy| {
        let mut claims = claims();
        claims["aud"] = aud;
        verdict_at(&claims, policy, now())
    };
    for policy in [&required, &if_present] {
        for aud in [json!("api"), json!(["x", "web"]), json!(["api"])] {
            assert_eq!(with(aud.clone(), policy), Ok(()), "{aud}");
        }
        for aud in [
            json!("ap"),
            json!("API"),
            json!("api "),
            json!(1),
            json!(null),
            json!({ "api": 1 }),
            json!([["api"]]),
            json!(["api", 1]),
            json!(["x"]),
            json!(""),
        ] {
            assert_eq!(with(aud.clone(), policy), Err(AuthErrorKind::AudienceMismatch), "{aud}");
        }
    }
    for missing in [with(json!([]), &required), verdict_at(&claims(), &required, now())] {
        assert_eq!(missing, Err(AuthErrorKind::AudienceMissing));
    }
    assert_eq!(with(json!([]), &if_present), Ok(()));
    assert_eq!(verdict_at(&claims(), &if_present, now()), Ok(()));
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
