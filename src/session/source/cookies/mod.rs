//! Clerk's session cookie, by Clerk's own rules of which one counts.

mod decision;
mod pairs;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use self::decision::{Instance, Unverified, Values, leading_integer};
use super::same_origin::{is_same_origin, must_be_same_origin};
use super::{RequestHead, TokenSource};
use crate::clock::{Clock, SystemClock};
use crate::instance::PublishableKey;
use crate::origin::Origin;
use crate::session::error::{AuthError, AuthErrorKind};
use crate::session::extract::has_credentials;
use crate::session::window::milliseconds;

/// The source of Clerk's session cookie, `__session` or `__session_<suffix>`.
///
/// Which of the two counts is decided as in Clerk's SDK, together with `__client_uat`, which tells
/// when the user signed in; a session cookie without it, or older, is none, because the user has
/// signed out or in again since. Where Clerk's SDK would send the browser to Clerk for a new cookie
/// ("handshake"), this source finds nothing: the front end's own SDK renews the cookie.
///
/// With any `Authorization` header no cookie is looked at. A cookie that a page of another site may
/// have sent is refused with [`AuthErrorKind::CrossSiteRequest`]; the guide of
/// [`source`](super) says when.
#[derive(Clone)]
pub struct SessionCookies {
    instance: Arc<Instance>,
    suffixed_session: Arc<str>,
    suffixed_client_uat: Arc<str>,
    allowed_origins: Arc<[Origin]>,
    expired_is_anonymous: bool,
    clock: Arc<dyn Clock>,
}

impl SessionCookies {
    /// Returns the source of the cookies of the key's instance. The key must be written exactly as
    /// in the front end: the cookies' suffix is made of its text.
    #[must_use]
    pub fn new(key: &PublishableKey) -> Self {
        let suffix = key.cookie_suffix();
        Self {
            instance: Arc::new(Instance {
                host: key.frontend_api().into(),
                is_live: key.is_live(),
            }),
            suffixed_session: format!("{SESSION}_{suffix}").into(),
            suffixed_client_uat: format!("{CLIENT_UAT}_{suffix}").into(),
            allowed_origins: Arc::default(),
            expired_is_anonymous: false,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Sets the origins whose pages may send the cookie, besides the server's own: those of front
    /// ends on other hosts. They may do whatever the user may.
    #[must_use]
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.allowed_origins = origins.into_iter().collect();
        self
    }

    /// Lets an [`optional`](crate::session::ClerkAuthLayer::optional) layer take a request with an
    /// expired cookie for an anonymous one. By default it is refused, as an expired bearer token is.
    ///
    /// For pages that a browser navigates to: the cookie is a minute old at most while a page with
    /// Clerk's SDK is open, and mostly has expired when the user comes back.
    #[must_use]
    pub fn expired_is_anonymous(mut self) -> Self {
        self.expired_is_anonymous = true;
        self
    }

    /// Sets the clock, for tests; default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the token of the session cookie that counts.
    fn session<'h>(&self, headers: &'h HeaderMap) -> Option<Cow<'h, [u8]>> {
        let names = [SESSION, &*self.suffixed_session, CLIENT_UAT, &*self.suffixed_client_uat];
        let [session, suffixed_session, client_uat, suffixed_client_uat] =
            pairs::values(headers, names);
        let values = Values {
            session: session.as_deref(),
            suffixed_session: suffixed_session.as_deref(),
            client_uat: client_uat.as_deref(),
            suffixed_client_uat: suffixed_client_uat.as_deref(),
        };
        let now = milliseconds(self.clock.now()).div_euclid(1000);
        let (session, client_uat) = if values.suffixed_count(&self.instance, now) {
            (suffixed_session, suffixed_client_uat)
        } else {
            (session, client_uat)
        };
        let session = session?;
        let signed_in_at = client_uat.map_or(0, |value| leading_integer(&value));
        let is_outdated = signed_in_at == 0
            || Unverified::read(&session).is_some_and(|token| token.is_from_before(signed_in_at));
        (!is_outdated).then_some(session)
    }
}

impl TokenSource for SessionCookies {
    fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError> {
        if has_credentials(request.headers()) {
            return Ok(None);
        }
        let Some(token) = self.session(request.headers()) else { return Ok(None) };
        if must_be_same_origin(request) && !is_same_origin(request, &self.allowed_origins) {
            return Err(AuthErrorKind::CrossSiteRequest.into());
        }
        Ok(Some(token))
    }

    fn expired_is_anonymous(&self) -> bool {
        self.expired_is_anonymous
    }
}

impl fmt::Debug for SessionCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCookies")
            .field("name", &self.suffixed_session)
            .field("allowed_origins", &self.allowed_origins)
            .field("expired_is_anonymous", &self.expired_is_anonymous)
            .finish_non_exhaustive()
    }
}

const SESSION: &str = "__session";

/// The time of the sign-in, in seconds since 1970; 0 after a sign-out.
const CLIENT_UAT: &str = "__client_uat";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_is_made_of_the_key_as_it_is_written() {
        for (key, expected) in [
            ("pk_live_Y2xlcmsuY2xlcmsuZGV2JA", "1Z8AzTQD"),
            ("pk_test_Y2xlcmsuY2xlcmsuZGV2JA", "QvfNY2dr"),
            ("pk_test_Y2xlcmsuY2xlcmsuZGV2JA==", "X-AJuTs9"),
            ("pk_test_ZW5vdWdoLWFscGFjYS04Mi5jbGVyay5hY2NvdW50cy5sY2xjbGVyay5jb20k", "jtYvyt_H"),
        ] {
            assert_eq!(PublishableKey::parse(key).unwrap().cookie_suffix(), expected, "{key}");
        }
    }
}
