//! The web page as a user sees it: its contents, and the actions that tests repeat.

use serde_json::{Value, json};

use crate::support::browser::{Browser, Options};
use crate::support::{Api, World, until};

pub(crate) struct Page {
    pub(crate) browser: Browser,
    origin: String,
}

impl Page {
    /// `None` when there is no browser on this machine and none is required.
    pub(crate) async fn open(world: &World) -> Option<Self> {
        Self::open_at(format!("http://127.0.0.1:{}", world.port)).await
    }

    /// The page behind something else than the server itself.
    pub(crate) async fn open_at(origin: String) -> Option<Self> {
        Self::open_with(origin, Options::default()).await
    }

    pub(crate) async fn open_with(origin: String, options: Options) -> Option<Self> {
        let browser = Browser::start(options).await?;
        Some(Self { browser, origin })
    }

    /// Looks at a week, a day or the list, whoever is signed in.
    pub(crate) async fn look(&self, view: &str, day: &str) {
        self.browser.go(&format!("{}/?view={view}&day={day}", self.origin)).await;
        self.browser.wait("performance.getEntriesByName('ready').length").await;
    }

    /// Through the dev Clerk's page, and back to the week of [`DAY`].
    pub(crate) async fn sign_up(&self, email: &str) {
        self.look("week", DAY).await;
        self.browser.click("#sign-in").await;
        self.browser.wait("document.querySelector('form[action=\"/sign-up\"]')").await;
        self.browser.fill("#email", email).await;
        self.browser.click("form[action=\"/sign-up\"] button").await;
        self.browser.wait("document.getElementById('signed-in')?.hidden === false").await;
        self.browser.wait("performance.getEntriesByName('ready').length").await;
    }

    /// Who has nothing yet adds an X account, and is asked for its first post.
    pub(crate) async fn add_account(&self, handle: &str) {
        self.browser.click("#open-accounts").await;
        self.browser.fill("#handle", handle).await;
        self.browser.click("#accounts-add").await;
        self.browser.wait("document.getElementById('editor').open").await;
        self.browser.click("#cancel").await;
    }

    /// A new post on a day, at the time that the page proposes.
    pub(crate) async fn write(&self, day: &str, text: &str) {
        self.browser.click(&format!("[data-day=\"{day}\"] .day-add")).await;
        self.browser.fill("#content", text).await;
        self.browser.click("#save").await;
        self.is_on(day, text).await;
    }

    /// Waits until a post is on this day, and on no other.
    pub(crate) async fn is_on(&self, day: &str, text: &str) {
        until(&format!("{text} is on {day}"), async || {
            let found = self.days_of(text).await;
            (found == json!([day])).then_some(())
        })
        .await;
    }

    /// Waits until the page says so in passing.
    pub(crate) async fn says(&self, text: &str) {
        let text = json!(text);
        self.browser
            .wait(&format!("document.getElementById('toast').textContent.includes({text})"))
            .await;
    }

    /// Where the card with this text is.
    pub(crate) async fn card(&self, text: &str) -> String {
        let script = "return [...document.querySelectorAll('[data-post]')]
            .find((card) => card.querySelector('.card-text').textContent === arguments[0])
            .dataset.post";
        let id = self.browser.run(script, &[text.into()]).await;
        format!("[data-post=\"{}\"]", id.as_str().unwrap())
    }

    /// Waits until the focus is there.
    pub(crate) async fn has_focus(&self, css: &str) {
        let css = json!(css);
        self.browser.wait(&format!("document.activeElement?.matches({css})")).await;
    }

    /// The API as whoever is signed in on the page, without the page.
    pub(crate) async fn api(&self, world: &World) -> Api {
        let session = self.browser.eval("localStorage.getItem('scheduled-posts.session')").await;
        let session: Value = serde_json::from_str(session.as_str().unwrap()).unwrap();
        let token = world.clerk().token_answer(session["id"].as_str().unwrap()).await.json();
        world.api().with_token(token["jwt"].as_str().unwrap())
    }

    async fn days_of(&self, text: &str) -> Value {
        let script = "return [...document.querySelectorAll('[data-post]')]
            .filter((card) => card.querySelector('.card-text').textContent === arguments[0])
            .map((card) => card.closest('[data-day]').dataset.day)";
        self.browser.run(script, &[text.into()]).await
    }
}

/// A Wednesday. On the Sunday after it clocks go forward in Berlin.
pub(crate) const DAY: &str = "2027-03-24";
