//! Extractors whose rejections are JSON with `detail`, and the signed-in user. They read the
//! database only to learn whether the user is deleted.

use std::fmt;
use std::marker::PhantomData;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestPartsExt as _};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tower_clerk::sea_orm::UserStatus;
use tower_clerk::session::Session;
use tower_clerk::session::machine::Principal;
use uuid::Uuid;

use crate::access::READING;
use crate::error::ApiError;
use crate::phases::Claimed;
use crate::state::AppState;

/// The user of a request, who is not deleted. Verified, except in phases 1 and 2.
pub(crate) struct CurrentUser {
    id: String,
    /// The verified session; may be `None` in phases 1 and 2.
    pub(crate) session: Option<Session>,
    /// Whether the user has a row that others can refer to.
    known: bool,
}

impl CurrentUser {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the user with this id, who must not be deleted.
    async fn known(
        state: &AppState,
        id: String,
        session: Option<Session>,
    ) -> Result<Self, Response> {
        match state.users.user_status(&id).await {
            Ok(UserStatus::Deleted) => Err(ApiError::UserGone.into_response()),
            Ok(status) => Ok(Self { id, session, known: status == UserStatus::Active }),
            Err(error) => Err(ApiError::from(error).into_response()),
        }
    }

    /// Returns the verified session, of which more may be required.
    pub(crate) fn verified(&self) -> Result<&Session, ApiError> {
        self.session.as_ref().ok_or(ApiError::NotAllowed)
    }

    /// Ensures that this user has a row: the request may arrive before Clerk's webhook.
    pub(crate) async fn ensure_row(&self, state: &AppState) -> Result<(), ApiError> {
        if self.known {
            return Ok(());
        }
        match state.users.ensure_user(self.id()).await? {
            UserStatus::Deleted => Err(ApiError::UserGone),
            _ => Ok(()),
        }
    }

    /// Returns the error for a row without a parent: the user may have been deleted just now.
    pub(crate) async fn no_parent(
        &self,
        state: &AppState,
        otherwise: &'static str,
    ) -> Result<ApiError, ApiError> {
        match state.users.user_status(self.id()).await? {
            UserStatus::Deleted => Ok(ApiError::UserGone),
            _ => Ok(ApiError::NotFound(otherwise)),
        }
    }
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let (id, session) = match parts.extensions.get::<Claimed>() {
            Some(claimed) => (claimed.user_id.clone(), claimed.session.clone()),
            None => {
                let session = Session::from_request_parts(parts, state).await;
                let session = session.map_err(IntoResponse::into_response)?;
                (session.user_id().to_owned(), Some(session))
            }
        };
        Self::known(state, id, session).await
    }
}

/// The caller of a route that others than users may read.
pub(crate) struct Caller {
    /// The user who calls, or for whom the caller acts; `None` for machines and organizations' keys.
    user: Option<CurrentUser>,
    kind: &'static str,
}

impl Caller {
    /// Returns the kind: `session`, `api_key`, `m2m` or `oauth`.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn user(&self) -> Option<&CurrentUser> {
        self.user.as_ref()
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        if parts.extensions.get::<Claimed>().is_some() {
            let user = CurrentUser::from_request_parts(parts, state).await?;
            return Ok(Self { user: Some(user), kind: SESSION });
        }
        let principal = Principal::from_request_parts(parts, state).await;
        let principal = principal.map_err(IntoResponse::into_response)?;
        let user = match (&principal, principal.user_id()) {
            (Principal::Session(_), _) => {
                Some(CurrentUser::from_request_parts(parts, state).await?)
            }
            // Who acts for a user does so as far as the user allowed it.
            (caller, Some(user_id)) => {
                caller.require_scope(READING).map_err(IntoResponse::into_response)?;
                Some(CurrentUser::known(state, user_id.to_owned(), None).await?)
            }
            (_, None) => None,
        };
        Ok(Self { user, kind: principal.kind() })
    }
}

/// The user of a request, or whom the caller acts for; a machine, and an organization's key, have none and are
/// refused.
pub(crate) struct ReadingUser(pub(crate) CurrentUser);

impl FromRequestParts<AppState> for ReadingUser {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.user.map(Self).ok_or_else(|| ApiError::NotAllowed.into_response())
    }
}

const SESSION: &str = "session";

/// The id in a path. An id that is not a UUID gets the same 404 as an unknown one.
pub(crate) struct IdPath(pub(crate) Option<Uuid>);

impl<S: Send + Sync> FromRequestParts<S> for IdPath {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let id = parts.extract::<Path<String>>().await.ok();
        // Only the form that answers use.
        Ok(Self(id.filter(|id| id.len() == 36).and_then(|Path(id)| Uuid::try_parse(&id).ok())))
    }
}

/// The parameter of a path; empty, which names nothing, if it is no text.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let text = parts.extract::<Path<String>>().await;
        Ok(Self(text.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// Query parameters.
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(ApiError::invalid(rejection.body_text())),
        }
    }
}

/// A JSON body.
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.headers().contains_key(header::CONTENT_ENCODING) {
            // A small compressed body may expand to a huge one.
            let detail = "The body must not be compressed".to_owned();
            return Err(ApiError::BadRequest(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        match Json::<Object<T>>::from_request(request, state).await {
            Ok(Json(Object(body))) => Ok(Self(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

/// A struct from a JSON object only; serde would also accept an array of its members.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

fn refused(rejection: &JsonRejection) -> ApiError {
    let detail = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too large".to_owned(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "The body must be application/json".to_owned(),
        _ => rejection.body_text(),
    };
    ApiError::BadRequest(rejection.status(), detail)
}
