//! Signing up, in and out through the dev Clerk, and tokens.

use serde_json::json;

use crate::support::{Api, Backend, DAY, Front, Page, Process, World, answer, until};

#[tokio::test]
async fn signing_up_shows_the_webhook_arrive_and_the_row_appear() {
    World::run(Backend::Sqlite, signing_up).await;
}

async fn signing_up(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    // The delivery waits for another one.
    world.clerk().faults(&json!({ "order": "shuffled", "window": 2, "window_ms": 60_000 })).await;
    page.sign_up("rosa@example.com").await;

    browser.wait("document.getElementById('happened-webhook').dataset.state === 'waiting'").await;
    browser.wait("document.getElementById('happened-row-text').textContent").await;
    assert_eq!(browser.text("#happened-row-text").await, "Not there yet");
    assert!(browser.text("#who-name").await.starts_with("user_"));

    world.clerk().sign_up("second@example.com").await;
    browser.wait("document.getElementById('happened-row').dataset.state === 'done'").await;
    browser.wait("document.getElementById('happened-webhook').dataset.state === 'done'").await;
    assert_eq!(browser.text("#happened-webhook-text").await, "Answered 204, 1 try");
    assert_eq!(browser.text("#happened-row-text").await, "SELECT finds rosa@example.com");
    assert_eq!(browser.text("#who-name").await, "rosa@example.com");
    // The session came in the fragment, and nothing of it is left in the address.
    assert!(!browser.url().await.contains('#'));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn another_user_sees_nothing_of_the_first() {
    World::run(Backend::Sqlite, another_user).await;
}

async fn another_user(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("first@example.com").await;
    page.add_account("@first").await;
    page.write(DAY, "For my eyes only").await;

    browser.click("#switch-user").await;
    browser.wait("document.querySelector('form[action=\"/sign-up\"]')").await;
    browser.fill("#email", "second@example.com").await;
    browser.click("form[action=\"/sign-up\"] button").await;
    browser.wait("document.getElementById('empty')?.hidden === false").await;
    browser.wait("document.getElementById('who-name').textContent === 'second@example.com'").await;
    assert_eq!(browser.text("#empty-title").await, "Where should posts go?");
    assert!(!browser.text("body").await.contains("For my eyes only"));
    assert!(!browser.text("body").await.contains("@first"));

    browser.click("#sign-out").await;
    browser.wait("!document.getElementById('signed-out').hidden").await;
    assert_eq!(browser.eval("localStorage.length").await, 0);
    browser.click("#sign-in").await;
    browser.wait("document.querySelector('form[action=\"/sign-in\"]')").await;
    // The newest user stands first.
    browser.click("form[action=\"/sign-in\"] li:last-child button").await;
    browser.wait("document.querySelector('[data-post]')").await;
    page.is_on(DAY, "For my eyes only").await;
}

/// A policy of a page cannot name an IPv6 address.
#[tokio::test]
async fn fault_c10_signing_in_works_on_an_ipv6_address() {
    World::run(Backend::Sqlite, on_ipv6).await;
}

async fn on_ipv6(world: World) {
    let env = [world.env(), vec![("HOST".to_owned(), "::1".to_owned())]].concat();
    let mut server = Process::start(world.folder(), "serve", &[], &env);
    let origin = format!("http://[::1]:{}", world.port);
    server.ready(&Api::new(origin.clone())).await;
    let Some(page) = Page::open_at(origin).await else { return };
    page.sign_up("six@example.com").await;
    page.browser
        .wait("document.getElementById('who-name').textContent === 'six@example.com'")
        .await;
    assert_eq!(page.browser.complaints().await, Vec::<String>::new());
}

/// Anybody can make a link to this page, and have a code of their own.
#[tokio::test]
async fn fault_c18_a_link_changes_no_session_that_this_tab_did_not_begin() {
    World::run(Backend::Sqlite, links).await;
}

async fn links(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("victim@example.com").await;
    assert_eq!(browser.eval("location.hash").await, "");
    let session = browser.eval("localStorage['scheduled-posts.session']").await;
    let origin = format!("http://127.0.0.1:{}", world.port);
    let own = format!("http://127.0.0.1:{}", world.clerk_port);
    let clerk = world.clerk();
    for (number, state) in ["", "&state=abc"].into_iter().enumerate() {
        let form =
            format!("redirect_url={origin}/&email_address=evil{number}%40example.com{state}");
        let request = clerk.open.request("POST", "/sign-up").header("origin", &own);
        let kind = "application/x-www-form-urlencoded";
        let back = answer(request.header("content-type", kind).body(form)).await;
        let (_, fragment) = back.header("location").unwrap().split_once('#').unwrap();
        let old = "__clerk_db_jwt=dvb_x&session_id=../../v1/users";
        for fragment in [fragment, old, "code=x&state=undefined", "code=x&state=null"] {
            browser
                .go(&format!("{origin}/?view=list&n={number}{}#{fragment}", fragment.len()))
                .await;
            browser.wait("performance.getEntriesByName('ready').length").await;
            browser
                .wait("document.getElementById('who-name').textContent === 'victim@example.com'")
                .await;
            assert_eq!(browser.eval("localStorage['scheduled-posts.session']").await, session);
        }
    }
    // A kept session of another shape names no path.
    browser
        .eval("localStorage['scheduled-posts.session'] = '{\"id\":\"../../x\",\"token\":\"y\"}'")
        .await;
    browser.go(&format!("{origin}/?view=list&n=last")).await;
    browser.wait("!document.getElementById('signed-out').hidden").await;
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    World::run(Backend::Sqlite, renewed).await;
}

async fn renewed(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    page.sign_up("renewed@example.com").await;
    // However many requests there are, they share one.
    page.look("week", DAY).await;
    assert_eq!(tokens(&page).await, 1);
    page.browser.click("#forth").await;
    page.browser.wait("document.getElementById('title').textContent.includes('Mar 29')").await;
    page.browser.wait("!document.querySelector('[aria-busy]')").await;
    assert_eq!(tokens(&page).await, 1);

    later(&page, 51).await;
    page.browser.click("#forth").await;
    until("there is a second token", async || (tokens(&page).await == 2).then_some(())).await;
    page.browser.wait("!document.querySelector('[aria-busy]')").await;
    assert_eq!(page.browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_that_ended_is_told_and_not_asked_for_again() {
    World::run(Backend::Sqlite, ended).await;
}

async fn ended(world: World) {
    let _server = world.serve().await;
    let front = Front::before(world.port).await;
    let Some(page) = Page::open_at(front.url.clone()).await else { return };
    let browser = &page.browser;
    page.sign_up("ended@example.com").await;
    page.add_account("@ended").await;
    page.write(DAY, "Before the end").await;
    let session = browser.eval("JSON.parse(localStorage['scheduled-posts.session'])").await;
    let path = format!("/v1/client/sessions/{}/remove", session["id"].as_str().unwrap());
    let own = world.clerk().open.with_token(session["token"].as_str().unwrap());
    assert_eq!(own.post(&path, &json!({})).await.status, 204);
    let (asked, had) = (front.asked().len(), tokens(&page).await);

    // A token that is still good lets requests through until it expires.
    later(&page, 51).await;
    browser.click("#forth").await;
    browser.wait("!document.getElementById('signed-out').hidden").await;
    let reason = browser.text("#signed-out-reason").await;
    assert_eq!(reason, "Your session has ended. Sign in again to go on.");
    page.has_focus("#sign-in").await;
    assert!(!browser.text("#signed-in").await.contains("Before the end"));
    for _ in 0..5 {
        browser.settle("fetch('/healthz')").await;
    }
    assert_eq!((front.asked().len(), tokens(&page).await), (asked, had + 1));
    page.look("week", DAY).await;
    browser.wait("!document.getElementById('signed-out').hidden").await;
    assert_eq!(front.asked().len(), asked);
}

#[tokio::test]
async fn a_deleted_user_is_told_so() {
    World::run(Backend::Sqlite, deleted).await;
}

async fn deleted(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    page.sign_up("gone@example.com").await;
    let api = page.api(&world).await;
    let id = api.get("/api/me").await.json()["user_id"].as_str().unwrap().to_owned();
    world.clerk().backend.delete(&format!("/v1/users/{id}")).await;
    until("the server knows", async || (api.get("/api/me").await.status == 403).then_some(()))
        .await;

    page.browser.click("#forth").await;
    page.browser.wait("!document.getElementById('signed-out').hidden").await;
    assert_eq!(page.browser.text("#signed-out-reason").await, "User no longer exists");
    assert_eq!(page.browser.eval("localStorage.length").await, 0);
}

/// How many tokens the page has asked for since it was loaded.
async fn tokens(page: &Page) -> i64 {
    let entries = "performance.getEntriesByType('resource')
        .filter(({ name, initiatorType }) => initiatorType === 'fetch' && name.endsWith('/tokens'))";
    page.browser.eval(&format!("{entries}.length")).await.as_i64().unwrap()
}

/// Sets the page's clock forward.
async fn later(page: &Page, seconds: u32) {
    let script = "const now = Date.now; Date.now = () => now() + 1000 * arguments[0]";
    let script = script.replace("arguments[0]", &seconds.to_string());
    page.browser.run(&script, &[]).await;
}
