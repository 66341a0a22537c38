//! The description of this server as an OAuth resource (RFC 9728), and the challenge that names it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::json;
use tower_service::Service;

use crate::ConfigError;
use crate::session::body::{AuthBody, NoBody};
use crate::session::error::AuthError;
use crate::session::reject::Responder;
use crate::session::scope::Scope;

/// A resource that OAuth clients find out about: which server it is, whose tokens it takes, and which scopes
/// there are (RFC 9728).
///
/// ```
/// use axum::Router;
/// use tower_clerk::session::machine::ProtectedResource;
/// use tower_clerk::session::{ClerkAuthLayer, JsonResponder, Scope};
///
/// # fn app(layer: ClerkAuthLayer, api: Router) -> Result<Router, tower_clerk::ConfigError> {
/// let resource = ProtectedResource::new("https://api.example.com", "https://clerk.example.com")?
///     .scopes([Scope::new("posts:read")]);
/// // Each 401 says where the description is.
/// let layer = layer.respond_with(resource.challenging(JsonResponder::new()));
/// let app = api
///     .route_layer(layer)
///     .route_service(ProtectedResource::PATH, resource.service());
/// # Ok(app)
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is mounted"]
pub struct ProtectedResource {
    resource: String,
    authorization_server: String,
    scopes: Vec<Scope>,
}

impl ProtectedResource {
    /// The path of the description (RFC 9728 3).
    pub const PATH: &str = "/.well-known/oauth-protected-resource";

    /// Returns a resource by this server's address as clients see it, `https://api.example.com`, which is
    /// also the audience of its tokens, and by the issuer of the tokens. The address is a setting and never
    /// taken from a request's `Host`, which the client chooses.
    ///
    /// # Errors
    ///
    /// Either is not `https://` and a host, or on a loopback address `http://`; or it ends in a slash, or has
    /// a query or a fragment.
    pub fn new(
        resource: impl Into<String>,
        authorization_server: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let (resource, authorization_server) = (resource.into(), authorization_server.into());
        check("resource", &resource)?;
        check("authorization server", &authorization_server)?;
        Ok(Self { resource, authorization_server, scopes: Vec::new() })
    }

    /// Sets the scopes that clients may ask for; default: none is named.
    pub fn scopes(self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { scopes: scopes.into_iter().filter(|scope| scope.is_valid()).collect(), ..self }
    }

    /// Returns the address of the description, absolute.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        format!("{}{}", self.resource, Self::PATH)
    }

    /// Returns a responder that refuses as `responder` does, and names the description in the challenge of each
    /// 401, so that a client can find out where to get a token.
    pub fn challenging<R: Responder>(&self, responder: R) -> impl Responder + use<R> {
        let parameter = format!(r#"resource_metadata="{}""#, self.metadata_url());
        move |error: &AuthError, request: &Parts| {
            let mut response = responder.respond(error, request);
            if response.status() == StatusCode::UNAUTHORIZED {
                name(&mut response, &parameter);
            }
            response
        }
    }

    /// Returns the service that answers with the description, to be mounted at [`PATH`](Self::PATH) outside
    /// of every layer that refuses. Pages of any origin may read it.
    #[must_use]
    pub fn service(&self) -> ResourceService {
        let scopes: Vec<_> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let description = json!({
            "resource": self.resource,
            "authorization_servers": [self.authorization_server],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
        });
        ResourceService { description: Arc::from(description.to_string()) }
    }
}

/// Adds a parameter to the bearer challenge of a response, or a challenge if there is none.
fn name(response: &mut Response<Bytes>, parameter: &str) {
    let before = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let challenge = match before {
        None => format!("Bearer {parameter}"),
        Some("Bearer") => format!("Bearer {parameter}"),
        Some(before) if before.starts_with("Bearer ") => format!("{before}, {parameter}"),
        // Another scheme's: the responder knows what it does.
        Some(_) => return,
    };
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
}

fn check(setting: &'static str, url: &str) -> Result<(), ConfigError> {
    let problem = |text| Err(ConfigError::new(setting, text));
    let Some((scheme, rest)) = url.split_once("://") else {
        return problem("must be `https://` and a host");
    };
    let host = rest.split('/').next().unwrap_or_default();
    let is_loopback = ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| {
        host.strip_prefix(own).is_some_and(|port| port.is_empty() || port.starts_with(':'))
    });
    let is_plain =
        |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '?' | '#' | '@' | ',');
    if scheme != "https" && !(scheme == "http" && is_loopback) {
        return problem("must begin with `https://`, or on a loopback address with `http://`");
    }
    if host.is_empty() || !rest.chars().all(is_plain) {
        return problem("must be `https://` and a host, without query, fragment or quotes");
    }
    if url.ends_with('/') {
        return problem("must not end in a slash");
    }
    Ok(())
}

/// The service of a [`ProtectedResource`]. It answers `GET` and `HEAD`, and `OPTIONS` for pages.
#[derive(Clone, Debug)]
pub struct ResourceService {
    description: Arc<str>,
}

impl<B> Service<Request<B>> for ResourceService {
    type Response = Response<AuthBody<NoBody>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let description = match *request.method() {
            Method::GET => Bytes::from(self.description.to_string()),
            _ => Bytes::new(),
        };
        let mut response = Response::new(AuthBody::refusal(description));
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        match *request.method() {
            Method::GET | Method::HEAD => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
            }
            Method::OPTIONS => {
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            _ => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            }
        }
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_no_client_would_use_is_refused() {
        let issuer = "https://clerk.example.com";
        for good in [
            "https://api.example.com",
            "http://127.0.0.1:8002",
            "https://a.b/api",
            "http://[::1]:1",
        ] {
            assert!(ProtectedResource::new(good, issuer).is_ok(), "{good}");
        }
        for bad in [
            "",
            "api.example.com",
            "http://api.example.com",
            "https://",
            "https://a.b/",
            "https://a.b?x",
            "https://a.b#x",
            "https://a\".b",
            "https://u@a.b",
            "ftp://a.b",
            "http://127.0.0.1.evil.com",
        ] {
            assert!(ProtectedResource::new(bad, issuer).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_challenge_names_the_description_and_keeps_what_it_said() {
        for (before, after) in [
            (None, "Bearer p=\"1\""),
            (Some("Bearer"), "Bearer p=\"1\""),
            (Some("Bearer error=\"invalid_token\""), "Bearer error=\"invalid_token\", p=\"1\""),
            (Some("Basic realm=\"x\""), "Basic realm=\"x\""),
        ] {
            let mut response = Response::new(Bytes::new());
            if let Some(before) = before {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(before));
            }
            name(&mut response, "p=\"1\"");
            assert_eq!(response.headers()[WWW_AUTHENTICATE], after);
        }
    }
}
