//! The layer on a tonic server, over a real socket.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{ClerkAuthLayer, KeySource, StaticKeys, Verifier};
use tower_clerk::tonic::RequestExt;

use crate::servers::{Answer, ISS, JwksServer, issuer};

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
    ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap())
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
