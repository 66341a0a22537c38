//! The layer and the extractors on axum, over a real socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tokio::net::TcpListener;
use tower_clerk::axum::SessionRejection;
use tower_clerk::session::{
    AuthError, AuthErrorKind, ClerkAuthLayer, ProblemResponder, Refusal, Session, StaticKeys,
    Verifier,
};
use tower_clerk::test_util::Issuer;

use crate::support::servers::{ISS, issuer, request, request_to};

async fn whoami(session: Session) -> String {
    session.user_id().to_owned()
}

async fn greeting(session: Option<Session>) -> String {
    session.map_or("hello".into(), |session| format!("hello {}", session.user_id()))
}

fn layer(issuer: &Issuer) -> ClerkAuthLayer {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap())
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

#[tokio::test]
async fn a_handler_is_told_who_sent_the_request() {
    let issuer = issuer();
    let addr = serve(Router::new().route("/", get(whoami)).layer(layer(&issuer))).await;
    let bearer = format!("Bearer {}", issuer.token("user_1").mint());
    let (parts, body) = request(addr, "GET", &[("authorization", &bearer)]).await;
    assert_eq!((parts.status.as_u16(), &*body), (200, "user_1"));

    let (parts, body) = request(addr, "GET", &[("authorization", "Bearer x.y.z")]).await;
    assert_eq!((parts.status.as_u16(), &*body), (401, r#"{"detail":"Invalid token"}"#));
    let (parts, body) = request(addr, "GET", &[]).await;
    assert_eq!((parts.status.as_u16(), &*body), (401, r#"{"detail":"Not authenticated"}"#));
    let (parts, body) = request(addr, "HEAD", &[]).await;
    assert_eq!((parts.status.as_u16(), &*body), (401, ""));
}

#[tokio::test]
async fn behind_an_optional_layer_the_session_is_an_option() {
    let issuer = issuer();
    let app = Router::new().route("/", get(greeting)).layer(layer(&issuer).optional());
    let addr = serve(app).await;
    assert_eq!(request(addr, "GET", &[]).await.1, "hello");
    let bearer = format!("Bearer {}", issuer.token("user_1").mint());
    assert_eq!(request(addr, "GET", &[("authorization", &bearer)]).await.1, "hello user_1");
    assert_eq!(request(addr, "GET", &[("authorization", "Bearer x")]).await.0.status, 401);
}

#[tokio::test]
async fn a_handler_that_needs_a_session_refuses_the_anonymous_behind_an_optional_layer() {
    let addr =
        serve(Router::new().route("/", get(whoami)).layer(layer(&issuer()).optional())).await;
    let (parts, body) = request(addr, "GET", &[]).await;
    assert_eq!((parts.status.as_u16(), &*body), (401, r#"{"detail":"Not authenticated"}"#));
    assert_eq!(parts.headers["www-authenticate"], "Bearer");
    assert_eq!(parts.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_route_on_which_the_layer_was_forgotten_lets_nobody_in() {
    let app = Router::new().route("/", get(whoami).post(greeting));
    let addr = serve(app).await;
    let bearer = format!("Bearer {}", issuer().token("user_1").mint());
    for method in ["GET", "POST"] {
        let (parts, body) = request(addr, method, &[("authorization", &bearer)]).await;
        assert_eq!((parts.status.as_u16(), &*body), (500, r#"{"detail":"Internal server error"}"#));
    }
}

#[tokio::test]
async fn behind_a_report_only_layer_a_handler_that_needs_a_session_says_whose_fault_it_is() {
    let keys = tower_clerk::test_util::ScriptedKeys::new();
    keys.unavailable(std::time::Duration::from_secs(7));
    let verifier = Verifier::builder(ISS, keys.clone()).build().unwrap();
    let layer = ClerkAuthLayer::new(verifier).report_only();
    let addr = serve(Router::new().route("/", get(whoami)).layer(layer)).await;
    let issuer = issuer();
    let bearer = format!("Bearer {}", issuer.token("user_1").mint());
    let (parts, _) = request(addr, "GET", &[("authorization", &bearer)]).await;
    assert_eq!(
        (parts.status.as_u16(), &parts.headers["retry-after"]),
        (503, &"7".parse().unwrap())
    );
    assert!(!parts.headers.contains_key("www-authenticate"));

    keys.available();
    keys.publish(&issuer);
    let old = format!("Bearer {}", issuer.token("user_1").claim("exp", 1_600_000_000).mint());
    let (parts, body) = request(addr, "GET", &[("authorization", &old)]).await;
    assert_eq!((parts.status.as_u16(), &*body), (401, r#"{"detail":"Token expired"}"#));
}

/// Refuses in a format that nothing else has.
fn in_own_words(error: &AuthError, request: &Parts) -> Response<Bytes> {
    let refusal = Refusal::of(error);
    refusal.response(Bytes::from(format!("{} at {}", refusal.code(), request.uri.path())))
}

#[tokio::test]
async fn fault_k14_whoever_answers_for_the_layer_answers_for_its_extractors() {
    let issuer = issuer();
    let needs_one = || Router::new().route("/", get(whoami));
    let expired = format!("Bearer {}", issuer.token("user_1").claim("exp", 1_600_000_000).mint());
    for (mode, layer) in [
        ("required", layer(&issuer)),
        ("optional", layer(&issuer).optional()),
        ("report-only", layer(&issuer).report_only()),
    ] {
        let own = serve(needs_one().layer(layer.clone().respond_with(in_own_words))).await;
        let problem = serve(needs_one().layer(layer.respond_with(ProblemResponder::new()))).await;
        let cases: [(&[(&str, &str)], _, _); 2] = [
            (&[], "not_authenticated", "Not authenticated"),
            (&[("authorization", &expired)], "token_expired", "Token expired"),
        ];
        for (headers, code, detail) in cases {
            let (parts, body) = request(own, "GET", headers).await;
            assert_eq!((parts.status.as_u16(), &*body), (401, &*format!("{code} at /")), "{mode}");
            assert_eq!(parts.headers["cache-control"], "no-store", "{mode}");
            let (parts, body) = request(problem, "GET", headers).await;
            assert_eq!(parts.headers["content-type"], "application/problem+json", "{mode}");
            let expected =
                format!(r#"{{"title":"Unauthorized","status":401,"detail":"{detail}"}}"#);
            assert_eq!(body, expected, "{mode}");
        }
    }
}

#[tokio::test]
async fn fault_k14_a_responder_sees_the_path_that_the_layer_saw() {
    let inner = Router::new().route("/", get(whoami));
    let nested = Router::new().nest("/api/me", inner);
    let layer = layer(&issuer()).optional().respond_with(in_own_words);
    let addr = serve(Router::new().nest("/v1", nested.layer(layer))).await;
    let (parts, body) = request_to(addr, "/v1/api/me").await;
    // The layer stands inside of `/v1`, and outside of `/api/me`.
    assert_eq!((parts.status.as_u16(), &*body), (401, "not_authenticated at /api/me"));
}

#[tokio::test]
async fn fault_a8_a_rejection_says_its_status_and_why_and_an_error_is_an_answer() {
    let extract = async |layer: Option<ClerkAuthLayer>| {
        let seen = Arc::new(Mutex::new(None));
        let handler = {
            let seen = Arc::clone(&seen);
            async move |session: Result<Session, SessionRejection>| {
                *seen.lock().unwrap() = session.err();
            }
        };
        let app = Router::new().route("/", get(handler));
        let app = match layer {
            Some(layer) => app.layer(layer),
            None => app,
        };
        request(serve(app).await, "GET", &[]).await;
        seen.lock().unwrap().take().unwrap()
    };
    let anonymous = extract(Some(layer(&issuer()).optional())).await;
    assert_eq!(anonymous.status(), 401);
    assert_eq!(anonymous.error().unwrap().kind(), AuthErrorKind::MissingCredentials);
    assert_eq!(anonymous.to_string(), "no session: no token was sent");

    let no_layer: Box<dyn std::error::Error> = Box::new(extract(None).await);
    assert_eq!(no_layer.to_string(), "no ClerkAuthLayer is mounted on this route; mount the layer");
    let no_layer = no_layer.downcast::<SessionRejection>().unwrap();
    assert_eq!((no_layer.status().as_u16(), no_layer.error()), (500, None));

    let judged = get(async || Err::<(), _>(AuthError::from(AuthErrorKind::Impersonation)));
    let addr = serve(Router::new().route("/", judged)).await;
    let (parts, body) = request(addr, "GET", &[]).await;
    assert_eq!((parts.status.as_u16(), &*body), (403, r#"{"detail":"Not allowed"}"#));
    assert_eq!(parts.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_cors_layer_stands_outside_of_the_layer_in_one_builder() {
    use tower::Layer as _;

    /// Answers in place of the inner service, as a CORS or a timeout layer does.
    fn short<B: Default>(_: Response<B>) -> Response<B> {
        Response::default()
    }
    let service = layer(&issuer()).layer(tower::service_fn(async |_: http::Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(http_body_util::Empty::<Bytes>::new()))
    }));
    let outside = tower::ServiceExt::map_response(service, short);
    let response = tower::ServiceExt::oneshot(outside, http::Request::new(())).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert!(body.to_bytes().is_empty());
}
