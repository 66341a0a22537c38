//! The API's page: its viewer tries requests out as whoever is signed in, and asks nobody else.

use crate::support::{Backend, Page, World};

/// Opens an operation, tries it out, and returns the status and the body that the viewer shows.
async fn tried_out(page: &Page, operation: &str) -> (String, String) {
    let browser = &page.browser;
    let block = format!("[id$=\"-{operation}\"]");
    browser.wait(&format!("document.querySelector('{block} .opblock-summary-control')")).await;
    browser.click(&format!("{block} .opblock-summary-control")).await;
    browser.wait(&format!("document.querySelector('{block} .try-out__btn')")).await;
    browser.click(&format!("{block} .try-out__btn")).await;
    browser.wait(&format!("document.querySelector('{block} .execute')")).await;
    browser.click(&format!("{block} .execute")).await;
    let live = format!("{block} .live-responses-table");
    browser.wait(&format!("document.querySelector('{live} .response-col_status')")).await;
    browser.wait(&format!("document.querySelector('{live} .highlight-code')")).await;
    let status = browser.text(&format!("{live} tbody .response-col_status")).await;
    (status, browser.text(&format!("{live} .highlight-code")).await)
}

/// What a browser complains about, and what it has asked others.
async fn is_alone(page: &Page, world: &World) {
    assert_eq!(page.browser.complaints().await, Vec::<String>::new());
    let asked = page.browser.eval(
        "performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)",
    );
    let own = [world.port, world.clerk_port].map(|port| format!("http://127.0.0.1:{port}"));
    for origin in asked.await.as_array().unwrap() {
        assert!(own.iter().any(|own| origin == own), "{origin}");
    }
}

#[tokio::test]
async fn requests_are_tried_out_as_whoever_is_signed_in() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let Some(page) = Page::open(&world).await else { return };
        page.sign_up("rosa@example.com").await;
        page.browser.go(&format!("http://127.0.0.1:{}/docs", world.port)).await;
        let (status, body) = tried_out(&page, "me").await;
        assert!(status.starts_with("200"), "{status} {body}");
        assert!(body.contains("rosa@example.com"), "{body}");
        assert_eq!(page.browser.text("#who").await, "Requests are sent as you.");
        is_alone(&page, &world).await;
        let kept =
            page.browser.eval("Object.keys(localStorage).filter((key) => /auth|token/i.test(key))");
        assert_eq!(kept.await.as_array().map(Vec::len), Some(0), "the viewer keeps nothing");
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_that_a_token_is_missing() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let Some(page) = Page::open(&world).await else { return };
        page.browser.go(&format!("http://127.0.0.1:{}/docs", world.port)).await;
        let (status, body) = tried_out(&page, "me").await;
        assert!(status.starts_with("401") && body.contains("Not authenticated"), "{status} {body}");
    })
    .await;
}
