//! Stacks of tonic.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::service::LayerExt as _;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::ServiceBuilder;
use tower_clerk::test_util::Issuer;
use tower_clerk::tonic::RequestExt as _;
use tower_http::trace::TraceLayer;

use crate::{compression, cors, guard, timeout};

/// Serves those whom it can name.
struct Named;

#[tonic::async_trait]
impl Health for Named {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let named = request.session()?.user_id() == request.get_ref().service;
        let status = if named { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not watched"))
    }
}

/// Binds a port, and serves it with a server that is built where it is used: each has a type of its own.
macro_rules! serve {
    ($server:expr) => {{
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn($server.serve_with_incoming(TcpIncoming::from(listener)));
        addr
    }};
}

/// Asks as a user and as nobody.
async fn try_out(addr: SocketAddr, issuer: &Issuer) {
    let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let mut ask = async |token: Option<&str>| {
        let mut request = Request::new(HealthCheckRequest { service: "user_1".into() });
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", bearer);
        }
        client.check(request).await
    };
    let answer = ask(Some(&issuer.token("user_1").mint())).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    for token in [None, Some("garbage")] {
        assert_eq!(ask(token).await.unwrap_err().code(), Code::Unauthenticated, "{token:?}");
    }
}

#[tokio::test]
async fn fault_a1_tonic_with_everything_outside() {
    let (issuer, auth) = guard();
    let around = ServiceBuilder::new()
        .layer(TraceLayer::new_for_grpc())
        .layer(compression())
        .layer(cors())
        .layer(timeout())
        .layer(auth.grpc());
    let server = Server::builder().layer(around).add_service(HealthServer::new(Named));
    try_out(serve!(server), &issuer).await;
}

#[tokio::test]
async fn fault_a1_tonic_with_everything_inside() {
    let (issuer, auth) = guard();
    let around = ServiceBuilder::new()
        .layer(auth.grpc())
        .layer(TraceLayer::new_for_grpc())
        .layer(compression())
        .layer(cors())
        .layer(timeout());
    let server = Server::builder().layer(around).add_service(HealthServer::new(Named));
    try_out(serve!(server), &issuer).await;
}

#[tokio::test]
async fn fault_a1_tonic_with_cors_outside_and_one_service_guarded() {
    let (issuer, auth) = guard();
    let guarded = auth.grpc().named_layer(HealthServer::new(Named));
    let server = Server::builder().layer(cors()).add_service(guarded);
    try_out(serve!(server), &issuer).await;
}

#[tokio::test]
async fn fault_a1_tonic_in_an_axum_router_with_cors_outside() {
    let (issuer, auth) = guard();
    let mut routes = tonic::service::Routes::builder();
    routes.add_service(HealthServer::new(Named));
    let app = routes.routes().into_axum_router().layer(auth.grpc()).layer(cors()).layer(timeout());
    let server = Server::builder().add_routes(app.into());
    try_out(serve!(server), &issuer).await;
}
