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
use super::gate::Gate;
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
        Refused { response: Option<Response<Bytes>> },
        Parked { waiting: Option<Waiting<S, B>> },
        Admitted { admitted: Option<AdmittedRequest<S, B>> },
    }
}

struct Waiting<S, B> {
    verification: Parked,
    gate: Arc<Gate>,
    service: S,
    request: Request<B>,
}

/// A request that has waited, until the inner service is ready for it.
struct AdmittedRequest<S, B> {
    service: S,
    request: Request<B>,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn called(future: S::Future) -> Self {
        Self { state: ResponseState::Called { future } }
    }

    pub(super) fn refused(response: Response<Bytes>) -> Self {
        Self { state: ResponseState::Refused { response: Some(response) } }
    }

    pub(super) fn parked(
        verification: Parked,
        gate: Arc<Gate>,
        service: S,
        request: Request<B>,
    ) -> Self {
        Self {
            state: ResponseState::Parked {
                waiting: Some(Waiting { verification, gate, service, request }),
            },
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
                    let Some(AdmittedRequest { mut service, request }) = admitted.take() else {
                        return Poll::Pending;
                    };
                    ready?;
                    ResponseState::Called { future: service.call(request) }
                }
                ResponseStateProjection::Parked { waiting } => {
                    let Some(Waiting { verification, .. }) = waiting else {
                        return Poll::Pending;
                    };
                    let verdict = ready!(verification.poll(cx));
                    let Some(Waiting { gate, service, request, .. }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    match gate.admit(verdict, request) {
                        ControlFlow::Continue(request) => ResponseState::Admitted {
                            admitted: Some(AdmittedRequest { service, request }),
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
