//! Week, day and list; empty and loading states; on a desktop and on a phone.

use serde_json::json;

use crate::support::{Backend, DAY, Front, Page, World};

#[tokio::test]
async fn a_week_a_day_and_a_list_show_their_posts() {
    World::run(Backend::Sqlite, week_day_and_list).await;
}

async fn week_day_and_list(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    page.sign_up("views@example.com").await;
    let api = page.api(&world).await;
    let account = api.account("@views").await;
    for (content, at) in [
        // In Berlin a day begins and ends an hour before UTC's.
        ("sunday before", "2027-03-21T22:59:59.999Z"),
        ("monday", "2027-03-21T23:00:00Z"),
        ("wednesday", "2027-03-24T22:59:59.999Z"),
        ("thursday", "2027-03-24T23:00:00Z"),
        // The day on which clocks go forward ends two hours before UTC's.
        ("sunday", "2027-03-28T21:59:59.999Z"),
        ("monday after", "2027-03-28T22:00:00Z"),
    ] {
        api.scheduled(&account, content, at).await;
    }
    page.look("week", DAY).await;
    assert_eq!(shown(&page).await, json!(["monday", "wednesday", "thursday", "sunday"]));
    page.is_on("2027-03-22", "monday").await;
    page.is_on("2027-03-28", "sunday").await;
    assert_eq!(
        browser.text("#title").await.replace(['\u{2009}', '\u{202f}'], " "),
        "Mar 22 – 28, 2027"
    );

    browser.click("[data-view=day]").await;
    browser.wait("document.querySelectorAll('[data-post]').length === 1").await;
    assert_eq!(shown(&page).await, json!(["wednesday"]));
    browser.click("#forth").await;
    browser.wait("document.querySelector('.card-text')?.textContent === 'thursday'").await;
    assert_eq!(browser.text("#title").await, "Thursday, March 25, 2027");

    browser.click("[data-view=list]").await;
    browser.wait("document.querySelectorAll('[data-post]').length === 3").await;
    assert_eq!(shown(&page).await, json!(["thursday", "sunday", "monday after"]));
    // The address says where one is, so that it can be kept and reloaded.
    let url = browser.url().await;
    assert!(url.ends_with("/?view=list&day=2027-03-25"), "{url}");
    browser.go(&url).await;
    browser.wait("document.querySelectorAll('[data-post]').length === 3").await;

    page.look("week", "2027-03-31").await;
    assert_eq!(shown(&page).await, json!(["monday after"]));
    browser.click("#back").await;
    browser.wait("document.querySelectorAll('[data-post]').length === 4").await;
    browser.click("#today").await;
    browser.wait("document.querySelector('.day.today')").await;
}

#[tokio::test]
async fn a_long_list_comes_page_by_page_and_a_full_week_whole() {
    World::run(Backend::Sqlite, long_list).await;
}

async fn long_list(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    page.sign_up("many@example.com").await;
    let api = page.api(&world).await;
    let account = api.account("@many").await;
    for n in 0..120 {
        let at = format!("2027-03-2{}T1{}:{:02}:00Z", 2 + n / 20, n / 10 % 2, n % 10);
        api.scheduled(&account, &format!("post {n}"), &at).await;
    }
    page.look("list", "2027-03-22").await;
    assert_eq!(shown(&page).await.as_array().unwrap().len(), 50);
    page.browser.click("#more").await;
    page.browser.wait("document.querySelectorAll('[data-post]').length === 100").await;
    page.browser.click("#more").await;
    page.browser.wait("document.querySelectorAll('[data-post]').length === 120").await;
    page.browser.wait("document.getElementById('more').hidden").await;
    page.look("week", DAY).await;
    let wanted: Vec<String> = (0..120).map(|n| format!("post {n}")).collect();
    assert_eq!(shown(&page).await, json!(wanted));
}

#[tokio::test]
async fn what_is_empty_or_still_loading_is_said() {
    World::run(Backend::Sqlite, empty_or_loading).await;
}

async fn empty_or_loading(world: World) {
    let _server = world.serve().await;
    let front = Front::before(world.port).await;
    let Some(page) = Page::open_at(front.url.clone()).await else { return };
    let browser = &page.browser;
    page.sign_up("empty@example.com").await;
    browser.wait("!document.getElementById('empty').hidden").await;
    assert_eq!(browser.text("#empty-title").await, "Where should posts go?");
    page.add_account("@empty").await;
    for (view, title) in [
        ("week", "Nothing planned this week"),
        ("day", "Nothing planned on this day"),
        ("list", "Nothing planned from here on"),
    ] {
        browser.click(&format!("#views [data-view={view}]")).await;
        browser.wait("!document.getElementById('empty').hidden").await;
        assert_eq!(browser.text("#empty-title").await, title);
    }
    browser.click("#empty-action").await;
    page.has_focus("#content").await;
    browser.click("#cancel").await;

    front.hold(true);
    browser.click("#views [data-view=week]").await;
    browser.wait("document.querySelector('.ghost')").await;
    assert_eq!(browser.eval("document.getElementById('empty').hidden").await, true);
    assert_eq!(browser.eval("document.getElementById('area').ariaBusy").await, "true");
    front.hold(false);
    browser.wait("!document.getElementById('empty').hidden").await;
    assert_eq!(browser.eval("document.getElementById('area').ariaBusy").await, json!(null));
}

#[tokio::test]
async fn a_phone_has_room_for_all_of_it() {
    World::run(Backend::Sqlite, phone).await;
}

async fn phone(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    let browser = &page.browser;
    browser.resize(360, 740, true).await;
    page.sign_up("a.rather.long.address.for.a.small.phone@mail.example.com").await;
    page.add_account("@a_handle_that_is_as_long_as_a_handle_may_be_on_a_p").await;
    page.write(DAY, &"Worddonaudampfschiff".repeat(14)).await;
    for view in ["week", "day", "list"] {
        page.look(view, DAY).await;
        browser.wait("document.querySelector('[data-post]')").await;
        fits(&page, view).await;
    }
    page.look("week", DAY).await;
    // One day below the other.
    let lefts = "new Set([...document.querySelectorAll('.day')]
        .map((day) => day.getBoundingClientRect().left)).size";
    assert_eq!(browser.eval(lefts).await, 1);
    browser.click(".card-move").await;
    fits(&page, "moving").await;
    browser.click("#move-days button:nth-child(5)").await;
    page.is_on("2027-03-26", &"Worddonaudampfschiff".repeat(14)).await;
    // The server's answer draws the card anew.
    page.says("Moved to").await;
    browser.click(".card-open").await;
    fits(&page, "editing").await;
}

/// Figures for people to read: how fast a machine is says nothing about right or wrong.
#[tokio::test]
async fn how_soon_the_page_can_be_used() {
    World::run(Backend::Sqlite, soon).await;
}

async fn soon(world: World) {
    let _server = world.serve().await;
    let Some(page) = Page::open(&world).await else { return };
    page.look("week", DAY).await;
    tell(&page, "signed out").await;
    page.sign_up("soon@example.com").await;
    page.add_account("@soon").await;
    page.write(DAY, "Here at once").await;
    for visit in ["signed in, first visit", "second", "third"] {
        page.look("week", DAY).await;
        page.is_on(DAY, "Here at once").await;
        tell(&page, visit).await;
    }
}

async fn tell(page: &Page, visit: &str) {
    let timings = "(() => {
        const { domInteractive } = performance.getEntriesByType('navigation')[0];
        const [{ startTime }] = performance.getEntriesByName('ready');
        return [domInteractive, startTime].map(Math.round);
    })()";
    let timings = page.browser.eval(timings).await;
    eprintln!("{visit}: document after {} ms, page ready after {} ms", timings[0], timings[1]);
}

/// Nothing is wider than the screen, and no dialog's content wider than the dialog.
async fn fits(page: &Page, what: &str) {
    let wide = "[document.documentElement, ...document.querySelectorAll('dialog[open]')]
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).length";
    assert_eq!(page.browser.eval(wide).await, 0, "{what}");
    assert_eq!(page.browser.eval("document.documentElement.scrollWidth").await, 360, "{what}");
}

/// The texts of the cards, as they stand.
async fn shown(page: &Page) -> serde_json::Value {
    page.browser
        .eval("[...document.querySelectorAll('.card-text')].map((text) => text.textContent)")
        .await
}
