//! Deliveries with all faults of the dev Clerk: the server's rows are the same in the end.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Answer, Try, World, answer, on_every_backend, until};

async fn a_replay_has_no_second_effect(world: World) {
    let server = world.serve().await;
    let clerk = world.clerk();
    let (id, _) = clerk.user(&world.api(), "again@example.com").await;
    clerk.rename(&id, "Once").await;
    let [updated, created] = <[Value; 2]>::try_from(clerk.delivered().await).unwrap();
    assert_eq!(
        (&updated["type"], &created["type"]),
        (&json!("user.updated"), &json!("user.created"))
    );
    assert_eq!((&updated["user_id"], &updated["tries"]), (&json!(id), &json!(1)));
    assert_eq!(updated["user"], "Once (again@example.com)");
    assert_eq!(updated["attempts"][0]["status"], 204);

    for delivery in [&updated, &created] {
        assert_eq!(clerk.replay(&delivery["id"], &json!({})).await, delivery["id"]);
        let new = clerk.replay(&delivery["id"], &json!({ "new_id": true })).await;
        assert_ne!(new, delivery["id"]);
    }
    let deliveries = clerk.delivered().await;
    let tries: Vec<_> = deliveries.iter().map(|one| (&one["replay_of"], &one["tries"])).collect();
    let (of_updated, of_created) = (&updated["id"], &created["id"]);
    let (one, two, none) = (&json!(1), &json!(2), &Value::Null);
    assert_eq!(tries, [(of_created, one), (of_updated, one), (none, two), (none, two)]);
    let log = server.err();
    assert_eq!((log.matches("Created user").count(), log.matches("Updated user").count()), (1, 1));
    assert_eq!(names(&world).await, [(id.clone(), "Once".to_owned())]);

    assert_eq!(clerk.backend.delete(&format!("/v1/users/{id}")).await.status, 200);
    clerk.delivered().await;
    for delivery in [&updated, &created] {
        clerk.replay(&delivery["id"], &json!({})).await;
        clerk.replay(&delivery["id"], &json!({ "new_id": true })).await;
    }
    clerk.delivered().await;
    assert_eq!(names(&world).await, []);
}

async fn an_old_update_under_a_new_id_does_not_roll_the_row_back(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (id, _) = clerk.user(&world.api(), "old@example.com").await;
    for name in ["Old", "Older", "Newest"] {
        clerk.rename(&id, name).await;
    }
    let deliveries = clerk.delivered().await;
    assert_eq!(deliveries.len(), 4);
    for old in &deliveries {
        clerk.replay(&old["id"], &json!({ "new_id": true })).await;
    }
    clerk.delivered().await;
    assert_eq!(names(&world).await, [(id, "Newest".to_owned())]);
}

async fn copies_late_and_in_no_order_end_in_the_right_rows(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    clerk
        .faults(&json!({
            "copies": 3, "delay_ms": [0, 150], "order": "shuffled", "window": 12, "window_ms": 100,
        }))
        .await;
    let mut right = Vec::new();
    for n in 0..6 {
        let id = clerk.sign_up(&format!("user{n}@example.com")).await;
        for change in 0..5 {
            clerk.rename(&id, &format!("{n}-{change}")).await;
        }
        match n % 2 {
            0 => right.push((id, format!("{n}-4"))),
            _ => {
                assert_eq!(clerk.backend.delete(&format!("/v1/users/{id}")).await.status, 200);
            }
        }
    }
    let deliveries = clerk.delivered().await;
    assert_eq!(deliveries.len(), 6 * 6 + 3);
    assert!(deliveries.iter().all(|one| one["tries"].as_u64().unwrap() >= 3));
    right.sort_unstable();
    assert_eq!(names(&world).await, right);
    for (id, _) in right {
        let me = world.api().with_token(&clerk.token(&id).await).get("/api/me").await.json();
        assert_eq!(me["user"]["id"], *id);
    }
}

async fn a_lost_answer_is_tried_again_without_a_second_effect(world: World) {
    let server = world.serve().await;
    let clerk = world.clerk();
    clerk.faults(&json!({ "drop_answers": 1 })).await;
    let id = clerk.sign_up("lost@example.com").await;
    let tried = until("the delivery is tried again", async || {
        let delivery = clerk.backend.get("/dev/deliveries").await.json()[0].clone();
        (delivery["tries"] == 2).then_some(delivery)
    })
    .await;
    assert_eq!(tried["state"], "pending");
    for attempt in tried["attempts"].as_array().unwrap() {
        assert_eq!((&attempt["outcome"], &attempt["status"]), (&json!("answer_lost"), &json!(204)));
    }
    assert_eq!(server.err().matches("Created user").count(), 1);
    assert_eq!(names(&world).await.len(), 1);

    let cleared = answer(clerk.backend.request("DELETE", "/dev/faults")).await.json();
    assert_eq!((&cleared["drop_answers"], &cleared["order"]), (&json!(0.0), &json!("in_order")));
    clerk.replay(&tried["id"], &json!({})).await;
    let me = world.api().with_token(&clerk.token(&id).await).get("/api/me").await.json();
    assert_eq!(me["user"]["email"], "lost@example.com");
}

async fn a_window_is_shuffled_when_it_is_full_and_when_its_time_is_over(world: World) {
    let server = TcpListener::bind(("127.0.0.1", world.port)).await.unwrap();
    let (_process, _) = world.dev_clerk().await;
    let clerk = world.clerk();
    clerk
        .faults(&json!({ "copies": 2, "order": "shuffled", "window": 13, "window_ms": 60_000 }))
        .await;
    let id = clerk.sign_up("shuffled@example.com").await;
    for n in 0..12 {
        clerk.rename(&id, &n.to_string()).await;
    }
    let mut sent = Vec::new();
    for delivery in clerk.backend.get("/dev/deliveries").await.json().as_array().unwrap() {
        sent.push(delivery["id"].as_str().unwrap().to_owned());
    }
    sent.reverse();
    let mut arrived = Vec::new();
    for _ in 0..26 {
        arrived.push(Try::receive(&server, "204 No Content").await.header("svix-id"));
    }
    let mut first: Vec<String> = Vec::new();
    for id in &arrived {
        assert_eq!(arrived.iter().filter(|other| *other == id).count(), 2);
        if !first.contains(id) {
            first.push(id.clone());
        }
    }
    let all = |ids: &[String]| ids.iter().cloned().collect::<HashSet<_>>();
    assert_eq!(all(&first), all(&sent));
    assert_ne!(first, sent);

    clerk.faults(&json!({ "order": "shuffled", "window": 100, "window_ms": 20 })).await;
    clerk.rename(&id, "alone").await;
    assert!(Try::receive(&server, "204 No Content").await.body.contains("alone"));

    // What is held back when the faults end goes out then.
    clerk.faults(&json!({ "order": "shuffled", "window": 100, "window_ms": 60_000 })).await;
    clerk.rename(&id, "held back").await;
    answer(clerk.backend.request("DELETE", "/dev/faults")).await;
    clerk.rename(&id, "in order").await;
    for name in ["held back", "in order"] {
        assert!(Try::receive(&server, "204 No Content").await.body.contains(name), "{name}");
    }
}

async fn bad_faults_and_unknown_deliveries_are_refused(world: World) {
    let (_process, _) = world.dev_clerk().await;
    let clerk = world.clerk();
    let usual = clerk.backend.get("/dev/faults").await.json();
    for (body, status) in [
        (json!({ "copies": 0 }), 422),
        (json!({ "copies": 21 }), 422),
        (json!({ "copies": -1 }), 400),
        (json!({ "copies": "3" }), 400),
        (json!({ "delay_ms": [5, 4] }), 422),
        (json!({ "delay_ms": [0, 60_001] }), 422),
        (json!({ "delay_ms": [1] }), 400),
        (json!({ "delay_ms": 5 }), 400),
        (json!({ "order": "random" }), 400),
        (json!({ "order": "shuffled", "window": 1 }), 422),
        (json!({ "order": "shuffled", "window_ms": 0 }), 422),
        (json!({ "drop_answers": 1.1 }), 422),
        (json!({ "drop_answers": -0.1 }), 422),
        (json!({ "copis": 3 }), 400),
        (json!([]), 400),
        (json!("copies"), 400),
    ] {
        let refused = clerk.backend.put("/dev/faults", &body).await;
        assert_eq!(refused.status, status, "{body}: {refused:?}");
        assert!(refused.json()["errors"][0]["code"].is_string(), "{body}: {refused:?}");
    }
    assert_eq!(clerk.backend.get("/dev/faults").await.json(), usual);
    // What is shown may be sent back.
    clerk.faults(&usual).await;

    for missing in [
        clerk.backend.get("/dev/deliveries/msg_unknown").await,
        clerk.backend.post("/dev/deliveries/msg_unknown/replay", &json!({})).await,
    ] {
        assert_eq!(missing.status, 404, "{missing:?}");
        assert_eq!(missing.json()["errors"][0]["code"], "resource_not_found");
    }
    for (method, path) in [
        ("GET", "/dev/deliveries"),
        ("GET", "/dev/deliveries/msg_1"),
        ("POST", "/dev/deliveries/msg_1/replay"),
        ("GET", "/dev/faults"),
        ("PUT", "/dev/faults"),
        ("DELETE", "/dev/faults"),
    ] {
        let nobody = answer(clerk.open.request(method, path)).await;
        assert_eq!(nobody.status, 401, "{method} {path}");
    }
}

async fn a_browser_replays_and_sets_faults_from_the_page_alone(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (id, _) = clerk.user(&world.api(), "page@example.com").await;
    clerk.rename(&id, "<script>{deliveries}").await;
    let first = clerk.delivered().await[0]["id"].as_str().unwrap().to_owned();

    let page = clerk.open.get("/dev").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text.contains("&lt;script&gt;&#123;deliveries}"), "{page:?}");
    assert!(!page.text.contains("<script"), "{page:?}");
    assert!(page.text.contains(&first) && page.text.contains("204 accepted"), "{page:?}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self';"));
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script"), "{policy}");
    let welcome = format!("/sign-in?redirect_url=http://127.0.0.1:{}/", world.port);
    assert!(clerk.open.get(&welcome).await.text.contains(r#"href="/dev""#));
    assert_eq!(clerk.open.get("/page.css").await.status, 200);

    let own = format!("http://127.0.0.1:{}", world.clerk_port);
    let send = |origin: Option<&str>, form: &str, body: &str| {
        let request = clerk
            .open
            .request("POST", &format!("/dev/forms/{form}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned());
        answer(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
    };
    let same = format!("id={first}&naming=same");
    let faults = "copies=2&shortest_delay_ms=0&longest_delay_ms=5&order=shuffled&window=3\
                  &window_ms=10&drop_answers=0";
    let elsewhere = format!("http://127.0.0.1:{}", world.port);
    for origin in [None, Some("null"), Some("http://evil.example"), Some(&*elsewhere)] {
        let delete = &*format!("id={id}&first_name=&action=delete");
        for (form, body) in [
            ("replay", &*same),
            ("faults", faults),
            ("no-faults", ""),
            ("user", delete),
            ("example", "event=created"),
        ] {
            assert_eq!(send(origin, form, body).await.status, 403, "{origin:?} {form}");
        }
    }
    let is_back = |answer: &Answer| {
        assert_eq!((answer.status, answer.header("location")), (303, Some("/dev")), "{answer:?}");
    };
    is_back(&send(Some(&own), "replay", &same).await);
    is_back(&send(Some(&own), "replay", &same.replace("same", "new")).await);
    let deliveries = clerk.delivered().await;
    assert_eq!((&deliveries[0]["replay_of"], &deliveries[1]["tries"]), (&json!(first), &json!(2)));
    let unknown = send(Some(&own), "replay", "id=msg_%3Cb%3E&naming=same").await;
    assert_eq!((unknown.status, unknown.text.contains("No recent delivery")), (422, true));

    is_back(&send(Some(&own), "faults", faults).await);
    let set = clerk.backend.get("/dev/faults").await.json();
    assert_eq!((&set["copies"], &set["order"]), (&json!(2), &json!("shuffled")));
    let bad = send(Some(&own), "faults", &faults.replace("copies=2", "copies=99")).await;
    assert_eq!((bad.status, bad.text.contains("copies must be 1 to 20")), (422, true), "{bad:?}");
    for (event, kind) in [("created", "user.created"), ("deleted", "user.deleted")] {
        is_back(&send(Some(&own), "example", &format!("event={event}")).await);
        let sent = clerk.delivered().await[0].clone();
        assert_eq!((&sent["type"], &sent["attempts"][0]["status"]), (&json!(kind), &json!(204)));
    }
    is_back(&send(Some(&own), "no-faults", "").await);
    assert_eq!(clerk.backend.get("/dev/faults").await.json()["copies"], 1);

    let change = format!("id={id}&first_name=+Ann+&action=change");
    is_back(&send(Some(&own), "user", &change).await);
    let latest = async || clerk.delivered().await[0]["type"].clone();
    assert_eq!(latest().await, "user.updated");
    assert_eq!(names(&world).await, [(id.clone(), "Ann".to_owned())]);
    assert!(clerk.open.get("/dev").await.text.contains(r#"value="Ann""#));
    is_back(&send(Some(&own), "user", &change.replace("=change", "=delete")).await);
    assert_eq!(latest().await, "user.deleted");
    assert_eq!(names(&world).await, []);
    let unknown = send(Some(&own), "user", &change).await;
    assert_eq!(
        (unknown.status, unknown.text.contains("No user was found")),
        (422, true),
        "{unknown:?}"
    );
}

/// Ids and first names in the database, by id.
async fn names(world: &World) -> Vec<(String, String)> {
    let db = world.database().await;
    let sql = "SELECT id, first_name FROM users";
    let query = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(query).await.unwrap();
    let text = |row: &sea_orm::QueryResult, at| {
        row.try_get_by_index::<Option<String>>(at).unwrap().unwrap_or_default()
    };
    let mut names: Vec<_> = rows.iter().map(|row| (text(row, 0), text(row, 1))).collect();
    names.sort_unstable();
    names
}

on_every_backend!(
    a_replay_has_no_second_effect,
    an_old_update_under_a_new_id_does_not_roll_the_row_back,
    copies_late_and_in_no_order_end_in_the_right_rows,
    a_lost_answer_is_tried_again_without_a_second_effect,
    a_window_is_shuffled_when_it_is_full_and_when_its_time_is_over,
    bad_faults_and_unknown_deliveries_are_refused,
    a_browser_replays_and_sets_faults_from_the_page_alone,
);
