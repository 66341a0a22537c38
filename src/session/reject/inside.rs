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

/// A layer's responder, and in a request that of the layer that let it in: nothing for the default, so that a
/// hit pays next to nothing for it.
pub(in crate::session) struct Entrance(AssertUnwindSafe<Option<Arc<Guarded>>>);

struct Guarded {
    responder: Box<dyn Responder>,
    /// Whether the responder may read the request line.
    reads_line: bool,
}

impl Entrance {
    /// The default responder's.
    pub(in crate::session) const JSON: Self = Self(AssertUnwindSafe(None));

    pub(in crate::session) fn new<R: Responder>(responder: R) -> Self {
        let is = |own: TypeId| own == TypeId::of::<R>();
        if is(TypeId::of::<JsonResponder>()) {
            return Self::JSON;
        }
        let own = [
            TypeId::of::<EmptyResponder>(),
            TypeId::of::<GrpcResponder>(),
            TypeId::of::<ProblemResponder>(),
        ];
        let reads_line = !own.into_iter().any(is);
        let guarded = Guarded { responder: Box::new(responder), reads_line };
        Self(AssertUnwindSafe(Some(Arc::new(guarded))))
    }

    /// Writes it into the request, with a copy of the request line where the responder may read it. That of
    /// an outer layer no longer holds.
    #[inline]
    pub(in crate::session) fn write<B>(&self, request: &mut Request<B>) {
        match &*self.0 {
            None => drop(request.extensions_mut().remove::<Self>()),
            Some(guarded) => {
                if guarded.reads_line {
                    let line = RequestLine::of(request);
                    request.extensions_mut().insert(line);
                }
                request.extensions_mut().insert(self.clone());
            }
        }
    }

    /// Returns the complete response to a request as the layer saw it.
    pub(in crate::session) fn refuse(&self, error: AuthError, request: &Parts) -> Response<Bytes> {
        match &*self.0 {
            Some(guarded) => refuse(&*guarded.responder, error, request),
            None => finish(JsonResponder::http(&error), error),
        }
    }
}

impl Clone for Entrance {
    #[inline]
    fn clone(&self) -> Self {
        Self(AssertUnwindSafe(self.0.clone()))
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
pub(crate) fn refuse_session(error: AuthError, mut request: Parts) -> Response<Bytes> {
    let entrance = request.extensions.remove::<Entrance>().unwrap_or(Entrance::JSON);
    // One that an outer layer left is not this layer's, but then this layer's responder reads none.
    if let Some(line) = request.extensions.remove::<RequestLine>() {
        line.restore(&mut request);
    }
    entrance.refuse(error, &request)
}
