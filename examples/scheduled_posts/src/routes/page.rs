//! The web page and its files, all in the binary, and what the page may load and reach.

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tower_clerk::PublishableKey;
use tower_clerk::config::ClerkConfig;

use crate::error::answer;
use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(index))
        .route("/web/{file}", get(file))
        .route("/app-config.json", get(config))
}

/// Who signs users in on the page.
#[derive(Debug)]
pub(crate) enum PageConfig {
    /// A Clerk instance, by its publishable key.
    Clerk(PublishableKey),
    /// The stand-in for Clerk at this origin.
    DevClerk(String),
    /// Tokens are verified, but nobody said where they come from.
    Nobody,
}

impl PageConfig {
    pub(crate) fn of(clerk: &ClerkConfig) -> Self {
        // A Backend API on this machine can only be a stand-in, in this process or beside it.
        let local =
            clerk.issuer().strip_prefix("http://").filter(|_| clerk.issuer() == clerk.api_url());
        match (local, clerk.publishable_key()) {
            (Some(host), _) => Self::DevClerk(format!("http://{host}")),
            (None, Some(key)) => Self::Clerk(key.clone()),
            (None, None) => Self::Nobody,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Clerk(key) => {
                let clerk = json!({ "publishable_key": key.as_str(), "script": script(key) });
                json!({ "dev_clerk": null, "clerk": clerk })
            }
            Self::DevClerk(origin) => json!({ "dev_clerk": origin, "clerk": null }),
            Self::Nobody => json!({ "dev_clerk": null, "clerk": null }),
        }
    }

    /// No script, style or connection but our own, and those of who signs users in.
    fn policy(&self) -> String {
        let (script, connect, rest) = match self {
            Self::Clerk(key) => {
                let api = format!("https://{}", key.frontend_api());
                // As Clerk's guide to Content-Security-Policy has it, but for the inline styles:
                // those are for its components, and this page has none of them.
                let script = format!(" {api} {CHALLENGES} https://*.protect.clerk.com");
                let connect = format!(" {api} https://*.protect.clerk.com:*");
                let rest = format!(
                    "; worker-src 'self' blob:; frame-src {CHALLENGES} https://*.protect.clerk.com"
                );
                (script, connect, rest)
            }
            Self::DevClerk(origin) => (String::new(), format!(" {origin}"), String::new()),
            Self::Nobody => (String::new(), String::new(), String::new()),
        };
        format!(
            "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self'; \
             connect-src 'self'{connect}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'{rest}"
        )
    }
}

/// ClerkJS where the instance serves it. Major 6 is the current one, and the first whose script
/// leaves out the components, which this page does without.
fn script(key: &PublishableKey) -> String {
    format!("https://{}/npm/@clerk/clerk-js@6/dist/clerk.browser.js", key.frontend_api())
}

async fn index(State(state): State<AppState>) -> impl IntoResponse {
    let policy = (header::CONTENT_SECURITY_POLICY, state.page.policy());
    let referrer = (header::REFERRER_POLICY, "no-referrer".to_owned());
    ([content_type("text/html; charset=utf-8"), policy, referrer], INDEX)
}

async fn file(Path(wanted): Path<String>) -> Response {
    let Some((name, text)) = FILES.iter().find(|(name, _)| *name == wanted) else {
        return answer(StatusCode::NOT_FOUND, "Not found");
    };
    let kind = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    ([content_type(kind)], *text).into_response()
}

async fn config(State(state): State<AppState>) -> Json<Value> {
    Json(state.page.json())
}

fn content_type(value: &str) -> (HeaderName, String) {
    (header::CONTENT_TYPE, value.to_owned())
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../web/", $name)))),+]
    };
}

/// What index.html and its scripts name.
const FILES: &[(&str, &str)] = files![
    "accounts.js",
    "api.js",
    "app.js",
    "auth-clerk.js",
    "auth-dev.js",
    "auth.js",
    "board.css",
    "board.js",
    "card.js",
    "dom.js",
    "drag.js",
    "editor.js",
    "happened.js",
    "icon.svg",
    "ideas.js",
    "move.js",
    "notice.js",
    "style.css",
    "week.js",
];
const INDEX: &str = include_str!("../../web/index.html");
/// Cloudflare's check for bots, which Clerk uses.
const CHALLENGES: &str = "https://challenges.cloudflare.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_no_file_that_is_not_in_the_binary() {
        let scripts = FILES.iter().filter(|(name, _)| name.ends_with(".js"));
        let imports = scripts.flat_map(|(_, text)| {
            text.lines()
                .filter(|line| line.starts_with("import "))
                .filter_map(|line| line.split_once("from \"./")?.1.split('"').next())
        });
        let named = INDEX.split("\"/web/").skip(1).filter_map(|rest| rest.split('"').next());
        let wanted: Vec<&str> = named.chain(imports).collect();
        assert!(wanted.len() > FILES.len());
        for file in wanted {
            assert!(FILES.iter().any(|(name, _)| *name == file), "{file}");
        }
    }

    #[test]
    fn nothing_inline_is_on_the_page() {
        for bad in ["<style", " style=", " onclick", " onload", "javascript:"] {
            assert!(!INDEX.contains(bad), "{bad}");
        }
        assert_eq!(INDEX.matches("<script").count(), 1);
        for (name, text) in FILES {
            for bad in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text.contains(bad), "{bad} in {name}");
            }
        }
    }

    #[test]
    fn a_real_instance_may_run_its_own_script_and_nobody_else() {
        let key = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
        let page = PageConfig::Clerk(key);
        assert_eq!(
            page.json()["clerk"]["script"],
            "https://clerk.example.com/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
        );
        let policy = page.policy();
        for directive in [
            "default-src 'none'",
            "script-src 'self' https://clerk.example.com https://challenges.cloudflare.com https://*.protect.clerk.com",
            "style-src 'self'",
            "connect-src 'self' https://clerk.example.com https://*.protect.clerk.com:*",
            "worker-src 'self' blob:",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|found| found == directive), "{directive} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(!PageConfig::Nobody.policy().contains("http"));
    }
}
