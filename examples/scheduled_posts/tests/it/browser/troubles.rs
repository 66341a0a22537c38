//! Errors on the page: each is shown with its cause, and disappears when it is over.

use serde_json::json;

use crate::support::ai::{AiService, Treatment};
use crate::support::{Backend, DAY, Fault, Front, Page, Process, World};

#[tokio::test]
async fn too_many_requests_are_told_as_that_with_the_time_to_wait() {
    World::run(Backend::Sqlite, too_many).await;
}

async fn too_many(world: World) {
    let _server = world.serve().await;
    let front = Front::before(world.port).await;
    let Some(page) = Page::open_at(front.url.clone()).await else { return };
    let browser = &page.browser;
    page.sign_up("many@example.com").await;
    page.add_account("@many").await;
    page.write(DAY, "Still here").await;

    front.answer(Some(Fault::error(429, Some("600"), "Too many requests")));
    page.look("week", DAY).await;
    browser.wait("!document.getElementById('notice').hidden").await;
    assert_eq!(browser.text("#notice-title").await, "Too many requests");
    assert_eq!(browser.text("#notice-wait").await, "Trying again in 10 min.");
    // Nobody is signed out for that.
    assert_eq!(browser.eval("document.getElementById('signed-out').hidden").await, true);
    // When the wait is over it goes on by itself.
    front.answer(Some(Fault::error(429, Some("1"), "Too many requests")));
    browser.click("#notice-retry").await;
    browser.wait("/ 1 s/.test(document.getElementById('notice-wait').textContent)").await;
    front.answer(None);
    page.is_on(DAY, "Still here").await;
    browser.wait("document.getElementById('notice').hidden").await;

    // A change that is refused is taken back.
    front.answer(Some(Fault::error(429, Some("42"), "Too many requests")));
    let card = page.card("Still here").await;
    browser.drag(&format!("{card} .card-open"), "[data-day=\"2027-03-26\"]").await;
    page.says("Not moved. Too many requests.").await;
    page.says("Try again in 42 s.").await;
    page.is_on(DAY, "Still here").await;
}

#[tokio::test]
async fn a_token_that_is_refused_twice_signs_out_and_is_not_tried_for_ever() {
    World::run(Backend::Sqlite, refused_twice).await;
}

async fn refused_twice(world: World) {
    let _server = world.serve().await;
    let front = Front::before(world.port).await;
    let Some(page) = Page::open_at(front.url.clone()).await else { return };
    page.sign_up("twice@example.com").await;
    page.browser.wait("document.getElementById('happened-row').dataset.state === 'done'").await;
    let asked = front.asked().len();
    front.answer(Some(Fault::error(401, None, "Invalid token")));
    page.browser.click("#forth").await;
    page.browser.wait("!document.getElementById('signed-out').hidden").await;
    for _ in 0..5 {
        page.browser.settle("fetch('/healthz')").await;
    }
    // The accounts and the posts: once, and once more with a new token. One of the same second is
    // not new, and is not sent again.
    let asked = front.asked().len() - asked;
    assert!((2..=4).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_database_that_is_away_is_told_and_the_page_goes_on_when_it_is_back() {
    World::run(Backend::Postgres, database_away).await;
}

async fn database_away(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("away@example.com").await;
    page.add_account("@away").await;
    page.write(DAY, "Kept").await;
    world.let_in(false).await;

    browser.click("#forth").await;
    browser.wait("!document.getElementById('notice').hidden").await;
    assert_eq!(browser.text("#notice-title").await, "The server cannot answer just now");
    let text = browser.text("#notice-text").await;
    assert!(text.contains("Database unavailable"), "{text}");
    assert!(browser.text("#notice-wait").await.starts_with("Trying again in"));
    // Nobody is signed out for that either.
    assert_eq!(browser.eval("document.getElementById('signed-out').hidden").await, true);
    world.let_in(true).await;
    browser.click("#back").await;
    page.is_on(DAY, "Kept").await;
    browser.wait("document.getElementById('notice').hidden").await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_told_and_the_page_goes_on_when_it_is_back() {
    World::run(Backend::Sqlite, server_gone).await;
}

async fn server_gone(world: World) {
    let mut server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("back@example.com").await;
    page.add_account("@back").await;
    page.write(DAY, "Kept").await;
    server.kill();
    browser.click("#forth").await;
    browser.wait("!document.getElementById('notice').hidden").await;
    assert_eq!(browser.text("#notice-title").await, "No connection");
    let _again = world.serve().await;
    browser.click("#back").await;
    page.is_on(DAY, "Kept").await;
    browser.wait("document.getElementById('notice').hidden").await;
}

#[tokio::test]
async fn suggestions_are_offered_and_a_server_without_them_says_so_kindly() {
    World::run(Backend::Sqlite, suggestions).await;
}

async fn suggestions(world: World) {
    let mut server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("ideas@example.com").await;
    page.add_account("@ideas").await;
    ask_for_suggestions(&page).await;
    browser.wait("/OPENAI/.test(document.getElementById('ideas-told').textContent)").await;
    let told = browser.text("#ideas-told").await;
    assert!(
        told.starts_with("No suggestions just now: AI suggestions are not configured"),
        "{told}"
    );
    // That is no trouble of the page's.
    assert_eq!(browser.eval("document.getElementById('notice').hidden").await, true);

    server.kill();
    let ideas = json!(["<i>Spring</i> is here", "Buds!"]).to_string();
    let service = AiService::start(Treatment::says(&ideas)).await;
    let env = [world.env(), service.variables()].concat();
    let mut server = Process::start(world.folder(), "with-ai", &[], &env);
    server.ready(&world.api()).await;
    page.look("week", DAY).await;
    ask_for_suggestions(&page).await;
    browser.wait("document.querySelectorAll('.idea').length === 2").await;
    assert_eq!(browser.text("#ideas li:first-child").await, "<i>Spring</i> is here");
    browser.click("#ideas li:last-child button").await;
    page.has_focus("#content").await;
    assert_eq!(browser.eval("document.getElementById('content').value").await, "Buds!");
    browser.click("#save").await;
    page.says("Post scheduled.").await;
}

async fn ask_for_suggestions(page: &Page) {
    page.browser.click("#new-post").await;
    page.browser.click(".ideas summary").await;
    page.browser.fill("#prompt", "spring").await;
    page.browser.click("#suggest").await;
}
