//! The columns of a record's row: what each holds, and how its value comes from the record. The
//! entities list theirs, so that a column's name stands in one file.

use std::fmt;
use std::sync::Arc;

use ::sea_orm::Value;
use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::sea_query::{DynIden, IntoIden};

use super::dialect::Dialect;
use crate::ids::{Id, UserId};

/// A column by the name that it has in the table.
pub(super) struct Column<R> {
    pub(super) name: DynIden,
    pub(super) content: Content<R>,
}

/// The contents of a column, each with what computes a value from a record.
pub(super) enum Content<R> {
    /// Yes, no, or not known.
    Flag(fn(&R) -> Option<bool>),
    /// An id that every row has.
    Id(fn(&R) -> &str),
    /// An id that no decision depends on.
    OptionalId(fn(&R) -> Option<&str>),
    /// A value of the application.
    Own(Arc<dyn Fn(&R) -> Value + Send + Sync>),
    Text(fn(&R) -> Option<&str>),
    /// A time in milliseconds since 1970, which every row has.
    Time(fn(&R) -> i64),
}

impl<R> Column<R> {
    pub(super) fn new(name: impl IntoIden, content: Content<R>) -> Self {
        Self { name: name.into_iden(), content }
    }

    /// Returns whether a row may lack a value. Of an application's column this is not known.
    pub(super) fn may_be_null(&self) -> bool {
        match self.content {
            Content::Flag(_) | Content::OptionalId(_) | Content::Own(_) | Content::Text(_) => true,
            Content::Id(_) | Content::Time(_) => false,
        }
    }

    /// Returns the value to be bound for a record.
    pub(super) fn value(&self, record: &R, dialect: Dialect) -> Value {
        match &self.content {
            Content::Flag(flag) => flag(record).into(),
            Content::Id(id) => id(record).into(),
            // Another text may be longer than the column.
            Content::OptionalId(id) => id(record).filter(|id| Id::is(id)).map(str::to_owned).into(),
            Content::Own(own) => dialect.bound(clean(own(record))),
            Content::Text(text) => clean(text(record).map(str::to_owned).into()),
            Content::Time(millis) => time(millis(record), dialect),
        }
    }
}

impl<R> Clone for Column<R> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), content: self.content.clone() }
    }
}

impl<R> Clone for Content<R> {
    fn clone(&self) -> Self {
        match self {
            Self::Flag(flag) => Self::Flag(*flag),
            Self::Id(id) => Self::Id(*id),
            Self::OptionalId(id) => Self::OptionalId(*id),
            Self::Own(own) => Self::Own(Arc::clone(own)),
            Self::Text(text) => Self::Text(*text),
            Self::Time(millis) => Self::Time(*millis),
        }
    }
}

impl<R> fmt::Debug for Column<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A key of the application's own, beside Clerk's id, and what makes one for a new row.
#[derive(Clone)]
pub(super) struct OwnKey {
    pub(super) name: DynIden,
    pub(super) make: Arc<dyn Fn(&UserId) -> Value + Send + Sync>,
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Removes U+0000 from a text, the only character that PostgreSQL's texts cannot hold.
fn clean(value: Value) -> Value {
    match value {
        Value::String(Some(text)) if text.contains('\0') => text.replace('\0', "").into(),
        value => value,
    }
}

/// Converts milliseconds since 1970 to a time.
fn time(millis: i64, dialect: Dialect) -> Value {
    dialect.time(DateTimeUtc::from_timestamp_millis(millis).unwrap_or_default())
}
