//! What a guard requires, and what becomes of a request. Handles requests, not services.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};

use crate::clock::{Clock as _, SystemClock};
use crate::detail::with_detail;
use crate::meter::count;
use crate::sampling::Samples;
use crate::session::claims::Authorization;
use crate::session::error::{AuthError, AuthErrorKind};
#[cfg(feature = "machines")]
use crate::session::machine::Principal;
use crate::session::reject::Anonymous;
#[cfg(feature = "machines")]
use crate::session::reject::refuse_session;
#[cfg(feature = "machines")]
use crate::session::scope::Scope;
use crate::session::session::Session;
use crate::trace::event;

/// The configuration of a guard, which its services share.
pub(super) struct Guard {
    requirement: Requirement,
    /// Whether requests that would be refused pass and are reported.
    report_only: bool,
    /// The sampler for log lines about requests that would be refused.
    reported: Samples<AuthErrorKind>,
}

#[derive(Clone)]
pub(super) enum Requirement {
    Authorization(Authorization),
    /// That the organization which this finds in a request is the active one.
    Organization(Arc<Named>),
    /// A scope, of callers who are not users.
    #[cfg(feature = "machines")]
    Scope(Scope),
}

type Named = dyn Fn(&Parts) -> Option<String> + Send + Sync;

impl Guard {
    pub(super) fn new(requirement: Requirement) -> Self {
        Self { requirement, report_only: false, reported: Samples::default() }
    }

    /// Returns a guard that requires the same and refuses nothing.
    pub(super) fn reporting(&self) -> Self {
        Self { report_only: true, ..Self::new(self.requirement.clone()) }
    }

    /// Continues with a request that passes, or breaks with a refusal.
    pub(super) fn admit<B>(&self, request: Request<B>) -> ControlFlow<Response<Bytes>, Request<B>> {
        let (mut parts, body) = request.into_parts();
        #[cfg(feature = "machines")]
        if let Requirement::Scope(scope) = self.requirement
            && let Some(principal) = Principal::of(&parts.extensions)
        {
            return self.admit_with_scope(&principal, scope, parts, body);
        }
        let found = (parts.extensions.get::<Session>(), parts.extensions.get::<Anonymous>());
        let error = match found {
            (Some(session), _) => match self.requirement.judge(session, &parts) {
                Ok(()) => {
                    count!("clerk_guard_requests_total", "outcome" => "ok", "answer" => "passed");
                    return ControlFlow::Continue(Request::from_parts(parts, body));
                }
                Err(error) => Some(error),
            },
            (None, Some(anonymous)) => Some(anonymous.error().clone()),
            (None, None) => None,
        };
        let _outcome = error.as_ref().map_or("no_layer", |error| error.kind().as_str());
        if error.is_none() {
            event!(
                error,
                "a guard stands on a route without ClerkAuthLayer; mount the layer outside of it",
            );
        }
        if self.report_only {
            count!("clerk_guard_requests_total", "outcome" => _outcome, "answer" => "passed");
            if let Some(error) = error {
                self.report(error.kind());
                parts.extensions.insert(error);
            }
            return ControlFlow::Continue(Request::from_parts(parts, body));
        }
        count!("clerk_guard_requests_total", "outcome" => _outcome, "answer" => "refused");
        ControlFlow::Break(refuse(error, parts))
    }

    /// Continues with a request whose caller has the scope, or breaks with a refusal.
    #[cfg(feature = "machines")]
    fn admit_with_scope<B>(
        &self,
        principal: &Principal,
        scope: Scope,
        mut parts: Parts,
        body: B,
    ) -> ControlFlow<Response<Bytes>, Request<B>> {
        if principal.has_scope(scope.as_str()) {
            count!("clerk_guard_requests_total", "outcome" => "ok", "answer" => "passed");
            return ControlFlow::Continue(Request::from_parts(parts, body));
        }
        let error = AuthError::insufficient_scope(scope);
        let _outcome = error.kind().as_str();
        if self.report_only {
            count!("clerk_guard_requests_total", "outcome" => _outcome, "answer" => "passed");
            self.report(error.kind());
            parts.extensions.insert(error);
            return ControlFlow::Continue(Request::from_parts(parts, body));
        }
        count!("clerk_guard_requests_total", "outcome" => _outcome, "answer" => "refused");
        ControlFlow::Break(refuse_session(error, parts))
    }

    /// Logs that a request passes that would be refused, unless enough of its kind were. That no key was
    /// at hand tells nothing about the request.
    fn report(&self, kind: AuthErrorKind) {
        let now = SystemClock::new().monotonic();
        if kind == AuthErrorKind::NotJudged {
            return;
        }
        if let Some(_left_out) = self.reported.left_out_before(kind, now) {
            event!(
                info,
                reason = kind.as_str(),
                left_out = _left_out,
                "a request passes that a guard would refuse"
            );
        }
    }
}

impl Requirement {
    fn judge(&self, session: &Session, request: &Parts) -> Result<(), AuthError> {
        match self {
            Self::Authorization(required) => session.require(required),
            Self::Organization(named) => {
                // An organization that is not named is never the active one.
                session.require_organization(&named(request).unwrap_or_default())
            }
            // A user is not limited by scopes.
            #[cfg(feature = "machines")]
            Self::Scope(_) => Ok(()),
        }
    }
}

/// Returns the response to a request that a guard refuses; without an error no layer has judged it.
fn refuse(error: Option<AuthError>, request: Parts) -> Response<Bytes> {
    let session = request.extensions.get::<Session>().cloned();
    let anonymous = request.extensions.get::<Anonymous>().cloned();
    match (session, anonymous, error) {
        (Some(session), _, Some(error)) => session.refuse(error, request),
        (None, Some(anonymous), _) => {
            event!(
                debug,
                reason = anonymous.error().kind().as_str(),
                "request refused: no session"
            );
            anonymous.refuse(request)
        }
        (_, _, None) | (None, None, Some(_)) => {
            let mut response = with_detail(Response::new(()), "Internal server error");
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("requirement", &self.requirement)
            .field("report_only", &self.report_only)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization(required) => required.fmt(f),
            Self::Organization(_) => f.write_str("Organization"),
            #[cfg(feature = "machines")]
            Self::Scope(scope) => scope.fmt(f),
        }
    }
}
