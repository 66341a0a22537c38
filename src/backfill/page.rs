//! The decoding of a page of a list. Pure; unreadable records are skipped and counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ids::MAX_ID_BYTES;
use crate::webhook::{Listed, ListedRecord, listed_id};

/// A page of Clerk's list.
#[derive(Debug)]
pub(super) struct Page<T> {
    /// The records, each once.
    pub(super) records: Vec<T>,
    /// The number of records that were skipped because they have no usable id.
    pub(super) unreadable: u64,
    /// The number of records in the list, readable or not.
    pub(super) listed: usize,
    /// The last record from which the next page can begin, readable or not.
    pub(super) last: Option<Last>,
    /// The number of records on all pages, if the answer has it.
    pub(super) total: Option<u64>,
    /// The time at which Clerk listed them, by Clerk's clock, if it is known.
    pub(super) listed_at: Option<SystemTime>,
}

/// The last record of a page, as it was sent.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) id: String,
    /// The time of creation, in milliseconds since 1970.
    pub(super) created_at: Option<i64>,
}

/// Decodes a page that was listed at an unknown time; `None` if it is not a list. `latest` is the latest plausible time, in
/// milliseconds since 1970.
pub(super) fn decode<T: ListedRecord>(body: &[u8], latest: i64) -> Option<Page<T>> {
    let List { data, total_count } = list(body)?;
    let listed = data.len();
    let mut page = Page {
        records: Vec::with_capacity(listed),
        unreadable: 0,
        listed,
        last: None,
        total: total_count.and_then(|total| serde_json::from_str(total.get()).ok()),
        listed_at: None,
    };
    let mut places: HashMap<String, usize> = HashMap::with_capacity(listed);
    for raw in data {
        let Listed { id, created_at, record } = Listed::<T>::read(raw, latest);
        if let Some(id) = id.filter(|id| is_cursor(id)) {
            page.last = Some(Last { id, created_at });
        }
        let Some(record) = record else {
            page.unreadable += 1;
            continue;
        };
        match places.entry(record.key().to_owned()) {
            Entry::Vacant(place) => {
                place.insert(page.records.len());
                page.records.push(record);
            }
            Entry::Occupied(place) => match page.records.get_mut(*place.get()) {
                Some(known) if known.updated_at() < record.updated_at() => *known = record,
                _ => {}
            },
        }
    }
    Some(page)
}

/// Returns the ids of a list's records, readable or not, in their order: `None` for one without an id
/// that can be looked for. Returns `None` if it is not a list.
pub(super) fn places(body: &[u8]) -> Option<Vec<Option<String>>> {
    let List { data, .. } = list(body)?;
    Some(data.into_iter().map(|raw| listed_id(raw).filter(|id| is_cursor(id))).collect())
}

/// Returns the ids of a list's records; `None` if it is not a list.
pub(super) fn ids(body: &[u8]) -> Option<Vec<String>> {
    let List { data, .. } = list(body)?;
    Some(data.into_iter().filter_map(listed_id).collect())
}

/// A list in an answer of Clerk's: a bare array, or one in an envelope.
#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(borrow)]
    total_count: Option<&'a RawValue>,
}

fn list(body: &[u8]) -> Option<List<'_>> {
    match serde_json::from_slice(body) {
        Ok(data) => Some(List { data, total_count: None }),
        // Every array is a bare list, so this can only be an object.
        Err(_) => serde_json::from_slice(body).ok(),
    }
}

/// Returns whether a page can begin after this id, and a target can store it.
fn is_cursor(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::webhook::User;

    fn page(body: &Value) -> Page<User> {
        decode(body.to_string().as_bytes(), 1000).unwrap()
    }

    #[test]
    fn a_list_is_bare_or_in_an_envelope_and_nothing_else() {
        let users = json!([{ "id": "user_1", "created_at": 1, "updated_at": 2 }]);
        let bare = page(&users);
        assert_eq!((bare.records.len(), bare.total), (1, None));
        let wrapped = page(&json!({ "data": users, "total_count": 7, "novel": null }));
        assert_eq!((wrapped.records.len(), wrapped.total), (1, Some(7)));
        let odd = page(&json!({ "data": users, "total_count": "seven" }));
        assert_eq!((odd.records.len(), odd.total), (1, None));
        for bad in ["", "null", "{}", "{\"data\":{}}", "[[], 1]x", "\"[]\"", "<html>", "[[[]], 7"] {
            assert!(decode::<User>(bad.as_bytes(), 0).is_none(), "{bad}");
            assert!(ids(bad.as_bytes()).is_none(), "{bad}");
        }
        assert_eq!(page(&json!([[], 7])).unreadable, 2);
    }

    #[test]
    fn who_cannot_be_read_is_counted_and_may_still_be_the_last() {
        let page = page(&json!([
            { "id": "user_1", "created_at": 1, "updated_at": 2 },
            { "id": "user-2", "created_at": 5 },
            { "id": 3, "created_at": 6 },
            null,
            "user_4",
            { "id": "" },
            { "id": "user 6" },
        ]));
        assert_eq!(page.records.len(), 1);
        assert_eq!((page.unreadable, page.listed), (6, 7));
        let last = page.last.unwrap();
        assert_eq!((&*last.id, last.created_at), ("user-2", Some(5)));
    }

    #[test]
    fn nobody_is_in_a_page_twice_and_the_newer_state_counts() {
        let state = |updated_at: i64| json!({ "id": "user_1", "updated_at": updated_at });
        for order in [[1, 3, 2], [3, 2, 1], [1, 2, 3]] {
            let page = page(&json!(order.map(state)));
            assert_eq!(page.records.len(), 1);
            assert_eq!(page.records[0].updated_at, 3);
        }
    }

    #[test]
    fn a_state_from_the_far_future_or_without_a_time_does_not_win_for_ever() {
        let page = page(&json!([
            { "id": "user_1", "created_at": 1, "updated_at": 9_999_999_999_999_i64 },
            { "id": "user_2" },
        ]));
        let versions: Vec<i64> = page.records.iter().map(|user| user.updated_at).collect();
        assert_eq!(versions, [1000, 1]);
    }
}
