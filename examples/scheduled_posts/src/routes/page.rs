//! The web page and its files, which are all in the binary, and the page's policy.

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use crate::error::answer;
use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(index))
        .route("/web/{file}", get(file))
        .route("/app-config.json", get(config))
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

/// The files that index.html and its scripts load.
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
}
