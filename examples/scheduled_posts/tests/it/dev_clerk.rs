//! The stand-in inside the server: its file, its page, and its refusals. Its API is tested in its
//! own package.

use serde_json::{Value, json};

use crate::support::{Answer, World, answer, on_every_backend};

async fn users_and_keys_survive_a_restart(world: World) {
    let mut server = world.serve().await;
    let clerk = world.clerk();
    let (id, _) = clerk.user(&world.api(), "again@example.com").await;
    let session = clerk.session(&id).await;
    let old = clerk.token(&id).await;
    let keys = clerk.open.get("/.well-known/jwks.json").await.json();
    server.terminate();
    assert_eq!(server.exit_code().await, 0);

    let _server = world.serve().await;
    assert_eq!(clerk.open.get("/.well-known/jwks.json").await.json(), keys);
    let users = clerk.backend.get("/v1/users").await.json();
    assert_eq!((users[0]["id"].as_str(), users.as_array().unwrap().len()), (Some(&*id), 1));
    let new = clerk.token_answer(&session).await.json();
    for token in [&old, new["jwt"].as_str().unwrap()] {
        let me = world.api().with_token(token).get("/api/me").await.json();
        assert_eq!(me["user"]["email"], "again@example.com");
    }
    let file = if world.database_url.starts_with("sqlite") { "posts" } else { "scheduled-posts" };
    let file = world.folder().join(format!("{file}.dev-clerk.json"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

async fn fault_c19_a_browser_signs_up_and_gets_tokens_for_its_own_session(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let page = format!("http://127.0.0.1:{}/", world.port);
    let own = format!("http://127.0.0.1:{}", world.clerk_port);
    let form = format!(
        "redirect_url={}&email_address=b%40example.com&first_name=%3Cscript%3E",
        page.replace(':', "%3A").replace('/', "%2F")
    );
    let sign_up = |origin: &str, form: &str| {
        let request = clerk.open.request("POST", "/sign-up").header("origin", origin);
        answer(
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.to_owned()),
        )
    };
    assert_eq!(sign_up(&page, &form).await.status, 403);
    let away = form.replace("127.0.0.1", "evil.example");
    assert_eq!(sign_up(&own, &away).await.status, 422);
    let back = sign_up(&own, &form).await;
    assert_eq!(back.status, 303, "{back:?}");
    let (target, fragment) = back.header("location").unwrap().split_once('#').unwrap();
    assert_eq!(target, page);
    let origin = page.trim_end_matches('/');
    let code = fragment.strip_prefix("code=").unwrap();
    let exchange = |code: &str| {
        let request = clerk.open.request("POST", "/v1/client/sessions").header("origin", origin);
        answer(request.json(&json!({ "code": code })))
    };
    assert_eq!(exchange("another").await.status, 401);
    let given = exchange(code).await;
    assert_eq!(given.header("access-control-allow-origin"), Some(origin));
    assert_eq!(given.header("cache-control"), Some("no-store"));
    let (session, client) = (text(&given.json()["id"]), text(&given.json()["client_token"]));
    // Whoever finds it in the browser's history.
    assert_eq!(exchange(code).await.status, 401);
    let with_state = back_to(
        &sign_up(&own, &form.replace("b%40", "c%40").replace("&email", "&state=a-B_9&email")).await,
    );
    assert!(with_state.contains("#code=") && with_state.ends_with("&state=a-B_9"), "{with_state}");
    let odd = form.replace("&email", "&state=a%26session_id%3Dx&email");
    assert_eq!(sign_up(&own, &odd).await.status, 422);

    let tokens = format!("/v1/client/sessions/{session}/tokens");
    assert_eq!(answer(clerk.open.request("POST", &tokens)).await.status, 401);
    let by_client = format!("{tokens}?__clerk_db_jwt={client}");
    let request = clerk.open.request("POST", &by_client).header("origin", origin);
    let token = answer(request).await;
    assert_eq!(token.header("access-control-allow-origin"), Some(origin));
    let me = world.api().with_token(&text(&token.json()["jwt"])).get("/api/me").await.json();
    assert_eq!(me["session_id"], session);
    let other = clerk.open.request("POST", &tokens).header("origin", "https://evil.example");
    assert_eq!(answer(other).await.header("access-control-allow-origin"), None);

    let shown = clerk.open.get(&format!("/sign-in?redirect_url={page}")).await;
    assert!(shown.text.contains("&lt;script&gt;") && !shown.text.contains("<script>"), "{shown:?}");
    assert_eq!(clerk.open.get("/sign-in?redirect_url=http://evil.example/").await.status, 422);
    let rebound =
        clerk.open.request("GET", "/.well-known/jwks.json").header("host", "evil.example");
    assert_eq!(answer(rebound).await.status, 403);
}

fn back_to(answer: &Answer) -> String {
    answer.header("location").unwrap().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

on_every_backend!(
    users_and_keys_survive_a_restart,
    fault_c19_a_browser_signs_up_and_gets_tokens_for_its_own_session,
);
