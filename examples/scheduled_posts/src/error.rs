//! The errors of handlers, and the answer to each.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sea_orm::DbErr;
use serde::Serialize;
use tower_clerk::sea_orm::is_transient;
use tower_clerk::session::AuthError;
use utoipa::ToSchema;

use crate::ai::AiError;
use crate::store::advice;
use serving::Seldom;

/// A refusal or a failure. The client sees only `detail`.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The service that suggests posts failed.
    Ai(AiError),
    /// No service for suggestions is configured.
    AiUnconfigured,
    /// The form of the request is invalid for this route.
    BadRequest(StatusCode, String),
    /// The database is unavailable or busy.
    DatabaseUnavailable,
    /// A fault of the server, which is in the log.
    Internal,
    /// The request is well formed, but a value is invalid.
    Invalid(String),
    /// The caller is known, but may not do this.
    NotAllowed,
    /// The session is good, but lacks what is required here.
    Insufficient(AuthError),
    /// The thing does not exist or belongs to another user; clients cannot tell which.
    NotFound(&'static str),
    /// The token is valid, but its user is deleted.
    UserGone,
}

impl ApiError {
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid(detail.into())
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Self::Insufficient(error)
    }
}

impl From<AiError> for ApiError {
    fn from(error: AiError) -> Self {
        Self::Ai(error)
    }
}

impl From<DbErr> for ApiError {
    fn from(error: DbErr) -> Self {
        if is_transient(&error) {
            if let Some(left_out) = AWAY.left_out() {
                tracing::error!(%error, left_out, "{}", advice(&error));
            }
            return Self::DatabaseUnavailable;
        }
        tracing::error!(%error, "a database statement failed");
        Self::Internal
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Ai(error) => ai_fault(error),
            Self::AiUnconfigured => answer(StatusCode::SERVICE_UNAVAILABLE, AI_UNCONFIGURED),
            Self::BadRequest(status, detail) => answer(status, &detail),
            Self::DatabaseUnavailable => {
                let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "Database unavailable");
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
                response
            }
            Self::Internal => answer(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
            Self::Invalid(detail) => answer(StatusCode::UNPROCESSABLE_ENTITY, &detail),
            Self::Insufficient(error) => error.into_response(),
            Self::NotAllowed => answer(StatusCode::FORBIDDEN, "Not allowed"),
            Self::NotFound(detail) => answer(StatusCode::NOT_FOUND, detail),
            Self::UserGone => answer(StatusCode::FORBIDDEN, "User no longer exists"),
        }
    }
}

/// Returns 502 for failures of the service, and 504 for a timeout. The service limits this server
/// as a whole, so no client gets 429 because of it.
fn ai_fault(error: AiError) -> Response {
    let status = match error {
        AiError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        AiError::Busy(_)
        | AiError::Failed
        | AiError::KeyRefused
        | AiError::NoSuggestions
        | AiError::Refused
        | AiError::TooLong
        | AiError::Unreachable
        | AiError::Unreadable => StatusCode::BAD_GATEWAY,
    };
    let mut response = answer(status, &error.to_string());
    if let AiError::Busy(seconds) = error {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.unwrap_or(30).into());
    }
    response
}

/// The JSON body of every error.
#[derive(Serialize, ToSchema)]
pub(crate) struct Error<'a> {
    /// The problem, for people.
    detail: &'a str,
}

pub(crate) fn answer(status: StatusCode, detail: &str) -> Response {
    (status, Json(Error { detail })).into_response()
}

/// The limit on this line, because every request fails while the database is unavailable.
static AWAY: Seldom = Seldom::new(Duration::from_secs(1));
const AI_UNCONFIGURED: &str = "AI suggestions are not configured; the server needs OPENAI_BASE_URL, \
                               OPENAI_API_KEY and OPENAI_MODEL";
