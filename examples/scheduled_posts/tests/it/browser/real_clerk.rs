//! The page with a publishable key: ClerkJS from the instance's Frontend API, and its tokens. The
//! instance is a fake with its own ClerkJS; tokens are verified as usual.

use serde_json::json;

use crate::support::browser::Options;
use crate::support::{Backend, DAY, FrontendApi, Page, World};

#[tokio::test]
async fn with_a_publishable_key_clerkjs_signs_in_and_gives_the_tokens() {
    World::run(Backend::Sqlite, with_clerkjs).await;
}

async fn with_clerkjs(world: World) {
    let (_clerk, mut variables) = world.dev_clerk().await;
    // Nothing but the keys' source says that this instance is a stand-in.
    variables.retain(|(name, _)| name != "CLERK_API_URL" && name != "CLERK_PUBLISHABLE_KEY");
    variables.push(("CLERK_PUBLISHABLE_KEY".to_owned(), FrontendApi::publishable_key()));
    let _server = world.serve_with(&variables).await;
    let user = world.clerk().sign_up("real@example.com").await;
    let token = world.clerk().token(&user).await;
    let instance = FrontendApi::start("real@example.com", &token).await;
    let options = Options { args: vec![instance.chromium_argument()] };
    let origin = format!("http://127.0.0.1:{}", world.port);
    let Some(page) = Page::open_with(origin, options).await else { return };
    let browser = &page.browser;

    page.look("week", DAY).await;
    assert_eq!(instance.keys(), [FrontendApi::publishable_key()]);
    // Nothing of the dev Clerk's is in sight.
    for id in ["switch-user", "happened", "signed-out-dev", "signed-in"] {
        let hidden = browser.eval(&format!("document.getElementById('{id}').hidden")).await;
        assert_eq!(hidden, true, "{id}");
    }
    browser.click("#sign-in").await;
    browser.wait("document.getElementById('signed-in')?.hidden === false").await;
    assert_eq!(browser.text("#who-name").await, "real@example.com");
    // Back where one was.
    assert!(browser.url().await.ends_with(&format!("/?view=week&day={DAY}")));
    page.add_account("@real").await;
    page.write(DAY, "With a token of ClerkJS's").await;
    let list = world.api().with_token(&token).get("/api/scheduled-posts").await.json();
    assert_eq!(list["posts"][0]["content"], "With a token of ClerkJS's");
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // Scripts of anybody else's are kept out.
    let foreign = "new Promise((done) => {
        const script = document.createElement('script');
        script.src = 'https://elsewhere.example.test/x.js';
        script.onerror = () => done('kept out');
        document.head.append(script);
    })";
    assert_eq!(browser.settle(foreign).await, "kept out");
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().any(|text| text.contains("Content Security Policy")),
        "{complaints:?}"
    );

    browser.click("#sign-out").await;
    browser.wait("document.getElementById('signed-out')?.hidden === false").await;
    page.look("week", DAY).await;
    browser.wait("document.getElementById('signed-out')?.hidden === false").await;

    instance.break_down();
    browser.go(&format!("http://127.0.0.1:{}/", world.port)).await;
    browser.wait("document.getElementById('unconfigured')?.hidden === false").await;
    assert_eq!(
        browser.text("#unconfigured-text").await,
        "ClerkJS cannot be had from clerk.example.test."
    );
    assert_eq!(browser.eval("typeof window.Clerk").await, json!("undefined"));
}
