//! A verified token: its claims for the handler, and for the cache by what they were verified.

use std::fmt;
use std::sync::Arc;

use super::claims::{Actor, Authorization, Claims, Organization};
use super::public_key::PublicKey;
use super::window::Window;

/// A verified session: who sent the request.
///
/// The layer puts it into the request's extensions; with the feature `axum` it is an extractor.
/// Cheap to clone, and immutable: nothing a handler does to it reaches the next request. It keeps the
/// token's text, which nothing shows or gives out, as long as it lives.
#[derive(Clone)]
pub struct Session {
    verified: Arc<Verified>,
}

/// In one piece of memory, so that a hit in the cache counts one reference and no more.
struct Verified {
    claims: Claims,
    key: Arc<PublicKey>,
    window: Window,
}

impl Session {
    pub(super) fn new(claims: Claims, key: Arc<PublicKey>, window: Window) -> Self {
        Self { verified: Arc::new(Verified { claims, key, window }) }
    }

    /// All claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.verified.claims
    }

    /// Whose session it is, `user_…`: `sub`. Under impersonation the impersonated user.
    #[must_use]
    pub fn user_id(&self) -> &str {
        self.claims().user_id()
    }

    /// The session's id, `sess_…`: `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.claims().session_id()
    }

    /// The active organization.
    #[must_use]
    pub fn organization(&self) -> Option<&Organization> {
        self.claims().organization()
    }

    /// Whether somebody else acts for the user: there is an `act`, whether it can be read or not.
    #[must_use]
    pub fn is_impersonated(&self) -> bool {
        self.claims().is_impersonated()
    }

    /// Who really sits there, when the user is being impersonated and `act` says by whom.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.claims().actor()
    }

    /// Whether the user is, has and has proved all that is required: Clerk's `has()`.
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

    /// The key that signed the token.
    pub(super) fn key(&self) -> &Arc<PublicKey> {
        &self.verified.key
    }

    /// When the token passes.
    pub(super) fn window(&self) -> Window {
        self.verified.window
    }

    /// About how much memory it takes, in bytes, the token included.
    #[cfg(feature = "moka")]
    pub(super) fn approximate_bytes(&self) -> usize {
        size_of::<Verified>() - size_of::<Claims>() + self.claims().approximate_bytes()
    }
}

/// By their claims.
impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.claims() == other.claims()
    }
}

impl Eq for Session {}

/// Nobody's claims belong into a log.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user_id", &self.user_id()).finish_non_exhaustive()
    }
}
