//! Invalid bodies and times, NULs, and bodies that never arrive.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Backend, World, answer, on_every_backend};

const POSTS: &str = "/api/scheduled-posts";
const ACCOUNTS: &str = "/api/x-accounts";

async fn f8_no_body_is_taken_for_what_it_is_not(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "bodies@example.com").await;
    let account = api.account("@bodies").await;
    let post = api.scheduled(&account, "as it was", "2030-01-01T00:00:00Z").await;
    let put = format!("{POSTS}/{post}");
    // Everything that any of the routes wants.
    let whole = json!({
        "handle": "a", "x_account_id": account, "content": "x", "prompt": "x",
        "scheduled_at": "2030-01-01T00:00:00Z",
    })
    .to_string();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    for (method, path, member) in [
        ("POST", ACCOUNTS, "handle"),
        ("POST", POSTS, "content"),
        ("PUT", &put, "content"),
        ("POST", "/api/scheduled-posts/generate-ai", "prompt"),
    ] {
        let send = async |body: &[u8], kind: Option<&str>| {
            // Whose body is not read to its end, its connection ends.
            let request = api.request(method, path).header("connection", "close");
            let request = request.body(body.to_vec());
            answer(match kind {
                Some(kind) => request.header("content-type", kind),
                None => request,
            })
            .await
        };
        // The member with this as its value.
        let with = |value: &[u8]| {
            let start = format!("{{\"{member}\":");
            [start.as_bytes(), value, b"}"].concat()
        };
        const JSON: Option<&str> = Some("application/json");
        for (status, body, kind) in [
            (400, Vec::new(), JSON),
            (400, b"{".to_vec(), JSON),
            (400, with(b""), JSON),
            (400, format!("{whole} {whole}").into(), JSON),
            (400, format!("{whole}x").into(), JSON),
            (400, format!("\u{feff}{whole}").into(), JSON),
            (400, b"\xff\xfe{\x00}\x00".to_vec(), JSON),
            (400, b"{'content':'x'}".to_vec(), JSON),
            (400, with(b"\"\xc3\x28\""), JSON),
            (400, with(b"\"\\ud800\""), JSON),
            (400, with(b"\"a\nb\""), JSON),
            (400, with(b"NaN"), JSON),
            (400, with(b"-Infinity"), JSON),
            (400, with(b"01"), JSON),
            (413, vec![b' '; 70_000], JSON),
            (415, whole.clone().into(), None),
            (415, whole.clone().into(), Some("text/plain")),
            (415, b"content=x".to_vec(), Some("application/x-www-form-urlencoded")),
            (415, whole.clone().into(), Some("multipart/form-data; boundary=x")),
            (422, b"null".to_vec(), JSON),
            (422, b"true".to_vec(), JSON),
            (422, b"1".to_vec(), JSON),
            (422, b"\"{}\"".to_vec(), JSON),
            (422, b"[]".to_vec(), JSON),
            (422, format!("[{whole}]").into(), JSON),
            (422, with(b"1"), JSON),
            (422, with(b"true"), JSON),
            (422, with(b"[\"x\"]"), JSON),
            (422, with(b"{\"x\":\"x\"}"), JSON),
        ] {
            let refused = send(&body, kind).await;
            let shown = String::from_utf8_lossy(body.get(..40).unwrap_or(&body)).into_owned();
            assert_eq!(refused.status, status, "{method} {path} {shown}: {refused:?}");
            assert_eq!(refused.header("content-type"), JSON, "{refused:?}");
            let told = refused.json();
            assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
            assert!(told["detail"].is_string(), "{told}");
        }
        // What is not asked for is skipped, however deep; the stack is not the measure of it.
        let skipped = send(deep.as_bytes(), JSON).await;
        assert_eq!(skipped.status, if method == "PUT" { 200 } else { 422 }, "{skipped:?}");
    }
    for body in [
        r#"{"handle":"a","handle":"b"}"#,
        r#"{"handle":null}"#,
        r#"{"handle":["a"]}"#,
        r#"{"handle":{"a":"b"}}"#,
        r#"{"HANDLE":"a"}"#,
    ] {
        let request = api.request("POST", ACCOUNTS).header("content-type", "application/json");
        let refused = answer(request.body(body)).await;
        assert_eq!(refused.status, 422, "{body}: {refused:?}");
    }
    assert_eq!(api.put(&put, &json!({})).await.json()["content"], "as it was");
    assert_eq!(world.count("x_accounts").await, 1);
}

async fn f10_a_time_is_an_instant_or_it_is_refused(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "times@example.com").await;
    let account = api.account("@times").await;
    let path = format!("{POSTS}/{}", api.scheduled(&account, "x", "2030-01-01T00:00:00Z").await);
    for (given, shown) in [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1999-12-31T23:59:59.999Z", "1999-12-31T23:59:59.999Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"),
        ("2030-06-01T12:00:00+05:45", "2030-06-01T06:15:00Z"),
        ("2030-01-01T00:00:00-00:00", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00+23:59", "2029-12-31T00:01:00Z"),
        ("2030-01-01t00:00:00z", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00.1239Z", "2030-01-01T00:00:00.123Z"),
        ("2030-01-01T00:00:00.000000000000001Z", "2030-01-01T00:00:00Z"),
        ("2038-01-19T03:14:07Z", "2038-01-19T03:14:07Z"),
        ("2038-01-19T03:14:08Z", "2038-01-19T03:14:08Z"),
        ("2106-02-07T06:28:16Z", "2106-02-07T06:28:16Z"),
        ("2400-02-29T00:00:00Z", "2400-02-29T00:00:00Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ] {
        let changed = api.put(&path, &json!({ "scheduled_at": given })).await;
        assert_eq!(
            (changed.status, &changed.json()["scheduled_at"]),
            (200, &json!(shown)),
            "{given}"
        );
        // As the database has it, to the millisecond.
        let list = api.get(&format!("{POSTS}?start_date={shown}&end_date={shown}")).await.json();
        assert_eq!(list["posts"][0]["scheduled_at"], shown, "{list}");
        api.scheduled(&account, given, given).await;
    }
    let all = api.get(&format!("{POSTS}?start_date=1970-01-01&end_date=9999-12-31")).await.json();
    assert_eq!(all["posts"].as_array().unwrap().len(), 17, "{all}");
    for bad in [
        json!(""),
        json!("now"),
        json!("2030-01-01"),
        json!("2030-01-01T00:00Z"),
        json!("2030-01-01T00:00:00"),
        json!("2030-01-01T00:00:00+0100"),
        json!("2030-01-01T00:00:00+24:00"),
        json!("2030-01-01T00:00:00 Europe/Berlin"),
        json!("2030-01-01T24:00:00Z"),
        json!("2030-01-01T00:60:00Z"),
        json!("2030-01-01T00:00:61Z"),
        json!("2030-02-29T00:00:00Z"),
        json!("2030-00-01T00:00:00Z"),
        json!("1969-12-31T23:59:59.999Z"),
        json!("1970-01-01T00:00:00+00:01"),
        json!("0000-01-01T00:00:00Z"),
        json!("-0001-01-01T00:00:00Z"),
        json!("+10000-01-01T00:00:00Z"),
        json!("10000-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59-00:01"),
        json!("99999999999999999-01-01T00:00:00Z"),
        json!("2030-01-01T00:00:00Z\0"),
        json!(1_893_456_000),
        json!(1.5),
        json!(true),
        json!(["2030-01-01T00:00:00Z"]),
    ] {
        let refused = api.put(&path, &json!({ "scheduled_at": bad })).await;
        assert_eq!(refused.status, 422, "{bad}: {refused:?}");
        let new = json!({ "x_account_id": account, "content": "x", "scheduled_at": bad });
        assert_eq!(api.post(POSTS, &new).await.status, 422, "{bad}");
    }
}

async fn f11_a_nul_gets_as_far_as_the_check(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "nul@example.com").await;
    let account = api.account("@nul").await;
    let post = api.scheduled(&account, "kept", "2030-01-01T00:00:00Z").await;
    let path = format!("{POSTS}/{post}");
    for text in ["\0", "a\0b", "a\0", "\0a"] {
        let new = json!({
            "x_account_id": account, "content": text, "scheduled_at": "2030-01-01T00:00:00Z",
        });
        for refused in [
            api.post(POSTS, &new).await,
            api.put(&path, &json!({ "content": text })).await,
            api.put(&path, &json!({ "status": text })).await,
            api.put(&path, &json!({ "scheduled_at": text })).await,
            api.post(ACCOUNTS, &json!({ "handle": text })).await,
            api.post(POSTS, &json!({ "x_account_id": text, "content": "x" })).await,
        ] {
            assert_eq!(refused.status, 422, "{text:?}: {refused:?}");
        }
    }
    for name in ["start_date", "end_date", "limit", "cursor"] {
        assert_eq!(api.get(&format!("{POSTS}?{name}=%00")).await.status, 422, "{name}");
    }
    // In what is ignored it is ignored.
    assert_eq!(api.get(&format!("{POSTS}?user_id=%00&%00=1")).await.status, 200);
    assert_eq!(api.put(&path, &json!({ "x\0": "\0" })).await.json()["content"], "kept");
}

/// Takes as long as the server's patience with a request does.
#[tokio::test]
async fn f9_a_body_that_never_comes_is_told_so_in_json() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let (_, api) = world.clerk().user(&world.api(), "slow@example.com").await;
        let request = api.request("POST", ACCOUNTS).build().unwrap();
        let token = request.headers()["authorization"].to_str().unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        let head = format!(
            "POST {ACCOUNTS} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 30\r\n\r\n{{\"handle\":"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let mut told = String::new();
        client.read_to_string(&mut told).await.unwrap();
        assert!(told.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{told}");
        assert!(told.contains("\r\ncontent-type: application/json\r\n"), "{told}");
        assert!(told.ends_with(r#"{"detail":"Request timeout"}"#), "{told}");
    })
    .await;
}

on_every_backend!(
    f8_no_body_is_taken_for_what_it_is_not,
    f10_a_time_is_an_instant_or_it_is_refused,
    f11_a_nul_gets_as_far_as_the_check,
);
