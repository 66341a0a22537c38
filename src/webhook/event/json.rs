//! JSON as it came, parsed by whoever needs it.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A piece of JSON as it came. Clones share it.
///
/// The `Debug` form leaves the text out, since it may tell about a person.
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

    /// The text: one JSON value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Reads it as a type, [`serde_json::Value`] for example.
    ///
    /// # Errors
    ///
    /// JSON of another shape than the type's.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(..)")
    }
}

/// The same text.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}
