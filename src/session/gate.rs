//! The gate: decides by mode which requests pass. Handles requests, not services.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN};
use http::{HeaderMap, Method, Request, Response};

use super::error::{AuthError, AuthErrorKind};
use super::extract::{bearer_token, has_credentials};
#[cfg(feature = "machines")]
use super::machine::{Found, Judging, MachineTokens};
use super::reject::{Anonymous, Entrance, JsonResponder};
use super::session::Session;
use super::source::{Answers, RequestHead, TokenSources};
use super::verify::{Verification, Verifier};
use crate::clock::{Clock as _, SystemClock};
use crate::meter::count;
use crate::sampling::Samples;
use crate::trace::event;

/// The configuration of a layer, which its services share.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) verifier: Verifier,
    pub(super) mode: Mode,
    /// Whether requests that would be refused pass and are reported.
    pub(super) report_only: bool,
    pub(super) preflights_pass: bool,
    pub(super) entrance: Entrance,
    /// What goes beyond sessions in the `Authorization` header; mostly nothing does.
    pub(super) further: Option<Box<Further>>,
    /// The sampler for log lines about requests that would be refused.
    reported: Arc<Samples<AuthErrorKind>>,
}

/// Other places for tokens and other callers.
#[derive(Clone, Debug, Default)]
pub(super) struct Further {
    /// The places where a session's token may be; `None` for the `Authorization` header alone.
    pub(super) sources: Option<TokenSources>,
    /// The callers beside sessions, whose tokens come in the `Authorization` header alone.
    #[cfg(feature = "machines")]
    pub(super) machines: Option<MachineTokens>,
}

/// The treatment of a request without a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The request is refused.
    Required,
    /// The request passes if it has no token or a pending session.
    Optional,
}

/// What follows from the place in which a token was found, after the verdict.
pub(super) struct Handling {
    /// Whether an expired token counts as none where anonymous requests pass.
    expired_is_anonymous: bool,
    /// The sources that change the response.
    answers: Answers,
}

impl Handling {
    /// Returns it if anything follows from it: mostly nothing does.
    fn into_needed(self) -> Option<Box<Self>> {
        (self.expired_is_anonymous || !self.answers.is_empty()).then(|| Box::new(self))
    }

    /// Changes the headers of the response as the sources want it.
    pub(super) fn answer(&self, headers: &mut HeaderMap) {
        self.answers.write(headers);
    }
}

impl Gate {
    pub(super) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            mode: Mode::Required,
            report_only: false,
            preflights_pass: false,
            entrance: Entrance::new(JsonResponder::new()),
            further: None,
            reported: Arc::default(),
        }
    }

    /// Verifies a request's bearer token as far as possible without waiting.
    pub(super) fn judge<B>(&self, request: &Request<B>) -> Verification {
        let verification = match bearer_token(request.headers()) {
            Ok(token) => self.verifier.start(token),
            Err(error) => Verification::Done(Err(error)),
        };
        if self.report_only { judged_at_once(verification) } else { verification }
    }

    /// Verifies the first token that one of the sources finds, as far as possible without waiting, and
    /// removes from the request what the handler should not see.
    pub(super) fn judge_first<B>(
        &self,
        sources: &TokenSources,
        request: &mut Request<B>,
    ) -> (Verification, Option<Box<Handling>>) {
        let (token, expired_is_anonymous) = sources.find(RequestHead::from(&*request));
        let verification = match token {
            Ok(token) => self.verifier.start(&token),
            Err(error) => Verification::Done(Err(error)),
        };
        let handling = Handling { expired_is_anonymous, answers: sources.remove(request) };
        let verification =
            if self.report_only { judged_at_once(verification) } else { verification };
        (verification, handling.into_needed())
    }

    /// Judges a request's bearer token if it is one of a machine that the layer accepts. Removes from such a
    /// request what the handler should not see.
    #[cfg(feature = "machines")]
    pub(super) fn judge_machine<B>(
        &self,
        further: &Further,
        request: &mut Request<B>,
    ) -> Option<(Judging, Option<Box<Handling>>)> {
        let token = bearer_token(request.headers()).ok()?;
        let judging = further.machines.as_ref()?.judge(token, &self.verifier)?;
        let judging = if self.report_only { judging.at_once() } else { judging };
        let handling = further.sources.as_ref().and_then(|sources| {
            let answers = sources.remove(request);
            Handling { expired_is_anonymous: false, answers }.into_needed()
        });
        Some((judging, handling))
    }

    /// Writes a machine that was found into the request's extensions and continues with it, or breaks with a
    /// refusal. Who asks for a session is told that this caller has none.
    #[cfg(feature = "machines")]
    pub(super) fn admit_machine<B>(
        &self,
        verdict: Result<Found, AuthError>,
        mut request: Request<B>,
        handling: Option<&Handling>,
    ) -> ControlFlow<Response<Bytes>, Request<B>> {
        match verdict {
            Ok(found) => {
                count!("clerk_auth_requests_total", "outcome" => "ok", "answer" => "passed");
                self.entrance.write(&mut request);
                let none = AuthErrorKind::WrongTokenType.into();
                let anonymous = Anonymous::new(none, self.entrance.clone(), &request);
                let extensions = request.extensions_mut();
                extensions.remove::<AuthError>();
                extensions.remove::<Session>();
                extensions.insert(anonymous);
                extensions.insert(found);
                ControlFlow::Continue(request)
            }
            Err(error) => self.without(error, request, handling),
        }
    }

    /// Writes the verdict into the request's extensions and continues with it, or breaks with a
    /// refusal.
    pub(super) fn admit<B>(
        &self,
        verdict: Result<Session, AuthError>,
        mut request: Request<B>,
        handling: Option<&Handling>,
    ) -> ControlFlow<Response<Bytes>, Request<B>> {
        match verdict {
            Ok(session) => {
                count!("clerk_auth_requests_total", "outcome" => "ok", "answer" => "passed");
                let extensions = request.extensions_mut();
                // The results of another layer no longer hold.
                extensions.remove::<Anonymous>();
                extensions.remove::<AuthError>();
                self.let_in(session, &mut request);
                ControlFlow::Continue(request)
            }
            Err(error) => self.without(error, request, handling),
        }
    }

    /// Lets a request pass that has no caller whom the layer accepts, or refuses it.
    fn without<B>(
        &self,
        error: AuthError,
        mut request: Request<B>,
        handling: Option<&Handling>,
    ) -> ControlFlow<Response<Bytes>, Request<B>> {
        let _outcome = error.kind().as_str();
        let passes = self.passes_without(&error, &request, handling);
        if passes || self.report_only {
            count!("clerk_auth_requests_total", "outcome" => _outcome, "answer" => "passed");
            let anonymous = Anonymous::new(error.clone(), self.entrance.clone(), &request);
            let extensions = request.extensions_mut();
            // What this layer's own verifier found for an outer one still holds.
            let found = extensions.get::<Session>();
            if let Some(session) = found.filter(|session| self.verifier.has_verified(session)) {
                let session = session.clone();
                self.let_in(session, &mut request);
                return ControlFlow::Continue(request);
            }
            #[cfg(feature = "machines")]
            if extensions.get::<Found>().is_some_and(|found| self.has_accepted(found)) {
                self.entrance.write(&mut request);
                return ControlFlow::Continue(request);
            }
            #[cfg(feature = "machines")]
            extensions.remove::<Found>();
            // It does not vouch for a session of another verifier.
            extensions.remove::<Session>();
            extensions.remove::<AuthError>();
            extensions.insert(anonymous);
            if !passes {
                if error.kind() != AuthErrorKind::NotJudged {
                    self.report(error.kind());
                }
                extensions.insert(error);
            }
            return ControlFlow::Continue(request);
        }
        count!("clerk_auth_requests_total", "outcome" => _outcome, "answer" => "refused");
        event!(debug, reason = _outcome, "request refused: no session");
        let (parts, _body) = request.into_parts();
        let mut response = self.entrance.refuse(error, &parts);
        if let Some(handling) = handling {
            handling.answer(response.headers_mut());
        }
        ControlFlow::Break(response)
    }

    /// Puts the session into the request, with what guards and extractors refuse by.
    #[inline]
    fn let_in<B>(&self, session: Session, request: &mut Request<B>) {
        self.entrance.write(request);
        // By a layer without further callers the machine of an outer one has been refused.
        #[cfg(feature = "machines")]
        if self.further.is_some() {
            request.extensions_mut().remove::<Found>();
        }
        request.extensions_mut().insert(session);
    }

    /// Returns whether this layer, or one with a clone of its settings, accepted a machine.
    #[cfg(feature = "machines")]
    fn has_accepted(&self, found: &Found) -> bool {
        let machines = self.further.as_ref().and_then(|further| further.machines.as_ref());
        machines.is_some_and(|machines| machines.has_accepted(found))
    }

    /// Logs that a request passes that would be refused, unless enough of its kind were.
    fn report(&self, kind: AuthErrorKind) {
        let now = SystemClock::new().monotonic();
        if let Some(_left_out) = self.reported.left_out_before(kind, now) {
            event!(
                info,
                reason = kind.as_str(),
                left_out = _left_out,
                "a request passes that would be refused"
            );
        }
    }

    fn passes_without<B>(
        &self,
        error: &AuthError,
        request: &Request<B>,
        handling: Option<&Handling>,
    ) -> bool {
        let nobody = match error.kind() {
            AuthErrorKind::MissingCredentials | AuthErrorKind::PendingSession => true,
            AuthErrorKind::Expired => {
                handling.is_some_and(|handling| handling.expired_is_anonymous)
            }
            _ => false,
        };
        (self.mode == Mode::Optional && nobody) || (self.preflights_pass && is_preflight(request))
    }
}

/// Returns a verdict that needs no waiting: a layer that refuses nothing delays nobody. Dropping the
/// verification does not stop the fetch that it began.
fn judged_at_once(verification: Verification) -> Verification {
    Verification::Done(match verification {
        Verification::Done(Err(error)) if error.kind() == AuthErrorKind::KeysUnavailable => {
            Err(error.into_not_judged())
        }
        Verification::Done(verdict) => verdict,
        Verification::Parked(parked) => parked.at_once(),
    })
}

/// Returns whether a request is a CORS preflight as browsers send it (Fetch, "CORS-preflight
/// fetch"). A preflight never carries credentials.
fn is_preflight<B>(request: &Request<B>) -> bool {
    let has = |name: HeaderName| request.headers().contains_key(name);
    request.method() == Method::OPTIONS
        && has(ORIGIN)
        && has(ACCESS_CONTROL_REQUEST_METHOD)
        && !has_credentials(request.headers())
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("verifier", &self.verifier)
            .field("mode", &self.mode)
            .field("report_only", &self.report_only)
            .field("preflights_pass", &self.preflights_pass)
            .field("further", &self.further)
            .finish_non_exhaustive()
    }
}
