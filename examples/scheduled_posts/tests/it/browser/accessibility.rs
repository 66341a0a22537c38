//! The page checked by axe-core, in each of its states.

use serde_json::Value;

use crate::support::browser::script;
use crate::support::{Backend, DAY, Fault, Front, Page, World};

#[tokio::test]
async fn no_serious_violation_in_light_colours() {
    World::run(Backend::Sqlite, async |world| in_colours(world, "light", 1200).await).await;
}

#[tokio::test]
async fn no_serious_violation_in_dark_colours() {
    World::run(Backend::Sqlite, async |world| in_colours(world, "dark", 1200).await).await;
}

#[tokio::test]
async fn no_serious_violation_on_a_phone() {
    World::run(Backend::Sqlite, async |world| in_colours(world, "light", 360).await).await;
}

async fn in_colours(world: World, colours: &str, width: u32) {
    let _server = world.serve().await;
    let front = Front::before(world.port).await;
    let Some(axe) = script("axe") else { return };
    let axe = std::fs::read_to_string(axe).unwrap();
    let Some(page) = Page::open_at(front.url.clone()).await else { return };
    let browser = &page.browser;
    browser.colours(colours).await;
    browser.resize(width, 800, width < 600).await;
    let judge = async |state: &str| judge(&page, &axe, state).await;

    page.look("week", DAY).await;
    judge("signed out").await;
    browser.click("#sign-in").await;
    browser.wait("document.querySelector('form[action=\"/sign-up\"]')").await;
    judge("the dev Clerk's page").await;
    page.sign_up("axe@example.com").await;
    browser.wait("document.getElementById('happened-row').dataset.state === 'done'").await;
    judge("empty, and what happened").await;
    browser.click("#open-accounts").await;
    judge("accounts").await;
    browser.click("#accounts-close").await;
    page.add_account("@axe").await;
    page.write(DAY, "A post to look at").await;
    let api = page.api(&world).await;
    let list = api.get("/api/scheduled-posts").await.json();
    let path = format!("/api/scheduled-posts/{}", list["posts"][0]["id"].as_str().unwrap());
    for status in ["scheduled", "draft", "cancelled"] {
        api.put(&path, &serde_json::json!({ "status": status })).await;
        page.look("week", DAY).await;
        judge(&format!("week with a post that is {status}")).await;
    }
    for view in ["day", "list"] {
        page.look(view, DAY).await;
        judge(view).await;
    }
    browser.click(".card-open").await;
    browser.click(".ideas summary").await;
    judge("editor").await;
    browser.click("#delete").await;
    judge("editor, about to delete").await;
    browser.click("#cancel").await;
    browser.click(".card-move").await;
    judge("moving").await;
    browser.click("#move-close").await;
    front.hold(true);
    browser.click("#views [data-view=week]").await;
    browser.wait("document.querySelector('.ghost')").await;
    judge("loading").await;
    front.answer(Some(Fault::error(503, Some("600"), "Database unavailable")));
    front.hold(false);
    browser.wait("!document.getElementById('notice').hidden").await;
    judge("unavailable").await;
    front.answer(Some(Fault::error(401, None, "Invalid token")));
    browser.click("#notice-retry").await;
    browser.wait("!document.getElementById('signed-out').hidden").await;
    judge("signed out by the server").await;
}

async fn judge(page: &Page, axe: &str, state: &str) {
    // What fades in or out is judged when it is there.
    page.browser
        .settle(
            "Promise.allSettled(document.getAnimations()
            .filter((it) => it.effect.getTiming().iterations !== Infinity)
            .map((it) => it.finished))",
        )
        .await;
    page.browser.run(axe, &[]).await;
    let found = page.browser.settle("axe.run(document, { resultTypes: ['violations'] })").await;
    let violations = found["violations"].as_array().unwrap_or_else(|| panic!("{state}: {found}"));
    let bad: Vec<&Value> = violations
        .iter()
        .filter(|violation| {
            ["serious", "critical"].contains(&violation["impact"].as_str().unwrap())
        })
        .collect();
    assert!(bad.is_empty(), "{state}: {}", serde_json::to_string_pretty(&bad).unwrap());
    for violation in violations {
        eprintln!("{state}: {} ({})", violation["help"], violation["impact"]);
    }
    assert!(found["passes"].as_array().is_some_and(|passes| passes.len() > 5), "{state}");
}
