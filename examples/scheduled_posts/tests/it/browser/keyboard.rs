//! The whole page used by keyboard only.

use serde_json::json;

use crate::support::browser::{ENTER, ESCAPE, RIGHT, SHIFT, TAB};
use crate::support::{Backend, DAY, Page, World};

#[tokio::test]
async fn everything_can_be_done_from_the_keyboard() {
    World::run(Backend::Sqlite, from_the_keyboard).await;
}

async fn from_the_keyboard(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.look("week", DAY).await;
    enter(&page, "#sign-in").await;
    browser.wait("document.querySelector('form[action=\"/sign-up\"]')").await;
    tab_to(&page, "#email").await;
    browser.press(&format!("keys@example.com{ENTER}")).await;
    browser.wait("document.getElementById('empty')?.hidden === false").await;

    // The page leads from the account to its first post.
    enter(&page, "#empty-action").await;
    page.has_focus("#handle").await;
    browser.press(&format!("@keys{ENTER}")).await;
    page.has_focus("#content").await;
    browser.press("Typed, not clicked").await;
    enter(&page, "#save").await;
    page.is_on(DAY, "Typed, not clicked").await;
    let card = page.card("Typed, not clicked").await;

    // Escape leaves everything as it was, and the focus where it came from.
    page.has_focus(&format!("{card} .card-open")).await;
    browser.press(&format!("{ENTER}")).await;
    page.has_focus("#content").await;
    browser.press("nonsense").await;
    browser.press(&format!("{ESCAPE}")).await;
    page.has_focus(&format!("{card} .card-open")).await;
    browser.press_with(SHIFT, RIGHT).await;
    page.is_on("2027-03-25", "Typed, not clicked").await;

    // The button beside it does what M does.
    page.has_focus(&format!("{card} .card-open")).await;
    enter(&page, &format!("{card} .card-move")).await;
    page.has_focus("#move-days [aria-current]").await;
    browser.press(&format!("{TAB}{ENTER}")).await;
    page.is_on("2027-03-26", "Typed, not clicked").await;

    enter(&page, "#views [data-view=day]").await;
    browser.wait("document.querySelectorAll('.day').length === 1").await;
    page.has_focus("#views [data-view=day]").await;
    enter(&page, "#forth").await;
    enter(&page, "#forth").await;
    page.is_on("2027-03-26", "Typed, not clicked").await;
    enter(&page, &format!("{card} .card-open")).await;
    enter(&page, "#delete").await;
    browser.press(&format!("{ENTER}")).await;
    page.says("Post deleted.").await;
    page.has_focus("#new-post").await;
    enter(&page, "#sign-out").await;
    page.has_focus("#sign-in").await;
}

/// Goes there with the tab key, and presses enter.
async fn enter(page: &Page, css: &str) {
    tab_to(page, css).await;
    page.browser.press(&ENTER.to_string()).await;
}

async fn tab_to(page: &Page, css: &str) {
    let is_there = format!("Boolean(document.activeElement?.matches({}))", json!(css));
    for _ in 0..80 {
        if page.browser.eval(&is_there).await == true {
            let seen = "document.activeElement.matches(':focus-visible')";
            assert_eq!(page.browser.eval(seen).await, true, "{css}");
            return;
        }
        page.browser.press(&TAB.to_string()).await;
    }
    panic!("the tab key does not lead to {css}");
}
