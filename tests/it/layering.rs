//! Who may name whom: the one direction in which the crate's modules depend on each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// For each place (a file, or a folder with all its files) the places that it may name after
/// `crate::`, besides itself and what is below it. A file that no line covers fails the test; the
/// longest match counts.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("lib", &["*"]),
    // The ground: names nothing but the errors of settings.
    ("clock", &[]),
    ("error", &[]),
    ("instance", &["error"]),
    ("meter", &[]),
    ("secret", &["error"]),
    ("sampling", &[]),
    ("trace", &[]),
    ("http_client", &["error", "secret"]),
    (
        "config",
        &[
            "error",
            "instance",
            "secret",
            "http_client",
            "session",
            "session/keys",
            "session/verify",
        ],
    ),
    // Flow 1, from the ground up.
    ("session/mod", &["session"]),
    ("session/error", &[]),
    ("session/extract", &["session/error"]),
    ("session/parse", &["session/error"]),
    ("session/public_key", &["error"]),
    ("session/window", &[]),
    ("session/claims", &["session/error", "session/parse"]),
    ("session/session", &["session/claims", "session/public_key", "session/window"]),
    ("session/cache", &["session/claims", "session/session"]),
    (
        "session/keys",
        &[
            "clock",
            "error",
            "http_client",
            "meter",
            "secret",
            "session/parse",
            "session/public_key",
            "trace",
        ],
    ),
    (
        "session/verify",
        &[
            "clock",
            "error",
            "instance",
            "meter",
            "session/cache",
            "session/claims",
            "session/error",
            "session/keys",
            "session/parse",
            "session/public_key",
            "session/session",
            "session/window",
            "trace",
        ],
    ),
    ("session/body", &[]),
    ("session/reject", &["session/error"]),
    (
        "session/gate",
        &[
            "clock",
            "meter",
            "sampling",
            "session/error",
            "session/extract",
            "session/reject",
            "session/session",
            "session/verify",
            "trace",
        ],
    ),
    ("session/future", &["session/body", "session/gate", "session/verify"]),
    ("session/service", &["session/body", "session/future", "session/gate", "session/verify"]),
    ("session/layer", &["session/gate", "session/reject", "session/service", "session/verify"]),
    // Flow 2, from the ground up.
    ("webhook/mod", &["webhook"]),
    ("webhook/error", &[]),
    ("webhook/future", &[]),
    ("webhook/headers", &["webhook/error"]),
    ("webhook/body", &["webhook/error"]),
    ("webhook/event", &["webhook/error"]),
    (
        "webhook/verify",
        &["clock", "error", "secret", "webhook/error", "webhook/event", "webhook/headers"],
    ),
    ("webhook/sink", &["webhook/error", "webhook/verify"]),
    ("webhook/respond", &["webhook/error"]),
    ("webhook/refusals", &["clock", "meter", "sampling", "trace", "webhook/error"]),
    (
        "webhook/service",
        &[
            "clock",
            "error",
            "secret",
            "trace",
            "webhook/body",
            "webhook/error",
            "webhook/future",
            "webhook/headers",
            "webhook/refusals",
            "webhook/respond",
            "webhook/sink",
            "webhook/verify",
        ],
    ),
    // Flow 3, from the ground up.
    ("backfill/mod", &["backfill"]),
    ("backfill/target", &["webhook"]),
    ("backfill/error", &["webhook"]),
    ("backfill/progress", &[]),
    ("backfill/retry", &["trace", "webhook"]),
    ("backfill/page", &["webhook"]),
    (
        "backfill/api",
        &[
            "backfill/error",
            "backfill/page",
            "backfill/retry",
            "error",
            "http_client",
            "secret",
            "trace",
            "webhook",
        ],
    ),
    (
        "backfill/walk",
        &["backfill/api", "backfill/error", "backfill/page", "backfill/target", "trace"],
    ),
    (
        "backfill/run",
        &[
            "backfill/api",
            "backfill/error",
            "backfill/progress",
            "backfill/retry",
            "backfill/target",
            "backfill/walk",
            "clock",
            "trace",
        ],
    ),
    (
        "backfill/reconcile",
        &[
            "backfill/api",
            "backfill/error",
            "backfill/progress",
            "backfill/run",
            "backfill/target",
            "backfill/walk",
            "trace",
            "webhook",
        ],
    ),
    ("sea_orm", &["backfill", "clock", "error", "trace", "webhook"]),
    // Adapters.
    ("axum", &["session", "trace"]),
    ("tonic", &["session", "trace"]),
    // Nobody names these.
    ("test_util", &["*"]),
];

#[test]
fn modules_name_each_other_in_one_direction_only() {
    let violations = violations(&source_files());
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn a_forbidden_use_and_an_unknown_file_are_found() {
    let found = |place: &str, text: &str| violations(&[(place.into(), text.into())]);
    assert_eq!(found("session/parse", "use crate::session::error::X;").len(), 0);
    assert_eq!(found("session/parse", "use crate::session::keys::KeySource;").len(), 1);
    assert_eq!(found("session/parse", "use super::keys::KeySource;").len(), 1);
    assert_eq!(found("session/keys/jwk", "use super::super::verify::Verifier;").len(), 1);
    assert_eq!(found("session/parse", "use super::{error::X, verify::Y};").len(), 1);
    assert_eq!(found("session/parse", "fn f() -> crate::webhook::Delivery {}").len(), 1);
    assert_eq!(found("session/verify", "use crate::test_util::Issuer;").len(), 1);
    assert_eq!(found("session/verify", "// use crate::test_util::Issuer;").len(), 0);
    assert_eq!(found("session/parse", "use crate::Session;").len(), 1);
    assert_eq!(found("session/parse", "use crate::ConfigError;").len(), 1);
    assert_eq!(found("session/novel", "").len(), 1);
}

/// Every source file that is not a test: its place (the path without `.rs`) and its text.
fn source_files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let place = path.strip_prefix(&root).unwrap().with_extension("");
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                files.push((place.to_str().unwrap().replace('\\', "/"), text));
            }
        }
    }
    assert!(files.len() > 20, "the sources were found");
    files
}

fn violations(files: &[(String, String)]) -> Vec<String> {
    let mut violations = Vec::new();
    for (file, text) in files {
        let Some((own, allowed)) = rule(file) else {
            violations.push(format!("{file}: no line in the table covers this file"));
            continue;
        };
        for named in named_places(file, text) {
            let inside = |place: &str| named == place || named.starts_with(&format!("{place}/"));
            let free = allowed.contains(&"*") || inside(own) || own == named;
            if !free && !allowed.iter().any(|place| inside(place)) {
                violations.push(format!("{file} names {named}, which the table does not allow"));
            }
        }
    }
    violations
}

fn rule(place: &str) -> Option<(&'static str, &'static [&'static str])> {
    let covers = |own: &str| {
        place == own || place == format!("{own}/mod") || place.starts_with(&format!("{own}/"))
    };
    let lines = MAY_NAME.iter().filter(|(own, _)| covers(own));
    lines.max_by_key(|(own, _)| own.len()).map(|(own, allowed)| (*own, *allowed))
}

/// The known places that a text names by `crate::…` or `super::…`, groups in braces included.
fn named_places(file: &str, text: &str) -> BTreeSet<String> {
    let text: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line.trim(), " "])
        .collect();
    let text = text.replace("pub(in crate::", "pub(");
    let module: Vec<&str> = file.trim_end_matches("/mod").split('/').collect();
    let mut named = BTreeSet::new();
    for (start, _) in text.match_indices("crate::") {
        collect(&text[start + "crate::".len()..], &[], &mut named);
    }
    for (start, _) in text.match_indices("super::") {
        if text[..start].ends_with("super::") {
            continue;
        }
        let mut base = module.clone();
        let mut rest = &text[start..];
        while let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        }
        collect(rest, &base, &mut named);
    }
    named
}

/// Follows a path from `base` into every branch of its braces.
fn collect(path: &str, base: &[&str], named: &mut BTreeSet<String>) {
    if let Some(group) = path.strip_prefix('{') {
        let mut depth = 0;
        let mut start = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    collect(group[start..at].trim(), base, named);
                    return;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    collect(group[start..at].trim(), base, named);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let mut place = base.to_vec();
    place.push(name);
    if !name.is_empty() && name.chars().next().is_some_and(char::is_lowercase) {
        match rest.strip_prefix("::") {
            Some(rest) => collect(rest, &place, named),
            None => {
                named.insert(known(&place));
            }
        }
    } else if base.is_empty() {
        // What lib.rs re-exports stands for the file it comes from.
        let file = match name {
            "ConfigError" => "error",
            "PublishableKey" => "instance",
            _ => "lib",
        };
        named.insert(file.to_owned());
    } else {
        named.insert(known(base));
    }
}

/// The longest part of a path that is a place in the table.
fn known(path: &[&str]) -> String {
    let mut path = path.to_vec();
    while !path.is_empty() {
        let place = path.join("/");
        let exact = |own: &str| own == place || own.starts_with(&format!("{place}/"));
        if MAY_NAME.iter().any(|(own, _)| exact(own)) || path.len() == 1 {
            return place;
        }
        path.pop();
    }
    String::new()
}
