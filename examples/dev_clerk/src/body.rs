//! A JSON body. Refusals have Clerk's shape. An empty body counts as an empty object, as with
//! Clerk.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::ClerkError;

pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ClerkError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ClerkError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            ClerkError::new(rejection.status(), "request_body_invalid", rejection.body_text())
        })?;
        let json = if bytes.is_empty() { b"{}" } else { bytes.as_ref() };
        serde_json::from_slice(json).map(Self).map_err(|error| {
            let message = format!("Request body invalid: {error}");
            ClerkError::new(StatusCode::BAD_REQUEST, "request_body_invalid", message)
        })
    }
}
