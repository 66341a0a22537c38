//! A token among the subprotocols of a WebSocket handshake (RFC 6455 4.1), the only header that a page
//! can write there.

use std::borrow::Cow;

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue, Uri};

use super::{RequestHead, TokenSource};
use crate::session::error::{AuthError, AuthErrorKind};

/// The source of a WebSocket's subprotocol: `Sec-WebSocket-Protocol: clerk.bearer, <token>`, in
/// a browser `new WebSocket(url, ["clerk.bearer", token])`.
///
/// The token is removed from the header that the handler sees, and [`clerk.bearer`](Self::NAME) stays:
/// the handler has to choose it, or another that the client offers, because a browser closes a
/// WebSocket whose server chooses none. In axum: `upgrade.protocols([Subprotocol::NAME])`.
///
/// The token is judged at the handshake only; [`Session::expired`](crate::session::Session::expired)
/// says when to end the connection.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Subprotocol;

impl Subprotocol {
    /// The subprotocol that announces that the next one is a token.
    pub const NAME: &'static str = "clerk.bearer";

    /// Returns the source.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl TokenSource for Subprotocol {
    fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError> {
        let mut offered = offered(request.headers());
        if !offered.any(|name| name == Self::NAME.as_bytes()) {
            return Ok(None);
        }
        let token = offered.next().ok_or(AuthErrorKind::Malformed)?;
        if offered.any(|name| name == Self::NAME.as_bytes()) {
            return Err(AuthErrorKind::Malformed.into());
        }
        Ok(Some(Cow::Borrowed(token)))
    }

    fn remove(&self, _uri: &mut Uri, headers: &mut HeaderMap) -> bool {
        let mut announced = false;
        let mut removed = false;
        let mut others: Vec<&[u8]> = Vec::new();
        for name in offered(headers) {
            let is_token = announced && name != Self::NAME.as_bytes();
            announced = name == Self::NAME.as_bytes();
            if is_token {
                removed = true;
            } else {
                others.push(name);
            }
        }
        if removed {
            // Parts of a header's value are one.
            match HeaderValue::from_bytes(&others.join(&b", "[..])) {
                Ok(value) => drop(headers.insert(SEC_WEBSOCKET_PROTOCOL, value)),
                Err(_) => drop(headers.remove(SEC_WEBSOCKET_PROTOCOL)),
            }
        }
        removed
    }
}

/// Returns the subprotocols in their order; several lines count as one.
fn offered(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn seen(lines: &[&str]) -> (Result<Option<String>, AuthErrorKind>, Vec<String>) {
        let mut request = Request::new(());
        for line in lines {
            request.headers_mut().append(SEC_WEBSOCKET_PROTOCOL, line.parse().unwrap());
        }
        let source = Subprotocol::new();
        let found = source.find(RequestHead::from(&request)).map_err(|error| error.kind());
        let found = found.map(|token| token.map(|token| String::from_utf8_lossy(&token).into()));
        source.remove(&mut Uri::default(), request.headers_mut());
        let left = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        (found, left.map(|line| line.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn the_element_after_the_name_is_the_token_and_is_removed() {
        for (lines, left) in [
            (&["clerk.bearer, a.b.c"][..], "clerk.bearer"),
            (&["chat,clerk.bearer,a.b.c , v2"], "chat, clerk.bearer, v2"),
            (&["clerk.bearer", "a.b.c, chat"], "clerk.bearer, chat"),
            (&["clerk.bearer,, a.b.c"], "clerk.bearer"),
        ] {
            assert_eq!(seen(lines), (Ok(Some("a.b.c".into())), vec![left.to_owned()]), "{lines:?}");
        }
    }

    #[test]
    fn another_subprotocol_is_no_token_and_a_name_without_one_or_twice_is_malformed() {
        assert_eq!(seen(&[]), (Ok(None), vec![]));
        assert_eq!(seen(&["chat, v2"]), (Ok(None), vec!["chat, v2".to_owned()]));
        assert_eq!(seen(&["Clerk.Bearer, a"]).0, Ok(None));
        assert_eq!(seen(&["clerk.bearer"]).0, Err(AuthErrorKind::Malformed));
        assert_eq!(seen(&["chat, clerk.bearer,"]).0, Err(AuthErrorKind::Malformed));
        let (found, left) = seen(&["clerk.bearer, a.b.c, clerk.bearer, d.e.f"]);
        assert_eq!(found, Err(AuthErrorKind::Malformed));
        assert_eq!(left, ["clerk.bearer, clerk.bearer"]);
        let (found, left) = seen(&["clerk.bearer, clerk.bearer, a.b.c"]);
        assert_eq!((found, left.len()), (Ok(Some("clerk.bearer".into())), 1));
        assert!(!left[0].contains("a.b.c"));
    }
}
