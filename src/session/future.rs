//! The response future: the inner service's response, a refusal, or a wait for a key and then, once
//! the inner service is ready, either.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::AuthBody;
use super::error::AuthError;
use super::gate::{Gate, Handling};
#[cfg(feature = "machines")]
use super::machine::{Found, PendingCaller};
use super::session::Session;
use super::verify::Parked;

pin_project! {
    /// The response future of [`ClerkAuth`](super::ClerkAuth).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: ResponseState<S::Future, S, B>,
    }
}

pin_project! {
    #[project = ResponseStateProjection]
    enum ResponseState<F, S, B> {
        Called { #[pin] future: F },
        Answered { #[pin] future: F, handling: Box<Handling> },
        Refused { response: Option<Response<Bytes>> },
        Parked { waiting: Option<Waiting<S, B>> },
        Admitted { admitted: Option<AdmittedRequest<S, B>> },
    }
}

/// A caller whom a request waits to know.
pub(super) enum Waits {
    Session(Parked),
    #[cfg(feature = "machines")]
    Machine(PendingCaller),
}

impl From<Parked> for Waits {
    fn from(parked: Parked) -> Self {
        Self::Session(parked)
    }
}

#[cfg(feature = "machines")]
impl From<PendingCaller> for Waits {
    fn from(pending: PendingCaller) -> Self {
        Self::Machine(pending)
    }
}

/// The verdict about a request that has waited.
enum Verdict {
    Session(Result<Session, AuthError>),
    #[cfg(feature = "machines")]
    Machine(Result<Found, AuthError>),
}

impl Waits {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        match self {
            Self::Session(parked) => parked.poll(cx).map(Verdict::Session),
            #[cfg(feature = "machines")]
            Self::Machine(pending) => pending.as_mut().poll(cx).map(Verdict::Machine),
        }
    }
}

struct Waiting<S, B> {
    waits: Waits,
    handling: Option<Box<Handling>>,
    gate: Arc<Gate>,
    service: S,
    request: Request<B>,
}

/// A request that has waited, until the inner service is ready for it.
struct AdmittedRequest<S, B> {
    service: S,
    request: Request<B>,
    handling: Option<Box<Handling>>,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn called(future: S::Future, handling: Option<Box<Handling>>) -> Self {
        Self { state: ResponseState::called(future, handling) }
    }

    pub(super) fn refused(response: Response<Bytes>) -> Self {
        Self { state: ResponseState::Refused { response: Some(response) } }
    }

    pub(super) fn parked(
        waits: Waits,
        handling: Option<Box<Handling>>,
        gate: Arc<Gate>,
        service: S,
        request: Request<B>,
    ) -> Self {
        Self {
            state: ResponseState::Parked {
                waiting: Some(Waiting { waits, handling, gate, service, request }),
            },
        }
    }
}

impl<F, S, B> ResponseState<F, S, B> {
    fn called(future: F, handling: Option<Box<Handling>>) -> Self {
        match handling {
            None => Self::Called { future },
            Some(handling) => Self::Answered { future, handling },
        }
    }
}

impl<S, B, ResB> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResB>>,
{
    type Output = Result<Response<AuthBody<ResB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                ResponseStateProjection::Called { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(AuthBody::inner)));
                }
                ResponseStateProjection::Answered { future, handling } => {
                    let mut response = ready!(future.poll(cx))?;
                    handling.answer(response.headers_mut());
                    return Poll::Ready(Ok(response.map(AuthBody::inner)));
                }
                ResponseStateProjection::Refused { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response.map(AuthBody::refusal))),
                    // Polled again after completion: it stays pending, as any future may.
                    None => return Poll::Pending,
                },
                ResponseStateProjection::Admitted { admitted } => {
                    let Some(AdmittedRequest { service, .. }) = admitted else {
                        return Poll::Pending;
                    };
                    let ready = ready!(service.poll_ready(cx));
                    let Some(AdmittedRequest { mut service, request, handling }) = admitted.take()
                    else {
                        return Poll::Pending;
                    };
                    ready?;
                    ResponseState::called(service.call(request), handling)
                }
                ResponseStateProjection::Parked { waiting } => {
                    let Some(Waiting { waits, .. }) = waiting else {
                        return Poll::Pending;
                    };
                    let verdict = ready!(waits.poll(cx));
                    let Some(Waiting { handling, gate, service, request, .. }) = waiting.take()
                    else {
                        return Poll::Pending;
                    };
                    let admitted = match verdict {
                        Verdict::Session(it) => gate.admit(it, request, handling.as_deref()),
                        #[cfg(feature = "machines")]
                        Verdict::Machine(it) => {
                            gate.admit_machine(it, request, handling.as_deref())
                        }
                    };
                    match admitted {
                        ControlFlow::Continue(request) => ResponseState::Admitted {
                            admitted: Some(AdmittedRequest { service, request, handling }),
                        },
                        ControlFlow::Break(response) => {
                            ResponseState::Refused { response: Some(response) }
                        }
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
