//! The extractors that require something, and the method in a handler's body.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use serde_json::Value;
use tower_clerk::axum::{InOrganization, Require, Requirement, SessionRejection};
use tower_clerk::session::{AuthError, Authorization, ProblemResponder, Reverification};

use super::*;

struct StrictAdmin;

impl Requirement for StrictAdmin {
    fn authorization() -> Authorization {
        Authorization::role("admin").and(Authorization::reverified(Reverification::STRICT))
    }
}

async fn required(admin: Require<StrictAdmin>) -> String {
    admin.into_session().user_id().to_owned()
}

async fn asked(session: Session) -> Result<String, AuthError> {
    session.require(&StrictAdmin::authorization())?;
    Ok(session.user_id().to_owned())
}

async fn in_organization(
    InOrganization(session, Path(named)): InOrganization<Path<String>>,
) -> String {
    format!("{} of {named}", session.user_id())
}

fn app() -> Router {
    Router::new()
        .route("/required", get(required))
        .route("/asked", get(asked))
        .route("/orgs/{slug}/me", get(in_organization))
}

#[tokio::test]
async fn an_extractor_and_a_handler_refuse_as_a_guard_does() {
    let issuer = issuer();
    let addr = serve(app().layer(layer(&issuer).optional())).await;
    let verified = |token: TokenBuilder| admin(token).claim("fva", json!([1, 1]));
    for path in ["/required", "/asked"] {
        for token in both(&issuer, verified) {
            assert_eq!(get_at(addr, path, Some(&token)).await, (200, "user_1".into()), "{path}");
        }
        for token in both(&issuer, member) {
            assert_eq!(get_at(addr, path, Some(&token)).await, (403, NOT_ALLOWED.into()), "{path}");
        }
        for token in both(&issuer, admin) {
            let (status, body) = get_at(addr, path, Some(&token)).await;
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, body), (403, reverification_body("Reverification required")));
        }
        assert_eq!(get_at(addr, path, None).await, (401, NOT_AUTHENTICATED.into()), "{path}");
    }
    // In the layer's format.
    let problem = layer(&issuer).respond_with(ProblemResponder::new());
    let addr = serve(Router::new().nest("/v1", app()).layer(problem)).await;
    let [other, _] = both(&issuer, member);
    let expected = r#"{"title":"Forbidden","status":403,"detail":"Not allowed"}"#;
    assert_eq!(get_at(addr, "/v1/required", Some(&other)).await, (403, expected.into()));
    // The layer was forgotten.
    let addr = serve(app()).await;
    for path in ["/required", "/orgs/acme/me"] {
        assert_eq!(get_at(addr, path, Some(&other)).await, (500, SERVERS_FAULT.into()));
    }
}

#[tokio::test]
async fn the_organization_in_the_path_must_be_the_active_one() {
    let issuer = issuer();
    let nested = Router::new().nest("/api", app());
    let addr = serve(nested.layer(layer(&issuer).optional())).await;
    for token in both(&issuer, member) {
        let at = async |path: &str| get_at(addr, path, Some(&token)).await;
        assert_eq!(at("/api/orgs/acme/me").await, (200, "user_1 of acme".into()));
        assert_eq!(at("/api/orgs/org_acme/me").await, (200, "user_1 of org_acme".into()));
        // As it reads when it is decoded.
        assert_eq!(at("/api/orgs/ac%6De/me").await.0, 200);
        for path in ["/api/orgs/globex/me", "/api/orgs/org_globex/me", "/api/orgs/acme%20/me"] {
            assert_eq!(at(path).await, (403, OTHER_ORGANIZATION.into()), "{path}");
        }
        // What is not text is for the path's own extractor to refuse.
        assert_eq!(at("/api/orgs/%FF/me").await.0, 400);
    }
    let [nobodys, _] = both(&issuer, |token| token);
    let refused = (403, OTHER_ORGANIZATION.into());
    assert_eq!(get_at(addr, "/api/orgs/acme/me", Some(&nobodys)).await, refused);
    assert_eq!(get_at(addr, "/api/orgs/%FF/me", None).await, (401, NOT_AUTHENTICATED.into()));
}

#[tokio::test]
async fn a_rejection_says_whether_there_is_a_session() {
    async fn why(admin: Result<Require<StrictAdmin>, SessionRejection>) -> String {
        admin.unwrap_err().to_string()
    }
    let issuer = issuer();
    let app = Router::new().route("/", get(why)).layer(layer(&issuer).optional());
    let addr = serve(app).await;
    let [other, _] = both(&issuer, member);
    let expected = "not allowed: the session lacks what is required here";
    assert_eq!(get_at(addr, "/", Some(&other)).await, (200, expected.into()));
    let expected = "no session: no token was sent";
    assert_eq!(get_at(addr, "/", None).await, (200, expected.into()));
}
