//! The layer on a tonic server, over a real socket.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::service::LayerExt as _;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{
    AuthError, AuthErrorKind, ClerkAuthLayer, GrpcResponder, KeySource, ProblemResponder,
    Responder as _, StaticKeys, Verifier,
};
use tower_clerk::tonic::RequestExt;

use crate::support::servers::{Answer, ISS, JwksServer, issuer};

/// Serves those whom it can name.
struct Named;

#[tonic::async_trait]
impl Health for Named {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        let named = request.session()?.user_id() == request.get_ref().service;
        let status = if named { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(tonic::Response::new(HealthCheckResponse { status: status.into() }))
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not watched"))
    }
}

/// Serves a service that is guarded by itself: the server has no layer.
async fn serve_one_guarded(layer: ClerkAuthLayer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let guarded = layer.named_layer(HealthServer::new(Named));
    let server = Server::builder().add_service(guarded);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    addr
}

async fn serve(layer: Option<ClerkAuthLayer>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let incoming = TcpIncoming::from(listener);
    match layer {
        Some(layer) => {
            let server = Server::builder().layer(layer).add_service(HealthServer::new(Named));
            tokio::spawn(server.serve_with_incoming(incoming));
        }
        None => {
            let server = Server::builder().add_service(HealthServer::new(Named));
            tokio::spawn(server.serve_with_incoming(incoming));
        }
    }
    addr
}

fn layer(keys: impl KeySource) -> ClerkAuthLayer {
    ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap()).grpc()
}

async fn ask(addr: SocketAddr, token: Option<&str>) -> Result<ServingStatus, Status> {
    let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
    let mut request = Request::new(HealthCheckRequest { service: "user_1".into() });
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    Ok(HealthClient::new(channel).check(request).await?.into_inner().status())
}

#[tokio::test]
async fn a_grpc_method_is_told_who_sent_the_request() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let addr = serve(Some(layer(keys))).await;
    let status = ask(addr, Some(&issuer.token("user_1").mint())).await.unwrap();
    assert_eq!(status, ServingStatus::Serving);
}

#[tokio::test]
async fn a_grpc_refusal_is_status_16_and_no_bare_401() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let addr = serve(Some(layer(keys))).await;
    let refused = ask(addr, Some("x.y.z")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "Invalid token"));
    let anonymous = ask(addr, None).await.unwrap_err();
    assert_eq!(
        (anonymous.code(), anonymous.message()),
        (Code::Unauthenticated, "Not authenticated")
    );
}

#[tokio::test]
async fn missing_keys_are_grpc_status_14() {
    let server = JwksServer::start(Answer::status("500 Internal Server Error", "")).await;
    let addr = serve(Some(layer(RemoteKeys::from_url(&server.url()).unwrap()))).await;
    let refused = ask(addr, Some(&issuer().token("user_1").mint())).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_method_on_which_the_layer_was_forgotten_lets_nobody_in() {
    let addr = serve(None).await;
    let refused = ask(addr, Some(&issuer().token("user_1").mint())).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
}

#[tokio::test]
async fn fault_a8_one_service_can_be_guarded_by_itself() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let addr = serve_one_guarded(layer(keys)).await;
    let status = ask(addr, Some(&issuer.token("user_1").mint())).await.unwrap();
    assert_eq!(status, ServingStatus::Serving);
    assert_eq!(ask(addr, None).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn fault_k14_whoever_answers_for_the_layer_answers_for_a_method_that_needs_a_session() {
    let keys = StaticKeys::from_jwks(&issuer().jwks().to_string()).unwrap();
    let optional = layer(keys).optional();
    let own = optional.clone().respond_with(|error: &AuthError, request: &http::request::Parts| {
        assert_eq!(request.headers["content-type"], "application/grpc");
        assert_eq!(request.uri.path(), "/grpc.health.v1.Health/Check");
        let mut response = GrpcResponder::new().respond(error, request);
        let message = http::HeaderValue::from_static("sign in at https://app.example.com");
        response.headers_mut().insert("grpc-message", message);
        response
    });
    let refused = ask(serve(Some(own)).await, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.message(), "sign in at https://app.example.com");

    // Details that are no base64 are left out.
    let odd = optional.clone().respond_with(|error: &AuthError, request: &http::request::Parts| {
        let mut response = GrpcResponder::new().respond(error, request);
        let details = http::HeaderValue::from_static("not base64");
        response.headers_mut().insert("grpc-status-details-bin", details);
        response
    });
    let refused = ask(serve(Some(odd)).await, None).await.unwrap_err();
    assert_eq!((refused.code(), refused.details()), (Code::Unauthenticated, &[][..]));

    // One that writes no grpc-status leaves it to the refusal's own.
    let problem = optional.respond_with(ProblemResponder::new());
    let refused = ask(serve(Some(problem)).await, None).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "Not authenticated"));
}

#[test]
fn fault_a8_an_error_is_a_status() {
    for (kind, code, message) in [
        (AuthErrorKind::Expired, Code::Unauthenticated, "Token expired"),
        (AuthErrorKind::Impersonation, Code::PermissionDenied, "Not allowed"),
        (AuthErrorKind::KeysUnavailable, Code::Unavailable, "Authentication keys unavailable"),
    ] {
        let status = Status::from(AuthError::from(kind));
        assert_eq!((status.code(), status.message()), (code, message));
    }
}

#[tokio::test]
async fn fault_k15_a_session_nobody_and_a_missing_layer_are_told_apart() {
    use tower::{Layer as _, ServiceExt as _};

    /// What a method finds.
    async fn found(request: http::Request<()>) -> Result<http::Response<String>, Status> {
        let (parts, ()) = request.into_parts();
        let mut request = Request::new(());
        *request.extensions_mut() = parts.extensions;
        let user = request.optional_session()?.map(|session| session.user_id().to_owned());
        Ok(http::Response::new(user.unwrap_or_else(|| "nobody".into())))
    }
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let method = tower::service_fn(found);
    let guarded = layer(keys).optional().layer(method);
    let anonymous = || http::Request::new(());
    let mut signed_in = anonymous();
    let bearer = format!("Bearer {}", issuer.token("user_1").mint());
    signed_in.headers_mut().insert("authorization", bearer.parse().unwrap());
    for (request, expected) in [(signed_in, "user_1"), (anonymous(), "nobody")] {
        use http_body_util::BodyExt as _;
        let body = guarded.clone().oneshot(request).await.unwrap().into_body();
        assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
    }
    let missing = method.oneshot(anonymous()).await.unwrap_err();
    assert_eq!(missing.code(), Code::Internal);
}
