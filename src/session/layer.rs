//! ⑦ The layer: what is mounted.

use tower_layer::Layer;

use super::service::{ClerkAuth, Mode};
use super::verify::Verifier;

/// A Tower layer that lets a request through when it carries a session token that `Verifier`
/// accepts, and puts the [`Session`](super::Session) into the request's extensions.
///
/// Mount it on the routes that it shall guard; there are no path lists that could miss one. What
/// is refused gets a JSON body `{"detail": …}` with 401, or 503 when it is our own keys that are
/// missing (RFC 6750 3). A gRPC request gets `grpc-status` 16 or 14 instead.
///
/// The inner service must be `Clone`: a request that waits for keys to be fetched takes the
/// service that was polled ready with it.
#[derive(Clone, Debug)]
pub struct ClerkAuthLayer {
    verifier: Verifier,
    mode: Mode,
}

impl ClerkAuthLayer {
    /// A layer that refuses requests without a session.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, mode: Mode::Required }
    }

    /// Lets anonymous requests pass: those without a bearer token and those of a pending session.
    /// A bad token is still refused, or it would look like a sign-out.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { mode: Mode::Optional, ..self }
    }
}

impl<S> Layer<S> for ClerkAuthLayer {
    type Service = ClerkAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClerkAuth::new(inner, self.verifier.clone(), self.mode)
    }
}
