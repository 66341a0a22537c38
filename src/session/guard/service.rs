//! The service of a guard: decides at once.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::requirement::Guard;
use crate::session::body::AuthBody;
use crate::session::future::ResponseFuture;

/// The service that a [`RequireLayer`](super::RequireLayer) wraps around another.
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl<S> RequireService<S> {
    pub(super) fn new(inner: S, guard: Arc<Guard>) -> Self {
        Self { inner, guard }
    }
}

impl<S, B, ResB> Service<Request<B>> for RequireService<S>
where
    S: Service<Request<B>, Response = Response<ResB>>,
{
    type Response = Response<AuthBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.guard.admit(request) {
            ControlFlow::Continue(request) => {
                ResponseFuture::called(self.inner.call(request), None)
            }
            ControlFlow::Break(response) => ResponseFuture::refused(response),
        }
    }
}
