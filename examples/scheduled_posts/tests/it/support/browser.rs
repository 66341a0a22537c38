//! A real browser without a window, driven by chromedriver over the WebDriver protocol
//! (https://www.w3.org/TR/webdriver2/): what a user does with a mouse and a keyboard.
//!
//! The protocol is JSON over HTTP, for which there is a client here already. Of the crates that speak
//! it, one brings a licence that the project does not take, and the other makes serde_json keep the
//! order of members: in the server under test too, as it is built together with its tests.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::until;

/// Chromium and its driver, ended with this handle.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    client: Client,
    /// The browser's profile and the driver's output.
    folder: TempDir,
}

/// What a browser may be started with.
#[derive(Default)]
pub(crate) struct Options {
    /// Further arguments of Chromium's.
    pub(crate) args: Vec<String>,
}

impl Browser {
    /// `None` when there is none on this machine and none is required.
    pub(crate) async fn start(options: Options) -> Option<Self> {
        let program = script("driver")?;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("driver.out");
        let driver = Command::new(program)
            .arg("--port=0")
            // Another one than UTC, with summer time.
            .env("TZ", "Europe/Berlin")
            .env("LANGUAGE", "en_US")
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(folder.path().join("driver.err")).unwrap())
            .spawn()
            .unwrap();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut browser = Self { driver, port: 0, session: String::new(), client, folder };
        browser.port = until("chromedriver listens", async || {
            let told = fs::read_to_string(&out).unwrap();
            let (_, port) = told.split_once("successfully on port ")?;
            port.split_once('.')?.0.parse().ok()
        })
        .await;
        browser.begin(options).await;
        Some(browser)
    }

    async fn begin(&mut self, options: Options) {
        let profile = self.folder.path().join("profile");
        let mut args: Vec<String> = ARGS.iter().map(ToString::to_string).collect();
        args.push(format!("--user-data-dir={}", profile.display()));
        args.extend(options.args);
        let mut chrome = json!({ "args": args });
        if let Ok(binary) = std::env::var("CHROMIUM") {
            chrome["binary"] = binary.into();
        }
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": chrome,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = self.call(Method::POST, "/session", &capabilities).await;
        self.session = session["sessionId"].as_str().unwrap().to_owned();
        self.resize(1200, 900, false).await;
    }

    pub(crate) async fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    pub(crate) async fn url(&self) -> String {
        let url = self.command(Method::GET, "/url", &Value::Null).await;
        url.as_str().unwrap().to_owned()
    }

    /// The value of an expression in the page.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), &[]).await
    }

    /// Runs statements in the page, with `arguments`, up to their `return`.
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments })).await
    }

    /// What a promise in the page comes to.
    pub(crate) async fn settle(&self, expression: &str) -> Value {
        let script = format!("const done = arguments[0]; ({expression}).then(done, done);");
        self.post("/execute/async", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true.
    pub(crate) async fn wait(&self, expression: &str) {
        until(expression, async || {
            (self.eval(&format!("Boolean({expression})")).await == true).then_some(())
        })
        .await;
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0]).textContent";
        self.run(script, &[css.into()]).await.as_str().unwrap().to_owned()
    }

    /// With the mouse, where it is seen: what is hidden or covered cannot be clicked.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/click"), &json!({})).await;
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/clear"), &json!({})).await;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).await;
    }

    /// Keys pressed one after the other, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", &json!({ "actions": [keyboard] })).await;
    }

    /// One key while another is held.
    pub(crate) async fn press_with(&self, held: char, key: char) {
        let step = |kind: &str, value: char| json!({ "type": kind, "value": value });
        let actions =
            [step("keyDown", held), step("keyDown", key), step("keyUp", key), step("keyUp", held)];
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", &json!({ "actions": [keyboard] })).await;
    }

    /// Takes something up with the mouse, and lets it go over something else.
    pub(crate) async fn drag(&self, from: &str, to: &str) {
        let (from, to) = (self.element(from).await, self.element(to).await);
        let up = json!({ "type": "pointerUp", "button": 0 });
        let actions = [lift(&from).as_slice(), &[over(&to, 0), up]].concat();
        self.post("/actions", &json!({ "actions": [mouse(&actions)] })).await;
    }

    /// As [`Self::drag`], with Escape over the other thing and back before the mouse is let go.
    pub(crate) async fn drag_and_give_up(&self, from: &str, to: &str) {
        let (from, to) = (self.element(from).await, self.element(to).await);
        let pause = || json!({ "type": "pause" });
        let up = json!({ "type": "pointerUp", "button": 0 });
        let rest = [over(&to, 0), pause(), pause(), over(&to, 5), over(&from, 0), up];
        let actions = [lift(&from).as_slice(), &rest].concat();
        let keys = json!([
            pause(), pause(), pause(), pause(),
            { "type": "keyDown", "value": ESCAPE }, { "type": "keyUp", "value": ESCAPE },
        ]);
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": keys });
        self.post("/actions", &json!({ "actions": [mouse(&actions), keyboard] })).await;
    }

    /// The size of the page, and whether it is a phone's.
    pub(crate) async fn resize(&self, width: u32, height: u32, phone: bool) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
    }

    /// `light` or `dark`, as the system would say.
    pub(crate) async fn colours(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] })).await;
    }

    /// What the browser complained of, the page's errors among it.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" })).await;
        let entries = log.as_array().unwrap().iter();
        let text = |entry: &Value| entry["message"].as_str().unwrap().to_owned();
        entries.map(text).collect()
    }

    async fn devtools(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await;
    }

    async fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css })).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.command(Method::POST, path, body).await
    }

    async fn command(&self, method: Method, path: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), body).await
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let what = format!("{method} {path} {body}");
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let request = self.client.request(method, url);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap();
        let ok = answer.status().is_success();
        let mut answer: Value = answer.json().await.unwrap();
        assert!(ok, "{what}: {} {}", answer["value"]["error"], answer["value"]["message"]);
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is told to, and not when it is killed.
        if let Ok(mut driver) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = driver.set_read_timeout(Some(PATIENCE));
            let request = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
                self.session, self.port
            );
            let _ = driver.write_all(request.as_bytes());
            let _ = driver.read(&mut [0]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// What `scripts/browser` prints; `None` when it finds nothing and nothing is required.
pub(crate) fn script(what: &str) -> Option<String> {
    let done = Command::new(SCRIPT).arg(what).stderr(Stdio::inherit()).output();
    let done = done.unwrap_or_else(|error| panic!("{SCRIPT}: {error}"));
    if done.status.success() {
        return Some(String::from_utf8(done.stdout).unwrap().trim().to_owned());
    }
    assert_eq!(done.status.code(), Some(MISSING), "{SCRIPT} {what}");
    let required = ["CI", "TEST_REQUIRE_SERVERS"].into_iter().any(is_set);
    assert!(!required, "{what} is missing, and CI or TEST_REQUIRE_SERVERS is set");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("NOT RUN: {test}: scripts/browser {what} finds nothing");
    None
}

fn mouse(actions: &[Value]) -> Value {
    json!({
        "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" },
        "actions": actions,
    })
}

/// Goes to an element, presses the button, and goes far enough for it to be a drag.
fn lift(element: &str) -> [Value; 3] {
    [over(element, 0), json!({ "type": "pointerDown", "button": 0 }), over(element, 15)]
}

fn over(element: &str, y: i32) -> Value {
    json!({
        "type": "pointerMove", "duration": 100, "x": 0, "y": y, "origin": { ELEMENT: element },
    })
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

pub(crate) const ENTER: char = '\u{e007}';
pub(crate) const ESCAPE: char = '\u{e00c}';
pub(crate) const RIGHT: char = '\u{e014}';
pub(crate) const SHIFT: char = '\u{e008}';
pub(crate) const TAB: char = '\u{e004}';

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/browser");
/// What the script ends with when there is nothing.
const MISSING: i32 = 3;
/// The protocol's name for a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const PATIENCE: Duration = Duration::from_secs(60);
/// No window, nothing that Chromium does of its own accord, and no sandbox, which root cannot have.
const ARGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
];
