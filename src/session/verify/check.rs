//! The checks of a server's own, which a session must pass after all rules.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::session::error::{AuthError, AuthErrorKind, Cause};
use crate::session::session::Session;

/// The refusal of a [check of your own](crate::session::VerifierBuilder::check): with 401, or with
/// 403.
#[derive(Clone, Debug)]
pub struct Denied {
    kind: AuthErrorKind,
    reason: Option<Cause>,
}

impl Denied {
    /// Returns a refusal with 401: the user has to sign in again, for example because the session was
    /// revoked. The client gets what it gets for a bad token.
    #[must_use]
    pub const fn unauthorized() -> Self {
        Self { kind: AuthErrorKind::CheckUnauthorized, reason: None }
    }

    /// Returns a refusal with 403: signing in again does not help, for example because the user was
    /// blocked.
    #[must_use]
    pub const fn forbidden() -> Self {
        Self { kind: AuthErrorKind::CheckForbidden, reason: None }
    }

    /// Sets the reason, which becomes the [`source`](Error::source) of the
    /// [`AuthError`]: for logs, and for a [`Responder`](crate::session::Responder) of your own. The
    /// client does not learn it.
    #[must_use]
    pub fn because(self, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let reason: Box<dyn Error + Send + Sync> = reason.into();
        Self { reason: Some(Arc::from(reason)), ..self }
    }
}

/// For a guard of your own: as a response it is the 401 or 403 of the default responder.
impl From<Denied> for AuthError {
    fn from(denied: Denied) -> Self {
        Self::denied(denied.kind, denied.reason)
    }
}

/// The checks, in their order.
#[derive(Default)]
pub(super) struct Checks(Vec<Box<Check>>);

type Check = dyn Fn(&Session) -> Result<(), Denied> + Send + Sync;

impl Checks {
    pub(super) fn push(
        &mut self,
        check: impl Fn(&Session) -> Result<(), Denied> + Send + Sync + 'static,
    ) {
        self.0.push(Box::new(check));
    }

    /// Returns the session if all checks pass it.
    pub(super) fn pass(&self, session: Session) -> Result<Session, AuthError> {
        self.0.iter().try_for_each(|check| check(&session))?;
        Ok(session)
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checks({})", self.0.len())
    }
}
