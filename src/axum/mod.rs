//! Extractors for axum: [`Session`] for routes that need one, `Option<Session>` behind a layer
//! that lets anonymous requests pass.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_clerk::session::{ClerkAuthLayer, Session, Verifier};
//!
//! async fn whoami(session: Session) -> String {
//!     session.user_id().to_owned()
//! }
//!
//! fn app(verifier: Verifier) -> Router {
//!     Router::new().route("/me", get(whoami)).route_layer(ClerkAuthLayer::new(verifier))
//! }
//! ```

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::session::{Anonymous, AuthError, JsonResponder, Session};
use crate::trace::event;

/// Why there is no [`Session`] to extract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionRejection {
    /// No [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) is mounted on this route: 500. The
    /// mistake is the server's.
    LayerMissing,
    /// The layer let the request pass without a session, for this reason: what the layer itself
    /// would answer, as JSON.
    NoSession(AuthError),
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        match find(parts) {
            Found::Session(session) => Ok(session),
            Found::Nobody(error) => Err(SessionRejection::NoSession(error)),
            Found::NoLayer => Err(SessionRejection::LayerMissing),
        }
    }
}

/// `None` for an anonymous request. Without the layer still an error, so that a route nobody
/// guards does not pass for one that nobody is signed in on.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        match find(parts) {
            Found::Session(session) => Ok(Some(session)),
            Found::Nobody(_) => Ok(None),
            Found::NoLayer => Err(SessionRejection::LayerMissing),
        }
    }
}

enum Found {
    Session(Session),
    Nobody(AuthError),
    NoLayer,
}

fn find(parts: &Parts) -> Found {
    if let Some(session) = parts.extensions.get::<Session>() {
        return Found::Session(session.clone());
    }
    if let Some(Anonymous(error)) = parts.extensions.get::<Anonymous>() {
        return Found::Nobody(error.clone());
    }
    event!(
        error,
        "a handler asks for a session on a route without ClerkAuthLayer; mount the layer",
    );
    Found::NoLayer
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NoSession(error) => {
                let mut response = JsonResponder::http(&error).map(Body::from);
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().insert(CACHE_CONTROL, no_store);
                response.extensions_mut().insert(error);
                response
            }
            Self::LayerMissing => {
                let body = Body::from(Bytes::from_static(br#"{"detail":"Internal server error"}"#));
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
        }
    }
}
