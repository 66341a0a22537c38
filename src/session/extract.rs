//! Extraction of the bearer token from a request's headers. Borrows; decodes nothing.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::{AuthError, AuthErrorKind};

/// Returns a request's bearer token: one header line `Authorization: Bearer <token>`, with the
/// scheme in any case (RFC 9110 11.1). What follows the scheme is returned as it is, without the
/// spaces around it.
///
/// Another scheme counts as no credentials. A line that resembles a bearer token (no scheme) and
/// more than one line are malformed, not missing, so that a layer that lets anonymous requests pass
/// refuses them.
///
/// Clerk's JavaScript SDK accepts a bare token and ignores what follows a second space; this
/// function does neither.
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<&[u8], AuthError> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Err(AuthErrorKind::MissingCredentials.into());
    };
    if lines.next().is_some() {
        return Err(AuthErrorKind::Malformed.into());
    }
    let line = without_spaces(line.as_bytes());
    if line.is_empty() {
        return Err(AuthErrorKind::MissingCredentials.into());
    }
    let space = line.iter().position(|byte| *byte == b' ').ok_or(AuthErrorKind::Malformed)?;
    let (scheme, token) = line.split_at(space);
    if !scheme.is_ascii() {
        return Err(AuthErrorKind::Malformed.into());
    }
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(AuthErrorKind::MissingCredentials.into());
    }
    // The parser checks that it is one word, and of which letters.
    Ok(without_spaces(token))
}

/// Returns whether a request has any credentials, of whatever scheme.
pub(super) fn has_credentials(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION)
}

/// Returns the bytes without the spaces at either end; other white space stays.
fn without_spaces(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn extracted(lines: &[&[u8]]) -> Result<String, AuthErrorKind> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(line).unwrap());
        }
        let token = bearer_token(&headers).map_err(|error| error.kind())?;
        Ok(String::from_utf8_lossy(token).into_owned())
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case_and_one_token_follows() {
        for line in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c", " Bearer a.b.c "] {
            assert_eq!(extracted(&[line.as_bytes()]), Ok("a.b.c".into()), "{line:?}");
        }
    }

    #[test]
    fn nothing_or_another_scheme_is_no_credential() {
        for line in ["", " ", "Basic YTpi", "Digest username=a", "Bearerx a.b.c"] {
            let kind = extracted(&[line.as_bytes()]);
            assert_eq!(kind, Err(AuthErrorKind::MissingCredentials), "{line:?}");
        }
        assert_eq!(extracted(&[]), Err(AuthErrorKind::MissingCredentials));
    }

    #[test]
    fn what_is_nearly_a_bearer_token_is_malformed_and_not_anonymous() {
        let lines: [&[u8]; 4] = [b"a.b.c", b"Bearer", b"Bearer\ta.b.c", b"Bear\xffer a.b.c"];
        for line in lines {
            assert_eq!(extracted(&[line]), Err(AuthErrorKind::Malformed), "{line:?}");
        }
        let twice = extracted(&[b"Bearer a.b.c", b"Bearer a.b.c"]);
        assert_eq!(twice, Err(AuthErrorKind::Malformed));
        assert_eq!(extracted(&[b"Basic YTpi", b"Bearer a.b.c"]), Err(AuthErrorKind::Malformed));
    }
}
