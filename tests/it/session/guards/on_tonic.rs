//! The guard on a tonic server, and what a method requires.

use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::service::LayerExt as _;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_clerk::session::{AuthError, ProblemResponder, RequireLayer};
use tower_clerk::tonic::RequestExt;

use super::*;

/// Requires in its method what the request names: a role, or an organization.
struct Asking;

#[tonic::async_trait]
impl Health for Asking {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let session = match request.get_ref().service.split_once(' ') {
            Some(("role", role)) => request.require(&Authorization::role(role))?,
            Some(("organization", named)) => request.require_organization(named)?,
            Some(("again", _)) => {
                request.require(&Authorization::reverified(Reverification::STRICT))?
            }
            _ => request.session()?,
        };
        assert_eq!(session.user_id(), "user_1");
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not watched"))
    }
}

/// Serves behind the layer, with a guard around the one service where there is one.
async fn serve(auth: ClerkAuthLayer, guard: Option<RequireLayer>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let incoming = TcpIncoming::from(listener);
    let mut server = Server::builder().layer(auth);
    match guard {
        Some(guard) => {
            let server = server.add_service(guard.named_layer(HealthServer::new(Asking)));
            tokio::spawn(server.serve_with_incoming(incoming));
        }
        None => {
            let server = server.add_service(HealthServer::new(Asking));
            tokio::spawn(server.serve_with_incoming(incoming));
        }
    }
    addr
}

/// The code and the text with which a call ends.
async fn ask(addr: SocketAddr, authorization: Option<&str>, what: &str) -> (Code, String) {
    let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
    let mut request = Request::new(HealthCheckRequest { service: what.into() });
    if let Some(value) = authorization {
        let value = MetadataValue::try_from(value).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    match HealthClient::new(channel).check(request).await {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}

fn denied(message: &str) -> (Code, String) {
    (Code::PermissionDenied, message.into())
}

#[tokio::test]
async fn a_guard_around_a_grpc_service_refuses_with_status_7() {
    let issuer = issuer();
    let strict = Authorization::reverified(Reverification::STRICT);
    let guard = RequireLayer::new(Authorization::role("admin").and(strict));
    let addr = serve(layer(&issuer).optional().grpc(), Some(guard)).await;
    for token in both(&issuer, |token| admin(token).claim("fva", json!([0, 0]))) {
        assert_eq!(ask(addr, Some(&token), "").await.0, Code::Ok);
    }
    for token in both(&issuer, member) {
        assert_eq!(ask(addr, Some(&token), "").await, denied("Not allowed"));
    }
    for token in both(&issuer, admin) {
        assert_eq!(ask(addr, Some(&token), "").await, denied("Reverification required"));
    }
    let nobody = (Code::Unauthenticated, "Not authenticated".into());
    assert_eq!(ask(addr, None, "").await, nobody);
}

#[tokio::test]
async fn a_method_requires_a_role_a_verification_or_an_organization() {
    let issuer = issuer();
    let addr = serve(layer(&issuer).optional().grpc(), None).await;
    for token in both(&issuer, member) {
        let ask = async |what| ask(addr, Some(&token), what).await;
        assert_eq!(ask("role member").await.0, Code::Ok);
        assert_eq!(ask("role admin").await, denied("Not allowed"));
        assert_eq!(ask("again").await.0, Code::Ok, "nothing is required");
        assert_eq!(ask("again !").await, denied("Reverification required"));
        assert_eq!(ask("organization acme").await.0, Code::Ok);
        assert_eq!(ask("organization org_acme").await.0, Code::Ok);
        assert_eq!(ask("organization globex").await, denied("Another organization is active"));
    }
    let nobody = (Code::Unauthenticated, "Not authenticated".into());
    assert_eq!(ask(addr, None, "role member").await, nobody);
}

#[tokio::test]
async fn whoever_answers_for_the_layer_answers_for_a_method_that_requires_something() {
    let issuer = issuer();
    let [other, _] = both(&issuer, member);
    let own = layer(&issuer).respond_with(|error: &AuthError, request: &http::request::Parts| {
        assert_eq!(request.uri.path(), "/grpc.health.v1.Health/Check");
        let mut response = http::Response::new(bytes::Bytes::new());
        response.headers_mut().insert("grpc-status", http::HeaderValue::from_static("9"));
        let code = http::HeaderValue::from_static(Refusal::of(error).code());
        response.headers_mut().insert("grpc-message", code);
        response
    });
    let addr = serve(own, None).await;
    let refused = ask(addr, Some(&other), "role admin").await;
    assert_eq!(refused, (Code::FailedPrecondition, "not_allowed".into()));
    // One that writes no grpc-status leaves it to the refusal's own.
    let addr = serve(layer(&issuer).respond_with(ProblemResponder::new()), None).await;
    assert_eq!(ask(addr, Some(&other), "role admin").await, denied("Not allowed"));
}
