//! The session: a verified token's claims for the handler, its key and window for the cache, its
//! verifier for other layers, and the clock that ends it.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use super::bar::{Bar, Place, Ruling};
use super::claims::{Actor, Authorization, Claims, Lack, Organization};
use super::error::{AuthError, AuthErrorKind};
use super::public_key::PublicKey;
use super::reject::refuse_session;
use super::window::Window;
use crate::clock::Clock;
use crate::trace::event;

/// A verified session, which identifies the user who sent the request.
///
/// The layer puts it into the request's extensions; with the feature `axum` it is an extractor. It
/// is cheap to clone and immutable: nothing that a handler does to it reaches the next request. It
/// keeps the token's text in memory as long as it lives, but never shows it or gives it out.
#[derive(Clone)]
pub struct Session {
    verified: Arc<Verified>,
}

/// The shared data, in one allocation, so that a cache hit changes only one reference count.
struct Verified {
    claims: Claims,
    key: Arc<PublicKey>,
    window: Window,
    verifier: VerifierId,
    place: Place,
    /// Not the session's data, so it does not matter whether a panic leaves it in order.
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "only a timer reads it"))]
    clock: AssertUnwindSafe<Arc<dyn Clock>>,
}

/// The identity of a verifier of one instance, which its clones share. It tells a layer whether a
/// session that an outer layer found is its own verifier's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VerifierId(u64);

impl VerifierId {
    /// Returns an identity that no other verifier of this process has.
    pub(super) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Session {
    pub(super) fn new(
        claims: Claims,
        key: Arc<PublicKey>,
        window: Window,
        verifier: VerifierId,
        clock: &Arc<dyn Clock>,
        bar: &Bar,
    ) -> Self {
        let clock = AssertUnwindSafe(Arc::clone(clock));
        let place = bar.place();
        let verified = Arc::new(Verified { claims, key, window, verifier, place, clock });
        Self { verified }
    }

    /// Returns all claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.verified.claims
    }

    /// Returns the id of the session's user, `user_…`: `sub`. Under impersonation it is that of the
    /// impersonated user.
    #[must_use]
    pub fn user_id(&self) -> &str {
        self.claims().user_id()
    }

    /// Returns the session's id, `sess_…`: `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.claims().session_id()
    }

    /// Returns the active organization.
    #[must_use]
    pub fn organization(&self) -> Option<&Organization> {
        self.claims().organization()
    }

    /// Returns whether another person acts for the user: whether there is an `act`, readable or
    /// not.
    #[must_use]
    pub fn is_impersonated(&self) -> bool {
        self.claims().is_impersonated()
    }

    /// Returns the impersonator, if the user is being impersonated and `act` is readable.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.claims().actor()
    }

    /// Returns whether the session satisfies `required`: Clerk's `has()`.
    ///
    /// ```
    /// # use tower_clerk::session::{Authorization, Session};
    /// fn may_publish(session: &Session) -> bool {
    ///     session.has(&Authorization::permission("posts:publish"))
    /// }
    /// ```
    #[must_use]
    pub fn has(&self, required: &Authorization) -> bool {
        self.claims().has(required)
    }

    /// Requires that the session satisfies `required`, as [`has`](Self::has) judges it.
    ///
    /// ```
    /// # use tower_clerk::session::{AuthError, Authorization, Reverification, Session};
    /// fn delete_everything(session: &Session) -> Result<(), AuthError> {
    ///     session.require(&Authorization::reverified(Reverification::STRICT))?;
    ///     // …
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the refusal: [`AuthErrorKind::ReverificationRequired`] if a recent verification is all that
    /// is missing, so that the front end lets the user verify again, and otherwise
    /// [`AuthErrorKind::RequirementNotMet`]. [`Refusal`](super::Refusal) makes a 403 of either.
    pub fn require(&self, required: &Authorization) -> Result<(), AuthError> {
        match self.claims().lack(required) {
            None => Ok(()),
            Some(Lack::Verification(asked)) => Err(AuthError::reverification_required(asked)),
            Some(Lack::Other) => Err(AuthErrorKind::RequirementNotMet.into()),
        }
    }

    /// Requires that this organization is the active one. `organization` is an id if it begins with
    /// `org_`, and otherwise a slug, which an organization's admins can change and pass on: rows belong
    /// to an id.
    ///
    /// # Errors
    ///
    /// Returns [`AuthErrorKind::OtherOrganization`], also if no organization is active.
    pub fn require_organization(&self, organization: &str) -> Result<(), AuthError> {
        let is_active = self.organization().is_some_and(|active| {
            match organization.starts_with("org_") {
                // An organization must not pass for another by taking its id for a slug.
                true => active.id() == organization,
                false => !organization.is_empty() && active.slug() == Some(organization),
            }
        });
        if is_active { Ok(()) } else { Err(AuthErrorKind::OtherOrganization.into()) }
    }

    /// Returns the response to a request whose session does not suffice, as the layer refuses that let
    /// it in.
    pub(crate) fn refuse(&self, error: AuthError, request: Parts) -> Response<Bytes> {
        event!(
            debug,
            reason = error.kind().as_str(),
            "request refused: the session does not suffice"
        );
        refuse_session(error, request)
    }

    /// Waits until the token has expired: until `exp` and the skew are past, by the verifier's clock, or
    /// until the session is locked out, where the verifier has lock-outs. It does not see that a key was
    /// withdrawn, or that a check of your own would refuse now. For what lives longer than a request, such as a WebSocket or a stream, which
    /// should end with the session or ask the client for a new token:
    ///
    /// ```
    /// # use tower_clerk::session::Session;
    /// # use tokio::sync::mpsc::Receiver;
    /// async fn forward(session: Session, mut messages: Receiver<String>) {
    ///     loop {
    ///         tokio::select! {
    ///             () = session.expired() => break,
    ///             message = messages.recv() => match message {
    ///                 Some(message) => println!("{message}"),
    ///                 None => break,
    ///             },
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// A browser cannot send `Authorization` with a WebSocket: accept it, take the token as the first
    /// message and give it to [`Verifier::verify`](super::Verifier::verify); a later token replaces the
    /// session.
    ///
    /// Needs a tokio runtime with time.
    #[cfg(feature = "remote")]
    pub async fn expired(&self) {
        let Verified { claims, window, place, clock, .. } = &*self.verified;
        let mut reached = clock.reaches(window.end());
        let mut locked_out = std::pin::pin!(place.locked_out(claims));
        std::future::poll_fn(|cx| {
            // The end of the token first: it needs no lock-outs.
            if reached.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
            locked_out.as_mut().poll(cx)
        })
        .await;
    }

    /// Judges the session by the lock-outs.
    pub(super) fn ruling(&self) -> Ruling {
        self.verified.place.judge(self.claims())
    }

    /// Judges the session by the lock-outs that are known, without waiting.
    pub(super) fn ruling_at_once(&self) -> Ruling {
        self.verified.place.judge_at_once(self.claims())
    }

    /// Returns the key that signed the token.
    pub(super) fn key(&self) -> &Arc<PublicKey> {
        &self.verified.key
    }

    /// Returns which verifier verified it.
    pub(super) fn verifier(&self) -> VerifierId {
        self.verified.verifier
    }

    /// Returns the times at which the token is valid.
    pub(super) fn window(&self) -> Window {
        self.verified.window
    }

    /// Returns about how much memory the session takes, in bytes, the token included.
    #[cfg(feature = "moka")]
    pub(super) fn approximate_bytes(&self) -> usize {
        size_of::<Verified>() - size_of::<Claims>() + self.claims().approximate_bytes()
    }
}

/// Compares the claims.
impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.claims() == other.claims()
    }
}

impl Eq for Session {}

/// Shows only the user id: other claims do not belong in a log.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user_id", &self.user_id()).finish_non_exhaustive()
    }
}
