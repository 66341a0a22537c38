//! Stacks of axum.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_clerk::session::Session;

use crate::{Expected, compression, cors, guard, timeout, trace, try_out};

async fn whoami(session: Session) -> String {
    session.user_id().to_owned()
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

#[tokio::test]
async fn fault_a1_axum_with_everything_outside() {
    let (issuer, auth) = guard();
    let around = ServiceBuilder::new()
        .layer(trace())
        .layer(compression())
        .layer(cors())
        .layer(timeout())
        .layer(auth);
    let addr = serve(Router::new().route("/", get(whoami)).layer(around)).await;
    try_out(addr, &issuer, Expected { cors: true, refusals_compressed: true }).await;
}

#[tokio::test]
async fn fault_a1_axum_with_everything_inside() {
    let (issuer, auth) = guard();
    let around = ServiceBuilder::new()
        .layer(auth)
        .layer(trace())
        .layer(compression())
        .layer(cors())
        .layer(timeout());
    let addr = serve(Router::new().route("/", get(whoami)).layer(around)).await;
    try_out(addr, &issuer, Expected::default()).await;
}

#[tokio::test]
async fn fault_a1_axum_where_preflights_pass_to_a_cors_layer_inside() {
    let (issuer, auth) = guard();
    let app = Router::new().route("/", get(whoami));
    let addr = serve(app.layer(cors()).layer(timeout()).layer(auth.allow_preflights())).await;
    let preflight = reqwest::Client::new()
        .request(http::Method::OPTIONS, format!("http://{addr}/"))
        .header("origin", crate::ORIGIN)
        .header("access-control-request-method", "GET");
    assert_eq!(preflight.send().await.unwrap().status(), 200);
    let bare = reqwest::get(format!("http://{addr}/")).await.unwrap();
    assert_eq!(bare.status(), 401);
    let token = issuer.token("user_1").mint();
    let signed_in = reqwest::Client::new().get(format!("http://{addr}/")).bearer_auth(token);
    assert_eq!(signed_in.send().await.unwrap().text().await.unwrap(), "user_1");
}

/// Why a CORS layer belongs outside: it answers preflights itself, and an inner service that does not
/// look at the method never sees one.
#[tokio::test]
async fn fault_k8_a_preflight_reaches_the_guarded_service_only_without_a_cors_layer_outside() {
    for cors_outside in [true, false] {
        let (_, auth) = guard();
        let any = axum::routing::any(async || "no session was asked for");
        let mut app = Router::new().route("/", any).layer(auth.allow_preflights());
        if cors_outside {
            app = app.layer(cors());
        }
        let addr = serve(app).await;
        let preflight = reqwest::Client::new()
            .request(http::Method::OPTIONS, format!("http://{addr}/"))
            .header("origin", crate::ORIGIN)
            .header("access-control-request-method", "GET");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap().is_empty(), cors_outside);
    }
}

#[tokio::test]
async fn fault_a1_axum_with_a_route_layer_beside_public_routes() {
    let (issuer, auth) = guard();
    let guarded = Router::new().route("/", get(whoami)).route_layer(auth);
    let public = Router::new().route("/public", get(async || "hello"));
    let addr = serve(guarded.merge(public).layer(cors()).layer(timeout())).await;
    try_out(addr, &issuer, Expected { cors: true, refusals_compressed: false }).await;
    let public = reqwest::get(format!("http://{addr}/public")).await.unwrap();
    assert_eq!(public.text().await.unwrap(), "hello");
    assert_eq!(reqwest::get(format!("http://{addr}/nowhere")).await.unwrap().status(), 404);
}

#[tokio::test]
async fn fault_a1_axum_with_the_layer_on_one_method() {
    let (issuer, auth) = guard();
    let method = get(whoami).layer(ServiceBuilder::new().layer(timeout()).layer(auth));
    let app = Router::new().nest("/api", Router::new().route("/me", method));
    let addr = serve(app).await;
    let ask = async |token: &str| {
        let request = reqwest::Client::new().get(format!("http://{addr}/api/me"));
        request.bearer_auth(token).send().await.unwrap().status()
    };
    assert_eq!(ask(&issuer.token("user_1").mint()).await, 200);
    assert_eq!(ask("garbage").await, 401);
}

#[tokio::test]
async fn fault_a1_axum_with_a_layer_that_a_setting_switches_off() {
    for enforced in [true, false] {
        let (_, auth) = guard();
        let who = get(async |session: Option<Session>| session.is_some().to_string());
        let addr = serve(Router::new().route("/", who).layer(auth.enforced(enforced))).await;
        let answer = reqwest::get(format!("http://{addr}/")).await.unwrap();
        assert_eq!(answer.status(), if enforced { 401 } else { 200 });
    }
}
