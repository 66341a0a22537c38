//! The stand-in's refusals, in the shape of Clerk's own API.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error in the shape of Clerk's API.
#[derive(Debug)]
pub(super) struct ClerkError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ClerkError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn not_found(what: &str) -> Self {
        let message = format!("No {what} was found with this id.");
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    pub(super) fn no_route(status: StatusCode) -> Self {
        let message = "The dev Clerk does not have this route; its README says which it has.";
        Self::new(status, "resource_not_found", message)
    }

    pub(super) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "authentication_invalid", message)
    }

    pub(super) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ClerkError {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [{
            "code": self.code, "message": self.message, "long_message": self.message,
        }] });
        (self.status, Json(body)).into_response()
    }
}
