//! Tokens in other places than `Authorization`, on hyper, axum and tonic over real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, service_fn};
use tower_clerk::session::source::{Bearer, Query, SessionCookies, Subprotocol, TokenSources};
use tower_clerk::session::{ClerkAuthLayer, Session};

use super::sources::{Gateway, key, suffix, verifier};
use crate::support::servers::{issuer, request, request_to};

fn browsers() -> TokenSources {
    TokenSources::first(Bearer::new())
        .then(Subprotocol::new())
        .then(Query::named("token").unwrap())
        .then(SessionCookies::new(&key()))
}

async fn on_hyper(layer: ClerkAuthLayer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let handler = |request: Request<Incoming>| async move {
        let user = request.extensions().get::<Session>().unwrap().user_id().to_owned();
        let text = format!("{user} {}", request.uri());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
    };
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(layer.layer(service_fn(handler)));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    addr
}

async fn on_axum(layer: ClerkAuthLayer) -> SocketAddr {
    let handler =
        |session: Session, uri: http::Uri| async move { format!("{} {uri}", session.user_id()) };
    let app = Router::new().route("/", get(handler).post(handler)).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

#[tokio::test]
async fn browsers_are_served_on_hyper_and_axum() {
    let issuer = issuer();
    let token = issuer.token("user_1").mint();
    let layer = ClerkAuthLayer::new(verifier(&issuer)).sources(browsers());
    let suffix = suffix();
    let cookie = format!("a=1; __session_{suffix}={token}; __client_uat_{suffix}=1");
    let cookie = ("cookie", &*cookie);
    for addr in [on_hyper(layer.clone()).await, on_axum(layer).await] {
        let (parts, body) = request(addr, "GET", &[cookie]).await;
        assert_eq!((parts.status.as_u16(), &*body), (200, "user_1 /"));
        let (parts, body) = request(addr, "POST", &[cookie]).await;
        assert_eq!((parts.status.as_u16(), &*body), (403, r#"{"detail":"Cross-site request"}"#));
        let (parts, body) = request(addr, "POST", &[cookie, ("origin", "http://test")]).await;
        assert_eq!((parts.status.as_u16(), &*body), (200, "user_1 /"));
        let evil = ("origin", "http://evil.example");
        let handshake = [cookie, ("upgrade", "websocket"), ("connection", "upgrade"), evil];
        assert_eq!(request(addr, "GET", &handshake).await.0.status, 403);

        let (parts, body) = request_to(addr, &format!("/?a=1&token={token}")).await;
        assert_eq!((parts.status.as_u16(), &*body), (200, "user_1 /?a=1"));
        assert_eq!(parts.headers["referrer-policy"], "no-referrer");
        assert_eq!(parts.headers["cache-control"], "no-store");

        let offered = format!("clerk.bearer, {token}");
        let (parts, body) = request(addr, "GET", &[("sec-websocket-protocol", &offered)]).await;
        assert_eq!((parts.status.as_u16(), &*body), (200, "user_1 /"));
    }
}

#[tokio::test]
async fn a_handler_that_needs_a_session_refuses_by_the_same_responder_and_without_the_token() {
    let layer = ClerkAuthLayer::new(verifier(&issuer())).sources(browsers()).optional();
    let layer = layer.respond_with(
        |error: &tower_clerk::session::AuthError, request: &http::request::Parts| {
            let refusal = tower_clerk::session::Refusal::of(error);
            refusal.response(format!("{} at {}", refusal.code(), request.uri).into())
        },
    );
    let addr = on_axum(layer).await;
    // What the query holds is not looked at, because the method is not GET.
    let io = TokioIo::new(tokio::net::TcpStream::connect(addr).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let post = Request::post("/?token=secret").header("host", "test").body(String::new()).unwrap();
    let (parts, body) = sender.send_request(post).await.unwrap().into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    assert_eq!((parts.status.as_u16(), &*body), (401, &b"not_authenticated at /"[..]));
    assert_eq!(parts.headers["cache-control"], "no-store");
    assert_eq!(parts.headers["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn a_tonic_server_takes_bearer_tokens_and_those_of_a_source_of_its_own() {
    let issuer = issuer();
    let sources = TokenSources::first(Bearer::new()).then(Gateway);
    let layer = ClerkAuthLayer::new(verifier(&issuer)).grpc().sources(sources);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder().layer(layer).add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
    let ask = |name: &'static str, value: String| {
        let mut request = tonic::Request::new(HealthCheckRequest::default());
        request.metadata_mut().insert(name, value.try_into().unwrap());
        let mut client = HealthClient::new(channel.clone());
        async move { client.check(request).await.map(drop).map_err(|status: Status| status.code()) }
    };
    let token = issuer.token("user_1").mint();
    assert_eq!(ask("authorization", format!("Bearer {token}")).await, Ok(()));
    assert_eq!(ask("x-gateway-token", token).await, Ok(()));
    assert_eq!(ask("x-gateway-token", "x".into()).await, Err(Code::Unauthenticated));
    assert_eq!(ask("x-other", "x".into()).await, Err(Code::Unauthenticated));
}
