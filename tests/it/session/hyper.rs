//! The layer on plain hyper, over a real socket.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_clerk::session::{ClerkAuthLayer, Session, StaticKeys, Verifier};

use crate::support::servers::{ISS, issuer, request};

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let user = request.extensions().get::<Session>().unwrap().user_id().to_owned();
    let _drained = request.into_body().collect().await;
    Ok(Response::new(Full::from(user)))
}

#[tokio::test]
async fn the_layer_works_on_plain_hyper() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let layer = ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(layer.layer(service_fn(echo)));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });

    let bearer = format!("Bearer {}", issuer.token("user_1").mint());
    let (parts, body) = request(addr, "POST", &[("authorization", &bearer)]).await;
    assert_eq!((parts.status.as_u16(), &*body), (200, "user_1"));
    let (parts, body) = request(addr, "POST", &[]).await;
    assert_eq!((parts.status.as_u16(), &*body), (401, r#"{"detail":"Not authenticated"}"#));
    assert_eq!(parts.headers["content-length"], body.len().to_string());
}
