//! Tests that the README is true.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{Program, text};

/// Returns the path of a file of this package.
pub(crate) fn in_package(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Returns the README's only block of code in a language.
pub(crate) fn block(language: &str) -> String {
    let fence = format!("```{language}\n");
    let readme = readme();
    let mut blocks = readme.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let block = blocks.next().unwrap().to_owned();
    assert!(blocks.next().is_none(), "two blocks in {language}");
    block
}

fn readme() -> String {
    fs::read_to_string(in_package("README.md")).unwrap()
}

#[test]
fn the_readme_shows_the_programs_that_are_run() {
    for (language, file) in
        [("js", "outside/node/clerk.test.mjs"), ("python", "outside/python/test_clerk.py")]
    {
        let program = fs::read_to_string(in_package(file)).unwrap();
        assert_eq!(block(language), program, "README.md and {file}");
    }
    let readme = readme();
    for (file, package, sign) in [
        ("outside/node/package.json", "@clerk/backend", "\": \""),
        ("outside/python/requirements.in", "clerk-backend-api", "=="),
    ] {
        let pins = fs::read_to_string(in_package(file)).unwrap();
        let (_, version) = pins.split_once(&format!("{package}{sign}")).unwrap();
        let version = version.split(['"', '\n']).next().unwrap();
        let said = format!("Tested with {package} {version} ");
        assert!(readme.contains(&said), "{said}");
    }
}

#[test]
fn the_readme_has_each_option_and_its_variable() {
    let help = Command::new(env!("CARGO_BIN_EXE_dev-clerk")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--"))
        .map(|line| line.split_once(' ').unwrap().0)
        .collect();
    let variables: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[env: ")?.strip_suffix(']'))
        .collect();
    assert_eq!((options.len(), variables.len()), (4, 4), "{help}");
    let readme = readme();
    for (option, variable) in options.iter().zip(variables) {
        let row = format!("| `--{option}` | `{variable}` | ");
        assert!(readme.contains(&row), "{row}");
    }
}

#[tokio::test]
async fn it_has_each_route_that_the_readme_names() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let user = backend.sign_up("ada@example.com").await;
    let session = backend.post("/v1/sessions", &json!({ "user_id": user })).await.json();
    let delivery = backend.get("/dev/deliveries").await.json();
    let (session, delivery) = (text(&session["id"]), text(&delivery[0]["id"]));

    let readme = readme();
    let routes: Vec<(&str, &str)> = readme
        .split('`')
        .filter_map(|code| code.split_once(' '))
        .filter(|(method, path)| {
            ["DELETE", "GET", "PATCH", "POST", "PUT"].contains(method) && path.starts_with('/')
        })
        .collect();
    assert!(routes.len() > 25, "{routes:?}");
    for (method, path) in routes {
        let path = path.replace("{user}", &user).replace("{session}", &session);
        let path = path.replace("{delivery}", &delivery);
        let answer = backend.send(method, &path, &json!({})).await;
        let has = !answer.text.contains("does not have this route") && answer.status != 405;
        assert!(has, "{method} {path}: {answer:?}");
    }
}
