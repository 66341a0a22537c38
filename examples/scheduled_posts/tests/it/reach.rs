//! Cursors from other users' lists, members that clients cannot set, SQL, and invalid ids.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Api, Random, World, answer, on_every_backend};

const POSTS: &str = "/api/scheduled-posts";
const ACCOUNTS: &str = "/api/x-accounts";

async fn f4_no_list_and_no_cursor_shows_what_is_another_users(world: World) {
    let _server = world.serve().await;
    let mut random = Random::new();
    let clerk = world.clerk();
    let mut users: Vec<(Api, Vec<String>)> = Vec::new();
    for n in 0..3 {
        let (_, api) = clerk.user(&world.api(), &format!("list{n}@example.com")).await;
        let account = api.account(&format!("@list{n}")).await;
        let mut own = Vec::new();
        for _ in 0..12 {
            // Few instants, so that users share them and pages end among equal ones.
            let at = format!("2030-01-0{}T00:00:00Z", 1 + random.below(4));
            own.push(api.scheduled(&account, &format!("of user {n}"), &at).await);
        }
        users.push((api, own));
    }
    let mut cursors = Vec::new();
    for (api, own) in &users {
        let (seen, found) = walk(api, "", 1 + random.below(5)).await;
        assert_eq!(seen.len(), own.len());
        assert_eq!(HashSet::<&String>::from_iter(&seen), own.iter().collect());
        cursors.extend(found);
    }
    for _ in 0..60 {
        let (api, own) = &users[random.below(users.len())];
        let mut cursor = URL_SAFE_NO_PAD.decode(&cursors[random.below(cursors.len())]).unwrap();
        if random.below(2) == 0 {
            let place = random.below(cursor.len());
            cursor[place] ^= u8::try_from(1 + random.below(255)).unwrap();
        }
        let cursor = URL_SAFE_NO_PAD.encode(cursor);
        let bounds = ["", "&start_date=2030-01-02", "&end_date=2030-01-03&user_id=x"];
        let query = format!("&cursor={cursor}{}", bounds[random.below(bounds.len())]);
        let list = api.get(&format!("{POSTS}?limit=500{query}")).await;
        assert_eq!(list.status, 200, "{query}: {list:?}");
        for id in ids(&list.json()) {
            assert!(own.contains(&id), "{query} shows {id}");
        }
    }
    let (api, own) = &users[0];
    for bad in [
        "limit=-1",
        "limit=0",
        "limit=501",
        "limit=1000000000",
        "limit=9223372036854775808",
        "limit=1;limit=2",
        "cursor=-1",
        "cursor=null",
        "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "cursor=%00%00",
    ] {
        let refused = api.get(&format!("{POSTS}?{bad}")).await;
        assert_eq!(refused.status, 422, "{bad}: {refused:?}");
    }
    for ignored in ["offset=9223372036854775808", "offset=-1", "page=2", "all=true", "count=true"] {
        let list = api.get(&format!("{POSTS}?{ignored}")).await.json();
        assert_eq!(ids(&list).len(), own.len(), "{ignored}");
        assert_eq!(list.as_object().unwrap().len(), 2, "{list}");
    }
    for path in ["search", "count", "export", "all"] {
        // An id that is none of anybody's, for which there is no GET.
        let found = api.get(&format!("{POSTS}/{path}")).await;
        assert_eq!(found.status, 405, "{path}: {found:?}");
    }
}

/// All ids in order, and the cursors on the way.
async fn walk(api: &Api, query: &str, limit: usize) -> (Vec<String>, Vec<String>) {
    let (mut seen, mut cursors) = (Vec::new(), Vec::new());
    loop {
        let cursor = cursors.last().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = api.get(&format!("{POSTS}?limit={limit}{query}{cursor}")).await.json();
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursors.push(next.to_owned()),
            None => return (seen, cursors),
        }
    }
}

async fn f5_what_only_the_server_sets_cannot_be_set_by_a_client(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (_, api) = clerk.user(&world.api(), "mass@example.com").await;
    let (victim, other) = clerk.user(&world.api(), "victim@example.com").await;
    let (account, second) = (api.account("@mass").await, api.account("@second").await);
    let foreign = "11111111-1111-4111-8111-111111111111";
    let extra = json!({
        "id": foreign, "user_id": victim, "created_at": "2001-01-01T00:00:00Z",
        "updated_at": "2001-01-01T00:00:00Z", "published_at": "2001-01-01T00:00:00Z",
        "version": 99, "deleted": true, "sub": victim, "__proto__": { "status": "published" },
    });
    let with = |mut body: Value| {
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let body = with(json!({
        "x_account_id": account, "content": "mine", "scheduled_at": "2030-01-01T00:00:00Z",
        "status": "published",
    }));
    let created = api.post(POSTS, &body).await;
    assert_eq!(created.status, 201, "{created:?}");
    let post = created.json();
    assert_eq!(post["status"], "scheduled");
    let path = format!("{POSTS}/{}", post["id"].as_str().unwrap());
    let change = with(json!({ "content": "changed", "x_account_id": second }));
    let changed = api.put(&path, &change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let refused = api.put(&path, &with(json!({ "status": "published" }))).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let handle = api.post(ACCOUNTS, &with(json!({ "handle": "@third" }))).await.json();

    for (found, before) in [(&changed.json(), &post), (&handle, &handle)] {
        assert_ne!(found["id"], foreign, "{found}");
        for member in ["created_at", "updated_at"] {
            assert!(!found[member].to_string().contains("2001"), "{found}");
        }
        for member in ["published_at", "version", "deleted", "user_id", "sub", "__proto__"] {
            assert_eq!(found[member], Value::Null, "{found}");
        }
        assert_eq!((&found["id"], &found["created_at"]), (&before["id"], &before["created_at"]));
    }
    let kept = &api.get(POSTS).await.json()["posts"][0];
    assert_eq!((&kept["x_account_id"], &kept["content"]), (&json!(account), &json!("changed")));
    assert_eq!(other.get(POSTS).await.json()["posts"], json!([]));
    assert_eq!(other.get(ACCOUNTS).await.json()["accounts"], json!([]));
}

async fn f6_sql_in_a_value_is_a_value(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (_, api) = clerk.user(&world.api(), "sql@example.com").await;
    let (_, other) = clerk.user(&world.api(), "bystander@example.com").await;
    let others = other.account("@bystander").await;
    other.scheduled(&others, "untouched", "2030-01-01T00:00:00Z").await;
    let account = api.account("@sql").await;
    let texts = [
        "'; DROP TABLE scheduled_posts; --",
        "1 OR 1=1",
        "' OR '1'='1",
        "\" OR \"\"=\"",
        "'); DELETE FROM users; --",
        "admin'--",
        "' UNION SELECT id, email, created_at FROM users --",
        "\\'; DROP TABLE users; --",
        "$1 $2 :x ?1 ?",
        "%_\\%",
        "/*!50000 DROP TABLE users*/",
        "';SELECT pg_sleep(30);--",
        "\u{2019}; DROP TABLE users;--",
    ];
    for text in texts {
        let id = api.scheduled(&account, text, "2030-01-01T00:00:00Z").await;
        let kept = api.put(&format!("{POSTS}/{id}"), &json!({ "content": text })).await.json();
        assert_eq!(kept["content"], text);
        let handle: String = text.replace(' ', "/**/").chars().take(50).collect();
        let made = api.post(ACCOUNTS, &json!({ "handle": handle })).await;
        assert_eq!((made.status, &made.json()["handle"]), (201, &json!(handle)), "{made:?}");

        let query = |name| answer(api.request("GET", POSTS).query(&[(name, text)]));
        for name in ["start_date", "end_date", "limit", "cursor"] {
            let refused = query(name).await;
            assert_eq!(refused.status, 422, "{name}={text}: {refused:?}");
        }
        for name in ["sort", "order", "order_by", "filter", "q", "user_id", "fields"] {
            let list = query(name).await.json();
            let contents = list["posts"].as_array().unwrap().iter().map(|post| &post["content"]);
            assert!(contents.into_iter().all(|content| content != "untouched"), "{name}={text}");
        }
        let status = api.put(&format!("{POSTS}/{id}"), &json!({ "status": text })).await;
        assert_eq!(status.status, 422, "{status:?}");
        let path = format!("{POSTS}/{}", escaped(text));
        api.delete(&path).await.is_error(404, "Post not found");
    }
    let posts = i64::try_from(texts.len()).unwrap() + 1;
    assert_eq!((world.count("scheduled_posts").await, world.count("users").await), (posts, 2));
    assert_eq!(other.get(POSTS).await.json()["posts"][0]["content"], "untouched");
}

async fn f7_an_id_that_is_none_is_not_found(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "ids@example.com").await;
    let account = api.account("@ids").await;
    let post = api.scheduled(&account, "stays", "2030-01-01T00:00:00Z").await;
    let simple = post.replace('-', "");
    let ids = [
        "-1".to_owned(),
        "0".to_owned(),
        "1".to_owned(),
        "9223372036854775808".to_owned(),
        "1e9".to_owned(),
        "null".to_owned(),
        "%00".to_owned(),
        "%ff%fe".to_owned(),
        "..%2f..%2fme".to_owned(),
        format!("{post}%2F"),
        format!("{post}%20"),
        format!("{post}%00"),
        format!("{post};x=1"),
        format!("%7B{post}%7D"),
        format!("urn:uuid:{post}"),
        simple.clone(),
        post.chars().rev().collect(),
        "x".repeat(4000),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
    ];
    for id in &ids {
        let path = format!("{POSTS}/{id}");
        api.put(&path, &json!({ "content": "x" })).await.is_error(404, "Post not found");
        api.delete(&path).await.is_error(404, "Post not found");
        api.delete(&format!("{ACCOUNTS}/{id}")).await.is_error(404, "X account not found");
    }
    // Two segments are another path.
    api.delete(&format!("{POSTS}/{post}/x")).await.is_error(404, "Not found");
    for id in [json!(-1), json!(0), json!(1e300), json!(""), json!("x".repeat(4000)), json!([post])]
    {
        let body = json!({
            "x_account_id": id, "content": "x", "scheduled_at": "2030-01-01T00:00:00Z",
        });
        let refused = api.post(POSTS, &body).await;
        assert_eq!(refused.status, 422, "{id}: {refused:?}");
    }
    let path = format!("{POSTS}/{}", post.to_uppercase());
    assert_eq!(api.put(&path, &json!({})).await.json()["content"], "stays");
}

fn ids(list: &Value) -> Vec<String> {
    let posts = list["posts"].as_array().unwrap().iter();
    posts.map(|post| post["id"].as_str().unwrap().to_owned()).collect()
}

/// As one segment of a path.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

on_every_backend!(
    f4_no_list_and_no_cursor_shows_what_is_another_users,
    f5_what_only_the_server_sets_cannot_be_set_by_a_client,
    f6_sql_in_a_value_is_a_value,
    f7_an_id_that_is_none_is_not_found,
);
