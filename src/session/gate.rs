//! The gate: who passes and who is refused, by mode. Knows requests, but no service.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HeaderName, ORIGIN};
use http::request::Parts;
use http::{Method, Request, Response};

use super::error::{AuthError, AuthErrorKind};
use super::extract::bearer_token;
use super::reject::{JsonResponder, Responder, refuse};
use super::session::Session;
use super::verify::{Verification, Verifier};
use crate::clock::{Clock as _, SystemClock};
use crate::meter::count;
use crate::sampling::Samples;
use crate::trace::event;

/// How a layer was configured; its services share it.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) verifier: Verifier,
    pub(super) mode: Mode,
    /// What would be refused passes, and is told.
    pub(super) report_only: bool,
    pub(super) preflights_pass: bool,
    pub(super) responder: Arc<dyn Responder>,
    /// Which requests that would be refused get a line in the log.
    reported: Arc<Samples<AuthErrorKind>>,
}

/// What becomes of a request without a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is refused.
    Required,
    /// It passes when nobody claims to be signed in.
    Optional,
}

/// A mark in the extensions of a request that a layer let pass without a session: why there is none,
/// and who answers where one is needed after all. Where it is missing, so is the layer.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "axum", feature = "tonic")),
    expect(dead_code, reason = "only adapters ask why")
)]
pub(crate) struct Anonymous {
    error: AuthError,
    responder: Arc<dyn Responder>,
}

#[cfg(any(feature = "axum", feature = "tonic"))]
impl Anonymous {
    pub(crate) fn error(&self) -> &AuthError {
        &self.error
    }

    /// Returns what the layer would have answered.
    pub(crate) fn refuse(&self, request: &Parts) -> Response<Bytes> {
        refuse(&*self.responder, self.error.clone(), request)
    }
}

impl Gate {
    pub(super) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            mode: Mode::Required,
            report_only: false,
            preflights_pass: false,
            responder: Arc::new(JsonResponder::new()),
            reported: Arc::default(),
        }
    }

    /// Judges a request as far as that goes without waiting.
    pub(super) fn judge<B>(&self, request: &Request<B>) -> Verification {
        match bearer_token(request.headers()) {
            Ok(token) => self.verifier.start(token),
            Err(error) => Verification::Done(Err(error)),
        }
    }

    /// Writes the verdict into the request and lets it go on, or breaks off with a refusal.
    pub(super) fn admit<B>(
        &self,
        verdict: Result<Session, AuthError>,
        mut request: Request<B>,
    ) -> ControlFlow<Response<Bytes>, Request<B>> {
        let error = match verdict {
            Ok(session) => {
                count!("clerk_auth_requests_total", "outcome" => "ok", "answer" => "passed");
                let extensions = request.extensions_mut();
                // What another layer found about the request no longer holds.
                extensions.remove::<Anonymous>();
                extensions.remove::<AuthError>();
                extensions.insert(session);
                return ControlFlow::Continue(request);
            }
            Err(error) => error,
        };
        let _outcome = error.kind().as_str();
        let passes = self.passes_without(&error, &request);
        if passes || self.report_only {
            count!("clerk_auth_requests_total", "outcome" => _outcome, "answer" => "passed");
            let extensions = request.extensions_mut();
            // A session that another layer found is not what this one vouches for.
            extensions.remove::<Session>();
            let responder = Arc::clone(&self.responder);
            extensions.insert(Anonymous { error: error.clone(), responder });
            if !passes {
                let now = SystemClock::new().monotonic();
                if let Some(_left_out) = self.reported.left_out_before(error.kind(), now) {
                    event!(
                        info,
                        reason = _outcome,
                        left_out = _left_out,
                        "a request passes that would be refused"
                    );
                }
                extensions.insert(error);
            }
            return ControlFlow::Continue(request);
        }
        count!("clerk_auth_requests_total", "outcome" => _outcome, "answer" => "refused");
        event!(debug, reason = _outcome, "request refused: no session");
        let (parts, _body) = request.into_parts();
        ControlFlow::Break(refuse(&*self.responder, error, &parts))
    }

    fn passes_without<B>(&self, error: &AuthError, request: &Request<B>) -> bool {
        let nobody = matches!(
            error.kind(),
            AuthErrorKind::MissingCredentials | AuthErrorKind::PendingSession
        );
        (self.mode == Mode::Optional && nobody) || (self.preflights_pass && is_preflight(request))
    }
}

/// A CORS preflight as browsers send it (Fetch, "CORS-preflight fetch"): it never carries
/// credentials.
fn is_preflight<B>(request: &Request<B>) -> bool {
    let has = |name: HeaderName| request.headers().contains_key(name);
    request.method() == Method::OPTIONS
        && has(ORIGIN)
        && has(ACCESS_CONTROL_REQUEST_METHOD)
        && !has(AUTHORIZATION)
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("verifier", &self.verifier)
            .field("mode", &self.mode)
            .field("report_only", &self.report_only)
            .field("preflights_pass", &self.preflights_pass)
            .finish_non_exhaustive()
    }
}
