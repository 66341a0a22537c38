//! What goes wrong in a handler, and the one table of what each client is told.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sea_orm::DbErr;
use serde::Serialize;
use tower_clerk::sea_orm::is_transient;
use utoipa::ToSchema;

use crate::ai::AiError;
use serving::Seldom;

/// A refusal or a failure. The client sees `detail` and nothing more.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The service that suggests posts did not do its part.
    Ai(AiError),
    /// No such service was configured.
    AiUnconfigured,
    /// What the client sent has a form that this route does not take.
    BadRequest(StatusCode, String),
    /// The database is away or busy.
    DatabaseUnavailable,
    /// A fault of ours; the log has it.
    Internal,
    /// Well formed, but not allowed to be so.
    Invalid(String),
    /// Not there, or somebody else's: nobody can tell which.
    NotFound(&'static str),
    /// The token is good and its user is deleted.
    UserGone,
}

impl ApiError {
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid(detail.into())
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
                tracing::error!(
                    %error,
                    left_out,
                    "the database is away or busy; is DATABASE_URL's server up?"
                );
            }
            return Self::DatabaseUnavailable;
        }
        tracing::error!(%error, "a statement failed");
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
            Self::NotFound(detail) => answer(StatusCode::NOT_FOUND, detail),
            Self::UserGone => answer(StatusCode::FORBIDDEN, "User no longer exists"),
        }
    }
}

/// The service's faults are not ours: 502, and 504 when it takes too long. Its limits are for this
/// server as a whole, so that no client is told 429.
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

/// An error as every client of this server knows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Error<'a> {
    /// What went wrong, for a person.
    detail: &'a str,
}

pub(crate) fn answer(status: StatusCode, detail: &str) -> Response {
    (status, Json(Error { detail })).into_response()
}

/// While it is away every request finds out.
static AWAY: Seldom = Seldom::new(Duration::from_secs(1));
const AI_UNCONFIGURED: &str = "AI suggestions are not configured; the server needs OPENAI_BASE_URL, \
                               OPENAI_API_KEY and OPENAI_MODEL";
