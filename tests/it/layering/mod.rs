//! Who may name whom: the one direction in which modules, files and packages depend on each other.

mod graph;
mod table;

use std::fs;
use std::path::Path;

use self::graph::Graph;
use self::table::{MAY_NAME, PACKAGES, Package};

#[test]
fn modules_name_each_other_in_one_direction_only() {
    let violations = violations(&package("."));
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn no_two_files_name_each_other_in_any_package() {
    for Package { folder, .. } in PACKAGES {
        let graph = package(folder);
        let circles = graph.circles();
        assert!(circles.is_empty(), "{folder}: files that name each other\n{circles:#?}");
    }
}

#[test]
fn packages_name_each_other_in_one_direction_only() {
    for Package { folder, may_name, .. } in PACKAGES {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let manifest = manifest.split("[dev-dependencies]").next().unwrap();
        let graph = package(folder);
        for Package { name: other, .. } in PACKAGES {
            let allowed = may_name.iter().find(|(name, _)| name == other).map(|(_, files)| *files);
            let depends = manifest.lines().any(|line| {
                line.starts_with(&format!("{other} = ")) || line.starts_with(&format!("{other}."))
            });
            assert!(!depends || allowed.is_some(), "{folder} depends on {other}");
            let of = other.replace('-', "_");
            for file in graph.users_of(&of) {
                let may = allowed.is_some_and(|files| files == ["*"] || files.contains(&file));
                assert!(may, "{folder}: {file} names {other}, which the table does not allow");
            }
        }
    }
}

#[test]
fn a_forbidden_use_and_an_unknown_file_are_found() {
    let found = |place: &str, text: &str| {
        let module = |place: &str| format!("mod {};", place.split('/').next().unwrap());
        let declared =
            place.rsplit_once('/').map(|(folder, file)| (folder, format!("mod {file};")));
        let mut files = vec![
            ("lib", format!("mod session; mod webhook; mod test_util; {}", module(place))),
            (
                "session/mod",
                "mod claims; mod error; mod parse; mod verify; pub mod keys;".to_owned(),
            ),
            ("session/error", "pub struct Error;".to_owned()),
            ("session/keys/mod", "pub struct Key; mod jwk;".to_owned()),
            ("session/keys/jwk", String::new()),
            ("session/parse", String::new()),
            ("session/verify", "pub struct Verifier;".to_owned()),
            ("test_util/mod", "pub struct Issuer;".to_owned()),
            ("webhook/mod", "pub struct Delivery;".to_owned()),
        ];
        files.retain(|(other, _)| *other != place);
        files.push((place, text.to_owned()));
        if let Some((folder, declared)) = declared {
            let parent = format!("{folder}/mod");
            if let Some((_, text)) = files.iter_mut().find(|(place, _)| *place == parent) {
                text.push_str(&declared);
            }
        }
        violations(&Graph::of_texts(files.iter().map(|(place, text)| (*place, &**text)))).len()
    };
    assert_eq!(found("session/parse", "use crate::session::error::Error;"), 0);
    assert_eq!(found("session/parse", "use crate::session::keys::Key;"), 1);
    assert_eq!(found("session/parse", "use super::keys::Key;"), 1);
    assert_eq!(found("session/keys/jwk", "use super::super::verify::Verifier;"), 1);
    assert_eq!(found("session/parse", "use super::{error::Error, verify::Verifier};"), 1);
    assert_eq!(found("session/parse", "fn f() -> crate::webhook::Delivery { todo!() }"), 1);
    assert_eq!(found("session/parse", "event!(crate::webhook::Delivery);"), 1);
    assert_eq!(found("session/parse", "use super::verify; fn f(_: verify::Verifier) {}"), 1);
    assert_eq!(found("session/verify", "use crate::test_util::Issuer;"), 1);
    assert_eq!(found("session/verify", "// use crate::test_util::Issuer;"), 0);
    assert_eq!(found("session/verify", "#[cfg(test)] mod t { use crate::test_util::Issuer; }"), 0);
    assert_eq!(found("session/novel", ""), 1);
}

#[test]
fn a_circle_is_found_and_a_facade_is_none() {
    let circles = |files: &[(&str, &str)]| Graph::of_texts(files.iter().copied()).circles().len();
    let a_to_b = ("a", "use crate::b::B; pub struct A(B);");
    let lib = ("lib", "mod a; mod b; pub use a::A; pub use b::B;");
    assert_eq!(circles(&[lib, a_to_b, ("b", "pub struct B;")]), 0);
    assert_eq!(
        circles(&[lib, a_to_b, ("b", "pub struct B; fn f() -> crate::a::A { todo!() }")]),
        1
    );
    // By way of the name that lib.rs passes on.
    assert_eq!(circles(&[lib, a_to_b, ("b", "use crate::A; pub struct B(Box<A>);")]), 1);
    // A parent that only passes its child's names on is not one that uses them.
    let child = ("a/child", "use super::Shared; pub struct Child(Shared);");
    let parent = ("a/mod", "mod child; pub use child::Child; pub struct Shared;");
    assert_eq!(circles(&[("lib", "mod a;"), parent, child]), 0);
    let user = ("a/mod", "mod child; pub use child::Child; pub struct Shared; fn f(_: Child) {}");
    assert_eq!(circles(&[("lib", "mod a;"), user, child]), 1);
}

fn violations(graph: &Graph) -> Vec<String> {
    let mut violations = Vec::new();
    for (file, named) in graph.edges() {
        let Some((own, allowed)) = rule(file) else {
            violations.push(format!("{file}: no line in the table covers this file"));
            continue;
        };
        for named in named {
            let inside = |place: &str| named == place || named.starts_with(&format!("{place}/"));
            let free = allowed.contains(&"*") || inside(own);
            if !free && !allowed.iter().any(|place| inside(place)) {
                violations.push(format!("{file} names {named}, which the table does not allow"));
            }
        }
    }
    violations
}

/// Returns the line of the table that covers a file: the longest match counts.
fn rule(file: &str) -> Option<(&'static str, &'static [&'static str])> {
    let covers = |own: &str| file == own || file.starts_with(&format!("{own}/"));
    let lines = MAY_NAME.iter().filter(|(own, _)| covers(own));
    lines.max_by_key(|(own, _)| own.len()).map(|(own, allowed)| (*own, *allowed))
}

fn package(folder: &str) -> Graph {
    Graph::of(&root().join(folder).join("src"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
