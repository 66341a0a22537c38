//! The places of a request in which a token may come.
//!
#![doc = include_str!("../../docs/token_sources.md")]

mod bearer;
mod cookies;
mod head;
mod query;
mod same_origin;
mod subprotocol;

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::sync::Arc;

use http::{HeaderMap, Request, Uri};

use super::error::{AuthError, AuthErrorKind};

pub use bearer::Bearer;
pub use cookies::SessionCookies;
pub use head::RequestHead;
pub use query::Query;
pub use subprotocol::Subprotocol;

/// Finds the token of a request in one place of it.
///
/// A source only finds the token; the layer's [`Verifier`](super::Verifier) judges it. The guide of
/// [`source`](self) says which of several counts.
///
/// ```
/// use std::borrow::Cow;
///
/// use tower_clerk::session::source::{Bearer, RequestHead, TokenSource, TokenSources};
/// use tower_clerk::session::{AuthError, AuthErrorKind, ClerkAuthLayer, Verifier};
///
/// /// The header in which our gateway passes the token on.
/// struct GatewayHeader;
///
/// impl TokenSource for GatewayHeader {
///     fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError> {
///         let mut lines = request.headers().get_all("x-gateway-token").iter();
///         match (lines.next(), lines.next()) {
///             (None, _) => Ok(None),
///             (Some(token), None) => Ok(Some(Cow::Borrowed(token.as_bytes()))),
///             // Which of them would the next server take?
///             (Some(_), Some(_)) => Err(AuthErrorKind::Malformed.into()),
///         }
///     }
/// }
///
/// fn layer(verifier: Verifier) -> ClerkAuthLayer {
///     let sources = TokenSources::first(Bearer::new()).then(GatewayHeader);
///     ClerkAuthLayer::new(verifier).sources(sources)
/// }
/// ```
pub trait TokenSource: Send + Sync + 'static {
    /// Returns the token, or `None` if there is none in this place, so that the next one is looked
    /// at.
    ///
    /// # Errors
    ///
    /// There are credentials in this place that no token can be taken from. The request is refused,
    /// and no other place is looked at.
    fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError>;

    /// Removes from a request what should not reach the handler or a
    /// [`Responder`](super::Responder), and returns whether there was anything; then
    /// [`answer`](Self::answer) is called with the response's headers. It is called for every
    /// request, also if the token was found in another place.
    fn remove(&self, _uri: &mut Uri, _headers: &mut HeaderMap) -> bool {
        false
    }

    /// Changes the headers of the response, the inner service's or a refusal's, to a request from
    /// which [`remove`](Self::remove) removed something.
    fn answer(&self, _headers: &mut HeaderMap) {}

    /// Returns whether an [`optional`](super::ClerkAuthLayer::optional) layer takes a request with
    /// an expired token from this place for an anonymous one; default: it refuses it.
    fn expired_is_anonymous(&self) -> bool {
        false
    }
}

impl<T: TokenSource + ?Sized> TokenSource for Arc<T> {
    fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError> {
        T::find(self, request)
    }

    fn remove(&self, uri: &mut Uri, headers: &mut HeaderMap) -> bool {
        T::remove(self, uri, headers)
    }

    fn answer(&self, headers: &mut HeaderMap) {
        T::answer(self, headers);
    }

    fn expired_is_anonymous(&self) -> bool {
        T::expired_is_anonymous(self)
    }
}

/// The places in which a layer looks for the token, in this order. Only the first token that is
/// found counts, whether it is good or bad.
///
/// ```
/// use tower_clerk::PublishableKey;
/// use tower_clerk::session::source::{Bearer, SessionCookies, TokenSources};
///
/// let key = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k")?;
/// let sources = TokenSources::first(Bearer::new()).then(SessionCookies::new(&key));
/// # let _ = sources;
/// # Ok::<(), tower_clerk::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "sources do nothing until a layer has them"]
pub struct TokenSources {
    list: Vec<Arc<dyn TokenSource>>,
}

impl TokenSources {
    /// Returns sources of which this one is looked at first.
    pub fn first(source: impl TokenSource) -> Self {
        Self { list: vec![Arc::new(source)] }
    }

    /// Adds a source that is looked at if all before it found nothing.
    pub fn then(mut self, source: impl TokenSource) -> Self {
        self.list.push(Arc::new(source));
        self
    }

    /// Returns the first token or refusal, and whether its source takes an expired token for none.
    pub(in crate::session) fn find<'r>(
        &self,
        request: RequestHead<'r>,
    ) -> (Result<Cow<'r, [u8]>, AuthError>, bool) {
        for source in &self.list {
            match source.find(request) {
                Ok(None) => {}
                Ok(Some(token)) => return (Ok(token), source.expired_is_anonymous()),
                Err(error) => return (Err(error), false),
            }
        }
        (Err(AuthErrorKind::MissingCredentials.into()), false)
    }

    /// Removes from a request what the handler should not see, and returns the sources that change
    /// the response.
    pub(in crate::session) fn remove<B>(&self, request: &mut Request<B>) -> Answers {
        let mut headers = mem::take(request.headers_mut());
        let mut answering = Vec::new();
        for source in &self.list {
            if source.remove(request.uri_mut(), &mut headers) {
                answering.push(Arc::clone(source));
            }
        }
        *request.headers_mut() = headers;
        Answers(answering)
    }
}

impl fmt::Debug for TokenSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSources").field("count", &self.list.len()).finish_non_exhaustive()
    }
}

/// The sources that change the response to a request; mostly none.
pub(in crate::session) struct Answers(Vec<Arc<dyn TokenSource>>);

impl Answers {
    pub(in crate::session) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::session) fn write(&self, headers: &mut HeaderMap) {
        for source in &self.0 {
            source.answer(headers);
        }
    }
}
