//! Extractors for axum: [`Session`] for routes that need one, and `Option<Session>` behind a layer
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
//!
//! What callers may do is required in one of three ways: by a
//! [`RequireLayer`](crate::session::RequireLayer) around routes, by [`Require`] in a handler's
//! signature, or by [`Session::require`] in its body.
//!
//! ```
//! use tower_clerk::axum::{Require, Requirement};
//! use tower_clerk::session::{AuthError, Authorization, Reverification, Session};
//!
//! struct Admin;
//!
//! impl Requirement for Admin {
//!     fn authorization() -> Authorization {
//!         Authorization::role("admin").or(Authorization::permission("members:manage"))
//!     }
//! }
//!
//! async fn remove_member(admin: Require<Admin>) -> String {
//!     format!("{} may", admin.user_id())
//! }
//!
//! async fn delete_everything(session: Session) -> Result<String, AuthError> {
//!     session.require(&Authorization::reverified(Reverification::STRICT))?;
//!     Ok(format!("{} may", session.user_id()))
//! }
//! ```
//!
//! [`InOrganization`] requires that the organization in the path is the active one.

#[cfg(feature = "machines")]
mod principal;
mod require;

use std::error::Error;
use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;

use crate::detail::with_detail;
use crate::session::{Anonymous, AuthError, JsonResponder, Session, finish};
use crate::trace::event;

pub use require::{InOrganization, Require, Requirement};

/// The rejection of a request that has no [`Session`], or whose session does not suffice: the reason,
/// and the response.
///
/// Behind a [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) the response is the one that the
/// layer's [`Responder`](crate::session::Responder) builds. On a route without the layer it is a
/// 500, because the server is at fault.
///
/// The response is built when the session is extracted, whether or not the handler sends it: a
/// responder should have no side effects.
#[derive(Clone, Debug)]
pub struct SessionRejection {
    error: Option<AuthError>,
    has_session: bool,
    response: Box<http::Response<Bytes>>,
}

impl SessionRejection {
    /// Returns why the request is refused; `None` if no layer is mounted on this route.
    #[must_use]
    pub fn error(&self) -> Option<&AuthError> {
        self.error.as_ref()
    }

    /// Returns the status of the response: the one that the layer's responder chooses, as a rule 401,
    /// 403 or 503; 200 with [`grpc`](crate::session::ClerkAuthLayer::grpc) refusals, whose status is in
    /// `grpc-status`; 500 without a layer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    fn no_session(anonymous: &Anonymous, request: &Parts) -> Self {
        let response = Box::new(anonymous.refuse(request.clone()));
        Self { error: Some(anonymous.error().clone()), has_session: false, response }
    }

    #[cfg(feature = "machines")]
    fn other_caller(kind: crate::session::AuthErrorKind, request: &Parts) -> Self {
        let error = AuthError::new(kind);
        let response = Box::new(crate::session::refuse_session(error.clone(), request.clone()));
        Self { error: Some(error), has_session: false, response }
    }

    fn not_allowed(session: &Session, error: AuthError, request: &Parts) -> Self {
        let response = Box::new(session.refuse(error.clone(), request.clone()));
        Self { error: Some(error), has_session: true, response }
    }

    fn no_layer() -> Self {
        event!(
            error,
            "a handler asks for a session on a route without ClerkAuthLayer; mount the layer",
        );
        let mut response = with_detail(http::Response::new(()), "Internal server error");
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Self { error: None, has_session: false, response: Box::new(response) }
    }
}

/// The reason in full, for logs: more than a client should be told.
impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) if self.has_session => write!(f, "not allowed: {error}"),
            Some(error) => write!(f, "no session: {error}"),
            None => f.write_str("no ClerkAuthLayer is mounted on this route; mount the layer"),
        }
    }
}

impl Error for SessionRejection {}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        if let Some(_error) = self.error.as_ref().filter(|_| !self.has_session) {
            event!(debug, reason = _error.kind().as_str(), "request refused: no session");
        }
        self.response.map(Body::from)
    }
}

/// Builds JSON with `detail`, for handlers that verify tokens themselves: whatever the request is, and
/// whatever responder a layer has.
impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        finish(JsonResponder::http(&self), self).map(Body::from)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        if let Some(session) = parts.extensions.get::<Self>() {
            return Ok(session.clone());
        }
        match parts.extensions.get::<Anonymous>() {
            Some(anonymous) => Err(SessionRejection::no_session(anonymous, parts)),
            None => Err(SessionRejection::no_layer()),
        }
    }
}

/// Extracts `None` if the layer let the request pass without a session. Without the layer it
/// rejects the request, so that an unguarded route is not taken for one without signed-in users.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        if let Some(session) = parts.extensions.get::<Self>() {
            return Ok(Some(session.clone()));
        }
        match parts.extensions.get::<Anonymous>() {
            Some(_) => Ok(None),
            None => Err(SessionRejection::no_layer()),
        }
    }
}
