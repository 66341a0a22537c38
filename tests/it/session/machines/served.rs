//! Callers of all kinds on axum, plain hyper and tonic, over real sockets: handlers, extractors, methods and
//! guards; and the description of the resource.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_clerk::session::machine::{ApiKey, M2mToken, OAuthToken, ProtectedResource};
use tower_clerk::session::{JsonResponder, RequireLayer, Scope, Session};
use tower_clerk::tonic::RequestExt;

use super::*;
use crate::support::servers::{issuer, request_at};

/// The status and the body of a request with a bearer token, of which the caller is not asked.
pub(super) async fn answer_of(layer: &ClerkAuthLayer, token: &str) -> (StatusCode, String) {
    let nothing = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
    });
    let request = Request::builder().header("authorization", format!("Bearer {token}"));
    let response = layer.layer(nothing).oneshot(request.body(()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

/// A token of each kind: a session's, an API key, a machine's and an application's, the last two as JWTs too.
struct Tokens {
    api: TokenApi,
    issuer: Issuer,
    introspection: Introspection,
}

impl Tokens {
    async fn start() -> Self {
        let (api, issuer) = (TokenApi::start().await, issuer());
        let introspection = questions(&api).build();
        api.answers(&secret("ak_", "user"), 200, &api_key());
        api.answers(&secret("ak_", "org"), 200, &answer("api_key", "org_1"));
        api.answers(&secret("mt_", "one"), 200, &answer("machine_to_machine_token", "mch_1"));
        let oauth = answer("clerk_idp_oauth_access_token", "user_1");
        api.answers(&secret("oat_", "one"), 200, &oauth);
        let mut scopeless = api_key();
        scopeless["scopes"] = json!(["posts:write"]);
        api.answers(&secret("ak_", "scopeless"), 200, &scopeless);
        Self { api, issuer, introspection }
    }

    fn layer(&self) -> ClerkAuthLayer {
        layer(&self.issuer, &self.introspection)
    }

    /// The tokens, with the kind and the user of each.
    fn all(&self) -> Vec<(String, &'static str)> {
        vec![
            (self.issuer.token("user_1").mint(), "session user_1"),
            (secret("ak_", "user"), "api_key user_1"),
            (secret("ak_", "org"), "api_key -"),
            (secret("mt_", "one"), "m2m -"),
            (secret("oat_", "one"), "oauth user_1"),
            (self.issuer.m2m_token("mch_1").mint(), "m2m -"),
            (self.issuer.oauth_token("user_1", "app_1").mint(), "oauth user_1"),
        ]
    }
}

fn said(principal: &Principal) -> String {
    format!("{} {}", principal.kind(), principal.user_id().unwrap_or("-"))
}

async fn get_at(addr: SocketAddr, path: &str, token: &str) -> (u16, String, Option<String>) {
    let bearer = format!("Bearer {token}");
    let (parts, body) = request_at(addr, "GET", path, &[("authorization", &bearer)]).await;
    let challenge = parts.headers.get("www-authenticate");
    (parts.status.as_u16(), body, challenge.map(|value| value.to_str().unwrap().to_owned()))
}

const INVALID: &str = r#"{"detail":"Invalid token"}"#;

#[tokio::test]
async fn on_axum_a_handler_gets_the_kind_of_caller_that_it_asks_for_and_no_other() {
    let tokens = Tokens::start().await;
    let app = Router::new()
        .route("/who", get(async |principal: Principal| said(&principal)))
        .route("/session", get(async |session: Session| session.user_id().to_owned()))
        .route("/maybe", get(async |session: Option<Session>| session.is_some().to_string()))
        .route("/api_key", get(async |key: ApiKey| key.id().to_owned()))
        .route("/m2m", get(async |token: M2mToken| token.machine_id().to_owned()))
        .route("/oauth", get(async |token: OAuthToken| token.client_id().unwrap().to_owned()))
        .route_layer(tokens.layer());
    let addr = serve(app).await;
    for (token, expected) in tokens.all() {
        let (status, body, _) = get_at(addr, "/who", &token).await;
        assert_eq!((status, &*body), (200, expected));
        let kind = expected.split(' ').next().unwrap();
        for path in ["session", "api_key", "m2m", "oauth"] {
            let (status, body, challenge) = get_at(addr, &format!("/{path}"), &token).await;
            if path == kind {
                assert_eq!(status, 200, "{path} {expected}");
            } else {
                assert_eq!((status, &*body), (401, INVALID), "{path} {expected}");
                assert_eq!(challenge.as_deref(), Some(r#"Bearer error="invalid_token""#));
            }
        }
        let (status, body, _) = get_at(addr, "/maybe", &token).await;
        assert_eq!((status, body), (200, (kind == "session").to_string()));
    }
}

#[tokio::test]
async fn a_scope_is_required_of_everybody_but_users() {
    let tokens = Tokens::start().await;
    let guarded = async |layer: ClerkAuthLayer, guard: RequireLayer| {
        let app = Router::new()
            .route("/", get(async |principal: Principal| said(&principal)))
            .route_layer(guard)
            .route_layer(layer);
        serve(app).await
    };
    let guard = || RequireLayer::scope(Scope::new("posts:read"));
    let addr = guarded(tokens.layer(), guard()).await;
    let jwt =
        |scope: &str| tokens.issuer.oauth_token("user_1", "app_1").claim("scope", scope).mint();
    for token in [
        tokens.issuer.token("user_1").mint(),
        secret("ak_", "user"),
        secret("mt_", "one"),
        jwt("profile posts:read"),
    ] {
        assert_eq!(get_at(addr, "/", &token).await.0, 200, "{token}");
    }
    let challenge = r#"Bearer error="insufficient_scope", scope="posts:read""#;
    for token in [secret("ak_", "scopeless"), jwt("posts:read2 posts"), jwt("")] {
        let refused = get_at(addr, "/", &token).await;
        let body = r#"{"detail":"Not allowed"}"#.to_owned();
        assert_eq!(refused, (403, body, Some(challenge.to_owned())));
    }
    assert_eq!(get_at(addr, "/", "a.b.c").await.0, 401);
    let addr = guarded(tokens.layer(), guard().report_only()).await;
    assert_eq!(get_at(addr, "/", &secret("ak_", "scopeless")).await.0, 200);
    // What sessions alone can have, no machine has.
    let admins = RequireLayer::new(tower_clerk::session::Authorization::role("admin"));
    let addr = guarded(tokens.layer(), admins).await;
    assert_eq!(get_at(addr, "/", &secret("ak_", "user")).await.0, 401);
}

#[tokio::test]
async fn on_plain_hyper_callers_are_found_in_the_extensions() {
    let tokens = Tokens::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let auth = tokens.layer();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let who = service_fn(async |request: Request<Incoming>| {
                let principal = Principal::of(request.extensions()).unwrap();
                Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from(said(&principal))))
            });
            let service = TowerToHyperService::new(auth.layer(who));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    for (token, expected) in tokens.all() {
        let (status, body, _) = get_at(addr, "/", &token).await;
        assert_eq!((status, &*body), (200, expected));
    }
    assert_eq!(get_at(addr, "/", &secret("ak_", "unknown")).await.0, 401);
}

/// Says who is calling by the name of an error, since its answer has no text.
struct Who;

#[tonic::async_trait]
impl Health for Who {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        if request.get_ref().service == "session" {
            request.session()?;
            return Ok(tonic::Response::new(HealthCheckResponse {
                status: ServingStatus::Serving.into(),
            }));
        }
        Err(Status::already_exists(said(&request.principal()?)))
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not watched"))
    }
}

async fn ask(channel: &Channel, token: &str, service: &str) -> Result<(), Status> {
    let mut request = tonic::Request::new(HealthCheckRequest { service: service.to_owned() });
    let bearer = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
    request.metadata_mut().insert("authorization", bearer);
    HealthClient::new(channel.clone()).check(request).await.map(drop)
}

#[tokio::test]
async fn on_tonic_a_method_gets_the_caller_and_who_is_no_session_is_told_so() {
    use tonic::service::LayerExt as _;

    let tokens = Tokens::start().await;
    let start = async |guard: Option<RequireLayer>| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let incoming = TcpIncoming::from(listener);
        let mut server = Server::builder().layer(tokens.layer().grpc());
        match guard {
            Some(guard) => {
                let server = server.add_service(guard.named_layer(HealthServer::new(Who)));
                tokio::spawn(server.serve_with_incoming(incoming));
            }
            None => {
                let server = server.add_service(HealthServer::new(Who));
                tokio::spawn(server.serve_with_incoming(incoming));
            }
        }
        Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap()
    };
    let channel = start(None).await;
    for (token, expected) in tokens.all() {
        let status = ask(&channel, &token, "").await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::AlreadyExists, expected));
        let session = ask(&channel, &token, "session").await;
        match expected.starts_with("session") {
            true => session.unwrap(),
            false => assert_eq!(session.unwrap_err().code(), Code::Unauthenticated),
        }
    }
    let unknown = ask(&channel, &secret("ak_", "unknown"), "").await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unauthenticated);
    tokens.api.says(&secret("ak_", "away"), 500, "");
    let away = ask(&channel, &secret("ak_", "away"), "").await.unwrap_err();
    assert_eq!((away.code(), away.message()), (Code::Unavailable, "Token cannot be checked now"));

    let channel = start(Some(RequireLayer::scope(Scope::new("posts:read")))).await;
    let status = ask(&channel, &secret("ak_", "user"), "").await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    let status = ask(&channel, &secret("ak_", "scopeless"), "").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "Not allowed"));
}

#[tokio::test]
async fn the_description_of_the_resource_is_public_and_each_401_names_it() {
    let tokens = Tokens::start().await;
    let resource = ProtectedResource::new("https://api.example.com", ISS).unwrap();
    let resource = resource.scopes([Scope::new("posts:read"), Scope::new("not one")]);
    let layer = tokens.layer().respond_with(resource.challenging(JsonResponder::new()));
    let app = Router::new()
        .route("/", get(async |key: ApiKey| key.id().to_owned()))
        .route_layer(layer)
        .route_service(ProtectedResource::PATH, resource.service());
    let addr = serve(app).await;
    // Whatever host a client names.
    let (parts, body) =
        request_at(addr, "GET", ProtectedResource::PATH, &[("x-forwarded-host", "evil.example")])
            .await;
    assert_eq!(parts.status, 200);
    assert_eq!(parts.headers["access-control-allow-origin"], "*");
    assert_eq!(parts.headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(&body).unwrap();
    let expected = json!({
        "resource": "https://api.example.com", "authorization_servers": [ISS],
        "scopes_supported": ["posts:read"], "bearer_methods_supported": ["header"],
    });
    assert_eq!(body, expected);
    for (method, status) in [("OPTIONS", 204), ("HEAD", 200), ("POST", 405)] {
        let (parts, body) = request_at(addr, method, ProtectedResource::PATH, &[]).await;
        assert_eq!((parts.status.as_u16(), &*body), (status, ""), "{method}");
    }

    let named =
        r#"resource_metadata="https://api.example.com/.well-known/oauth-protected-resource""#;
    let (parts, _) = request_at(addr, "GET", "/", &[]).await;
    assert_eq!(parts.headers["www-authenticate"], format!("Bearer {named}"));
    let invalid = format!(r#"Bearer error="invalid_token", {named}"#);
    // Refused by the layer, and by an extractor behind it.
    for token in ["a.b.c".to_owned(), secret("mt_", "one"), tokens.issuer.token("user_1").mint()] {
        let (status, _, challenge) = get_at(addr, "/", &token).await;
        assert_eq!((status, challenge.as_deref()), (401, Some(&*invalid)), "{token}");
    }
}
