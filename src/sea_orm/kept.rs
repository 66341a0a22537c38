//! Whether a row has the values that a state would put there, by the texts of its columns. Opens nothing.

use ::sea_orm::Value;
use ::sea_orm::sea_query::DynIden;

/// Returns the columns that can be compared: those of texts, whole numbers, yes or no, and JSON. A value of
/// another kind has no text that is the same in all databases.
pub(super) fn comparable(columns: &[(DynIden, Value)]) -> impl Iterator<Item = &(DynIden, Value)> {
    columns.iter().filter(|(_, value)| {
        matches!(
            value,
            Value::Bool(_)
                | Value::TinyInt(_)
                | Value::SmallInt(_)
                | Value::Int(_)
                | Value::BigInt(_)
                | Value::TinyUnsigned(_)
                | Value::SmallUnsigned(_)
                | Value::Unsigned(_)
                | Value::BigUnsigned(_)
                | Value::String(_)
                | Value::Json(_)
        )
    })
}

/// Returns whether these texts, in the order of [`comparable`], are the values of a row.
pub(super) fn is_in(columns: &[(DynIden, Value)], texts: &[Option<String>]) -> bool {
    let values = comparable(columns).map(|(_, value)| value);
    values.zip(texts).all(|(value, text)| is_same(value, text.as_deref()))
}

fn is_same(value: &Value, text: Option<&str>) -> bool {
    let number = |value: Option<i128>| match (value, text) {
        (None, None) => true,
        (Some(value), Some(text)) => text.parse() == Ok(value),
        (None, Some(_)) | (Some(_), None) => false,
    };
    match value {
        Value::Bool(value) => matches!(
            (value, text),
            (None, None) | (Some(true), Some("1" | "true")) | (Some(false), Some("0" | "false"))
        ),
        Value::TinyInt(value) => number(value.map(Into::into)),
        Value::SmallInt(value) => number(value.map(Into::into)),
        Value::Int(value) => number(value.map(Into::into)),
        Value::BigInt(value) => number(value.map(Into::into)),
        Value::TinyUnsigned(value) => number(value.map(Into::into)),
        Value::SmallUnsigned(value) => number(value.map(Into::into)),
        Value::Unsigned(value) => number(value.map(Into::into)),
        Value::BigUnsigned(value) => number(value.map(Into::into)),
        Value::String(value) => value.as_deref() == text,
        Value::Json(value) => {
            let stored = text.map(serde_json::from_str::<serde_json::Value>);
            match (value, stored) {
                (Some(value), Some(Ok(stored))) => **value == stored,
                (None, None) => true,
                _ => false,
            }
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use ::sea_orm::sea_query::IntoIden as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_the_same_as_its_text_in_each_database_and_no_other() {
        let null = || Value::String(None);
        let same: [(Value, Option<&str>); 12] = [
            ("a".into(), Some("a")),
            (null(), None),
            ("".into(), Some("")),
            (true.into(), Some("true")),
            (true.into(), Some("1")),
            (false.into(), Some("false")),
            (false.into(), Some("0")),
            (7_i32.into(), Some("7")),
            ((-7_i64).into(), Some("-7")),
            (u64::MAX.into(), Some("18446744073709551615")),
            (json!({ "a": [1, null], "b": {} }).into(), Some(r#"{"b": {},"a":[1, null]}"#)),
            (Value::Bool(None), None),
        ];
        for (value, text) in same {
            assert!(is_same(&value, text), "{value:?} {text:?}");
        }
        let other: [(Value, Option<&str>); 12] = [
            ("a".into(), Some("A")),
            ("a".into(), None),
            (null(), Some("")),
            (true.into(), Some("0")),
            (true.into(), None),
            (false.into(), Some("2")),
            (Value::Bool(None), Some("t")),
            (Value::Int(None), Some("seven")),
            (7_i32.into(), Some("8")),
            (7_i32.into(), None),
            (json!({ "a": 1 }).into(), Some(r#"{"a": 2}"#)),
            (json!(null).into(), None),
        ];
        for (value, text) in other {
            assert!(!is_same(&value, text), "{value:?} {text:?}");
        }
    }

    #[test]
    fn columns_of_other_kinds_are_not_compared() {
        let column = |name: &'static str, value: Value| (name.into_iden(), value);
        let columns =
            [column("a", "x".into()), column("b", 1.5_f64.into()), column("c", 7_i32.into())];
        let texts = ["x", "7"].map(|text| Some(text.to_owned()));
        assert!(is_in(&columns, &texts));
        assert!(!is_in(&columns, &["x", "1.5"].map(|text| Some(text.to_owned()))));
    }
}
