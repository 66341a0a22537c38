//! The layer: what is mounted, and its modes.

use std::sync::Arc;

use tower_layer::Layer;

use super::gate::{Gate, Mode};
use super::reject::Responder;
use super::service::ClerkAuth;
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
    gate: Arc<Gate>,
}

impl ClerkAuthLayer {
    /// A layer that refuses requests without a session.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self { gate: Arc::new(Gate::new(verifier)) }
    }

    /// Lets anonymous requests pass: those without a bearer token and those of a pending session.
    /// A bad token is still refused, or it would look like a sign-out.
    #[must_use]
    pub fn optional(self) -> Self {
        self.with(|gate| gate.mode = Mode::Optional)
    }

    /// Lets everything pass, to see who would be refused before anybody is.
    ///
    /// A request with a good token has its [`Session`](super::Session) in the extensions, any
    /// other the [`AuthError`](super::AuthError) that it would have been refused for; each of
    /// those is one event and one count. What the layer would let pass anyway, because it is
    /// [`optional`](Self::optional) or the request a preflight, is not reported. The extractor
    /// `Session` refuses all of them the same: handlers must ask for `Option<Session>`.
    #[must_use]
    pub fn report_only(self) -> Self {
        self.with(|gate| gate.report_only = true)
    }

    /// Lets CORS preflights pass without a session: `OPTIONS` with `Origin` and
    /// `Access-Control-Request-Method` and without `Authorization`. For servers whose CORS layer
    /// stands inside this one; it is better placed outside.
    #[must_use]
    pub fn allow_preflights(self) -> Self {
        self.with(|gate| gate.preflights_pass = true)
    }

    /// Says refusals in another way.
    #[must_use]
    pub fn respond_with(self, responder: impl Responder) -> Self {
        self.with(|gate| gate.responder = Arc::new(responder))
    }

    fn with(mut self, change: impl FnOnce(&mut Gate)) -> Self {
        change(Arc::make_mut(&mut self.gate));
        self
    }
}

impl<S> Layer<S> for ClerkAuthLayer {
    type Service = ClerkAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClerkAuth::new(inner, Arc::clone(&self.gate))
    }
}
