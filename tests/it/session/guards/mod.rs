//! What callers may do: the guard, the extractors and the methods, over real sockets.

mod extractors;
mod on_axum;
mod on_hyper;
mod on_tonic;

use std::error::Error as _;
use std::net::SocketAddr;

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_clerk::session::{
    AuthErrorKind, Authorization, ClerkAuthLayer, Refusal, Reverification, Session, StaticKeys,
    Verifier,
};
use tower_clerk::test_util::{Issuer, TokenBuilder};

use crate::support::servers::{ISS, issuer, request_at};

const NOT_ALLOWED: &str = r#"{"detail":"Not allowed"}"#;
const NOT_AUTHENTICATED: &str = r#"{"detail":"Not authenticated"}"#;
const OTHER_ORGANIZATION: &str = r#"{"detail":"Another organization is active"}"#;
const SERVERS_FAULT: &str = r#"{"detail":"Internal server error"}"#;

fn layer(issuer: &Issuer) -> ClerkAuthLayer {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap())
}

/// Tokens of one user in both versions, which say the same.
fn both(issuer: &Issuer, say: impl Fn(TokenBuilder) -> TokenBuilder) -> [String; 2] {
    [issuer.token("user_1"), issuer.token_v1("user_1")].map(|token| bearer(&say(token)))
}

fn bearer(token: &TokenBuilder) -> String {
    format!("Bearer {}", token.mint())
}

/// An admin of `acme`, who may publish posts.
fn admin(token: TokenBuilder) -> TokenBuilder {
    token.organization("org_acme", "acme", "org:admin", &["org:posts:read", "org:posts:publish"])
}

/// A member of `acme`, who may read posts.
fn member(token: TokenBuilder) -> TokenBuilder {
    token.organization("org_acme", "acme", "org:member", &["org:posts:read"])
}

/// What Clerk's front end looks for, in a body that says it to people too.
fn reverification_body(detail: &str) -> Value {
    json!({
        "detail": detail,
        "clerk_error": {
            "type": "forbidden",
            "reason": "reverification-error",
            "metadata": { "reverification": { "level": "second_factor", "afterMinutes": 10 } },
        },
    })
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

/// The status and the body of a GET with these credentials.
async fn get_at(addr: SocketAddr, path: &str, authorization: Option<&str>) -> (u16, String) {
    let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    let (parts, body) = request_at(addr, "GET", path, &headers).await;
    if parts.status == 403 {
        assert_eq!(parts.headers["cache-control"], "no-store");
        assert!(!parts.headers.contains_key("www-authenticate"), "signing in again does not help");
    }
    (parts.status.as_u16(), body)
}

#[tokio::test]
async fn a_session_says_what_it_lacks() {
    let issuer = issuer();
    let strict = || Authorization::reverified(Reverification::STRICT);
    for token in [issuer.token("user_1"), issuer.token_v1("user_1")] {
        let session = async |token: TokenBuilder| issuer.verifier().verify(&token.mint()).await;
        let of = |session: &Session, required: Authorization| {
            session.require(&required).map_err(|error| (error.kind(), error.reverification()))
        };
        let admin = session(admin(token)).await.unwrap();
        let role = || Authorization::role("admin");
        let other = || Authorization::role("owner");
        let asked = Err((AuthErrorKind::ReverificationRequired, Some(Reverification::STRICT)));
        let refused = Err((AuthErrorKind::RequirementNotMet, None));
        assert_eq!(of(&admin, role()), Ok(()));
        assert_eq!(of(&admin, other()), refused);
        assert_eq!(of(&admin, role().or(other())), Ok(()));
        assert_eq!(of(&admin, role().and(strict())), asked);
        // Verifying again would not make an owner of the user.
        assert_eq!(of(&admin, other().and(strict())), refused);
        assert_eq!(of(&admin, other().or(strict())), asked);
        assert_eq!(of(&admin, other().and(strict()).or(role())), Ok(()));
        let error = admin.require(&strict()).unwrap_err();
        assert_eq!(Refusal::of(&error).code(), "reverification_required");
        assert_eq!(Refusal::of(&error).reverification(), Some(Reverification::STRICT));
        assert_eq!(
            error.source().unwrap().to_string(),
            "the verification is to be Second, less than 600s ago"
        );
        let lax = admin.require(&Authorization::reverified(Reverification::LAX)).unwrap_err();
        assert_ne!(error, lax);

        assert_eq!(admin.require_organization("acme"), Ok(()));
        assert_eq!(admin.require_organization("org_acme"), Ok(()));
        for organization in ["", "Acme", "acme ", "org_", "org_acm", "org_other", "globex"] {
            let error = admin.require_organization(organization).unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::OtherOrganization, "{organization:?}");
        }
    }
}

#[tokio::test]
async fn an_organization_does_not_pass_for_another_whose_id_is_its_slug() {
    let issuer = issuer();
    for token in [issuer.token("user_1"), issuer.token_v1("user_1")] {
        let token = token.organization("org_thief", "org_acme", "org:admin", &[]).mint();
        let session = issuer.verifier().verify(&token).await.unwrap();
        assert!(session.require_organization("org_acme").is_err());
        assert!(session.require_organization("org_thief").is_ok());
    }
}
