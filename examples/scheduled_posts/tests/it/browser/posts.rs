//! Posts on the page, by mouse and by keyboard.

use serde_json::{Value, json};

use crate::support::browser::{ENTER, RIGHT, SHIFT, TAB};
use crate::support::{Api, Backend, DAY, Page, World, until};

#[tokio::test]
async fn a_post_is_written_changed_moved_and_deleted() {
    World::run(Backend::Sqlite, written_changed_moved_and_deleted).await;
}

async fn written_changed_moved_and_deleted(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("rosa@example.com").await;
    page.add_account("@rosa").await;
    let api = page.api(&world).await;

    page.write(DAY, "Frist").await;
    let post = the_post(&api).await;
    // Nine in the morning, an hour ahead of UTC.
    assert_eq!((&post["content"], at(&post)), (&json!("Frist"), "2027-03-24T08:00:00Z".into()));
    assert_eq!(post["status"], "scheduled");

    browser.click(&format!("{} .card-open", page.card("Frist").await)).await;
    browser.fill("#content", "First").await;
    browser.click("#status option[value=draft]").await;
    browser.click("#save").await;
    page.says("Post saved.").await;
    let post = the_post(&api).await;
    assert_eq!((&post["content"], &post["status"]), (&json!("First"), &json!("draft")));
    assert_eq!(at(&post), "2027-03-24T08:00:00Z");
    assert_eq!(browser.text(&format!("{} .pill", page.card("First").await)).await, "draft");

    // Who thinks better of it presses Escape: neither moved nor opened.
    let card = page.card("First").await;
    let from = format!("{card} .card-open");
    browser.drag_and_give_up(&from, "[data-day=\"2027-03-26\"]").await;
    assert_eq!(browser.eval("document.querySelectorAll('.dragged, dialog[open]').length").await, 0);
    page.is_on(DAY, "First").await;
    assert_eq!(at(&the_post(&api).await), "2027-03-24T08:00:00Z");

    drag(&page, "First", "2027-03-26").await;
    is_at(&api, "2027-03-26T08:00:00Z").await;
    // Still nine o'clock, on the day on which clocks go forward.
    drag(&page, "First", "2027-03-28").await;
    is_at(&api, "2027-03-28T07:00:00Z").await;

    // The focus went along. The day after is in the next week, and the page follows.
    let card = page.card("First").await;
    page.has_focus(&format!("{card} .card-open")).await;
    browser.press_with(SHIFT, RIGHT).await;
    page.is_on("2027-03-29", "First").await;
    page.says("Moved to Monday, March 29, 2027").await;
    is_at(&api, "2027-03-29T07:00:00Z").await;

    page.has_focus(&format!("{card} .card-open")).await;
    browser.press("m").await;
    page.has_focus("#move-days [aria-current]").await;
    browser.press(&format!("{TAB}{TAB}{ENTER}")).await;
    page.is_on("2027-03-31", "First").await;

    page.has_focus(&format!("{card} .card-open")).await;
    browser.press(&ENTER.to_string()).await;
    page.has_focus("#content").await;
    browser.press(&format!("{TAB}040120270310PM{ENTER}")).await;
    page.is_on("2027-04-01", "First").await;
    is_at(&api, "2027-04-01T13:10:00Z").await;

    browser.click(&format!("{card} .card-open")).await;
    browser.click("#delete").await;
    assert_eq!(browser.text("#delete").await, "Delete for good?");
    browser.click("#delete").await;
    page.says("Post deleted.").await;
    assert_eq!(api.get("/api/scheduled-posts").await.json()["posts"], json!([]));
    browser.wait("!document.getElementById('empty').hidden").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_text_that_is_too_long_is_counted_as_the_server_counts_it() {
    World::run(Backend::Sqlite, counted).await;
}

async fn counted(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("long@example.com").await;
    page.add_account("@long").await;
    browser.click("#new-post").await;
    type_at_once(&page, &"🎉".repeat(281)).await;
    assert_eq!(browser.text("#count").await, "1 too many");
    browser.click("#save").await;
    assert_eq!(browser.eval("document.getElementById('editor').open").await, true);
    type_at_once(&page, &"🎉".repeat(280)).await;
    assert_eq!(browser.text("#count").await, "0 left");
    browser.click("#save").await;
    page.says("Post scheduled.").await;
}

#[tokio::test]
async fn markup_in_a_post_or_a_handle_is_text() {
    World::run(Backend::Sqlite, markup).await;
}

async fn markup(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("markup@example.com").await;
    let api = page.api(&world).await;
    let (handle, content) = ("<b>@x</b>", "<img src=x onerror=\"document.title='owned'\">");
    let account = api.account(handle).await;
    api.scheduled(&account, content, "2027-03-24T08:00:00Z").await;
    for view in ["week", "day", "list"] {
        page.look(view, DAY).await;
        page.is_on(DAY, content).await;
        let card = page.card(content).await;
        assert_eq!(browser.text(&format!("{card} .card-handle")).await, handle);
        browser.click(&format!("{card} .card-open")).await;
        assert_eq!(browser.text("#account").await, handle);
        browser.click("#cancel").await;
    }
    browser.click("#open-accounts").await;
    assert_eq!(browser.text("#accounts-list .handle").await, handle);
    assert_eq!(
        browser.eval("document.querySelectorAll('main img, main b, dialog b').length").await,
        0
    );
    assert_eq!(browser.eval("document.title").await, "Scheduled posts");
}

#[tokio::test]
async fn what_the_server_refuses_is_told_where_it_was_asked_for() {
    World::run(Backend::Sqlite, refused).await;
}

async fn refused(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("refused@example.com").await;
    page.add_account("@refused").await;
    page.write(DAY, "Soon gone").await;
    let card = page.card("Soon gone").await;
    let api = page.api(&world).await;
    let id = the_post(&api).await["id"].as_str().unwrap().to_owned();
    api.delete(&format!("/api/scheduled-posts/{id}")).await;

    browser.click(&format!("{card} .card-open")).await;
    browser.fill("#content", "Too late").await;
    browser.click("#save").await;
    browser.wait("document.getElementById('editor-problem').textContent").await;
    let problem = browser.text("#editor-problem").await;
    assert!(problem.starts_with("This is not there any more. Post not found."), "{problem}");
    // What was typed is still there to be copied.
    assert_eq!(browser.eval("document.getElementById('content').value").await, "Too late");
    browser.click("#cancel").await;

    // A move that fails is taken back: here the post itself goes.
    browser.drag(&format!("{card} .card-open"), "[data-day=\"2027-03-26\"]").await;
    page.says("Not moved. This is not there any more.").await;
    browser.wait("document.querySelectorAll('[data-post]').length === 0").await;
}

async fn drag(page: &Page, text: &str, day: &str) {
    let card = page.card(text).await;
    page.browser.drag(&format!("{card} .card-open"), &format!("[data-day=\"{day}\"]")).await;
    page.is_on(day, text).await;
    page.says("Moved to").await;
    // Where it is shown it may not have arrived yet.
    page.browser.wait("document.querySelectorAll('.dragged').length === 0").await;
    until("no dialog opened", async || {
        (page.browser.eval("document.querySelectorAll('dialog[open]').length").await == 0)
            .then_some(())
    })
    .await;
}

/// The driver types only characters of two bytes.
async fn type_at_once(page: &Page, text: &str) {
    let script = "const field = document.getElementById('content');
        field.value = arguments[0];
        field.dispatchEvent(new Event('input', { bubbles: true }))";
    page.browser.run(script, &[text.into()]).await;
}

async fn the_post(api: &Api) -> Value {
    let list = api.get("/api/scheduled-posts").await.json();
    let posts = list["posts"].as_array().unwrap();
    assert_eq!(posts.len(), 1, "{list}");
    posts[0].clone()
}

/// Waits until the server has the post at this time: what the page shows may be ahead of it.
async fn is_at(api: &Api, time: &str) {
    until(&format!("the post is at {time}"), async || {
        (at(&the_post(api).await) == time).then_some(())
    })
    .await;
}

fn at(post: &Value) -> String {
    post["scheduled_at"].as_str().unwrap().to_owned()
}
