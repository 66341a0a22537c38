//! The response body: the inner service's, untouched, or a refusal's.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The response body of [`ClerkAuth`](super::ClerkAuth): the inner service's, or a refusal's.
    #[derive(Debug)]
    pub struct AuthBody<B> {
        #[pin]
        kind: AuthBodyKind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = AuthBodyProjection]
    enum AuthBodyKind<B> {
        Inner { #[pin] body: B },
        Refusal { text: Bytes },
    }
}

impl<B> AuthBody<B> {
    pub(super) fn inner(body: B) -> Self {
        Self { kind: AuthBodyKind::Inner { body } }
    }

    pub(super) fn refusal(text: Bytes) -> Self {
        Self { kind: AuthBodyKind::Refusal { text } }
    }
}

/// Returns the inner service's empty body, which layers outside of this one may want, a CORS layer for
/// example.
impl<B: Default> Default for AuthBody<B> {
    fn default() -> Self {
        Self::inner(B::default())
    }
}

impl<B> Body for AuthBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            AuthBodyProjection::Inner { body } => body.poll_frame(cx),
            AuthBodyProjection::Refusal { text } if text.is_empty() => Poll::Ready(None),
            AuthBodyProjection::Refusal { text } => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(text)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            AuthBodyKind::Inner { body } => body.is_end_stream(),
            AuthBodyKind::Refusal { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            AuthBodyKind::Inner { body } => body.size_hint(),
            AuthBodyKind::Refusal { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

/// A body of a service that has none of its own.
#[cfg(feature = "machines")]
#[derive(Debug)]
#[non_exhaustive]
pub enum NoBody {}

#[cfg(feature = "machines")]
impl Body for NoBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match *self {}
    }
}
