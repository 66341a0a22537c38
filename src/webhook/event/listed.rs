//! A record in a list of the Backend API: the same object as in an event, without an envelope.

use serde_json::value::RawValue;

use super::membership::OrganizationMembership;
use super::object::{Member, Object, text};
use super::organization::Organization;
use super::times::Times;
use super::user::User;

/// An element of a list.
pub(crate) struct Listed<T> {
    /// The id as it was sent, if it is a string.
    pub(crate) id: Option<String>,
    /// `created_at` as it was sent, in milliseconds since 1970.
    pub(crate) created_at: Option<i64>,
    /// The record, unless there is no usable id.
    pub(crate) record: Option<T>,
}

impl<T: ListedRecord> Listed<T> {
    /// Reads an element. `latest` is the latest plausible time, in milliseconds since 1970.
    pub(crate) fn read(raw: &RawValue, latest: i64) -> Self {
        let Some(object) = Object::parse(raw) else {
            return Self { id: None, created_at: None, record: None };
        };
        Self {
            id: object.get("id").and_then(text),
            created_at: object.millis("created_at"),
            record: T::parse(raw, latest),
        }
    }
}

/// Returns the id of an element as it was sent, if it is a string.
pub(crate) fn listed_id(raw: &RawValue) -> Option<String> {
    Object::parse(raw)?.get("id").and_then(text)
}

/// A type of the elements of a list.
pub(crate) trait ListedRecord: Sized {
    /// Reads one; `None` if it has no usable id.
    fn parse(raw: &RawValue, latest: i64) -> Option<Self>;

    fn key(&self) -> &str;

    fn updated_at(&self) -> i64;
}

macro_rules! listed {
    ($($record:ty),*) => {
        $(impl ListedRecord for $record {
            fn parse(raw: &RawValue, latest: i64) -> Option<Self> {
                // A state without a time is older than every state with one.
                Self::read(raw, Times { latest, occurred: None, sent: 1 })
            }

            fn key(&self) -> &str {
                &self.id
            }

            fn updated_at(&self) -> i64 {
                self.updated_at
            }
        })*
    };
}

listed!(Organization, OrganizationMembership, User);
