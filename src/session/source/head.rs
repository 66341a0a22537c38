//! The head of a request, borrowed: what a source may look at.

use std::fmt;

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

/// The head of a request, which is all that a [`TokenSource`](super::TokenSource) may look at.
///
/// Its `Debug` shows the method and the version only, because the rest may hold a token.
#[derive(Clone, Copy)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    version: Version,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    /// Returns the method.
    #[must_use]
    pub fn method(self) -> &'r Method {
        self.method
    }

    /// Returns the URI as the layer sees it: a router outside may have cut its path.
    #[must_use]
    pub fn uri(self) -> &'r Uri {
        self.uri
    }

    /// Returns the HTTP version.
    #[must_use]
    pub fn version(self) -> Version {
        self.version
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(self) -> &'r HeaderMap {
        self.headers
    }

    /// Returns what the server and layers outside have added, a peer's address for example.
    #[must_use]
    pub fn extensions(self) -> &'r Extensions {
        self.extensions
    }
}

impl<'r, B> From<&'r Request<B>> for RequestHead<'r> {
    fn from(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'r> From<&'r Parts> for RequestHead<'r> {
    fn from(parts: &'r Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
