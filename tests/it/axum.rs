//! The layer and the extractors on axum, over a real socket.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_clerk::session::{ClerkAuthLayer, Session, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use crate::servers::{ISS, issuer, request};

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
