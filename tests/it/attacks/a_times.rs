//! `exp`, `nbf`, `iat`, and how far clocks may lie apart.

use std::time::Duration;

use tower_clerk::session::{AuthErrorKind, StaticKeys, Verifier};

use super::target::{Target, claims_of};
use crate::support::servers::{ISS, issuer};

/// A token with a claim written as this very text, JSON or not, genuinely signed.
fn with_literal(target: &Target, name: &str, literal: &str) -> String {
    let placed = target.token().claim(name, "PLACE").mint();
    let claims = claims_of(&placed).replace("\"PLACE\"", literal);
    target.issuer.mint_raw(br#"{"alg":"RS256","kid":"ins_1"}"#, claims.as_bytes())
}

/// What is no number, or none that JSON knows, or none that is a time.
const NO_TIMES: [&str; 24] = [
    "null",
    "\"1900000000\"",
    "\"\"",
    "true",
    "false",
    "[]",
    "[1900000000]",
    "{}",
    "NaN",
    "Infinity",
    "-Infinity",
    "0x7fffffff",
    "+1900000000",
    "01900000000",
    "1900000000.",
    ".5",
    "1e",
    "1_900_000_000",
    "1e20",
    "-1e20",
    "1e308",
    "1e999",
    "18446744073709551616",
    "253402300800",
];

#[tokio::test]
async fn a18_an_exp_that_is_past_missing_or_no_time_is_refused() {
    let target = Target::new();
    let now = target.now();
    for exp in [now - 60, now - 10, now - 5, 0, -1, -now] {
        let token = target.token().claim("exp", exp).mint();
        target.refuses(exp, &token, AuthErrorKind::Expired).await;
    }
    for exp in [-0.5, 0.5, now as f64 - 5.5, now as f64 - 4.999 - 1.0] {
        let token = target.token().claim("exp", exp).mint();
        target.refuses(exp, &token, AuthErrorKind::Expired).await;
    }
    for literal in NO_TIMES {
        let token = with_literal(&target, "exp", literal);
        target.refuses(literal, &token, AuthErrorKind::InvalidClaims).await;
    }
    let missing = target.token().without_claim("exp").mint();
    target.refuses("missing", &missing, AuthErrorKind::InvalidClaims).await;
    let misnamed = target.token().without_claim("exp").claim("EXP", now + 60).mint();
    target.refuses("EXP", &misnamed, AuthErrorKind::InvalidClaims).await;
}

#[tokio::test]
async fn a19_a_token_expires_at_the_very_millisecond_of_exp_and_skew() {
    let target = Target::new();
    let token = target.token().claim("exp", target.now()).mint();
    target.clock.advance(Duration::from_millis(4_999));
    target.accepts("the last millisecond", &token).await;
    target.clock.advance(Duration::from_millis(1));
    target.refuses("the next", &token, AuthErrorKind::Expired).await;
}

#[tokio::test]
async fn a20_a_token_of_the_future_is_refused_until_its_time_comes() {
    let target = Target::new();
    let at = |seconds| target.token().claim("nbf", target.now() + seconds).mint();
    for ahead in [6, 60, 86_400] {
        target.refuses(ahead, &at(ahead), AuthErrorKind::NotYetValid).await;
    }
    target.accepts("within the skew", &at(5)).await;
    target.accepts("absent", &target.token().without_claim("nbf").mint()).await;
    for literal in NO_TIMES {
        let token = with_literal(&target, "nbf", literal);
        target.refuses(literal, &token, AuthErrorKind::InvalidClaims).await;
    }
    let early = at(6);
    target.clock.advance(Duration::from_secs(1));
    target.accepts("its time has come", &early).await;
}

#[tokio::test]
async fn a21_a_token_that_was_issued_in_the_future_or_at_no_time_is_refused() {
    let target = Target::new();
    let at = |seconds| target.token().claim("iat", target.now() + seconds).mint();
    for ahead in [6, 60, 86_400] {
        target.refuses(ahead, &at(ahead), AuthErrorKind::IssuedInFuture).await;
    }
    target.accepts("within the skew", &at(5)).await;
    target.accepts("absent", &target.token().without_claim("iat").mint()).await;
    for literal in NO_TIMES {
        let token = with_literal(&target, "iat", literal);
        target.refuses(literal, &token, AuthErrorKind::InvalidClaims).await;
    }
}

/// A duration cannot be negative, infinite or no number; what is left to refuse is too long a one.
#[tokio::test]
async fn a22_clocks_may_lie_five_seconds_apart_and_never_more_than_five_minutes() {
    let ahead_and_behind = async |target: &Target, seconds: i64| {
        let now = target.now();
        let old = target.token().claim("exp", now - seconds).mint();
        let new = target.token().claim("nbf", now + seconds).claim("iat", now + seconds).mint();
        (target.verdict(&old).await.is_ok(), target.verdict(&new).await.is_ok())
    };
    let clerks = Target::new();
    assert_eq!(ahead_and_behind(&clerks, 4).await, (true, true));
    assert_eq!(ahead_and_behind(&clerks, 5).await, (false, true));
    assert_eq!(ahead_and_behind(&clerks, 6).await, (false, false));
    let none = Target::with(|builder| builder.skew(Duration::ZERO));
    assert_eq!(ahead_and_behind(&none, 0).await, (false, true));
    assert_eq!(ahead_and_behind(&none, 1).await, (false, false));
    let most = Target::with(|builder| builder.skew(Duration::from_secs(300)));
    assert_eq!(ahead_and_behind(&most, 299).await, (true, true));
    assert_eq!(ahead_and_behind(&most, 301).await, (false, false));
    let keys = StaticKeys::from_jwks(&issuer().jwks().to_string()).unwrap();
    for skew in [Duration::from_millis(300_001), Duration::MAX] {
        let refused = Verifier::builder(ISS, keys.clone()).skew(skew).build().unwrap_err();
        assert_eq!(refused.setting(), "skew");
    }
}
