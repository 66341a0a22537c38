//! The service's future. It is boxed: webhooks are rare, and most sinks wait for a database.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

/// The future of [`WebhookService`](super::WebhookService). Dropping it drops the sink's future and
/// sends no answer, so Svix sends the delivery again. A sink may have started a task that still
/// applies the delivery.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture {
    inner: Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>,
}

impl ResponseFuture {
    pub(super) fn new(inner: impl Future<Output = Response<Full<Bytes>>> + Send + 'static) -> Self {
        Self { inner: Box::pin(inner) }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
