//! The guard on axum.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::Value;
use tower_clerk::session::{
    AuthError, Authorization, GrpcResponder, ProblemResponder, RequireLayer, Reverification,
};

use super::*;
use crate::support::observed::Observed;

fn publishers() -> RequireLayer {
    RequireLayer::new(Authorization::role("admin").and(Authorization::permission("posts:publish")))
}

fn strict() -> RequireLayer {
    let again = Authorization::reverified(Reverification::STRICT);
    RequireLayer::new(Authorization::role("admin").and(again))
}

fn app() -> Router {
    Router::new().route("/", get(async || "come in"))
}

#[tokio::test]
async fn a_guard_lets_in_whoever_has_what_it_requires_and_refuses_everybody_else() {
    let issuer = issuer();
    let runs = Arc::new(AtomicUsize::new(0));
    let handler = {
        let runs = Arc::clone(&runs);
        async move || {
            runs.fetch_add(1, Ordering::Relaxed);
            "come in"
        }
    };
    let app = Router::new().route("/", get(handler));
    let addr = serve(app.route_layer(publishers()).route_layer(layer(&issuer))).await;
    for token in both(&issuer, admin) {
        assert_eq!(get_at(addr, "/", Some(&token)).await, (200, "come in".into()));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2);

    let nobodys = |token: TokenBuilder| token;
    for token in [both(&issuer, member), both(&issuer, nobodys)].concat() {
        let (parts, body) = request_at(addr, "GET", "/", &[("authorization", &token)]).await;
        assert_eq!((parts.status.as_u16(), &*body), (403, NOT_ALLOWED));
        assert_eq!(parts.headers["content-type"], "application/json");
        assert_eq!(parts.headers["cache-control"], "no-store");
        assert!(!parts.headers.contains_key("www-authenticate"));
    }
    // The layer refuses first, as it does without a guard.
    assert_eq!(get_at(addr, "/", None).await, (401, NOT_AUTHENTICATED.into()));
    assert_eq!(get_at(addr, "/", Some("Bearer x")).await.0, 401);
    for token in both(&issuer, |token| admin(token).claim("exp", 1_600_000_000)) {
        assert_eq!(get_at(addr, "/", Some(&token)).await.1, r#"{"detail":"Token expired"}"#);
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2, "no refused request reached the handler");
}

#[tokio::test]
async fn whoever_lacks_a_recent_verification_alone_is_asked_for_it_as_clerks_front_end_expects() {
    let issuer = issuer();
    let addr = serve(app().layer(strict()).layer(layer(&issuer))).await;
    let verified =
        |ages: [i64; 2]| both(&issuer, move |token| admin(token).claim("fva", json!(ages)));
    for token in [verified([3, 3]), verified([9, -1])].concat() {
        assert_eq!(get_at(addr, "/", Some(&token)).await.0, 200);
    }
    let stale = [verified([0, 10]), verified([10, -1]), verified([-1, -1]), both(&issuer, admin)];
    for token in stale.concat() {
        let (status, body) = get_at(addr, "/", Some(&token)).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, body), (403, reverification_body("Reverification required")));
    }
    // To whoever would be refused anyway nothing is said of it.
    for token in both(&issuer, member) {
        assert_eq!(get_at(addr, "/", Some(&token)).await, (403, NOT_ALLOWED.into()));
    }
}

#[tokio::test]
async fn behind_a_layer_that_lets_the_anonymous_pass_a_guard_refuses_them_as_the_layer_would() {
    let issuer = issuer();
    let guarded = || app().layer(publishers());
    for layer in [layer(&issuer).optional(), layer(&issuer).report_only()] {
        let addr = serve(guarded().layer(layer)).await;
        let (parts, body) = request_at(addr, "GET", "/", &[]).await;
        assert_eq!((parts.status.as_u16(), &*body), (401, NOT_AUTHENTICATED));
        assert_eq!(parts.headers["www-authenticate"], "Bearer");
        assert_eq!(parts.headers["cache-control"], "no-store");
        for token in both(&issuer, member) {
            assert_eq!(get_at(addr, "/", Some(&token)).await, (403, NOT_ALLOWED.into()));
        }
        for token in both(&issuer, admin) {
            assert_eq!(get_at(addr, "/", Some(&token)).await.0, 200);
        }
    }
    // What a report-only layer lets pass with a bad token is refused for that token.
    let addr = serve(guarded().layer(layer(&issuer).report_only())).await;
    let (parts, body) = request_at(addr, "GET", "/", &[("authorization", "Bearer x.y.z")]).await;
    assert_eq!((parts.status.as_u16(), &*body), (401, r#"{"detail":"Invalid token"}"#));
    assert_eq!(parts.headers["www-authenticate"], r#"Bearer error="invalid_token""#);
    // A preflight that may pass the layer has no session.
    let addr = serve(guarded().layer(layer(&issuer).allow_preflights())).await;
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    assert_eq!(request_at(addr, "OPTIONS", "/", &preflight).await.0.status, 401);
}

#[tokio::test]
async fn a_guard_without_the_layer_outside_of_it_lets_nobody_in_and_says_so_in_the_log() {
    let issuer = issuer();
    let outside = app().layer(layer(&issuer)).layer(publishers());
    for app in [app().layer(publishers()), outside] {
        let observed = Observed::start();
        let addr = serve(app).await;
        for token in both(&issuer, admin) {
            assert_eq!(get_at(addr, "/", Some(&token)).await, (500, SERVERS_FAULT.into()));
        }
        assert_eq!(get_at(addr, "/", None).await, (500, SERVERS_FAULT.into()));
        let text = observed.text();
        assert!(text.contains("mount the layer outside of it"), "{text}");
        assert!(text.contains("ERROR tower_clerk::session::guard"), "{text}");
        let refused = "clerk_guard_requests_total{outcome=no_layer,answer=refused}";
        assert_eq!(observed.metrics()[refused], 3.0);
    }
}

#[tokio::test]
async fn every_guard_of_several_must_let_a_request_pass() {
    let issuer = issuer();
    let app = app()
        .route_layer(RequireLayer::new(Authorization::permission("posts:read")))
        .route_layer(RequireLayer::new(Authorization::role("admin")));
    let addr = serve(app.route_layer(layer(&issuer))).await;
    let reads_nothing = |token: TokenBuilder| token.organization("org_1", "one", "org:admin", &[]);
    for token in [both(&issuer, member), both(&issuer, reads_nothing)].concat() {
        assert_eq!(get_at(addr, "/", Some(&token)).await, (403, NOT_ALLOWED.into()));
    }
    for token in both(&issuer, admin) {
        assert_eq!(get_at(addr, "/", Some(&token)).await.0, 200);
    }
}

/// Refuses in a format that nothing else has.
fn in_own_words(error: &AuthError, request: &Parts) -> Response<Bytes> {
    let refusal = Refusal::of(error);
    let again = refusal.reverification().is_some();
    let text = format!("{} at {}, again: {again}", refusal.code(), request.uri.path());
    refusal.response(Bytes::from(text))
}

#[tokio::test]
async fn whoever_answers_for_the_layer_answers_for_the_guards_inside_of_it() {
    let issuer = issuer();
    let routes = || {
        let strict = app().route_layer(strict());
        Router::new().nest("/again", strict).nest("/publish", app().route_layer(publishers()))
    };
    let guarded = || Router::new().nest("/api", routes());
    let [stale, _] = both(&issuer, admin);
    let [other, _] = both(&issuer, member);

    // The responder sees the path that the layer saw, although two routers have changed it since.
    let addr = serve(guarded().layer(layer(&issuer).respond_with(in_own_words))).await;
    let expected = "reverification_required at /api/again, again: true";
    assert_eq!(get_at(addr, "/api/again", Some(&stale)).await, (403, expected.into()));
    let expected = "not_allowed at /api/publish, again: false";
    assert_eq!(get_at(addr, "/api/publish", Some(&other)).await, (403, expected.into()));

    let addr = serve(guarded().layer(layer(&issuer).respond_with(ProblemResponder::new()))).await;
    let headers = [("authorization", &*stale)];
    let (parts, body) = request_at(addr, "GET", "/api/again", &headers).await;
    assert_eq!(parts.headers["content-type"], "application/problem+json");
    let mut expected = reverification_body("Reverification required");
    expected["title"] = "Forbidden".into();
    expected["status"] = 403.into();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    let expected = r#"{"title":"Forbidden","status":403,"detail":"Not allowed"}"#;
    assert_eq!(get_at(addr, "/api/publish", Some(&other)).await, (403, expected.into()));

    let addr = serve(guarded().layer(layer(&issuer).grpc())).await;
    let (parts, body) = request_at(addr, "GET", "/api/again", &headers).await;
    assert_eq!((parts.status.as_u16(), &*body), (200, ""));
    assert_eq!(parts.headers["grpc-status"], "7");
    assert_eq!(parts.headers["grpc-message"], "Reverification required");

    // Of two layers the inner one let the request in.
    for (inner, outer, grpc) in [
        (layer(&issuer), layer(&issuer).respond_with(in_own_words), false),
        (layer(&issuer).respond_with(GrpcResponder::new()), layer(&issuer), true),
    ] {
        let addr = serve(guarded().layer(inner).layer(outer)).await;
        let (parts, body) =
            request_at(addr, "GET", "/api/publish", &[("authorization", &other)]).await;
        assert_eq!(parts.headers.contains_key("grpc-status"), grpc);
        assert_eq!(body, if grpc { "" } else { NOT_ALLOWED });
    }
}

#[tokio::test]
async fn a_session_that_no_layer_put_there_is_judged_too_and_refused_as_json() {
    let issuer = issuer();
    for (token, expected) in [
        (admin(issuer.token("user_1")), (200, "come in")),
        (member(issuer.token("user_1")), (403, NOT_ALLOWED)),
    ] {
        let session = issuer.verifier().verify(&token.mint()).await.unwrap();
        let addr = serve(app().layer(publishers()).layer(Extension(session))).await;
        let (status, body) = get_at(addr, "/", None).await;
        assert_eq!((status, &*body), expected);
    }
}

#[tokio::test]
async fn a_report_only_guard_refuses_nothing_and_says_what_it_would_refuse() {
    /// Why the request would have been refused.
    async fn why(error: Option<Extension<AuthError>>) -> String {
        error.map_or("nothing".into(), |Extension(error)| error.kind().as_str().into())
    }
    let observed = Observed::start();
    let issuer = issuer();
    let reporting = || Router::new().route("/", get(why)).layer(strict().report_only());
    let addr = serve(reporting().layer(layer(&issuer).report_only())).await;
    let fresh = bearer(&admin(issuer.token("user_1")).claim("fva", json!([0, 0])));
    let [stale, _] = both(&issuer, admin);
    let [other, _] = both(&issuer, member);
    for (token, expected) in [
        (Some(&*fresh), "nothing"),
        (Some(&*stale), "reverification_required"),
        (Some(&*stale), "reverification_required"),
        (Some(&*other), "requirement_not_met"),
        (None, "missing_credentials"),
        (Some("Bearer x"), "malformed"),
    ] {
        assert_eq!(get_at(addr, "/", token).await, (200, expected.into()));
    }
    // The layer outside enforces what the guard does not.
    let enforced = serve(reporting().layer(layer(&issuer))).await;
    assert_eq!(get_at(enforced, "/", None).await.0, 401);
    assert_eq!(get_at(enforced, "/", Some(&other)).await.0, 200);
    // It refuses nothing although it stands in the wrong place, and says so.
    let alone = serve(reporting()).await;
    assert_eq!(get_at(alone, "/", None).await, (200, "nothing".into()));

    let text = observed.text();
    let lines = |reason: &str| {
        let line = |line: &&str| line.contains("a guard would refuse") && line.contains(reason);
        text.lines().filter(line).count()
    };
    assert_eq!(lines("reverification_required"), 1, "one of two in ten seconds: {text}");
    assert_eq!(lines("missing_credentials"), 1, "{text}");
    assert!(text.contains("mount the layer outside of it"), "{text}");
    let metrics = observed.metrics();
    let passed = |outcome| {
        metrics[&format!("clerk_guard_requests_total{{outcome={outcome},answer=passed}}")]
    };
    assert_eq!(passed("ok"), 1.0);
    assert_eq!(passed("reverification_required"), 2.0);
    assert_eq!(passed("requirement_not_met"), 2.0);
    assert_eq!(passed("no_layer"), 1.0);
}

/// The organization in `/orgs/{slug}/…`.
fn in_path(request: &Parts) -> Option<String> {
    let rest = request.uri.path().strip_prefix("/orgs/")?;
    rest.split('/').next().map(str::to_owned)
}

#[tokio::test]
async fn a_route_of_an_organization_is_open_to_those_in_whose_session_it_is_active() {
    let issuer = issuer();
    let app = Router::new()
        .route("/orgs/{slug}/me", get(async || "come in"))
        .route("/elsewhere", get(async || "come in"))
        .route_layer(RequireLayer::organization(in_path));
    let addr = serve(app.route_layer(layer(&issuer))).await;
    for token in [both(&issuer, admin), both(&issuer, member)].concat() {
        for path in ["/orgs/acme/me", "/orgs/org_acme/me"] {
            assert_eq!(get_at(addr, path, Some(&token)).await, (200, "come in".into()), "{path}");
        }
        for path in ["/orgs/globex/me", "/orgs/org_globex/me", "/orgs/ACME/me", "/elsewhere"] {
            let refused = (403, OTHER_ORGANIZATION.into());
            assert_eq!(get_at(addr, path, Some(&token)).await, refused, "{path}");
        }
    }
    let nobodys = |token: TokenBuilder| token;
    let nameless = |token: TokenBuilder| token.organization("org_acme", "", "org:admin", &[]);
    for token in [both(&issuer, nobodys), both(&issuer, nameless)].concat() {
        let refused = (403, OTHER_ORGANIZATION.into());
        assert_eq!(get_at(addr, "/orgs/acme/me", Some(&token)).await, refused);
    }
    assert_eq!(get_at(addr, "/orgs/acme/me", None).await, (401, NOT_AUTHENTICATED.into()));
}
