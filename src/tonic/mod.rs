//! Sessions in tonic services.
//!
//! A tonic server asks the layer for [`grpc`](crate::session::ClerkAuthLayer::grpc) refusals: with
//! `grpc-status` 16 (unauthenticated), 7 (permission denied) or 14 (unavailable). By default it refuses
//! with HTTP statuses, which a gRPC client maps to codes of its own and shows without a text.
//!
//! ```
//! # use tower_clerk::session::{ClerkAuthLayer, Verifier};
//! # fn server(verifier: Verifier) -> tonic::transport::server::Router<impl Clone> {
//! # let (_reporter, health) = tonic_health::server::health_reporter();
//! tonic::transport::Server::builder()
//!     .layer(ClerkAuthLayer::new(verifier).grpc())
//!     .add_service(health)
//! # }
//! ```
//!
//! `Server::layer` guards all services. To guard one of several, apply the layer to it with tonic's
//! `named_layer`:
//!
//! ```
//! use tonic::service::LayerExt as _;
//! use tower_clerk::session::ClerkAuthLayer;
//! # use tonic_health::server::health_reporter;
//!
//! # async fn routes(auth: ClerkAuthLayer) -> tonic::service::Routes {
//! # let (_reporter, health) = health_reporter();
//! # let (_reporter, accounts) = health_reporter();
//! tonic::service::Routes::new(health).add_service(auth.named_layer(accounts))
//! # }
//! ```
//!
//! What callers may do is required by a [`RequireLayer`](crate::session::RequireLayer) inside of the
//! layer, for a whole service, or by [`RequestExt::require`] in a method.
//!
//! To guard one method of a service, mount the layer in its
//! [`optional`](crate::session::ClerkAuthLayer::optional) mode and ask for the session in that
//! method.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tonic::{Code, Request, Status};

#[cfg(feature = "machines")]
use crate::session::machine::Principal;
use crate::session::{Anonymous, AuthError, Authorization, Refusal, Session};
use crate::trace::event;

/// An extension of [`Request`] with access to its session.
///
/// ```
/// use tower_clerk::tonic::RequestExt;
///
/// fn whoami<T>(request: &tonic::Request<T>) -> Result<String, tonic::Status> {
///     Ok(request.session()?.user_id().to_owned())
/// }
/// ```
pub trait RequestExt {
    /// Returns the session that the layer put into the request.
    ///
    /// # Errors
    ///
    /// Returns the status with which the layer would have refused the request, if it let the
    /// request pass without a session: the `grpc-status` that its
    /// [`Responder`](crate::session::Responder) writes, or that of [`Refusal`] if it writes none.
    /// Returns `INTERNAL` if no [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) is mounted.
    fn session(&self) -> Result<&Session, Status>;

    /// Returns the session, or `None` if the layer let the request pass without one.
    ///
    /// # Errors
    ///
    /// Returns `INTERNAL` if no [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) is mounted, so that
    /// an unguarded method is not taken for one without signed-in users.
    fn optional_session(&self) -> Result<Option<&Session>, Status>;

    /// Returns the caller, of whatever kind the layer accepts.
    ///
    /// # Errors
    ///
    /// Returns what [`session`](Self::session) does if there is none.
    #[cfg(feature = "machines")]
    fn principal(&self) -> Result<Principal, Status>;

    /// Returns the session if it satisfies `required`, as [`Session::require`] judges it.
    ///
    /// ```
    /// use tonic::{Request, Status};
    /// use tower_clerk::session::Authorization;
    /// use tower_clerk::tonic::RequestExt;
    ///
    /// fn remove_member<T>(request: &Request<T>) -> Result<(), Status> {
    ///     let admin = request.require(&Authorization::role("admin"))?;
    ///     // …
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns what [`session`](Self::session) does if there is no session, and otherwise
    /// `PERMISSION_DENIED`, or the `grpc-status` that the layer's responder writes.
    fn require(&self, required: &Authorization) -> Result<&Session, Status>;

    /// Returns the session if this organization, an id or a slug, is the active one, as
    /// [`Session::require_organization`] judges it.
    ///
    /// # Errors
    ///
    /// Returns what [`require`](Self::require) does.
    fn require_organization(&self, organization: &str) -> Result<&Session, Status>;
}

impl<T> RequestExt for Request<T> {
    fn session(&self) -> Result<&Session, Status> {
        if let Some(session) = self.extensions().get::<Session>() {
            return Ok(session);
        }
        match self.extensions().get::<Anonymous>() {
            Some(anonymous) => {
                event!(
                    debug,
                    reason = anonymous.error().kind().as_str(),
                    "request refused: no session"
                );
                let response = anonymous.refuse(parts(self));
                let status = status_of(response.into_parts().0.headers);
                Err(status.unwrap_or_else(|| anonymous.error().into()))
            }
            None => Err(no_layer()),
        }
    }

    fn optional_session(&self) -> Result<Option<&Session>, Status> {
        match (self.extensions().get::<Session>(), self.extensions().get::<Anonymous>()) {
            (Some(session), _) => Ok(Some(session)),
            (None, Some(_)) => Ok(None),
            (None, None) => Err(no_layer()),
        }
    }

    #[cfg(feature = "machines")]
    fn principal(&self) -> Result<Principal, Status> {
        match Principal::of(self.extensions()) {
            Some(principal) => Ok(principal),
            None => self.session().cloned().map(Principal::Session),
        }
    }

    fn require(&self, required: &Authorization) -> Result<&Session, Status> {
        let session = self.session()?;
        match session.require(required) {
            Ok(()) => Ok(session),
            Err(error) => Err(not_allowed(self, session, error)),
        }
    }

    fn require_organization(&self, organization: &str) -> Result<&Session, Status> {
        let session = self.session()?;
        match session.require_organization(organization) {
            Ok(()) => Ok(session),
            Err(error) => Err(not_allowed(self, session, error)),
        }
    }
}

fn not_allowed<T>(request: &Request<T>, session: &Session, error: AuthError) -> Status {
    let response = session.refuse(error.clone(), parts(request));
    status_of(response.into_parts().0.headers).unwrap_or_else(|| error.into())
}

fn no_layer() -> Status {
    event!(error, "a method asks for a session without ClerkAuthLayer; mount the layer");
    Status::internal("Internal server error")
}

/// Returns the status with which a layer with gRPC refusals refuses.
impl From<&AuthError> for Status {
    fn from(error: &AuthError) -> Self {
        let refusal = Refusal::of(error);
        let code = Code::from_bytes(refusal.grpc_status().as_bytes());
        Self::new(code, refusal.detail())
    }
}

/// Returns the status with which a layer with gRPC refusals refuses.
impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        (&error).into()
    }
}

/// Returns the status that a responder wrote into a response's headers, if it wrote one.
fn status_of(mut headers: HeaderMap) -> Option<Status> {
    // tonic panics on details that are not base64.
    let details = headers.get(DETAILS).map(|details| UNPADDED_OR_PADDED.decode(details.as_bytes()));
    if details.is_some_and(|details| details.is_err()) {
        headers.remove(DETAILS);
    }
    Status::from_header_map(&headers).filter(|status| status.code() != Code::Ok)
}

/// Returns the request's parts as far as tonic keeps them.
fn parts<T>(request: &Request<T>) -> Parts {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.headers = request.metadata().clone().into_headers();
    let grpc = HeaderValue::from_static("application/grpc");
    parts.headers.entry(CONTENT_TYPE).or_insert(grpc);
    parts.extensions = request.extensions().clone();
    parts
}

const DETAILS: &str = "grpc-status-details-bin";

const UNPADDED_OR_PADDED: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
