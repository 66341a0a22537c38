//! Organizations and their members: the answers of the Backend API, and the events.

use serde_json::{Value, json};

use crate::support::{Api, Program, text};

async fn create(backend: &Api, body: &Value) -> Value {
    let created = backend.post("/v1/organizations", body).await;
    assert_eq!(created.status, 200, "{created:?}");
    created.json()
}

#[tokio::test]
async fn organizations_are_listed_by_offset_in_an_envelope_and_shown_alone() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    assert_eq!(running.open().get("/v1/organizations").await.status, 401);
    let ada = backend.sign_up("ada@example.com").await;
    let first = create(&backend, &json!({ "name": "One", "slug": "one", "created_by": ada })).await;
    let id = text(&first["id"]);
    assert!(id.starts_with("org_") && id.len() > 20);
    assert_eq!((&first["object"], &first["created_by"]), (&json!("organization"), &json!(ada)));
    let (mut ids, mut seen) = (vec![id.clone()], Vec::new());
    for name in ["Two", "Three", "Four"] {
        ids.push(text(&create(&backend, &json!({ "name": name })).await["id"]));
    }
    for offset in [0, 3] {
        let path = format!("/v1/organizations?limit=3&offset={offset}&order_by=%2Bcreated_at");
        let page = backend.get(&path).await.json();
        assert_eq!(page["total_count"], 4);
        seen.extend(page["data"].as_array().unwrap().iter().map(|it| text(&it["id"])));
    }
    ids.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, ids);
    let found = format!("/v1/organizations?organization_id={id}&organization_id=org_none");
    let found = backend.get(&found).await.json();
    assert_eq!((&found["total_count"], &found["data"][0]["id"]), (&json!(1), &json!(id)));
    let of_ada = backend.get(&format!("/v1/organizations?user_id={ada}")).await.json();
    assert_eq!(of_ada["total_count"], 1);
    for name in [&*id, "one"] {
        let shown = backend.get(&format!("/v1/organizations/{name}")).await.json();
        assert_eq!((&shown["id"], &shown["members_count"]), (&json!(id), &json!(1)));
    }

    let path = format!("/v1/organizations/{id}");
    let changed = backend.send("PATCH", &path, &json!({ "name": "Uno" })).await.json();
    assert_eq!((&changed["name"], &changed["slug"]), (&json!("Uno"), &json!("one")));
    assert!(changed["updated_at"].as_i64() > first["updated_at"].as_i64());
    let gone = backend.send("DELETE", &path, &json!({})).await.json();
    assert_eq!((&gone["deleted"], &gone["id"]), (&json!(true), &json!(id)));
    for path in [path.clone(), format!("{path}/memberships")] {
        let missing = backend.get(&path).await;
        assert_eq!((missing.status, missing.code().as_str()), (404, "resource_not_found"));
    }
}

#[tokio::test]
async fn organizations_members_come_change_and_go_by_their_user() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let (ada, bob) = (backend.sign_up("ada@example.com").await, backend.sign_up("b@c.d").await);
    let new = json!({ "name": "One", "created_by": ada, "max_allowed_memberships": 2 });
    let id = text(&create(&backend, &new).await["id"]);
    let members = format!("/v1/organizations/{id}/memberships");
    let joins = json!({ "user_id": bob, "role": "org:member" });
    let joined = backend.post(&members, &joins).await.json();
    assert!(text(&joined["id"]).starts_with("orgmem_"));
    assert_eq!(
        (&joined["role"], &joined["organization"]["id"]),
        (&json!("org:member"), &json!(id))
    );
    assert_eq!(joined["public_user_data"]["identifier"], "b@c.d");
    let list = backend.get(&format!("{members}?limit=1&offset=1&order_by=%2Bcreated_at")).await;
    assert_eq!(
        (&list.json()["total_count"], list.json()["data"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
    let of_bob = backend.get(&format!("{members}?user_id={bob}")).await.json();
    assert_eq!(of_bob["data"], json!([joined]));
    assert_eq!(backend.get(&format!("{members}?role=org:admin")).await.json()["total_count"], 1);

    let eve = backend.sign_up("eve@example.com").await;
    for (path, body, status, code) in [
        (&members, joins.clone(), 400, "already_a_member_in_organization"),
        (
            &members,
            json!({ "user_id": "user_none", "role": "org:member" }),
            404,
            "resource_not_found",
        ),
        (&members, json!({ "user_id": eve, "role": "admin" }), 422, "form_param_value_invalid"),
        (
            &members,
            json!({ "user_id": eve, "role": "org:member" }),
            403,
            "organization_membership_quota_exceeded",
        ),
        (&"/v1/organizations".to_owned(), json!({}), 422, "form_param_missing"),
    ] {
        let refused = backend.post(path, &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{body}");
    }

    let member = format!("{members}/{bob}");
    let changed = backend.send("PATCH", &member, &json!({ "role": "org:admin" })).await.json();
    assert_eq!((&changed["role"], &changed["id"]), (&json!("org:admin"), &joined["id"]));
    assert!(changed["updated_at"].as_i64() > joined["updated_at"].as_i64());
    let left = backend.send("DELETE", &member, &json!({})).await.json();
    assert_eq!((&left["id"], &left["role"]), (&joined["id"], &json!("org:admin")));
    assert_eq!(backend.send("DELETE", &member, &json!({})).await.status, 404);
    // A user who is deleted is a member of nothing.
    assert_eq!(backend.send("DELETE", &format!("/v1/users/{ada}"), &json!({})).await.status, 200);
    assert_eq!(backend.get(&members).await.json()["total_count"], 0);
    assert_eq!(
        backend.send("DELETE", &format!("/v1/organizations/{id}"), &json!({})).await.status,
        200
    );

    let deliveries = backend.get("/dev/deliveries").await.json();
    let kinds = deliveries.as_array().unwrap().iter().map(|delivery| text(&delivery["type"]));
    let kinds: Vec<String> = kinds.filter(|kind| kind.starts_with("organization")).collect();
    let expected = [
        "organization.deleted",
        "organizationMembership.deleted",
        "organizationMembership.updated",
        "organizationMembership.created",
        "organizationMembership.created",
        "organization.created",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn organizations_survive_a_restart_and_older_files_have_none() {
    let program = Program::new();
    let running = program.running().await;
    let id = text(&create(&running.backend(), &json!({ "name": "One" })).await["id"]);
    drop(running);
    let running = program.running().await;
    let listed = running.backend().get("/v1/organizations").await.json();
    assert_eq!((&listed["total_count"], &listed["data"][0]["id"]), (&json!(1), &json!(id)));
}
