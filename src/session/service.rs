//! The service: decides at once, and parks only requests that wait for a key.

use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::AuthBody;
use super::future::ResponseFuture;
use super::gate::Gate;
use super::verify::Verification;

/// The service that [`ClerkAuthLayer`](super::ClerkAuthLayer) wraps around another.
#[derive(Clone, Debug)]
pub struct ClerkAuth<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> ClerkAuth<S> {
    pub(super) fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.gate.judge(&request) {
            Verification::Done(verdict) => match self.gate.admit(verdict, request) {
                ControlFlow::Continue(request) => ResponseFuture::called(self.inner.call(request)),
                ControlFlow::Break(response) => ResponseFuture::refused(response),
            },
            Verification::Parked(parked) => {
                // The request takes the service that was polled ready. Its clone, which was not,
                // stays and is polled before the next call.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                ResponseFuture::parked(parked, Arc::clone(&self.gate), ready, request)
            }
        }
    }
}
