//! The layer that a server mounts, and its modes.

use std::sync::Arc;

use tower_layer::Layer;

use super::gate::{Gate, Mode};
use super::reject::{Entrance, GrpcResponder, Responder};
use super::service::ClerkAuth;
use super::source::TokenSources;
use super::verify::Verifier;
use crate::trace::event;

/// A Tower layer that lets a request pass if its session token is accepted by the [`Verifier`], and
/// puts the [`Session`](super::Session) into the request's extensions.
///
/// Mount it on the routes that it should guard; there is no list of paths that could miss one. A
/// refused request gets a JSON body `{"detail": …}` with 401 and a challenge (RFC 6750 3), with 403
/// if impersonation is denied, a check of your own says so or another site may have sent the cookie, or
/// with 503 if the server has no keys. On a gRPC server, ask for [`grpc`](Self::grpc) refusals.
///
/// Of several layers around one handler the innermost decides: it replaces the session that an outer
/// one found, and its responder answers. Where it lets the request pass without a session, it leaves
/// one that its own verifier, or a clone of it, found for an outer layer, and removes that of another
/// verifier.
///
/// The inner service must be `Clone`. A request that waits for a key holds no readiness of it, such
/// as a permit of a concurrency limit: after the verdict a clone is polled ready and called.
#[derive(Clone, Debug)]
pub struct ClerkAuthLayer {
    gate: Arc<Gate>,
}

impl ClerkAuthLayer {
    /// Returns a layer that refuses requests without a session.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self { gate: Arc::new(Gate::new(verifier)) }
    }

    /// Lets anonymous requests pass: those without a token, and those of a pending session.
    /// A bad token is still refused, because otherwise it would look like a sign-out. So is a token
    /// for which there are no keys, with 503, after waiting for them.
    #[must_use]
    pub fn optional(self) -> Self {
        self.with(|gate| gate.mode = Mode::Optional)
    }

    /// Lets every request pass and reports those that would be refused, before enforcement begins.
    ///
    /// A request with a good token has its [`Session`](super::Session) in the extensions, any other
    /// the [`AuthError`](super::AuthError) for which it would have been refused. No request waits:
    /// without a key at hand that is [`NotJudged`](super::AuthErrorKind::NotJudged), which is counted
    /// and never logged as a refusal, because it tells nothing about the token. Each of the reported
    /// requests is counted, and for each reason at most one every ten seconds is logged. Requests
    /// that the layer lets pass anyway, because it is [`optional`](Self::optional) or the request
    /// is a preflight, are not reported. The extractor `Session` refuses all requests without a
    /// session: handlers must take `Option<Session>`. A [`RequireLayer`](super::RequireLayer) inside
    /// of it refuses them too, unless it reports only.
    #[must_use]
    pub fn report_only(self) -> Self {
        self.with(|gate| gate.report_only = true)
    }

    /// Sets by a setting of the server's whether the layer refuses anything. `false` is
    /// [`report_only`](Self::report_only), and warns once, here, with the feature `tracing`; `true` is the
    /// default. For a layer that may be off: `tower::util::option_layer` cannot hold one, because a
    /// service with it has another type of response body than one without.
    #[must_use]
    pub fn enforced(self, enforced: bool) -> Self {
        if !enforced {
            event!(warn, "a ClerkAuthLayer enforces nothing: every request passes");
        }
        self.with(|gate| gate.report_only = !enforced)
    }

    /// Runs the inner service without a session for every request that is written like a CORS
    /// preflight: `OPTIONS` with `Origin` and `Access-Control-Request-Method`, and without
    /// `Authorization`. Anybody can send one, so an inner service that does not look at the method
    /// serves it like any other request.
    ///
    /// For servers whose CORS layer must be inside. The safe order needs no option, because a CORS
    /// layer outside answers preflights itself:
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # use tower_clerk::session::{ClerkAuthLayer, Verifier};
    /// # use tower_http::cors::CorsLayer;
    /// # fn app(verifier: Verifier, cors: CorsLayer) -> Router {
    /// Router::new()
    ///     .route("/", get(async || "hello"))
    ///     .layer(ClerkAuthLayer::new(verifier))
    ///     // Added last, so outside.
    ///     .layer(cors)
    /// # }
    /// ```
    #[must_use]
    pub fn allow_preflights(self) -> Self {
        self.with(|gate| gate.preflights_pass = true)
    }

    /// Refuses as gRPC clients expect it, with `grpc-status` 16, 7 or 14 and the HTTP status 200:
    /// [`respond_with`](Self::respond_with) a [`GrpcResponder`]. For servers that speak only gRPC; mount
    /// another layer on routes for other clients.
    #[must_use]
    pub fn grpc(self) -> Self {
        self.respond_with(GrpcResponder::new())
    }

    /// Sets the responder, which builds the responses to refused requests; default:
    /// [`JsonResponder`](super::JsonResponder). It answers for the guards and extractors inside of
    /// the layer too.
    #[must_use]
    pub fn respond_with(self, responder: impl Responder) -> Self {
        self.with(|gate| gate.entrance = Entrance::new(responder))
    }

    /// Sets the places in which a token may come; default: `Authorization: Bearer` alone. The guide
    /// of [`source`](super::source) says what has to be known of each.
    ///
    /// ```
    /// use tower_clerk::PublishableKey;
    /// use tower_clerk::session::source::{Bearer, SessionCookies, Subprotocol, TokenSources};
    /// # use tower_clerk::session::{ClerkAuthLayer, Verifier};
    ///
    /// # fn layer(verifier: Verifier, key: &PublishableKey) -> ClerkAuthLayer {
    /// let sources = TokenSources::first(Bearer::new())
    ///     .then(Subprotocol::new())
    ///     .then(SessionCookies::new(key));
    /// ClerkAuthLayer::new(verifier).sources(sources)
    /// # }
    /// ```
    #[must_use]
    pub fn sources(self, sources: TokenSources) -> Self {
        self.with(|gate| gate.further.get_or_insert_default().sources = Some(sources))
    }

    /// Accepts callers beside sessions; default: none, and their tokens are refused. The guide of
    /// [`machine`](super::machine) says who they are. Their tokens come in `Authorization: Bearer` alone, and
    /// one that comes there is judged before any of the [`sources`](Self::sources).
    ///
    /// A handler that takes a [`Session`](super::Session) refuses them; one that takes a
    /// [`Principal`](super::machine::Principal) serves whoever is accepted.
    #[cfg(feature = "machines")]
    #[must_use]
    pub fn machines(self, machines: super::machine::MachineTokens) -> Self {
        self.with(|gate| gate.further.get_or_insert_default().machines = Some(machines))
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
