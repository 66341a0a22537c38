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

/// Returns the schema of a cursor, which is opaque to clients.
pub(crate) fn cursor() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^([A-Za-z0-9_-]{32})?$"))
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

const YEARS: &str = "^(19[7-9]|[2-9][0-9]{2})[0-9]-";
