//! Extractors that require something of the session.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use super::SessionRejection;
use crate::session::{Authorization, Session};

/// A type that names a requirement, for [`Require`].
pub trait Requirement {
    /// Returns the requirement. It is asked for each request.
    fn authorization() -> Authorization;
}

/// An extractor of a session that satisfies the requirement `R`. It dereferences to [`Session`].
///
/// A request without a session is refused as the extractor `Session` refuses it, and one whose session
/// does not suffice with 403, as a [`RequireLayer`](crate::session::RequireLayer) does. The guide of
/// [`axum`](crate::axum) has an example.
pub struct Require<R> {
    session: Session,
    requirement: PhantomData<fn() -> R>,
}

impl<R> Require<R> {
    /// Returns the session.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.session
    }
}

impl<R> Deref for Require<R> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl<R> Clone for Require<R> {
    fn clone(&self) -> Self {
        Self { session: self.session.clone(), requirement: PhantomData }
    }
}

impl<R> fmt::Debug for Require<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Require").field(&self.session).finish()
    }
}

impl<S: Send + Sync, R: Requirement> FromRequestParts<S> for Require<R> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionRejection> {
        let session = Session::from_request_parts(parts, state).await?;
        match session.require(&R::authorization()) {
            Ok(()) => Ok(Self { session, requirement: PhantomData }),
            Err(error) => Err(SessionRejection::not_allowed(&session, error, parts)),
        }
    }
}

/// An extractor of a session whose active organization is the one that another extractor finds, and of
/// what that one extracts: as a rule `Path<String>`, with an id or a slug as
/// [`Session::require_organization`] takes it.
///
/// ```
/// use axum::extract::Path;
/// use axum::{Router, routing::get};
/// use tower_clerk::axum::InOrganization;
///
/// async fn me(InOrganization(session, Path(slug)): InOrganization<Path<String>>) -> String {
///     format!("{} of {slug}", session.user_id())
/// }
///
/// # fn app() -> Router {
/// Router::new().route("/api/orgs/{slug}/me", get(me))
/// # }
/// ```
///
/// Without a session the request is refused before the path is read. Where another organization is
/// active, or none, the refusal is 403, `{"detail":"Another organization is active"}`, in the format of
/// the layer. A type of your own dereferences to a text that is the organization's, where the path has
/// several parameters.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart in their signatures")]
pub struct InOrganization<P>(pub Session, pub P);

impl<S, P> FromRequestParts<S> for InOrganization<P>
where
    S: Send + Sync,
    P: FromRequestParts<S> + Deref<Target: AsRef<str>> + Send,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = Session::from_request_parts(parts, state).await;
        let session = session.map_err(IntoResponse::into_response)?;
        let named = P::from_request_parts(parts, state).await;
        let named = named.map_err(IntoResponse::into_response)?;
        match session.require_organization((*named).as_ref()) {
            Ok(()) => Ok(Self(session, named)),
            Err(error) => {
                Err(SessionRejection::not_allowed(&session, error, parts).into_response())
            }
        }
    }
}
