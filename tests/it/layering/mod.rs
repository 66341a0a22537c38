//! Who may name whom: the one direction in which modules, files and packages depend on each other.

mod graph;
mod table;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use self::graph::Graph;
use self::table::{MAY_NAME, PACKAGES, Package};

#[test]
fn modules_name_each_other_in_one_direction_only() {
    let violations = violations(&Graph::of(&root().join("src")));
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn no_two_files_name_each_other_in_any_package() {
    for Package { folder, .. } in PACKAGES {
        for graph in crates(folder) {
            assert_eq!(graph.faults(), [""; 0], "{folder}");
            let circles = graph.circles();
            assert!(circles.is_empty(), "{folder}: files that name each other\n{circles:#?}");
        }
    }
}

#[test]
fn packages_name_each_other_in_one_direction_only() {
    for Package { folder, name: own, may_name } in PACKAGES {
        let dependencies = dependencies(folder);
        let graphs = crates(folder);
        for Package { name: other, .. } in PACKAGES.iter().filter(|other| other.name != *own) {
            let allowed = may_name.iter().find(|(name, _)| name == other).map(|(_, files)| *files);
            let depends = dependencies.iter().any(|name| name == other);
            assert!(!depends || allowed.is_some(), "{folder} depends on {other}");
            let of = other.replace('-', "_");
            for file in graphs.iter().flat_map(|graph| graph.users_of(&of)) {
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
fn nothing_that_is_named_in_an_unusual_way_is_overlooked() {
    let graph = |text: &str| {
        let b = ("b", "pub struct B; impl B { pub fn new() -> Self { Self } }");
        Graph::of_texts([("lib", "mod a; mod b;"), ("a", text), b])
    };
    let names_b = |text: &str| graph(text).edges()["a"].contains("b");
    for text in [
        "use crate::b::{B};",
        "use crate::{b as other}; fn f(_: other::B) {}",
        "fn f() { use crate::b::{B}; let _ = B; }",
        "mod inline { use crate::{b::B}; }",
        "pub(crate) use crate::b::B;",
        "fn f() { let _ = crate::b::B::new(); }",
    ] {
        assert!(names_b(text), "{text}");
    }
    assert_eq!(graph("use crate::b::*;").faults().len(), 1);
    assert_eq!(Graph::of_texts([("lib", ""), ("a", "")]).faults().len(), 1);
    assert_eq!(Graph::of_texts([("lib", "#[cfg(test)] mod a;"), ("a", "")]).faults().len(), 0);
    for text in [
        "use dev_clerk as d; fn f() { d::run() }",
        "use ::dev_clerk::run;",
        "extern crate dev_clerk;",
        "fn f() { use dev_clerk::{run}; run() }",
        "fn f() { dev_clerk::run() }",
    ] {
        assert_eq!(graph(text).users_of("dev_clerk").collect::<Vec<_>>(), ["a"], "{text}");
    }
    let own =
        Graph::of_texts([("lib", "mod dev_clerk; fn f() { dev_clerk::run() }"), ("dev_clerk", "")]);
    assert_eq!(own.users_of("dev_clerk").count(), 0);
}

#[test]
fn a_circle_by_way_of_methods_is_found() {
    let circles = |home: &str| {
        let more = ("more", "use crate::home::T; impl T { pub fn more(&self) { self.less() } }");
        let files = [("lib", "mod home; mod more;"), ("home", home), more];
        Graph::of_texts(files).circles().len()
    };
    assert_eq!(circles("pub struct T; impl T { pub fn less(&self) {} }"), 0);
    assert_eq!(circles("pub struct T; impl T { pub fn less(&self) { self.more() } }"), 1);
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

/// Returns the names of a package's dependencies, those for tests alone excepted.
fn dependencies(folder: &str) -> Vec<String> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(root().join(folder).join("Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let manifest = root().join(folder).join("Cargo.toml").canonicalize().unwrap();
    let is_it = |package: &&Value| {
        Path::new(package["manifest_path"].as_str().unwrap()).canonicalize().unwrap() == manifest
    };
    let package = metadata["packages"].as_array().unwrap().iter().find(is_it).unwrap();
    let of = package["dependencies"].as_array().unwrap();
    let of = of.iter().filter(|dependency| dependency["kind"] != "dev");
    of.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

/// Returns the files of a package's library or program, and those of the programs below `src/bin`.
fn crates(folder: &str) -> Vec<Graph> {
    let src = root().join(folder).join("src");
    let programs = fs::read_dir(src.join("bin")).into_iter().flatten();
    let programs = programs.map(|program| Graph::of(&program.unwrap().path()));
    std::iter::once(Graph::of(&src)).chain(programs).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
