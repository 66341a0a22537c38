//! The claims as types of an application's own, each deserialized once.

use std::any::Any;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde_path_to_error::Track;

/// The claims as types of the application's: a list that only grows, by one entry for each type, so
/// that what was read once never changes.
#[derive(Default)]
pub(super) struct Decoded {
    first: OnceLock<Box<Entry>>,
}

struct Entry {
    value: Box<dyn Any + Send + Sync + RefUnwindSafe + UnwindSafe>,
    rest: Decoded,
}

impl Decoded {
    /// Returns the payload, base64url of JSON, as a `T`; deserializes it unless that was done before.
    pub(super) fn get_or_decode<T>(&self, payload: &[u8]) -> Result<&T, CustomClaimsError>
    where
        T: DeserializeOwned + Send + Sync + RefUnwindSafe + UnwindSafe + 'static,
    {
        let mut list = self;
        loop {
            let entry = match list.first.get() {
                Some(entry) => entry,
                None => {
                    let value = Box::new(decode::<T>(payload)?);
                    let new = Box::new(Entry { value, rest: Self::default() });
                    // Another thread may be faster: with this type, whose value is then the one, or with
                    // another, after which this one is decoded once more.
                    list.first.get_or_init(|| new)
                }
            };
            let value: &dyn Any = &*entry.value;
            if let Some(value) = value.downcast_ref() {
                return Ok(value);
            }
            list = &entry.rest;
        }
    }
}

fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, CustomClaimsError> {
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| CustomClaimsError::default())?;
    let mut json = serde_json::Deserializer::from_slice(&payload);
    let mut track = Track::new();
    T::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track))
        .map_err(|error| CustomClaimsError::new(&track.path(), &error))
}

/// The error of claims that do not fit the requested type. It names the member, and no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomClaimsError {
    member: Option<Box<str>>,
    is_missing: bool,
}

impl CustomClaimsError {
    /// Returns the error at this place. Of the cause, whose text may repeat a value, only the name of
    /// a missing member is kept.
    fn new(path: &serde_path_to_error::Path, cause: &serde_json::Error) -> Self {
        let mut member = path.to_string();
        let cause = cause.to_string();
        let missing = cause.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        match missing {
            Some(missing) if member == "." => member = missing.to_owned(),
            Some(missing) => member = format!("{member}.{missing}"),
            None if member == "." => return Self::default(),
            None => {}
        }
        Self { member: Some(member.into()), is_missing: missing.is_some() }
    }

    /// Returns the path of the member that is missing or does not fit, such as `metadata.role`; `None`
    /// if it is the whole.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }
}

impl fmt::Display for CustomClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.member() {
            Some(member) if self.is_missing => {
                write!(f, "the type needs the claim `{member}`, which the token does not have")
            }
            Some(member) => write!(f, "the token's claim `{member}` does not fit the type"),
            None => f.write_str("the token's claims do not fit the type"),
        }
    }
}

impl std::error::Error for CustomClaimsError {}
