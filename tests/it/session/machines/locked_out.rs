//! Machines that act for users who are banned: what is remembered of them goes.

use http::StatusCode;
use tower_clerk::lockout::{Barred, Lockout, LockoutError, LockoutStore, Lockouts};
use tower_clerk::session::AuthErrorKind;

use super::*;
use crate::support::servers::issuer;

/// A store without lock-outs.
struct Nothing;

impl LockoutStore for Nothing {
    async fn within(&self, _: Duration) -> Result<Vec<Lockout>, LockoutError> {
        Ok(Vec::new())
    }
}

fn barring(issuer: &Issuer, lockouts: &Lockouts, machines: MachineTokens) -> ClerkAuthLayer {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys).lockouts(lockouts).build().unwrap();
    ClerkAuthLayer::new(verifier).machines(machines)
}

fn banned(user: &str, occurred_at: i64) -> Lockout {
    Lockout::new(Barred::User(user.to_owned()), occurred_at)
}

#[tokio::test]
async fn a_remembered_answer_from_before_a_ban_goes_and_clerk_is_asked_anew() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    // 1 700 000 000 s.
    api.adds("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    let (lockouts, introspection) = (Lockouts::new(Nothing), questions(&api).build());
    let layer = barring(&issuer, &lockouts, all(&introspection));
    let token = secret("ak_", "good");
    api.answers(&token, 200, &api_key());
    for _ in 0..3 {
        assert!(caller(&layer, &token).await.is_ok());
    }
    lockouts.add(banned("user_2", 1_700_000_000_001));
    assert!(caller(&layer, &token).await.is_ok());
    assert_eq!(api.count(), 1, "another user's ban is no reason to ask");

    lockouts.add(banned("user_1", 1_700_000_000_001));
    let mut revoked = api_key();
    revoked["revoked"] = json!(true);
    api.answers(&token, 200, &revoked);
    assert_eq!(caller(&layer, &token).await.err(), Some(AuthErrorKind::InactiveToken));
    assert_eq!(api.count(), 2);
}

#[tokio::test]
async fn an_answer_from_after_a_ban_counts_as_before() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    api.adds("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    let (lockouts, introspection) = (Lockouts::new(Nothing), questions(&api).build());
    let layer = barring(&issuer, &lockouts, all(&introspection));
    lockouts.add(banned("user_1", 1_699_999_999_999));
    let token = secret("ak_", "good");
    api.answers(&token, 200, &api_key());
    for _ in 0..3 {
        assert!(caller(&layer, &token).await.is_ok());
    }
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn race_of_a_ban_with_a_question_under_way_leaves_nothing_remembered_that_counts() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    api.adds("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    let (lockouts, introspection) = (Lockouts::new(Nothing), questions(&api).build());
    let layer = barring(&issuer, &lockouts, all(&introspection));
    let token = secret("ak_", "good");
    api.answers(&token, 200, &api_key());
    api.holds(true);
    let asking = tokio::spawn({
        let (layer, token) = (layer.clone(), token.clone());
        async move { caller(&layer, &token).await.is_ok() }
    });
    api.saw(1).await;
    lockouts.add(banned("user_1", 1_700_000_000_500));
    api.holds(false);
    tokio::time::timeout(DEADLINE, asking).await.unwrap().unwrap();
    api.says(&token, 404, "{}");
    assert_eq!(caller(&layer, &token).await.err(), Some(AuthErrorKind::InactiveToken));
    assert_eq!(api.count(), 2);
}

#[tokio::test]
async fn a_banned_users_oauth_jwt_is_out_at_once_and_a_machines_own_is_not_asked_about() {
    let issuer = issuer();
    let lockouts = Lockouts::new(Nothing);
    let machines = MachineTokens::jwts_only().accept_m2m().accept_oauth();
    let layer = barring(&issuer, &lockouts, machines);
    let oauth = issuer.oauth_token("user_1", "app_1").mint();
    assert!(caller(&layer, &oauth).await.is_ok());
    lockouts.add(banned("user_1", i64::MAX));
    let who = crate::session::machines::served::answer_of(&layer, &oauth).await;
    assert_eq!(who, (StatusCode::UNAUTHORIZED, r#"{"detail":"Session ended"}"#.to_owned()));
    assert!(caller(&layer, &issuer.m2m_token("mch_1").mint()).await.is_ok());
    // One that lives longer than a lock-out is known would come back to life.
    let long = issuer.oauth_token("user_2", "app_1").expires_after(Duration::from_secs(3601));
    assert_eq!(caller(&layer, &long.mint()).await.err(), Some(AuthErrorKind::LifetimeTooLong));
}
