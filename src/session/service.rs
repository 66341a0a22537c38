//! The service: decides at once, and parks only requests that wait for a key.

use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::AuthBody;
use super::future::ResponseFuture;
use super::gate::{Gate, Handling};
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
        if self.gate.sources.is_some() {
            return self.call_by_sources(request);
        }
        // The usual case, without a list.
        let verification = self.gate.judge(&request);
        self.proceed(verification, None, request)
    }
}

impl<S> ClerkAuth<S> {
    #[inline(never)]
    fn call_by_sources<B, ResB>(&mut self, mut request: Request<B>) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<ResB>> + Clone,
    {
        let Some(sources) = &self.gate.sources else { return self.call(request) };
        let (verification, handling) = self.gate.judge_first(sources, &mut request);
        self.proceed(verification, handling, request)
    }

    /// Continues with a request after the verdict, or lets it wait for one.
    #[inline(always)]
    fn proceed<B, ResB>(
        &mut self,
        verification: Verification,
        handling: Option<Box<Handling>>,
        request: Request<B>,
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<ResB>> + Clone,
    {
        match verification {
            Verification::Done(verdict) => {
                match self.gate.admit(verdict, request, handling.as_deref()) {
                    ControlFlow::Continue(request) => {
                        ResponseFuture::called(self.inner.call(request), handling)
                    }
                    ControlFlow::Break(response) => ResponseFuture::refused(response),
                }
            }
            Verification::Parked(parked) => {
                // A request that waits must not hold what the inner service reserved when it was
                // polled ready, a permit for example: forged tokens could take them all. So that
                // service is dropped. One clone stays and is polled before the next call; the other
                // is polled after the verdict.
                let clone = self.inner.clone();
                drop(mem::replace(&mut self.inner, clone.clone()));
                ResponseFuture::parked(parked, handling, Arc::clone(&self.gate), clone, request)
            }
        }
    }
}
