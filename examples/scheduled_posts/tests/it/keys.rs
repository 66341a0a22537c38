//! Clerk unavailable: before the first fetch of keys, and after it.

use crate::support::{World, on_every_backend, until};

async fn without_clerk_nobody_is_judged_until_it_is_back(world: World) {
    let (mut clerk_process, variables) = world.dev_clerk().await;
    let clerk = world.clerk();
    let user = clerk.sign_up("waiting@example.com").await;
    let token = clerk.token(&user).await;
    clerk_process.kill();

    let _server = world.serve_with(&variables).await;
    let api = world.api().with_token(&token);
    let away = api.get("/api/me").await;
    away.is_error(503, "Authentication keys unavailable");
    assert!(away.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(away.header("www-authenticate"), None);
    // Who shows nothing is told so: no key is needed for that.
    world.api().get("/api/me").await.is_error(401, "Not authenticated");
    assert_eq!(world.api().get("/readyz").await.status, 200);

    let (_clerk, again) = world.dev_clerk().await;
    assert_eq!(again, variables);
    until("the server recovers by itself", async || {
        (api.get("/api/me").await.status == 200).then_some(())
    })
    .await;
}

async fn signed_in_users_stay_so_when_clerk_goes(world: World) {
    let (mut clerk_process, variables) = world.dev_clerk().await;
    let _server = world.serve_with(&variables).await;
    let clerk = world.clerk();
    let (id, api) = clerk.user(&world.api(), "stays@example.com").await;
    let second = world.api().with_token(&clerk.token(&id).await);
    clerk_process.kill();

    let account = api.account("@stays").await;
    api.scheduled(&account, "without Clerk", "2030-01-01T00:00:00Z").await;
    // A token that the server sees for the first time, by a key that it has.
    assert_eq!(
        second.get("/api/scheduled-posts").await.json()["posts"][0]["content"],
        "without Clerk"
    );
    assert_eq!(api.with_token("a.b.c").get("/api/me").await.status, 401);
}

/// Whoever answered there would choose the keys that this server believes.
async fn a_proxy_of_the_environment_is_not_asked_for_keys_on_this_machine(world: World) {
    let (_clerk_process, mut variables) = world.dev_clerk().await;
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        variables.push((name.to_owned(), "http://127.0.0.1:9".to_owned()));
    }
    let _server = world.serve_with(&variables).await;
    let clerk = world.clerk();
    let token = clerk.token(&clerk.sign_up("behind@example.com").await).await;
    assert_eq!(world.api().with_token(&token).get("/api/me").await.status, 200);
}

on_every_backend!(
    a_proxy_of_the_environment_is_not_asked_for_keys_on_this_machine,
    without_clerk_nobody_is_judged_until_it_is_back,
    signed_in_users_stay_so_when_clerk_goes,
);
