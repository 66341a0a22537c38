//! Extractors of callers, who may be others than users.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::SessionRejection;
use crate::session::machine::{ApiKey, M2mToken, OAuthToken, Principal};
use crate::session::{Anonymous, AuthErrorKind};

/// Extracts the caller, of whatever kind the layer accepts. A request that the layer let pass without one is
/// refused as the layer would have refused it.
impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, SessionRejection> {
        match (Self::of(&parts.extensions), parts.extensions.get::<Anonymous>()) {
            (Some(principal), _) => Ok(principal),
            (None, Some(anonymous)) => Err(SessionRejection::no_session(anonymous, parts)),
            (None, None) => Err(SessionRejection::no_layer()),
        }
    }
}

/// Extracts `None` if the layer let the request pass without a caller. Without the layer it rejects the
/// request.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, SessionRejection> {
        match (Self::of(&parts.extensions), parts.extensions.get::<Anonymous>()) {
            (Some(principal), _) => Ok(Some(principal)),
            (None, Some(_)) => Ok(None),
            (None, None) => Err(SessionRejection::no_layer()),
        }
    }
}

/// Extracts a caller of one kind; any other, a user too, is refused with 401.
macro_rules! extract {
    ($($kind:ident($caller:ty)),+) => {$(
        impl<S: Send + Sync> FromRequestParts<S> for $caller {
            type Rejection = SessionRejection;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &S,
            ) -> Result<Self, SessionRejection> {
                match <Principal as FromRequestParts<S>>::from_request_parts(parts, state).await? {
                    Principal::$kind(caller) => Ok(caller),
                    _ => Err(SessionRejection::other_caller(AuthErrorKind::WrongTokenType, parts)),
                }
            }
        }
    )+};
}

extract!(ApiKey(ApiKey), M2m(M2mToken), OAuth(OAuthToken));
