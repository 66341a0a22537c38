//! Phases 1 and 2: `user_id` is trusted, phase 3's verdicts are counted, and every answer warns.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ConnectionTrait as _, DbBackend};
use serde_json::{Value, json};

use crate::support::numbers::Numbers;
use crate::support::{Api, Process, World, answer, free_port, on_every_backend, until};

/// A server in a phase, and its numbers.
async fn serve(world: &World, phase: &str) -> (Process, Numbers) {
    let port = free_port();
    let variables = [Numbers::variable(port), ("AUTH_PHASE".to_owned(), phase.to_owned())];
    let (server, numbers) = (world.serve_with(&variables).await, Numbers::new(port));
    if phase != "3" {
        has_keys(&numbers).await;
    }
    (server, numbers)
}

/// Waits until the server can judge tokens: no request of these phases waits for keys.
async fn has_keys(numbers: &Numbers) {
    until("the keys are there", async || {
        let fetched = numbers.sum("clerk_keys_fetches_total", &[("outcome", "success")]).await;
        (fetched > 0.0).then_some(())
    })
    .await;
}

/// What phase 3 would have made of the requests so far.
async fn verdicts(numbers: &Numbers, verdict: &str, reason: &str) -> f64 {
    let labels = [("verdict", verdict), ("reason", reason)];
    numbers.sum("auth_phase_3_verdicts_total", &labels).await
}

async fn synced(api: &Api, user_id: &str) {
    until("the user is synced", async || {
        let me = api.get(&format!("/api/me?user_id={user_id}")).await.json();
        (!me["user"].is_null()).then_some(())
    })
    .await;
}

/// A page that pointed its own name at this server is of the server's origin, and names anybody.
async fn fault_c20_phases_that_verify_nobody_answer_to_known_hosts_only(world: World) {
    for phase in ["1", "2", "3"] {
        let allowed =
            ("ALLOWED_HOSTS".to_owned(), "app.example.com, api.example.com:8443".to_owned());
        let variables = [("AUTH_PHASE".to_owned(), phase.to_owned()), allowed];
        let mut server = world.serve_with(&variables).await;
        let api = world.api();
        let get = async |host: &str, path: &str| {
            answer(api.request("GET", path).header("host", host)).await
        };
        for path in ["/api/me?user_id=user_1", "/healthz", "/", "/docs", "/nothing"] {
            for known in ["localhost", "127.0.0.1:1", "app.example.com", "api.example.com:8443"] {
                let status = get(known, path).await.status;
                assert!(matches!(status, 200 | 401 | 404), "{phase} {known} {path}: {status}");
            }
            let rebound = get("evil.example:8002", path).await;
            assert_eq!(rebound.status == 421, phase != "3", "{phase} {path}: {rebound:?}");
            if phase != "3" {
                rebound.is_error(421, "Unknown host");
                assert_eq!(rebound.header("warning"), Some(r#"299 - "unverified user_id""#));
            }
        }
        let written = api.request("POST", "/api/x-accounts?user_id=user_1");
        let written =
            answer(written.header("host", "evil.example").json(&json!({ "handle": "@stolen" })));
        assert_eq!(written.await.status, if phase == "3" { 401 } else { 421 });
        assert_eq!(world.count("x_accounts").await, 0);
        server.terminate();
        server.exit_code().await;
    }
}

async fn whose_request_it_is_says_its_user_id(world: World) {
    let (_server, _) = serve(&world, "2").await;
    let (clerk, api) = (world.clerk(), world.api());
    let (mine, other) =
        (clerk.sign_up("mine@example.com").await, clerk.sign_up("other@example.com").await);
    synced(&api, &mine).await;
    synced(&api, &other).await;

    let handle = json!({ "handle": "@mine", "user_id": mine });
    let account = api.post("/api/x-accounts", &handle).await;
    assert_eq!(account.status, 201, "{account:?}");
    let account = account.json()["id"].as_str().unwrap().to_owned();
    let body = json!({
        "x_account_id": account, "content": "x", "scheduled_at": "2030-01-01T00:00:00Z",
    });
    let created = api.post(&format!("/api/scheduled-posts?user_id={mine}"), &body).await;
    assert_eq!(created.status, 201, "{created:?}");
    let post = format!("/api/scheduled-posts/{}", created.json()["id"].as_str().unwrap());

    let list = async |user: &str| {
        let list = api.get(&format!("/api/scheduled-posts?user_id={user}")).await.json();
        list["posts"].as_array().unwrap().len()
    };
    assert_eq!((list(&mine).await, list(&other).await), (1, 0));
    let change = json!({ "content": "y", "user_id": other });
    api.put(&post, &change).await.is_error(404, "Post not found");
    let change = json!({ "content": "y", "user_id": mine });
    assert_eq!(api.put(&post, &change).await.json()["content"], "y");
    api.delete(&format!("{post}?user_id={other}")).await.is_error(404, "Post not found");
    assert_eq!(api.delete(&format!("{post}?user_id={mine}")).await.status, 204);

    // Nobody has told of this one yet, and a first write works all the same.
    let early = json!({ "handle": "@early", "user_id": "user_early" });
    assert_eq!(api.post("/api/x-accounts", &early).await.status, 201);
}

async fn the_counters_tell_what_phase_3_would_do(world: World) {
    let (server, numbers) = serve(&world, "2").await;
    let (clerk, api) = (world.clerk(), world.api());
    let (mine, other) =
        (clerk.sign_up("mine@example.com").await, clerk.sign_up("other@example.com").await);
    for (verdict, reason) in
        [("same", "ok"), ("refused", "missing_credentials"), ("someone_else", "other_user")]
    {
        let text = numbers.text().await;
        let series = format!("reason=\"{reason}\"");
        assert!(text.contains(&series) && text.contains(verdict), "zeros are shown: {text}");
        assert_eq!(verdicts(&numbers, verdict, reason).await, 0.0);
    }
    assert_eq!(numbers.sum("auth_phase", &[]).await, 2.0);
    let me = |user: &str| format!("/api/me?user_id={user}");

    // No token yet.
    let anonymous = api.get(&me(&mine)).await.json();
    assert_eq!((&anonymous["user_id"], &anonymous["session_id"]), (&json!(mine), &Value::Null));
    assert_eq!(verdicts(&numbers, "refused", "missing_credentials").await, 1.0);

    // A token that phase 3 would refuse.
    let broken = api.with_token("not.a.token").get(&me(&mine)).await;
    assert_eq!((broken.status, &broken.json()["user_id"]), (200, &json!(mine)));
    assert_eq!(verdicts(&numbers, "refused", "malformed").await, 1.0);

    // The token is somebody else's.
    let signed_in = api.with_token(&clerk.token(&mine).await);
    let theirs = signed_in.get(&me(&other)).await.json();
    assert_eq!((&theirs["user_id"], &theirs["session_id"]), (&json!(other), &Value::Null));
    assert_eq!(verdicts(&numbers, "someone_else", "other_user").await, 1.0);

    // As phase 3 wants it, with and without the user_id of old.
    for path in [me(&mine), "/api/me".to_owned()] {
        let own = signed_in.get(&path).await.json();
        assert_eq!(own["user_id"], *mine);
        assert!(own["session_id"].as_str().unwrap().starts_with("sess_"), "{own}");
    }
    assert_eq!(verdicts(&numbers, "same", "ok").await, 2.0);

    // Refused today as well.
    let nobody = api.get("/api/me").await;
    nobody.is_error(401, "Not authenticated");
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    api.with_token("not.a.token").get("/api/me").await.is_error(401, "Invalid token");
    for odd in ["/api/me?user_id=", "/api/me?user_id=a&user_id=b", "/api/me?user_id=a%27"] {
        assert_eq!(signed_in.get(odd).await.status, 422, "{odd}");
    }
    assert_eq!(verdicts(&numbers, "unidentified", "missing_credentials").await, 1.0);
    assert_eq!(verdicts(&numbers, "unidentified", "malformed").await, 1.0);
    assert_eq!(verdicts(&numbers, "unidentified", "bad_user_id").await, 3.0);

    let all = numbers.sum("auth_phase_3_verdicts_total", &[]).await;
    assert_eq!(all, 10.0, "each request is counted once");
    let log = server.err();
    assert!(log.contains("a request passes that would be refused"), "{log}");
    assert!(log.contains("for another user than the one of its token"), "{log}");
    assert!(!log.contains("not.a.token"), "{log}");
}

/// Step by step as the chapter has it, with a client of old and one that was changed.
async fn a_server_is_walked_from_user_id_to_tokens_and_nobody_notices(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    let (clerk, api) = (world.clerk(), world.api());
    let mine = clerk.sign_up("mine@example.com").await;
    let other = clerk.sign_up("other@example.com").await;
    let start = async |phase: &str| {
        let port = free_port();
        let own = [Numbers::variable(port), ("AUTH_PHASE".to_owned(), phase.to_owned())];
        let server = world.serve_with(&[&variables[..], &own].concat()).await;
        let numbers = Numbers::new(port);
        if phase != "3" {
            has_keys(&numbers).await;
        }
        (server, numbers)
    };
    let old_accounts = async || {
        let list = api.get(&format!("/api/x-accounts?user_id={mine}")).await;
        (list.status, list.json()["accounts"][0]["handle"].clone())
    };

    let (server, numbers) = start("1").await;
    let handle = json!({ "handle": "@mine", "user_id": mine });
    assert_eq!(api.post("/api/x-accounts", &handle).await.status, 201);
    assert_eq!(old_accounts().await, (200, json!("@mine")));
    assert_eq!(verdicts(&numbers, "refused", "missing_credentials").await, 2.0);
    assert_eq!(numbers.sum("clerk_keys_fetches_total", &[("outcome", "failure")]).await, 0.0);
    drop(server);

    let (server, numbers) = start("2").await;
    let (_, code) = world.backfill("fill", &[], &variables).await;
    assert_eq!((code, world.count("users").await), (0, 2));
    assert_eq!(old_accounts().await, (200, json!("@mine")));
    assert_eq!(verdicts(&numbers, "refused", "missing_credentials").await, 1.0);
    drop(server);

    // Now all clients were changed.
    let (server, numbers) = start("2").await;
    let changed = api.with_token(&clerk.token(&mine).await);
    let both = changed.get(&format!("/api/x-accounts?user_id={mine}")).await.json();
    let token_alone = changed.get("/api/x-accounts").await.json();
    assert_eq!((&both["accounts"][0]["handle"], &both), (&json!("@mine"), &token_alone));
    assert_eq!(verdicts(&numbers, "same", "ok").await, 2.0);
    let others = numbers.sum("auth_phase_3_verdicts_total", &[]).await - 2.0;
    assert_eq!(others, 0.0, "phase 3 is safe");
    drop(server);

    let (server, _) = start("3").await;
    let path = format!("/api/x-accounts?user_id={other}");
    assert_eq!(changed.get(&path).await.json(), token_alone);
    assert_eq!(old_accounts().await.0, 401);
    drop(server);

    // Back, and what somebody made up there is found afterwards.
    let (server, _) = start("2").await;
    assert_eq!(old_accounts().await, (200, json!("@mine")));
    let made_up = json!({ "handle": "@nobody", "user_id": "user_nobody" });
    assert_eq!(api.post("/api/x-accounts", &made_up).await.status, 201);
    drop(server);
    // Nobody is called gone in the first hour, because Clerk's list may lag.
    let db = world.database().await;
    let earlier = match db.get_database_backend() {
        DbBackend::MySql => "DATE_SUB(created_at, INTERVAL 2 HOUR)",
        DbBackend::Postgres => "created_at - INTERVAL '2 hours'",
        _ => "REPLACE(created_at, SUBSTR(created_at, 1, 4), '2020')",
    };
    let age = format!("UPDATE users SET created_at = {earlier} WHERE id = 'user_nobody'");
    db.execute_unprepared(&age).await.unwrap();
    let (_server, _) = start("3").await;
    let (_, code) = world.backfill("look", &["--dry-run"], &variables).await;
    assert_eq!((code, world.count("x_accounts").await), (3, 2));
    let remove = ["--remove-gone", "--at-most", "1"];
    let (_, code) = world.backfill("remove", &remove, &variables).await;
    assert_eq!((code, world.count("x_accounts").await), (0, 1));
    assert_eq!(changed.get("/api/x-accounts").await.json(), token_alone);
}

async fn every_answer_warns_and_so_does_the_log(world: World) {
    for phase in ["1", "2"] {
        let (server, _) = serve(&world, phase).await;
        let api = world.api();
        let preflight = api.request("OPTIONS", "/api/me").header("Origin", "http://localhost:3000");
        let preflight = preflight.header("Access-Control-Request-Method", "GET");
        for answer in [
            api.get("/").await,
            api.get("/healthz").await,
            api.get("/nowhere").await,
            api.get("/api/me").await,
            api.get("/api/me?user_id=user_1").await,
            api.post("/api/x-accounts", &json!({})).await,
            answer(preflight).await,
        ] {
            let warning = Some(r#"299 - "unverified user_id""#);
            assert_eq!(answer.header("warning"), warning, "{answer:?}");
        }
        assert!(
            server.err().contains(&format!("AUTH_PHASE is {phase}: a client that names a user_id")),
            "{}",
            server.err()
        );
    }
    let (server, numbers) = serve(&world, "3").await;
    assert_eq!(world.api().get("/").await.header("warning"), None);
    world.api().get("/api/me?user_id=user_1").await.is_error(401, "Not authenticated");
    assert!(!server.err().contains("a client that names a user_id"), "{}", server.err());
    assert!(!numbers.text().await.contains("auth_phase_3_verdicts_total{"));
}

async fn webhooks_are_off_in_phase_1_and_on_in_phase_2(world: World) {
    {
        let (_server, _) = serve(&world, "1").await;
        assert_eq!(world.api().post("/api/webhooks/clerk", &json!({})).await.status, 404);
    }
    let (_server, _) = serve(&world, "2").await;
    assert_eq!(world.api().post("/api/webhooks/clerk", &json!({})).await.status, 400);
    let user = world.clerk().sign_up("ada@example.com").await;
    synced(&world.api(), &user).await;
}

async fn a_deleted_user_is_gone_in_phase_2_too(world: World) {
    let (_server, _) = serve(&world, "2").await;
    let (clerk, api) = (world.clerk(), world.api());
    let user = clerk.sign_up("gone@example.com").await;
    synced(&api, &user).await;
    assert_eq!(clerk.backend.delete(&format!("/v1/users/{user}")).await.status, 200);
    let path = format!("/api/me?user_id={user}");
    until("the deletion is synced", async || (api.get(&path).await.status == 403).then_some(()))
        .await;
    api.get(&path).await.is_error(403, "User no longer exists");
    let again = json!({ "handle": "@again", "user_id": user });
    api.post("/api/x-accounts", &again).await.is_error(403, "User no longer exists");
}

async fn production_keys_are_refused_unless_it_is_meant(world: World) {
    let live = format!("pk_live_{}", STANDARD.encode("clerk.example.com$"));
    for phase in ["1", "2"] {
        let given = [("CLERK_PUBLISHABLE_KEY", &*live), ("AUTH_PHASE", phase)];
        let mut env = world.env();
        env.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mut refused = Process::start(world.folder(), phase, &["serve"], &env);
        assert_eq!(refused.exit_code().await, 2);
        assert!(refused.err().contains("AUTH_PHASE: "), "{}", refused.err());
        env.push(("ALLOW_UNVERIFIED_USERS".to_owned(), "yes".to_owned()));
        let mut meant = Process::start(world.folder(), "meant", &["serve"], &env);
        meant.ready(&world.api()).await;
    }
}

on_every_backend!(
    fault_c20_phases_that_verify_nobody_answer_to_known_hosts_only,
    a_deleted_user_is_gone_in_phase_2_too,
    a_server_is_walked_from_user_id_to_tokens_and_nobody_notices,
    every_answer_warns_and_so_does_the_log,
    production_keys_are_refused_unless_it_is_meant,
    the_counters_tell_what_phase_3_would_do,
    webhooks_are_off_in_phase_1_and_on_in_phase_2,
    whose_request_it_is_says_its_user_id,
);
