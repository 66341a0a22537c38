//! Guards: layers inside of a `ClerkAuthLayer` that refuse sessions which lack what a route requires.

mod requirement;
mod service;

use std::sync::Arc;

use http::request::Parts;
use tower_layer::Layer;

use self::requirement::{Guard, Requirement};
use super::claims::Authorization;

pub use service::RequireService;

/// A Tower layer that lets a request pass if its session satisfies a requirement, and otherwise refuses
/// it with 403, in the format of the [`ClerkAuthLayer`](super::ClerkAuthLayer) by which it came in.
///
/// It stands inside of that layer. On axum what is added later is outside:
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_clerk::session::{Authorization, ClerkAuthLayer, RequireLayer, Verifier};
///
/// fn app(verifier: Verifier) -> Router {
///     let admins = Router::new()
///         .route("/members", get(async || "everybody"))
///         .route_layer(RequireLayer::new(Authorization::role("admin")));
///     Router::new()
///         .route("/me", get(async || "you"))
///         .nest("/admin", admins)
///         .route_layer(ClerkAuthLayer::new(verifier))
/// }
/// ```
///
/// | request | response |
/// |---|---|
/// | its session satisfies the requirement | the inner service's |
/// | its session does not | 403, `{"detail":"Not allowed"}`; `grpc-status` 7 |
/// | its session lacks a recent verification alone | 403, `{"detail":"Reverification required","clerk_error":…}`, on which Clerk's front-end components let the user verify again |
/// | an outer layer let it pass without a session | the refusal that this layer would have given, as a rule 401 |
/// | it came through no `ClerkAuthLayer` | 500, and an `error` event: the guard is mounted in the wrong place |
///
/// Several guards inside of each other must all pass the request. A session that another layer of your
/// own put into the extensions passes as well as one of a `ClerkAuthLayer`; its refusals are JSON.
///
/// [`ClerkAuthLayer::allow_preflights`](super::ClerkAuthLayer::allow_preflights) does not concern it: a
/// preflight has no session. A CORS layer belongs outside of the guard.
#[derive(Clone, Debug)]
pub struct RequireLayer {
    guard: Arc<Guard>,
}

impl RequireLayer {
    /// Returns a guard that requires `required`, as [`Session::require`](super::Session::require) does.
    #[must_use]
    pub fn new(required: Authorization) -> Self {
        Self::of(Requirement::Authorization(required))
    }

    /// Returns a guard that requires that the organization which `named` finds in the request is the
    /// active one, as [`Session::require_organization`](super::Session::require_organization) judges an id or a slug. Where it finds none the
    /// request is refused. The refusal is 403, `{"detail":"Another organization is active"}`.
    ///
    /// ```
    /// use http::request::Parts;
    /// use tower_clerk::session::RequireLayer;
    ///
    /// /// Returns a guard for `/orgs/{slug}/…`.
    /// fn guard() -> RequireLayer {
    ///     RequireLayer::organization(|request: &Parts| {
    ///         let rest = request.uri.path().strip_prefix("/orgs/")?;
    ///         rest.split('/').next().map(str::to_owned)
    ///     })
    /// }
    /// ```
    ///
    /// A router may change the path before the guard sees it: axum's `nest` removes the prefix. Your
    /// handler must read the organization at the same place, or, better, take the active one from the session.
    #[must_use]
    pub fn organization(named: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::of(Requirement::Organization(Arc::new(named)))
    }

    /// Returns a guard that requires a scope of callers who are not users: an API key, a machine or an OAuth
    /// application passes if its token has the scope, and a session always. The refusal is 403,
    /// `{"detail":"Not allowed"}`, with the challenge `insufficient_scope`.
    #[cfg(feature = "machines")]
    #[must_use]
    pub fn scope(scope: super::Scope) -> Self {
        Self::of(Requirement::Scope(scope))
    }

    /// Lets every request pass and reports those that would be refused, before enforcement begins: each
    /// is counted, and for each reason at most one every ten seconds is logged.
    ///
    /// It is this guard's alone. Behind a
    /// [`ClerkAuthLayer::report_only`](super::ClerkAuthLayer::report_only) a guard without it refuses, and
    /// refuses the requests without a session too. A request that would be refused has the
    /// [`AuthError`](super::AuthError) in its extensions.
    #[must_use]
    pub fn report_only(self) -> Self {
        Self { guard: Arc::new(self.guard.reporting()) }
    }

    fn of(requirement: Requirement) -> Self {
        Self { guard: Arc::new(Guard::new(requirement)) }
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireService::new(inner, Arc::clone(&self.guard))
    }
}
