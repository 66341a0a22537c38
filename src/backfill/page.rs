//! The decoding of a page of users. Pure; unreadable users are skipped and counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ids::{MAX_ID_BYTES, UserId};
use crate::webhook::{ListedUser, User};

/// A page of Clerk's list.
#[derive(Debug)]
pub(super) struct Page {
    /// The users, each once.
    pub(super) users: Vec<User>,
    /// The number of users who were skipped because they have no usable id.
    pub(super) unreadable: u64,
    /// The number of users in the list, readable or not.
    pub(super) listed: usize,
    /// The last user from whom the next page can begin, readable or not.
    pub(super) last: Option<Last>,
    /// The number of users on all pages, if the answer has it.
    pub(super) total: Option<u64>,
}

/// The last user of a page, as it was sent.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) id: String,
    /// The time of creation, in milliseconds since 1970.
    pub(super) created_at: Option<i64>,
}

/// Decodes a page; `None` if it is not a list. `latest` is the latest plausible time, in
/// milliseconds since 1970.
pub(super) fn decode(body: &[u8], latest: i64) -> Option<Page> {
    let UserList { data, total_count } = list(body)?;
    let listed = data.len();
    let mut page = Page {
        users: Vec::with_capacity(listed),
        unreadable: 0,
        listed,
        last: None,
        total: total_count.and_then(|total| serde_json::from_str(total.get()).ok()),
    };
    let mut places: HashMap<UserId, usize> = HashMap::with_capacity(listed);
    for raw in data {
        let ListedUser { id, created_at, user } = ListedUser::read(raw, latest);
        if let Some(id) = id.filter(|id| is_cursor(id)) {
            page.last = Some(Last { id, created_at });
        }
        let Some(user) = user else {
            page.unreadable += 1;
            continue;
        };
        match places.entry(user.id.clone()) {
            Entry::Vacant(place) => {
                place.insert(page.users.len());
                page.users.push(user);
            }
            Entry::Occupied(place) => match page.users.get_mut(*place.get()) {
                Some(known) if known.updated_at < user.updated_at => *known = user,
                _ => {}
            },
        }
    }
    Some(page)
}

/// Returns the ids of a list's users; `None` if it is not a list.
pub(super) fn ids(body: &[u8]) -> Option<Vec<String>> {
    let UserList { data, .. } = list(body)?;
    Some(data.into_iter().filter_map(|raw| ListedUser::read(raw, 0).id).collect())
}

/// A list in an answer of Clerk's: a bare array, or one in an envelope.
#[derive(Deserialize)]
struct UserList<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(borrow)]
    total_count: Option<&'a RawValue>,
}

fn list(body: &[u8]) -> Option<UserList<'_>> {
    match serde_json::from_slice(body) {
        Ok(data) => Some(UserList { data, total_count: None }),
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

    fn page(body: &Value) -> Page {
        decode(body.to_string().as_bytes(), 1000).unwrap()
    }

    #[test]
    fn a_list_is_bare_or_in_an_envelope_and_nothing_else() {
        let users = json!([{ "id": "user_1", "created_at": 1, "updated_at": 2 }]);
        let bare = page(&users);
        assert_eq!((bare.users.len(), bare.total), (1, None));
        let wrapped = page(&json!({ "data": users, "total_count": 7, "novel": null }));
        assert_eq!((wrapped.users.len(), wrapped.total), (1, Some(7)));
        let odd = page(&json!({ "data": users, "total_count": "seven" }));
        assert_eq!((odd.users.len(), odd.total), (1, None));
        for bad in ["", "null", "{}", "{\"data\":{}}", "[[], 1]x", "\"[]\"", "<html>", "[[[]], 7"] {
            assert!(decode(bad.as_bytes(), 0).is_none(), "{bad}");
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
        assert_eq!(page.users.len(), 1);
        assert_eq!((page.unreadable, page.listed), (6, 7));
        let last = page.last.unwrap();
        assert_eq!((&*last.id, last.created_at), ("user-2", Some(5)));
    }

    #[test]
    fn nobody_is_in_a_page_twice_and_the_newer_state_counts() {
        let state = |updated_at: i64| json!({ "id": "user_1", "updated_at": updated_at });
        for order in [[1, 3, 2], [3, 2, 1], [1, 2, 3]] {
            let page = page(&json!(order.map(state)));
            assert_eq!(page.users.len(), 1);
            assert_eq!(page.users[0].updated_at, 3);
        }
    }

    #[test]
    fn a_state_from_the_far_future_or_without_a_time_does_not_win_for_ever() {
        let page = page(&json!([
            { "id": "user_1", "created_at": 1, "updated_at": 9_999_999_999_999_i64 },
            { "id": "user_2" },
        ]));
        let versions: Vec<i64> = page.users.iter().map(|user| user.updated_at).collect();
        assert_eq!(versions, [1000, 1]);
    }
}
