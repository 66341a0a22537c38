//! Parsing of a token's text into an `UnverifiedToken`. Checks size, shape and header only: no
//! keys, no clock, no claims.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::AuthErrorKind;
use super::json::{Text, json_object, present};

/// A token with an acceptable header and parts in base64url. Nothing in it may be trusted, because
/// its signature is not verified yet.
pub(super) struct UnverifiedToken<'t> {
    text: Cow<'t, str>,
    signed_bytes: usize,
    /// The key id, if the header names one.
    pub(super) kid: Option<Box<str>>,
    /// The class that the header's `cat` names.
    pub(super) class: TokenClass,
    /// The second part, decoded.
    pub(super) payload: Vec<u8>,
    /// The third part, decoded.
    pub(super) signature: Vec<u8>,
}

impl<'t> UnverifiedToken<'t> {
    /// Parses a token in JWS compact serialisation (RFC 7515 7.1).
    ///
    /// The length is checked before anything is split or decoded. base64url is read strictly: no
    /// padding, no white space, no leftover bits, so that each token has one spelling.
    pub(super) fn parse(token: &'t str, max_bytes: usize) -> Result<Self, AuthErrorKind> {
        if token.len() > max_bytes {
            return Err(AuthErrorKind::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(AuthErrorKind::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(AuthErrorKind::Malformed)?;
        let header = decode(header)?;
        let (kid, class) = read_header(&header)?;
        Ok(Self {
            text: Cow::Borrowed(token),
            signed_bytes: signed.len(),
            kid,
            class,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// Returns the whole token.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns what the signature is over: the first two parts and the period between them.
    pub(super) fn signed(&self) -> &[u8] {
        self.text.as_bytes().get(..self.signed_bytes).unwrap_or_default()
    }

    /// Returns the same token, independent of the request that it came with.
    pub(super) fn into_owned(self) -> UnverifiedToken<'static> {
        let Self { text, signed_bytes, kid, class, payload, signature } = self;
        let text = Cow::Owned(text.into_owned());
        UnverifiedToken { text, signed_bytes, kid, class, payload, signature }
    }
}

/// The class of a token by its header, of those that a verifier may accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenClass {
    /// A session's.
    Session,
    /// A session's or a JWT template's: the header does not tell.
    Unmarked,
    /// A JWT template's.
    Template,
}

/// Checks the header and returns its `kid` and the class of the token.
///
/// All of this is decided before a key is looked up, so that a token that can never pass cannot
/// cause a fetch. Unknown members are ignored, as Clerk asks; a duplicate of a known one is refused
/// (RFC 7515 4).
fn read_header(json: &[u8]) -> Result<(Option<Box<str>>, TokenClass), AuthErrorKind> {
    let header: Header<'_> = json_object(json).ok_or(AuthErrorKind::Malformed)?;
    // One key, one algorithm (RFC 8725 3.1): the header cannot choose another.
    if header.alg.0 != "RS256" {
        return Err(AuthErrorKind::UnsupportedAlgorithm);
    }
    if header.crit.is_some() || header.b64.is_some() {
        return Err(AuthErrorKind::CriticalHeader);
    }
    // Clerk's rule: an absent `typ` passes, any other must be exactly `JWT`.
    if header.typ.is_some_and(|typ| typ.0 != "JWT") {
        return Err(AuthErrorKind::WrongTokenType);
    }
    let class = match header.cat.as_ref().map(|cat| &*cat.0) {
        Some(SESSION) => TokenClass::Session,
        None | Some(ANY) => TokenClass::Unmarked,
        Some(TEMPLATE) => TokenClass::Template,
        // Machines' and OAuth tokens, and categories that are not known here.
        Some(_) => return Err(AuthErrorKind::WrongTokenType),
    };
    Ok((header.kid.map(|kid| kid.0.into()), class))
}

fn decode(part: &str) -> Result<Vec<u8>, AuthErrorKind> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthErrorKind::Malformed)
}

/// The header members that the checks need. A `null` is a wrong type, not an absent member.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Text<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    typ: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    cat: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<IgnoredAny>,
}

/// Clerk's category of session tokens.
const SESSION: &str = "cl_B7d4PD111AAA";

/// Clerk's category of the tokens of JWT templates.
const TEMPLATE: &str = "cl_B7d4PD222AAA";

/// A category that some instances put on every token; it tells nothing about the class.
const ANY: &str = "cl_I7d4PD111III";

#[cfg(test)]
mod tests;
