//! Machines' JWTs and OAuth access tokens, which are verified here with the keys of sessions.

use tower_clerk::session::machine::Principal;
use tower_clerk::session::{AudiencePolicy, AuthErrorKind};
use tower_clerk::test_util::{ScriptedKeys, TokenBuilder};

use super::*;
use crate::support::servers::issuer;

/// The caller's kind and subject, or why the token is refused.
async fn judged(layer: &ClerkAuthLayer, token: &TokenBuilder) -> Result<String, AuthErrorKind> {
    caller(layer, &token.mint()).await.map(|principal| match principal {
        Principal::M2m(token) => format!("m2m {}", token.machine_id()),
        Principal::OAuth(token) => format!("oauth {}", token.user_id()),
        other => format!("{other:?}"),
    })
}

fn jwts(issuer: &Issuer, machines: MachineTokens) -> ClerkAuthLayer {
    ClerkAuthLayer::new(verifier(issuer)).machines(machines.accept_m2m().accept_oauth())
}

#[tokio::test]
async fn a_machines_jwt_and_an_oauth_token_are_verified_here_and_are_no_sessions() {
    let issuer = issuer();
    let both = jwts(&issuer, MachineTokens::jwts_only());
    let (m2m, oauth) = (issuer.m2m_token("mch_1"), issuer.oauth_token("user_1", "app_1"));
    assert_eq!(judged(&both, &m2m).await, Ok("m2m mch_1".to_owned()));
    assert_eq!(judged(&both, &oauth).await, Ok("oauth user_1".to_owned()));
    let only = |machines| ClerkAuthLayer::new(verifier(&issuer)).machines(machines);
    let m2m_only = only(MachineTokens::jwts_only().accept_m2m());
    assert_eq!(judged(&m2m_only, &oauth).await, Err(AuthErrorKind::WrongTokenType));
    let oauth_only = only(MachineTokens::jwts_only().accept_oauth());
    assert_eq!(judged(&oauth_only, &m2m).await, Err(AuthErrorKind::WrongTokenType));
    let none = ClerkAuthLayer::new(verifier(&issuer));
    for token in [&m2m, &oauth] {
        assert_eq!(judged(&none, token).await, Err(AuthErrorKind::WrongTokenType));
        assert_eq!(
            verifier(&issuer).verify(&token.mint()).await.map_err(|error| error.kind()),
            Err(AuthErrorKind::WrongTokenType)
        );
    }
}

#[tokio::test]
async fn each_rule_of_a_machines_jwt_is_enforced() {
    let issuer = issuer();
    let layer = jwts(&issuer, MachineTokens::jwts_only());
    let forged = Issuer::new(ISS, "ins_1");
    let m2m = || issuer.m2m_token("mch_1");
    let oauth = || issuer.oauth_token("user_1", "app_1");
    let now = m2m();
    for (token, expected) in [
        (forged.m2m_token("mch_1"), AuthErrorKind::BadSignature),
        (forged.oauth_token("user_1", "app_1"), AuthErrorKind::BadSignature),
        (m2m().claim("iss", "https://other.example.com"), AuthErrorKind::IssuerMismatch),
        (oauth().claim("iss", "https://other.example.com"), AuthErrorKind::IssuerMismatch),
        (m2m().claim("exp", 1), AuthErrorKind::Expired),
        (oauth().claim("exp", 1), AuthErrorKind::Expired),
        (m2m().without_claim("exp"), AuthErrorKind::InvalidClaims),
        (oauth().without_claim("exp"), AuthErrorKind::InvalidClaims),
        (m2m().claim("nbf", 9_999_999_999_i64), AuthErrorKind::NotYetValid),
        (oauth().claim("iat", 9_999_999_999_i64), AuthErrorKind::IssuedInFuture),
        (m2m().without_claim("jti"), AuthErrorKind::InvalidClaims),
        (oauth().without_claim("jti"), AuthErrorKind::InvalidClaims),
        (m2m().claim("sub", "mch_"), AuthErrorKind::InvalidClaims),
        (oauth().claim("sub", "org_1"), AuthErrorKind::InvalidClaims),
        (oauth().without_claim("sub"), AuthErrorKind::InvalidClaims),
        (m2m().header("alg", "HS256"), AuthErrorKind::UnsupportedAlgorithm),
        (oauth().header("alg", "none"), AuthErrorKind::UnsupportedAlgorithm),
        (m2m().header("crit", json!(["x"])), AuthErrorKind::CriticalHeader),
        (oauth().header("b64", false), AuthErrorKind::CriticalHeader),
        // A session's category, that of templates, and the one that tells nothing.
        (m2m().header("cat", "cl_B7d4PD111AAA"), AuthErrorKind::WrongTokenType),
        (m2m().header("cat", "cl_B7d4PD222AAA"), AuthErrorKind::WrongTokenType),
        (m2m().header("cat", "cl_I7d4PD111III"), AuthErrorKind::WrongTokenType),
        (m2m().header("typ", "at+jwt"), AuthErrorKind::WrongTokenType),
        (m2m().header("typ", "jwt"), AuthErrorKind::WrongTokenType),
        (oauth().header("typ", "AT+JWT"), AuthErrorKind::WrongTokenType),
        (now.header("kid", "ins_2"), AuthErrorKind::UnknownKey),
    ] {
        assert_eq!(judged(&layer, &token).await, Err(expected), "{token:?}");
    }
    // What Clerk's SDK accepts beside the usual.
    for token in [m2m().without_header("cat"), m2m().without_header("typ"), m2m().claim("azp", "x")]
    {
        assert_eq!(judged(&layer, &token).await, Ok("m2m mch_1".to_owned()), "{token:?}");
    }
    let long = oauth().header("typ", "application/at+jwt").header("cat", "cl_I7d4PD111III");
    assert_eq!(judged(&layer, &long).await, Ok("oauth user_1".to_owned()));
}

#[tokio::test]
async fn authorized_parties_are_no_matter_of_machines() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys).authorized_parties(["https://app.example.com"]);
    let machines = MachineTokens::jwts_only().accept_m2m().accept_oauth();
    let layer = ClerkAuthLayer::new(verifier.build().unwrap()).machines(machines);
    assert!(judged(&layer, &issuer.m2m_token("mch_1")).await.is_ok());
    assert!(judged(&layer, &issuer.oauth_token("user_1", "app_1")).await.is_ok());
}

#[tokio::test]
async fn an_oauth_token_for_another_resource_or_of_another_application_is_refused() {
    let issuer = issuer();
    let resource = || vec!["https://api.example.com".to_owned()];
    let lenient = MachineTokens::jwts_only().audience(AudiencePolicy::IfPresent(resource()));
    let strict = MachineTokens::jwts_only().audience(AudiencePolicy::Required(resource()));
    let (lenient, strict) = (jwts(&issuer, lenient), jwts(&issuer, strict));
    let own = jwts(&issuer, MachineTokens::jwts_only().client_ids(["app_1"]));
    let token = || issuer.oauth_token("user_1", "app_1");
    let (here, elsewhere) = (
        token().claim("aud", json!(["https://a.example.com", "https://api.example.com"])),
        token().claim("aud", "https://api.example.com/"),
    );
    for layer in [&lenient, &strict] {
        assert!(judged(layer, &here).await.is_ok());
        assert_eq!(judged(layer, &elsewhere).await, Err(AuthErrorKind::AudienceMismatch));
        // A machine's `aud` are other machines.
        assert!(judged(layer, &issuer.m2m_token("mch_1").claim("aud", "mch_2")).await.is_ok());
    }
    assert!(judged(&lenient, &token()).await.is_ok());
    assert_eq!(judged(&strict, &token()).await, Err(AuthErrorKind::AudienceMissing));
    assert!(judged(&own, &token()).await.is_ok());
    for other in [issuer.oauth_token("user_1", "app_2"), token().without_claim("client_id")] {
        assert_eq!(judged(&own, &other).await, Err(AuthErrorKind::ClientMismatch));
    }
}

#[tokio::test]
async fn the_instance_of_several_that_a_machine_names_verifies_it() {
    let (one, two) = (issuer(), Issuer::new("https://two.example.com", "ins_2"));
    let of = |issuer: &Issuer| {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(issuer.iss(), keys).build().unwrap()
    };
    let verifier = Verifier::any_of([of(&one), of(&two)]).unwrap();
    let machines = MachineTokens::jwts_only().accept_m2m().accept_oauth();
    let layer = ClerkAuthLayer::new(verifier).machines(machines);
    for issuer in [&one, &two] {
        assert!(judged(&layer, &issuer.m2m_token("mch_1")).await.is_ok());
        assert!(judged(&layer, &issuer.oauth_token("user_1", "app_1")).await.is_ok());
    }
    let claimed = two.m2m_token("mch_1").claim("iss", one.iss()).header("kid", one.kid());
    assert_eq!(judged(&layer, &claimed).await, Err(AuthErrorKind::BadSignature));
    let foreign = Issuer::new("https://three.example.com", "ins_3");
    assert_eq!(
        judged(&layer, &foreign.m2m_token("mch_1")).await,
        Err(AuthErrorKind::IssuerMismatch)
    );
}

#[tokio::test]
async fn a_machine_waits_for_a_key_that_is_being_fetched() {
    let issuer = issuer();
    let keys = ScriptedKeys::new();
    keys.pending();
    let verifier = Verifier::builder(ISS, keys.clone()).build().unwrap();
    let layer = ClerkAuthLayer::new(verifier).machines(MachineTokens::jwts_only().accept_m2m());
    let token = issuer.m2m_token("mch_1");
    let waiting = tokio::spawn(async move { judged(&layer, &token).await });
    while keys.lookups() == 0 {
        tokio::task::yield_now().await;
    }
    keys.publish(&issuer);
    keys.available();
    let judged = tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap();
    assert_eq!(judged, Ok("m2m mch_1".to_owned()));
}
