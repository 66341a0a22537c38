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
    /// padding, no white space, no leftover bits, so that each token has one spelling. The header must be
    /// one that tokens of `kind` have.
    pub(super) fn parse(
        token: &'t str,
        kind: TokenKind,
        max_bytes: usize,
    ) -> Result<Self, AuthErrorKind> {
        if token.len() > max_bytes {
            return Err(AuthErrorKind::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(AuthErrorKind::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(AuthErrorKind::Malformed)?;
        let header = decode(header)?;
        let (kid, class) = read_header(&header, kind)?;
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

/// The kind of tokens that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A session's, or a JWT template's.
    Session,
    /// A machine's (M2M).
    #[cfg(feature = "machines")]
    Machine,
    /// An OAuth access token (RFC 9068).
    #[cfg(feature = "machines")]
    OAuth,
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
    /// A machine's or an OAuth access token.
    #[cfg(feature = "machines")]
    Machine,
}

/// Checks the header and returns its `kid` and the class of the token.
///
/// All of this is decided before a key is looked up, so that a token that can never pass cannot
/// cause a fetch. Unknown members are ignored, as Clerk asks; a duplicate of a known one is refused
/// (RFC 7515 4).
fn read_header(
    json: &[u8],
    kind: TokenKind,
) -> Result<(Option<Box<str>>, TokenClass), AuthErrorKind> {
    let header: Header<'_> = json_object(json).ok_or(AuthErrorKind::Malformed)?;
    // One key, one algorithm (RFC 8725 3.1): the header cannot choose another.
    if header.alg.0 != "RS256" {
        return Err(AuthErrorKind::UnsupportedAlgorithm);
    }
    if header.crit.is_some() || header.b64.is_some() {
        return Err(AuthErrorKind::CriticalHeader);
    }
    let typ = header.typ.as_ref().map(|typ| &*typ.0);
    let cat = header.cat.as_ref().map(|cat| &*cat.0);
    let class = match kind {
        TokenKind::Session => {
            plain_type(typ)?;
            match cat {
                Some(SESSION) => TokenClass::Session,
                None | Some(ANY) => TokenClass::Unmarked,
                Some(TEMPLATE) => TokenClass::Template,
                // Machines' and OAuth tokens, and categories that are not known here.
                Some(_) => return Err(AuthErrorKind::WrongTokenType),
            }
        }
        #[cfg(feature = "machines")]
        TokenKind::Machine => {
            plain_type(typ)?;
            // Also the category that tells nothing is another one, as in Clerk's SDK.
            if cat.is_some_and(|cat| cat != MACHINE) {
                return Err(AuthErrorKind::WrongTokenType);
            }
            TokenClass::Machine
        }
        #[cfg(feature = "machines")]
        TokenKind::OAuth => {
            if !is_oauth_type(typ) {
                return Err(AuthErrorKind::WrongTokenType);
            }
            TokenClass::Machine
        }
    };
    Ok((header.kid.map(|kid| kid.0.into()), class))
}

/// Checks `typ` by Clerk's rule: an absent one passes, any other must be exactly `JWT`.
fn plain_type(typ: Option<&str>) -> Result<(), AuthErrorKind> {
    match typ {
        None | Some("JWT") => Ok(()),
        Some(_) => Err(AuthErrorKind::WrongTokenType),
    }
}

/// Returns whether `typ` is that of OAuth access tokens (RFC 9068 2.1), in the spellings of Clerk's SDK.
#[cfg(feature = "machines")]
fn is_oauth_type(typ: Option<&str>) -> bool {
    matches!(typ, Some("at+jwt" | "application/at+jwt"))
}

/// Returns which machine's kind an unverified JWT says it is, which only chooses the rules that it must
/// keep: a machine's by `sub`, or else an OAuth access token by `typ`, in the order of Clerk's SDK.
#[cfg(feature = "machines")]
pub(super) fn machine_kind(token: &str, max_bytes: usize) -> Option<TokenKind> {
    #[derive(Deserialize)]
    struct Subject<'a> {
        #[serde(borrow)]
        sub: Text<'a>,
    }
    #[derive(Deserialize)]
    struct Type<'a> {
        #[serde(borrow)]
        typ: Text<'a>,
    }
    if token.len() > max_bytes {
        return None;
    }
    let (header, rest) = token.split_once('.')?;
    let (payload, _signature) = rest.split_once('.')?;
    let payload = decode(payload).ok()?;
    let subject: Option<Subject<'_>> = json_object(&payload);
    if subject.is_some_and(|subject| subject.sub.0.starts_with(MACHINE_ID)) {
        return Some(TokenKind::Machine);
    }
    let header = decode(header).ok()?;
    let header: Type<'_> = json_object(&header)?;
    is_oauth_type(Some(&header.typ.0)).then_some(TokenKind::OAuth)
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

/// Clerk's category of machines' tokens.
#[cfg(feature = "machines")]
const MACHINE: &str = "cl_B7d4PD333AAA";

/// The beginning of a machine's id.
pub(super) const MACHINE_ID: &str = "mch_";

/// A category that some instances put on every token; it tells nothing about the class.
const ANY: &str = "cl_I7d4PD111III";

#[cfg(test)]
mod tests;
