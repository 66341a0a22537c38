//! The guard on plain hyper.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tower::{ServiceBuilder, service_fn};
use tower_clerk::session::RequireLayer;

use super::*;

async fn come_in(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let user = request.extensions().get::<Session>().unwrap().user_id().to_owned();
    Ok(Response::new(Full::from(user)))
}

/// Serves the service with its layers, to each connection anew.
async fn serve(auth: ClerkAuthLayer, guard: RequireLayer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Of a builder's layers the first is outermost.
            let layers = ServiceBuilder::new().layer(auth.clone()).layer(guard.clone());
            let service = TowerToHyperService::new(layers.service(service_fn(come_in)));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    addr
}

#[tokio::test]
async fn a_guard_works_on_plain_hyper() {
    let issuer = issuer();
    let guard = RequireLayer::new(Authorization::permission("posts:publish"));
    let addr = serve(layer(&issuer).optional(), guard).await;
    for token in both(&issuer, admin) {
        assert_eq!(get_at(addr, "/", Some(&token)).await, (200, "user_1".into()));
    }
    for token in both(&issuer, member) {
        let (parts, body) = request_at(addr, "POST", "/", &[("authorization", &token)]).await;
        assert_eq!((parts.status.as_u16(), &*body), (403, NOT_ALLOWED));
        assert_eq!(parts.headers["content-length"], body.len().to_string());
        assert_eq!(parts.headers["content-type"], "application/json");
    }
    assert_eq!(get_at(addr, "/", None).await, (401, NOT_AUTHENTICATED.into()));
}

#[tokio::test]
async fn a_closure_finds_the_organization_in_the_uri() {
    let issuer = issuer();
    let guard = RequireLayer::organization(|request: &http::request::Parts| {
        request.uri.query()?.strip_prefix("org=").map(str::to_owned)
    });
    let addr = serve(layer(&issuer), guard).await;
    for token in both(&issuer, member) {
        assert_eq!(get_at(addr, "/?org=acme", Some(&token)).await, (200, "user_1".into()));
        for path in ["/?org=globex", "/?org=", "/"] {
            let refused = (403, OTHER_ORGANIZATION.into());
            assert_eq!(get_at(addr, path, Some(&token)).await, refused, "{path}");
        }
    }
}
