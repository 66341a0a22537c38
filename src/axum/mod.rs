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
//!     Router::new().route("/me", get(whoami)).layer(ClerkAuthLayer::new(verifier))
//! }
//! ```

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::session::{Anonymous, AuthError, AuthErrorKind, JsonResponder, Session};
use crate::trace::event;

/// Why there is no [`Session`] to extract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The request is anonymous, and the layer lets such pass: 401.
    Anonymous,
    /// No [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) is mounted on this route: 500. The
    /// mistake is the server's.
    LayerMissing,
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        find(parts)?.ok_or(SessionRejection::Anonymous)
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
        find(parts)
    }
}

fn find(parts: &Parts) -> Result<Option<Session>, SessionRejection> {
    match parts.extensions.get::<Session>() {
        Some(session) => Ok(Some(session.clone())),
        None if parts.extensions.get::<Anonymous>().is_some() => Ok(None),
        None => {
            event!(
                error,
                path = parts.uri.path(),
                "a handler asks for a session on a route without ClerkAuthLayer; mount the layer",
            );
            Err(SessionRejection::LayerMissing)
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Anonymous => {
                let error = AuthError::new(AuthErrorKind::MissingCredentials);
                JsonResponder::http(&error).map(Body::from)
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
