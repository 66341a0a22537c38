//! The router for plain HTTP beside HTTPS, which only redirects.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::error::answer;
use serving::tls::Tls;
use serving::{Host, LocalAddress};

/// Redirects every request to the same URL over HTTPS on this port.
pub(crate) fn router(https_port: u16, tls: Tls) -> Router {
    Router::new().fallback(redirect).with_state(Target { https_port, tls })
}

#[derive(Clone)]
struct Target {
    https_port: u16,
    tls: Tls,
}

async fn redirect(State(target): State<Target>, request: Request) -> Response {
    let Some(host) = Host::of(&request) else {
        return answer(StatusCode::BAD_REQUEST, "The Host header must name one host");
    };
    let local = request.extensions().get::<LocalAddress>();
    if !target.serves(&host, local) {
        return answer(StatusCode::BAD_REQUEST, "This server has no certificate for this host");
    }
    let port = match target.https_port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    // An absolute URI without a path, and `OPTIONS *`, mean the server itself.
    let path = request.uri().path_and_query().map(|path| path.as_str());
    let path = path.filter(|path| path.starts_with('/')).unwrap_or("/");
    let Ok(location) = HeaderValue::from_str(&format!("https://{host}{port}{path}")) else {
        return answer(StatusCode::BAD_REQUEST, "The path has characters that no URL has");
    };
    // Browsers must not remember it, because the port may change.
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::PERMANENT_REDIRECT, headers).into_response()
}

impl Target {
    /// Returns whether this server serves the host. Otherwise anyone could make links that redirect
    /// from here to another site.
    fn serves(&self, host: &Host<'_>, local: Option<&LocalAddress>) -> bool {
        let reached = |address| local.is_some_and(|local| local.0.ip().to_canonical() == address);
        match host {
            Host::Address(address) if reached(*address) => true,
            _ => self.tls.certificate().names(&host.to_string()),
        }
    }
}
