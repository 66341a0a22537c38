//! The `Authorization` header as a source among others. Alone, the layer reads it by itself.

use std::borrow::Cow;

use super::{RequestHead, TokenSource};
use crate::session::error::{AuthError, AuthErrorKind};
use crate::session::extract::bearer_token;

/// The source of `Authorization: Bearer <token>`, the only one by default.
///
/// A header of another scheme holds no token. What resembles a bearer token, or comes twice, is
/// refused.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Bearer;

impl Bearer {
    /// Returns the default source.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl TokenSource for Bearer {
    fn find<'r>(&self, request: RequestHead<'r>) -> Result<Option<Cow<'r, [u8]>>, AuthError> {
        match bearer_token(request.headers()) {
            Ok(token) => Ok(Some(Cow::Borrowed(token))),
            Err(error) if error.kind() == AuthErrorKind::MissingCredentials => Ok(None),
            Err(error) => Err(error),
        }
    }
}
