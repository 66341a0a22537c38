//! Whose token it is and for whom: `iss`, `azp`, `sub`, `aud`, `sts`, `act`.

use serde_json::{Value, json};
use tower_clerk::session::{AudiencePolicy, AuthErrorKind, AuthorizedPartyPolicy};

use super::target::{Target, text};

/// Tells what becomes of a token with `claim` set to each of `values`.
async fn refuses_each(target: &Target, claim: &str, values: Vec<Value>, kind: AuthErrorKind) {
    for value in values {
        let token = target.token().claim(claim, value.clone()).mint();
        target.refuses((claim, text(&value)), &token, kind).await;
    }
}

#[tokio::test]
async fn a23_the_issuer_is_one_text_equal_to_the_letter() {
    let target = Target::new();
    let values = vec![
        json!(null),
        json!(1),
        json!(true),
        json!({ "https://clerk.example.com": 1 }),
        json!(["https://clerk.example.com"]),
        json!(["https://clerk.example.com", "https://evil.example.com"]),
        json!(""),
        json!("https://clerk.other.example"),
        json!("https://clerk.example.com/"),
        json!("http://clerk.example.com"),
        json!("HTTPS://clerk.example.com"),
        json!("https://CLERK.example.com"),
        json!("https://clerk.example.com:443"),
        json!("https://clerk.example.com#"),
        json!("https://clerk.example.com?"),
        json!("https://user@clerk.example.com"),
        json!("https://clerk.example.com@evil.example.com"),
        json!("https://clerk.example.com.evil.example.com"),
        json!("https://evilclerk.example.com"),
        json!("https://evil.example.com/https://clerk.example.com"),
        json!("https://clerk.example.co"),
        json!("https://clerk.evil.accounts.dev"),
        json!(" https://clerk.example.com"),
        json!("https://clerk.example.com "),
        json!("https://clerk.example.com\n"),
        json!("https://clerk.example.com\u{0}"),
        json!("https://сlerk.example.com"),
        json!("clerk.example.com"),
    ];
    refuses_each(&target, "iss", values, AuthErrorKind::IssuerMismatch).await;
    let missing = target.token().without_claim("iss").mint();
    target.refuses("missing", &missing, AuthErrorKind::IssuerMismatch).await;
}

fn with_parties(policy: AuthorizedPartyPolicy) -> Target {
    Target::with(|builder| {
        builder
            .authorized_parties(["https://app.example.com", "http://localhost:3000"])
            .authorized_party_policy(policy)
    })
}

#[tokio::test]
async fn a24_the_authorized_party_is_one_of_the_configured_to_the_letter() {
    for policy in [AuthorizedPartyPolicy::Required, AuthorizedPartyPolicy::MissingAllowed] {
        let target = with_parties(policy);
        for azp in ["https://app.example.com", "http://localhost:3000"] {
            target.accepts(azp, &target.token().claim("azp", azp).mint()).await;
        }
        let values = vec![
            json!("https://evil.example.com"),
            json!("https://app.example.co"),
            json!("https://app.example.com.evil.example"),
            json!("https://evilapp.example.com"),
            json!("https://app.example.com/"),
            json!("https://app.example.com/path"),
            json!("https://APP.example.com"),
            json!("HTTPS://app.example.com"),
            json!("http://app.example.com"),
            json!("https://app.example.com:443"),
            json!("http://localhost:3001"),
            json!("http://localhost"),
            json!("app.example.com"),
            json!("null"),
            json!("*"),
            json!("https://*"),
            json!(["https://app.example.com"]),
            json!([]),
            json!({}),
            json!(1),
            json!(true),
            json!("https://app.example.com,http://localhost:3000"),
            json!("https://app.example.com http://localhost:3000"),
        ];
        refuses_each(&target, "azp", values, AuthErrorKind::AuthorizedPartyMismatch).await;
    }
}

#[tokio::test]
async fn a25_a_missing_or_empty_authorized_party_is_refused_where_some_are_configured() {
    let target = with_parties(AuthorizedPartyPolicy::default());
    target.refuses("missing", &target.token().mint(), AuthErrorKind::AuthorizedPartyMissing).await;
    let empty = target.token().claim("azp", "").mint();
    target.refuses("empty", &empty, AuthErrorKind::AuthorizedPartyMissing).await;
    let null = target.token().claim("azp", json!(null)).mint();
    target.refuses("null", &null, AuthErrorKind::AuthorizedPartyMismatch).await;
    // A choice that has to be made by name, and is about tokens without `azp` alone.
    let target = with_parties(AuthorizedPartyPolicy::MissingAllowed);
    target.accepts("missing", &target.token().mint()).await;
    let empty = target.token().claim("azp", "").mint();
    target.refuses("empty", &empty, AuthErrorKind::AuthorizedPartyMissing).await;
}

#[tokio::test]
async fn a26_without_authorized_parties_any_azp_passes() {
    let target = Target::new();
    target.accepts("absent", &target.token().mint()).await;
    for azp in [json!("https://anywhere.example"), json!(""), json!(null), json!(1), json!([])] {
        target.accepts(text(&azp), &target.token().claim("azp", azp.clone()).mint()).await;
    }
}

#[tokio::test]
async fn a27_a_token_that_names_no_user_is_refused() {
    let target = Target::new();
    let values =
        vec![json!(null), json!(1), json!(["user_1"]), json!({ "id": "user_1" }), json!(true)];
    refuses_each(&target, "sub", values, AuthErrorKind::InvalidClaims).await;
    let missing = target.token().without_claim("sub").mint();
    target.refuses("missing", &missing, AuthErrorKind::InvalidClaims).await;
}

#[tokio::test]
async fn a28_an_empty_user_id_is_none() {
    let target = Target::new();
    refuses_each(&target, "sub", vec![json!("")], AuthErrorKind::InvalidClaims).await;
}

#[tokio::test]
async fn a29_where_an_audience_is_configured_it_must_match_to_the_letter() {
    let accepted = || vec!["api".to_owned(), "web".to_owned()];
    let required = Target::with(|b| b.audience(AudiencePolicy::Required(accepted())));
    let if_present = Target::with(|b| b.audience(AudiencePolicy::IfPresent(accepted())));
    for target in [&required, &if_present] {
        for aud in [json!("api"), json!(["api"]), json!(["x", "web"])] {
            target.accepts(text(&aud), &target.token().claim("aud", aud.clone()).mint()).await;
        }
        let values = vec![
            json!("other"),
            json!("ap"),
            json!("apis"),
            json!("API"),
            json!("api "),
            json!("api,web"),
            json!(""),
            json!([""]),
            json!(1),
            json!(null),
            json!(true),
            json!({ "api": 1 }),
            json!({ "0": "api" }),
            json!([["api"]]),
            json!(["api", 1]),
            json!([null]),
            json!(["x", "y"]),
        ];
        refuses_each(target, "aud", values, AuthErrorKind::AudienceMismatch).await;
    }
    for (label, token) in
        [("missing", required.token()), ("empty list", required.token().claim("aud", json!([])))]
    {
        required.refuses(label, &token.mint(), AuthErrorKind::AudienceMissing).await;
    }
    if_present.accepts("missing", &if_present.token().mint()).await;
}

#[tokio::test]
async fn a30_an_audience_that_nobody_configured_locks_nobody_out() {
    let target = Target::new();
    for aud in [json!("x"), json!(["x"]), json!([]), json!(1), json!(null), json!({})] {
        target.accepts(text(&aud), &target.token().claim("aud", aud.clone()).mint()).await;
    }
}

#[tokio::test]
async fn a33_a_pending_session_counts_as_signed_out_unless_allowed() {
    let target = Target::new();
    let pending = |target: &Target| target.token().claim("sts", "pending").mint();
    target.refuses("pending", &pending(&target), AuthErrorKind::PendingSession).await;
    for sts in [json!("active"), json!("Pending"), json!("pending "), json!(null), json!(1)] {
        target.accepts(text(&sts), &target.token().claim("sts", sts.clone()).mint()).await;
    }
    target.accepts("absent", &target.token().without_claim("sts").mint()).await;
    let lenient = Target::with(|builder| builder.allow_pending_sessions());
    lenient.accepts("allowed", &pending(&lenient)).await;
}

#[tokio::test]
async fn a37_under_impersonation_the_user_is_the_impersonated_one() {
    let target = Target::new();
    let act = json!({ "sub": "user_admin", "sid": "sess_admin", "iss": "https://dashboard" });
    let token = target.token().claim("act", act).mint();
    target.accepts("the impersonated user", &token).await;
    let session = target.verifier.verify(&token).await.unwrap();
    assert_eq!(session.user_id(), "user_1");
    assert_eq!(session.session_id(), Some("sess_user_1"));
    let actor = session.actor().unwrap();
    assert_eq!(&*actor.user_id, "user_admin");
    assert_eq!(actor.session_id.as_deref(), Some("sess_admin"));
    // An actor that cannot be read is none that could be taken for the user.
    for act in [json!("user_admin"), json!({}), json!({ "sub": 7 }), json!(null), json!([])] {
        let token = target.token().claim("act", act.clone()).mint();
        let session = target.verifier.verify(&token).await.unwrap();
        assert_eq!((session.user_id(), session.actor().is_none()), ("user_1", true), "{act}");
    }
}

/// Whatever an organization claim looks like, the token is the user's and nothing is granted.
#[tokio::test]
async fn a38_an_organization_claim_of_a_wrong_shape_is_no_organization() {
    use tower_clerk::session::Authorization;

    let target = Target::new();
    for o in [json!("org_1"), json!(7), json!([]), json!({}), json!({ "id": 7 }), json!(null)] {
        let token = target.token().claim("o", o.clone()).mint();
        let session = target.verifier.verify(&token).await.unwrap();
        assert!(session.organization().is_none(), "{o}");
    }
    let long = "9".repeat(2000);
    for (per, fpm) in [
        (json!("read"), json!("-1")),
        (json!("read"), json!("0x1")),
        (json!("read"), json!("1e0")),
        (json!("read"), json!("٣")),
        (json!("read"), json!(1)),
        (json!(["read"]), json!("1")),
        (json!(""), json!(long)),
        (json!("read"), json!(",,,")),
    ] {
        let o = json!({ "id": "org_1", "rol": "admin", "per": per, "fpm": fpm });
        let token = target.token().claim("fea", "o:posts").claim("o", o).mint();
        let session = target.verifier.verify(&token).await.unwrap();
        let permissions = session.organization().map_or(0, |org| org.permissions().count());
        assert_eq!(permissions, 0, "{per} {fpm}");
        assert!(!session.has(&Authorization::permission("posts:read")), "{per} {fpm}");
    }
    let token = target.token().without_claim("v").claim("org_id", "org_1");
    let token = token.claim("org_permissions", "org:posts:read").mint();
    let session = target.verifier.verify(&token).await.unwrap();
    assert!(!session.has(&Authorization::permission("posts:read")));
}
