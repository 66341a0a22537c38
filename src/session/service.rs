//! ⑦ The service: decides at once, and parks only what waits for a key.

use std::mem;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use tower_service::Service;

use super::body::AuthBody;
use super::claims::Session;
use super::error::{AuthError, AuthErrorKind};
use super::extract::bearer_token;
use super::future::ResponseFuture;
use super::reject::{Dialect, refusal};
use super::verify::{Progress, Verifier};

/// The service that [`ClerkAuthLayer`](super::ClerkAuthLayer) wraps around another.
#[derive(Clone, Debug)]
pub struct ClerkAuth<S> {
    inner: S,
    verifier: Verifier,
    mode: Mode,
}

/// What becomes of a request without a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Required,
    Optional,
}

/// In the extensions of a request that an optional layer let through without a session: tells a
/// route behind the layer from one that the layer was never mounted on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anonymous;

impl<S> ClerkAuth<S> {
    pub(super) fn new(inner: S, verifier: Verifier, mode: Mode) -> Self {
        Self { inner, verifier, mode }
    }
}

impl<S, B, ResB> Service<Request<B>> for ClerkAuth<S>
where
    S: Service<Request<B>, Response = Response<ResB>> + Clone,
{
    type Response = Response<AuthBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match authenticate(&self.verifier, request.headers()) {
            Progress::Done(result) => match admit(result, self.mode, &mut request) {
                Ok(()) => ResponseFuture::called(self.inner.call(request)),
                Err(error) => {
                    ResponseFuture::refused(refusal(error, Dialect::of(request.headers())))
                }
            },
            Progress::Waiting(parked) => {
                // The service that was polled ready goes with the request; its clone, which is
                // not, stays and will be polled before the next call.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                ResponseFuture::parked(parked, self.mode, ready, request)
            }
        }
    }
}

fn authenticate(verifier: &Verifier, headers: &HeaderMap) -> Progress {
    match bearer_token(headers) {
        Ok(token) => verifier.start(token),
        Err(error) => Progress::Done(Err(error)),
    }
}

/// Writes the verdict into the request, or refuses it.
pub(super) fn admit<B>(
    result: Result<Session, AuthError>,
    mode: Mode,
    request: &mut Request<B>,
) -> Result<(), AuthError> {
    match result {
        Ok(session) => {
            request.extensions_mut().insert(session);
            Ok(())
        }
        Err(error) if mode == Mode::Optional && is_anonymous(&error) => {
            request.extensions_mut().insert(Anonymous);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn is_anonymous(error: &AuthError) -> bool {
    matches!(error.kind(), AuthErrorKind::MissingCredentials | AuthErrorKind::PendingSession)
}
