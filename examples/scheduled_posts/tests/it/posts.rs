//! The order, bounds and pages of the list; valid posts; valid changes.

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::support::{Api, World, on_every_backend};

async fn pages_walk_equal_times_without_gap_or_repeat(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "pages@example.com").await;
    let account = api.account("@pages").await;
    for n in 0..7 {
        // Three times only; with and without a fraction, which text would order wrongly.
        let at = ["2030-01-01T00:00:00.5Z", "2030-01-01T00:00:00Z", "2029-12-31T23:00:00-01:00"];
        api.scheduled(&account, &format!("post {n}"), at[n % 3]).await;
    }
    let whole = api.get("/api/scheduled-posts").await.json();
    let all = ids(&whole);
    assert_eq!((all.len(), &whole["next_cursor"]), (7, &Value::Null));
    let mut keys: Vec<(String, String)> = posts(&whole)
        .map(|post| (text(&post["scheduled_at"]).replace("00Z", "00.0Z"), text(&post["id"])))
        .collect();
    let found = keys.clone();
    keys.sort_unstable();
    assert_eq!(found, keys);

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/api/scheduled-posts?limit=2&cursor={cursor}")).await.json();
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let exact = api.get("/api/scheduled-posts?limit=7").await.json();
    assert_eq!(exact["next_cursor"], Value::Null);
}

async fn bounds_are_inclusive(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "bounds@example.com").await;
    let account = api.account("@bounds").await;
    for at in [
        "2030-01-01T23:59:59.999Z",
        "2030-01-02T00:00:00Z",
        "2030-01-02T12:00:00Z",
        "2030-01-02T23:59:59.999Z",
        "2030-01-03T00:00:00Z",
    ] {
        api.scheduled(&account, at, at).await;
    }
    for (query, found) in [
        ("start_date=2030-01-02&end_date=2030-01-02", 1..4),
        ("start_date=2030-01-02T00:00:00Z", 1..5),
        ("end_date=2030-01-02T00:00:00Z", 0..2),
        ("start_date=2030-01-02T12:00:00Z&end_date=2030-01-02T12:00:00Z", 2..3),
        ("start_date=2030-01-02T14:00:00%2B02:00&end_date=2030-01-02T12:00:00.000Z", 2..3),
        ("start_date=2030-01-02T00:00:00.0001Z", 2..5),
        ("end_date=2030-01-02T23:59:59.998Z", 0..3),
        ("end_date=2030-01-02T23:59:59.9999Z", 0..4),
        ("start_date=2030-01-03&end_date=2030-01-01", 0..0),
        ("start_date=&end_date=&limit=&cursor=", 0..5),
    ] {
        let list = api.get(&format!("/api/scheduled-posts?{query}")).await.json();
        let all = api.get("/api/scheduled-posts").await.json();
        assert_eq!(ids(&list), ids(&all)[found], "{query}");
    }
    for bad in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=1e3",
        "limit=%2B5",
        "limit=99999999999999999999",
        "cursor=x",
        "cursor=%27%20OR%201=1",
        "start_date=2030-13-01",
        "end_date=now",
        "end_date=2030-%201-%202",
        "start_date=2030-01-02T00:00:00%E2%88%9201:00",
        "start_date=2030-01-02T14:00:00",
        "limit=1&limit=2",
        "start_date=%ff",
    ] {
        let refused = api.get(&format!("/api/scheduled-posts?{bad}")).await;
        assert_eq!(refused.status, 422, "{bad}: {refused:?}");
        assert!(refused.json()["detail"].is_string());
    }
}

async fn fault_c10_a_bound_that_is_out_of_range_is_told_as_such(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "range@example.com").await;
    for query in ["start_date=1969-12-31", "end_date=1969-12-31T23:59:59Z"] {
        let refused = api.get(&format!("/api/scheduled-posts?{query}")).await;
        let name = query.split('=').next().unwrap();
        refused.is_error(422, &format!("{name} must be from 1970 to 9999, UTC"));
    }
    let account = api.account("@range").await;
    let post = json!({
        "x_account_id": account, "content": "x", "scheduled_at": "1969-12-31T23:59:59Z",
    });
    let refused = api.post("/api/scheduled-posts", &post).await;
    refused.is_error(422, "scheduled_at must be from 1970 to 9999, UTC");
}

/// As after a clock that went wrong was set right.
async fn fault_c22_a_change_is_never_older_than_what_it_changes(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "clock@example.com").await;
    let account = api.account("@clock").await;
    let id = api.scheduled(&account, "from the future", "2030-01-01T00:00:00Z").await;
    let future = "2031-02-03T04:05:06";
    let (db, set) = (world.database().await, "UPDATE scheduled_posts SET");
    let sqlite = db.get_database_backend() == sea_orm::DbBackend::Sqlite;
    let shown = if sqlite { format!("{future}+00:00") } else { future.replace('T', " ") };
    let zone = if db.get_database_backend() == sea_orm::DbBackend::Postgres { "Z" } else { "" };
    let sql = format!("{set} created_at = '{shown}{zone}', updated_at = '{shown}{zone}'");
    db.execute_unprepared(&sql).await.unwrap();
    let path = format!("/api/scheduled-posts/{id}");
    let changed = api.put(&path, &json!({ "content": "changed" })).await.json();
    assert_eq!(changed["content"], "changed");
    assert_eq!(changed["created_at"], format!("{future}Z"));
    assert_eq!(changed["updated_at"], changed["created_at"]);
    let sql = sql.replace("2031", "2021");
    db.execute_unprepared(&sql).await.unwrap();
    let changed = api.put(&path, &json!({ "content": "again" })).await.json();
    assert!(text(&changed["updated_at"]) > text(&changed["created_at"]), "{changed}");
}

/// Rows from before there was a limit are seen and can be deleted too.
async fn fault_c21_every_account_is_on_a_page_and_their_number_is_limited(world: World) {
    let _server = world.serve().await;
    let (id, api) = world.clerk().user(&world.api(), "many@example.com").await;
    let (_, other) = world.clerk().user(&world.api(), "other@example.com").await;
    other.account("@other").await;
    let first = api.account("@first").await;
    let db = world.database().await;
    // Many at one time, as an import makes them.
    let mut rows = Vec::new();
    for n in 1..1003 {
        let uuid = uuid::Uuid::from_u128(n);
        let uuid = match db.get_database_backend() {
            sea_orm::DbBackend::Postgres => format!("'{uuid}'"),
            _ => format!("X'{}'", uuid.simple()),
        };
        let at = match db.get_database_backend() {
            sea_orm::DbBackend::Sqlite => "2020-01-01T00:00:00+00:00",
            _ => "2020-01-01 00:00:00",
        };
        rows.push(format!("({uuid}, '{id}', '@{n}', '{at}')"));
    }
    let insert = "INSERT INTO x_accounts (id, user_id, handle, created_at) VALUES";
    db.execute_unprepared(&format!("{insert} {}", rows.join(", "))).await.unwrap();

    let mut seen: Vec<String> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/x-accounts?limit=400&cursor={cursor}")).await.json();
        let accounts = page["accounts"].as_array().unwrap();
        assert!(accounts.len() <= 400);
        seen.extend(accounts.iter().map(|account| text(&account["id"]).to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 1003);
    assert_eq!(seen.last(), Some(&first));
    let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), 1003);
    let usual = api.get("/api/x-accounts").await.json();
    assert_eq!(usual["accounts"].as_array().unwrap().len(), 100);
    for bad in ["limit=0", "limit=501", "cursor=x"] {
        assert_eq!(api.get(&format!("/api/x-accounts?{bad}")).await.status, 422, "{bad}");
    }

    let new = json!({ "handle": "@new" });
    let beyond = "there are at most 1000 X accounts; disconnect one first";
    api.post("/api/x-accounts", &new).await.is_error(422, beyond);
    for gone in seen.iter().rev().take(4) {
        assert_eq!(api.delete(&format!("/api/x-accounts/{gone}")).await.status, 204);
    }
    // Of several at once, one is the last.
    let (a, b, c) = tokio::join!(
        api.post("/api/x-accounts", &new),
        api.post("/api/x-accounts", &new),
        api.post("/api/x-accounts", &new),
    );
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422, 422]);
    other.account("@another").await;
}

async fn fault_c22_a_handle_can_be_seen(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "seen@example.com").await;
    for bad in [
        "\u{200b}",
        "\u{2060}\u{feff}",
        "\u{3164}",
        "\u{2800}",
        "\u{e0041}",
        "\u{ad}",
        "a\u{202e}b",
        "a\u{2028}b",
        "\u{2066}a\u{2069}",
    ] {
        let refused = api.post("/api/x-accounts", &json!({ "handle": bad })).await;
        assert_eq!(refused.status, 422, "{bad:?}: {refused:?}");
    }
    for good in ["@é", "@\u{10348}", "\u{1f600}", "@العربية"] {
        api.account(good).await;
    }
}

async fn what_a_post_may_be(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "rules@example.com").await;
    let account = api.account("@rules").await;
    let good = json!({
        "x_account_id": account, "content": "🎉".repeat(280), "scheduled_at": "2030-01-01T00:00:00Z",
    });
    assert_eq!(api.post("/api/scheduled-posts", &good).await.status, 201);
    for (member, value) in [
        ("content", json!("")),
        ("content", json!("🎉".repeat(281))),
        ("content", json!("a\0b")),
        ("content", json!(1)),
        ("content", Value::Null),
        ("scheduled_at", json!("2030-01-01")),
        ("scheduled_at", json!("2030-01-01T00:00:00")),
        ("scheduled_at", json!("10000-01-01T00:00:00Z")),
        ("scheduled_at", json!("0001-01-01T00:00:00Z")),
        ("scheduled_at", json!(1893456000)),
        ("x_account_id", json!("not-a-uuid")),
        ("x_account_id", json!(7)),
    ] {
        let mut body = good.clone();
        body[member] = value.clone();
        let refused = api.post("/api/scheduled-posts", &body).await;
        assert_eq!(refused.status, 422, "{member} {value}: {refused:?}");
        assert!(refused.json()["detail"].is_string());
    }
    for handle in ["", "a b", "a\u{0}", "a\n", &"x".repeat(51)] {
        let refused = api.post("/api/x-accounts", &json!({ "handle": handle })).await;
        assert_eq!(refused.status, 422, "{handle:?}: {refused:?}");
    }
    let strange = "'); DROP TABLE scheduled_posts;-- %_\\ \u{202e}\u{10ffff}";
    let id = api.scheduled(&account, strange, "2030-01-01T00:00:00Z").await;
    let change = api.put(&format!("/api/scheduled-posts/{id}"), &json!({})).await;
    assert_eq!(change.json()["content"], strange);
}

async fn a_change_changes_what_it_names(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "change@example.com").await;
    let account = api.account("@change").await;
    let id = api.scheduled(&account, "before", "2030-01-01T00:00:00Z").await;
    let path = format!("/api/scheduled-posts/{id}");
    let before = api.put(&path, &json!({})).await.json();

    for (change, member, value) in [
        (json!({ "content": "after" }), "content", "after"),
        (
            json!({ "scheduled_at": "2031-01-01T00:00:00+01:00" }),
            "scheduled_at",
            "2030-12-31T23:00:00Z",
        ),
        (json!({ "status": "draft" }), "status", "draft"),
        (json!({ "status": "cancelled", "content": null }), "status", "cancelled"),
        (json!({ "status": "scheduled", "id": "x", "created_at": "x" }), "status", "scheduled"),
    ] {
        let after = api.put(&path, &change).await;
        assert_eq!((after.status, &after.json()[member]), (200, &json!(value)), "{after:?}");
    }
    let after = api.put(&path, &json!({})).await.json();
    assert_eq!(after["content"], "after");
    assert_eq!((&after["id"], &after["created_at"]), (&before["id"], &before["created_at"]));
    assert!(text(&after["updated_at"]) >= text(&before["updated_at"]));
    for bad in [
        json!({ "status": "published" }),
        json!({ "status": "" }),
        json!({ "content": "" }),
        json!({ "scheduled_at": "soon" }),
        json!([]),
    ] {
        assert_eq!(api.put(&path, &bad).await.status, 422, "{bad}");
    }
    assert_eq!(api.delete(&path).await.status, 204);
    api.delete(&path).await.is_error(404, "Post not found");
    removing_an_account_removes_its_posts(&api, &account).await;
}

async fn removing_an_account_removes_its_posts(api: &Api, account: &str) {
    api.scheduled(account, "to go", "2030-01-01T00:00:00Z").await;
    assert_eq!(api.delete(&format!("/api/x-accounts/{account}")).await.status, 204);
    assert_eq!(api.get("/api/scheduled-posts").await.json()["posts"], json!([]));
}

fn posts(list: &Value) -> impl Iterator<Item = &Value> {
    list["posts"].as_array().unwrap().iter()
}

fn ids(list: &Value) -> Vec<String> {
    posts(list).map(|post| text(&post["id"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

on_every_backend!(
    fault_c10_a_bound_that_is_out_of_range_is_told_as_such,
    fault_c22_a_change_is_never_older_than_what_it_changes,
    fault_c21_every_account_is_on_a_page_and_their_number_is_limited,
    fault_c22_a_handle_can_be_seen,
    pages_walk_equal_times_without_gap_or_repeat,
    bounds_are_inclusive,
    what_a_post_may_be,
    a_change_changes_what_it_names,
);
