//! Schemas that no Rust type expresses. The code that reads input enforces them.

use serde_json::Value;
use utoipa::openapi::schema::{
    AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};

use crate::entities::scheduled_post::STATUSES;

/// Returns the schema of an instant: RFC 3339 with an offset, from 1970 to 9999.
pub(crate) fn instant() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .pattern(Some(YEARS))
        .description(Some("RFC 3339; fractions of a millisecond are cut off."))
}

/// Returns the schema of a bound of a list: an instant, a plain date, or nothing.
pub(crate) fn bound() -> Schema {
    let date = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
        .pattern(Some(YEARS));
    let nothing = ObjectBuilder::new().schema_type(Type::String).max_length(Some(0));
    let about =
        "RFC 3339, or a plain date: its first or its last instant, UTC. The bound is included.";
    AnyOfBuilder::new().description(Some(about)).item(date).item(instant()).item(nothing).into()
}

/// Returns the schema of the most rows of a page, or nothing.
pub(crate) fn limit() -> Schema {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(500))
        .default(Some(100.into()));
    let nothing = ObjectBuilder::new().schema_type(Type::String).max_length(Some(0));
    let about = "The most rows of a page; 100 if it is left out or empty.";
    AnyOfBuilder::new().description(Some(about)).item(number).item(nothing).into()
}

/// Returns the schema of an X account's handle.
pub(crate) fn handle() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(50))
        .pattern(Some(HANDLE))
        .examples(["@example"])
        .description(Some("Without spaces, control characters and invisible ones."))
}

/// Returns the schema of a caller's kind.
pub(crate) fn caller() -> ObjectBuilder {
    let kinds = ["session", "api_key", "m2m", "oauth"];
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds))
}

/// Returns the schema of a cursor, which is opaque to clients.
pub(crate) fn cursor() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^([A-Za-z0-9_-]{32})?$"))
        .description(Some("The `next_cursor` of the previous page."))
}

/// Returns the schema of a cursor in a list of members, which is opaque to clients too.
pub(crate) fn member_cursor() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[A-Za-z0-9_]{0,255}$"))
        .description(Some("The `next_cursor` of the previous page."))
}

pub(crate) fn status() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(STATUSES))
}

/// Returns the schema of a status in a change, which may leave it as it is.
pub(crate) fn status_change() -> ObjectBuilder {
    let values = STATUSES.map(Value::from).into_iter().chain([Value::Null]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
}

const HANDLE: &str = concat!(
    "^[^\\u0000-\\u0020\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5",
    "\\u180b-\\u180f\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164",
    "\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}",
    "\u{e0000}-\u{e0fff}]+$"
);
const YEARS: &str = "^(19[7-9]|[2-9][0-9]{2})[0-9]-";
