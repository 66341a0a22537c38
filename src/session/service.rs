//! The service: decides at once, and parks only requests that wait for a key.

use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::body::AuthBody;
use super::future::{ResponseFuture, Waits};
use super::gate::{Gate, Handling};
#[cfg(feature = "machines")]
use super::machine::Judging;
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
        if self.gate.further.is_some() {
            return self.call_further(request);
        }
        // The usual case, without a list.
        let verification = self.gate.judge(&request);
        self.proceed(verification, None, request)
    }
}

impl<S> ClerkAuth<S> {
    #[inline(never)]
    fn call_further<B, ResB>(&mut self, mut request: Request<B>) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<ResB>> + Clone,
    {
        let gate = Arc::clone(&self.gate);
        let Some(further) = &gate.further else { return self.call(request) };
        #[cfg(feature = "machines")]
        if let Some((judging, handling)) = gate.judge_machine(further, &mut request) {
            return match judging {
                Judging::Done(verdict) => {
                    let admitted = gate.admit_machine(verdict, request, handling.as_deref());
                    self.answer(admitted, handling)
                }
                Judging::Pending(pending) => self.park(pending.into(), handling, request),
            };
        }
        let (verification, handling) = match &further.sources {
            Some(sources) => gate.judge_first(sources, &mut request),
            None => (gate.judge(&request), None),
        };
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
                let admitted = self.gate.admit(verdict, request, handling.as_deref());
                self.answer(admitted, handling)
            }
            Verification::Parked(parked) => self.park(parked.into(), handling, request),
        }
    }

    /// Calls the inner service with a request that passes, or refuses it.
    #[inline(always)]
    fn answer<B, ResB>(
        &mut self,
        admitted: ControlFlow<Response<Bytes>, Request<B>>,
        handling: Option<Box<Handling>>,
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<ResB>> + Clone,
    {
        match admitted {
            ControlFlow::Continue(request) => {
                ResponseFuture::called(self.inner.call(request), handling)
            }
            ControlFlow::Break(response) => ResponseFuture::refused(response),
        }
    }

    fn park<B, ResB>(
        &mut self,
        waits: Waits,
        handling: Option<Box<Handling>>,
        request: Request<B>,
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<ResB>> + Clone,
    {
        // A request that waits must not hold what the inner service reserved when it was polled
        // ready, a permit for example: forged tokens could take them all. So that service is dropped.
        // One clone stays and is polled before the next call; the other is polled after the verdict.
        let clone = self.inner.clone();
        drop(mem::replace(&mut self.inner, clone.clone()));
        ResponseFuture::parked(waits, handling, Arc::clone(&self.gate), clone, request)
    }
}
