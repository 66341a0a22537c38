//! Stacks of plain hyper.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_clerk::session::Session;

use crate::{Expected, compression, cors, guard, timeout, trace, try_out};

async fn whoami(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let user = request.extensions().get::<Session>().map(|session| session.user_id().to_owned());
    Ok(Response::new(Full::from(user.unwrap_or_default())))
}

async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    addr
}

#[tokio::test]
async fn fault_a1_hyper_with_everything_outside() {
    let (issuer, auth) = guard();
    let service = ServiceBuilder::new()
        .layer(trace())
        .layer(compression())
        .layer(cors())
        .layer(timeout())
        .layer(auth)
        .service(service_fn(whoami));
    let expected = Expected { cors: true, refusals_compressed: true };
    try_out(serve(service).await, &issuer, expected).await;
}

#[tokio::test]
async fn fault_a1_hyper_with_everything_inside() {
    let (issuer, auth) = guard();
    let service = ServiceBuilder::new()
        .layer(auth)
        .layer(trace())
        .layer(compression())
        .layer(cors())
        .layer(timeout())
        .service(service_fn(whoami));
    try_out(serve(service).await, &issuer, Expected::default()).await;
}

#[tokio::test]
async fn fault_a1_hyper_with_a_timeout_outside_and_a_cors_layer_further_out() {
    let (issuer, auth) = guard();
    let service = ServiceBuilder::new()
        .layer(cors())
        .layer(timeout())
        .layer(auth)
        .service(service_fn(whoami));
    let expected = Expected { cors: true, refusals_compressed: false };
    try_out(serve(service).await, &issuer, expected).await;
}

#[tokio::test]
async fn fault_a1_hyper_with_boxed_bodies_and_a_boxed_service() {
    type Boxed =
        BoxCloneService<Request<Incoming>, Response<BoxBody<Bytes, Infallible>>, Infallible>;

    let (issuer, auth) = guard();
    let service = ServiceBuilder::new().layer(auth).service(service_fn(whoami));
    let service: Boxed = service
        .map_response(|response: Response<_>| response.map(|body| BoxBody::new(body).boxed()))
        .boxed_clone();
    let service = ServiceBuilder::new().layer(cors()).service(service);
    let expected = Expected { cors: true, refusals_compressed: false };
    try_out(serve(service).await, &issuer, expected).await;
}
