//! Unparsed JSON, for callers to parse.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A JSON value as unparsed text. Clones share it.
///
/// The `Debug` form omits the text, which may hold personal data.
///
/// ```
/// # fn app_id(user: &tower_clerk::webhook::User) -> Option<u64> {
/// #[derive(serde::Deserialize)]
/// struct Metadata { app_id: u64 }
///
/// let metadata: Metadata = user.private_metadata.as_ref()?.parse().ok()?;
/// # Some(metadata.app_id)
/// # }
/// ```
#[derive(Clone)]
pub struct Json {
    text: Arc<str>,
}

impl Json {
    pub(super) fn new(raw: &RawValue) -> Self {
        Self { text: raw.get().into() }
    }

    /// Returns the text: one JSON value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Parses the text as a type, [`serde_json::Value`] for example.
    ///
    /// # Errors
    ///
    /// Fails if the JSON does not have the shape of the type.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(..)")
    }
}

/// Compares the texts.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}
