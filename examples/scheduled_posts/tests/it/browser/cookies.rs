//! Signed in by Clerk's cookie alone, and what pages of others can do with it.

use std::net::SocketAddr;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Backend, Page, Process, World};

/// A server that takes cookies, and the dev Clerk.
async fn serve(world: &World) -> [Process; 2] {
    let (dev_clerk, mut variables) = world.dev_clerk().await;
    variables.push(("CLERK_COOKIES".to_owned(), "on".to_owned()));
    [dev_clerk, world.serve_with(&variables).await]
}

/// A page on another port of the same host, to which a browser sends the host's cookies too.
async fn page_of_others(html: String) -> SocketAddr {
    let app = Router::new().route("/", get(async move || Html(html)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

/// Signs up on the dev Clerk's page, which sets the cookies and sends the browser back.
async fn sign_up(page: &Page, world: &World, email: &str) {
    let (browser, port) = (&page.browser, world.port);
    let back = format!("http%3A%2F%2F127.0.0.1%3A{port}%2F");
    browser.go(&format!("http://127.0.0.1:{}/sign-in?redirect_url={back}", world.clerk_port)).await;
    browser.wait("document.querySelector('form[action=\"/sign-up\"]')").await;
    browser.fill("#email", email).await;
    browser.click("form[action=\"/sign-up\"] button").await;
    browser.wait(&format!("location.port === '{port}'")).await;
}

/// The status and the text that a fetch of the page is answered with, without any header of its own but the
/// type of the body.
async fn fetched(page: &Page, path: &str, body: Option<&Value>) -> Value {
    let options = match body {
        None => json!({}),
        Some(body) => json!({
            "method": "POST",
            "headers": { "Content-Type": "application/json" },
            "body": body.to_string(),
        }),
    };
    let script = format!(
        "fetch('{path}', {options}).then(async (answer) => [answer.status, await answer.text()])"
    );
    page.browser.settle(&script).await
}

#[tokio::test]
async fn the_servers_own_page_reads_and_writes_by_cookie_alone() {
    World::run(Backend::Sqlite, async |world: World| {
        let _processes = serve(&world).await;
        let Some(page) = Page::open(&world).await else { return };
        sign_up(&page, &world, "rosa@example.com").await;
        let me = fetched(&page, "/api/me", None).await;
        assert_eq!(me[0], 200, "{me}");
        let account =
            fetched(&page, "/api/x-accounts", Some(&json!({ "handle": "@cookie" }))).await;
        assert_eq!(account[0], 201, "{account}");
        assert!(account[1].as_str().unwrap().contains("@cookie"), "{account}");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_others_changes_nothing_by_fetch_form_or_websocket() {
    World::run(Backend::Sqlite, async |world: World| {
        let _processes = serve(&world).await;
        let Some(page) = Page::open(&world).await else { return };
        sign_up(&page, &world, "rosa@example.com").await;
        let server = format!("127.0.0.1:{}", world.port);
        let evil = page_of_others(format!(
            "<form id=\"form\" method=\"post\" action=\"http://{server}/api/x-accounts\">\
             <input name=\"handle\" value=\"@evil\"><button>Win</button></form>"
        ))
        .await;
        let browser = &page.browser;
        browser.go(&format!("http://{evil}/")).await;
        // A simple request, of which a page sees no answer; the server sees the cookies.
        let sent = format!(
            "fetch('http://{server}/api/x-accounts', {{ method: 'POST', mode: 'no-cors', \
             credentials: 'include', body: '{{}}' }}).then((answer) => answer.type)"
        );
        assert_eq!(browser.settle(&sent).await, "opaque");
        let opened = format!(
            "new Promise((done) => {{ const socket = new WebSocket('ws://{server}/api/me'); \
             socket.onopen = () => done('open'); socket.onerror = () => done('refused'); }})"
        );
        assert_eq!(browser.settle(&opened).await, "refused");
        browser.click("#form button").await;
        browser.wait(&format!("location.host === '{server}'")).await;
        assert_eq!(browser.text("body").await, r#"{"detail":"Cross-site request"}"#);

        assert_eq!(world.count("x_accounts").await, 0);
        // The same browser is still signed in on the server's own page.
        browser.go(&format!("http://{server}/")).await;
        assert_eq!(fetched(&page, "/api/me", None).await[0], 200);
    })
    .await;
}
