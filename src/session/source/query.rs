//! A token in the query of the URI. It is read as it is written: a token has no letter that would be
//! escaped.

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, REFERRER_POLICY};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::{RequestHead, TokenSource};
use crate::ConfigError;
use crate::session::error::{AuthError, AuthErrorKind};

/// The source of a parameter of the query, for clients that can set no header: an `EventSource`, a
/// download link.
///
/// Only a `GET` request may bring its token so. The parameter is removed from the URI that the handler
/// and a [`Responder`](crate::session::Responder) see, whatever the method is, and the response gets
/// `Cache-Control: no-store` and `Referrer-Policy: no-referrer`.
///
/// A URI is not a place for secrets: **what is outside of the layer sees and logs the token**, that is
/// every proxy, a tracing layer, the browser's history, and axum's `OriginalUri` if a nested router is
/// outside. Prefer another source, and mount this one only on the routes that need it.
///
/// ```
/// use tower_clerk::session::source::{Bearer, Query, TokenSources};
///
/// let sources = TokenSources::first(Bearer::new()).then(Query::named("token")?);
/// # let _ = sources;
/// # Ok::<(), tower_clerk::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Query {
    name: Box<str>,
}

impl Query {
    /// Returns the source of the parameter with this name.
    ///
    /// # Errors
    ///
    /// The name is empty, or has other characters than letters, digits, `-` and `_`.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(ConfigError::new(
                "query parameter",
                "must be letters, digits, `-` and `_`, such as `token`",
            ));
        }
        Ok(Self { name: name.into() })
    }

    /// Returns the value if a pair of a query is the parameter.
    fn value<'q>(&self, pair: &'q str) -> Option<&'q str> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (*name == *self.name).then_some(value)
    }
}

impl TokenSource for Query {
    fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError> {
        let query = request.uri().query().filter(|_| request.method() == Method::GET);
        let mut values = query.into_iter().flat_map(|query| query.split('&'));
        let mut values = values.by_ref().filter_map(|pair| self.value(pair));
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(token), None) => Ok(Some(Cow::Borrowed(token.as_bytes()))),
            (Some(_), Some(_)) => Err(AuthErrorKind::Malformed.into()),
        }
    }

    fn remove(&self, uri: &mut Uri, _headers: &mut HeaderMap) -> bool {
        let Some(query) = uri.query() else { return false };
        if !query.split('&').any(|pair| self.value(pair).is_some()) {
            return false;
        }
        let others: Vec<&str> =
            query.split('&').filter(|pair| self.value(pair).is_none()).collect();
        let rest = match &*others {
            [] => uri.path().to_owned(),
            others => format!("{}?{}", uri.path(), others.join("&")),
        };
        // Parts of a URI are a URI; if they were not, the token must not stay.
        let rest = PathAndQuery::try_from(rest);
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(rest.unwrap_or_else(|_| PathAndQuery::from_static("/")));
        *uri = Uri::from_parts(parts).unwrap_or_default();
        true
    }

    fn answer(&self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_removed_and_all_others_stay_as_they_are() {
        for (given, left) in [
            ("/?token=a.b.c", "/"),
            ("/p?token=a.b.c&x=%20", "/p?x=%20"),
            ("/p?x=1&token=a&y", "/p?x=1&y"),
            ("/p?token=a&token=b", "/p"),
            ("/p?token", "/p"),
            ("https://a.example/p?x=1&token=a", "https://a.example/p?x=1"),
            ("https://a.example?token=a", "https://a.example/"),
        ] {
            let mut uri: Uri = given.parse().unwrap();
            let source = Query::named("token").unwrap();
            assert!(source.remove(&mut uri, &mut HeaderMap::new()), "{given}");
            assert_eq!(uri.to_string(), left, "{given}");
        }
        for given in ["/", "/?", "/?tokens=a", "/?x=token=a", "/?Token=a", "/token=a"] {
            let mut uri: Uri = given.parse().unwrap();
            let source = Query::named("token").unwrap();
            assert!(!source.remove(&mut uri, &mut HeaderMap::new()), "{given}");
            assert_eq!(uri.to_string(), given);
        }
    }

    #[test]
    fn a_name_that_would_have_to_be_escaped_is_refused() {
        for name in ["", "a b", "a=b", "a&b", "tökén", "a%41"] {
            assert!(Query::named(name).is_err(), "{name}");
        }
    }
}
