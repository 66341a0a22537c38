//! Refusals by those inside of a layer, guards and extractors: in its format.

use std::any::TypeId;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, Uri, Version};

use super::{
    EmptyResponder, GrpcResponder, JsonResponder, ProblemResponder, Responder, finish, refuse,
};
use crate::session::error::AuthError;

/// A layer's responder as its sessions carry it: one pointer, so that a hit pays for a reference count
/// alone.
pub(in crate::session) struct Entrance(AssertUnwindSafe<Arc<Guarded>>);

struct Guarded {
    responder: Box<dyn Responder>,
    /// Whether the responder may read the request line.
    reads_line: bool,
}

impl Entrance {
    pub(in crate::session) fn new<R: Responder>(responder: R) -> Self {
        let own = [
            TypeId::of::<EmptyResponder>(),
            TypeId::of::<GrpcResponder>(),
            TypeId::of::<JsonResponder>(),
            TypeId::of::<ProblemResponder>(),
        ];
        let reads_line = !own.contains(&TypeId::of::<R>());
        Self(AssertUnwindSafe(Arc::new(Guarded { responder: Box::new(responder), reads_line })))
    }

    /// Keeps a copy of the request line in the request, unless the responder never reads it.
    #[inline]
    pub(in crate::session) fn keep_line<B>(&self, request: &mut Request<B>) {
        if self.0.reads_line {
            let line = RequestLine::of(request);
            request.extensions_mut().insert(line);
        }
    }

    /// Returns the complete response to a request as the layer saw it.
    pub(in crate::session) fn refuse(&self, error: AuthError, request: &Parts) -> Response<Bytes> {
        refuse(&*self.0.responder, error, request)
    }
}

impl Clone for Entrance {
    #[inline]
    fn clone(&self) -> Self {
        Self(AssertUnwindSafe(Arc::clone(&self.0)))
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance").finish_non_exhaustive()
    }
}

/// The request line as a layer saw it: a router inside of it may change the path.
#[derive(Clone)]
struct RequestLine {
    method: Method,
    uri: Uri,
    version: Version,
}

impl RequestLine {
    fn of<B>(request: &Request<B>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self { method, uri, version: request.version() }
    }

    fn restore(&self, request: &mut Parts) {
        request.method = self.method.clone();
        request.uri = self.uri.clone();
        request.version = self.version;
    }
}

/// The extension of a request that a layer let pass without a session: the reason, and the
/// responder for who needs a session after all. A request that has neither this nor a session has not
/// passed a layer.
#[derive(Clone)]
pub(crate) struct Anonymous {
    error: AuthError,
    entrance: Entrance,
    line: RequestLine,
}

impl Anonymous {
    pub(in crate::session) fn new<B>(
        error: AuthError,
        entrance: Entrance,
        request: &Request<B>,
    ) -> Self {
        Self { error, entrance, line: RequestLine::of(request) }
    }

    pub(crate) fn error(&self) -> &AuthError {
        &self.error
    }

    /// Returns the response that the layer would have given to this request.
    pub(crate) fn refuse(&self, mut request: Parts) -> Response<Bytes> {
        self.line.restore(&mut request);
        self.entrance.refuse(self.error.clone(), &request)
    }
}

/// Returns the response to a request whose session does not suffice: as the layer refuses by which it
/// came in, or as JSON if it came in by none.
pub(in crate::session) fn refuse_session(
    entrance: Option<&Entrance>,
    error: AuthError,
    mut request: Parts,
) -> Response<Bytes> {
    let Some(entrance) = entrance else {
        return finish(JsonResponder::http(&error), error);
    };
    // One that an outer layer left is not this layer's, but then this layer's responder reads none.
    if let Some(line) = request.extensions.remove::<RequestLine>() {
        line.restore(&mut request);
    }
    entrance.refuse(error, &request)
}
