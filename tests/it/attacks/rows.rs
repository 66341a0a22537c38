//! Every row that must hold has a test of its name, and every test of such a name has a row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The parts whose tests are all here: an `M` row of theirs without a test fails.
const PARTS: &[char] = &['a', 'b', 'c', 'd', 'e', 'g'];
/// What only a whole process can show.
const OF_THE_APPLICATION: &[&str] = &["e45"];
/// Tests of the application, which the published crate does not have.
const APPLICATION: &str = "examples/scheduled_posts/tests/it";

const ROWS: &str = include_str!("../../attack-rows.tsv");

#[test]
fn every_row_that_must_hold_has_a_test_of_its_name() {
    let tests = tests();
    let is_here = Path::new(env!("CARGO_MANIFEST_DIR")).join(APPLICATION).exists();
    let mut known = BTreeSet::new();
    let mut missing = Vec::new();
    for (number, line) in ROWS.lines().enumerate().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [row, strength, rule, documented] = columns[..] else {
            panic!("line {} has not four columns: {line}", number + 1);
        };
        assert!(known.insert(row), "{row} stands twice");
        assert!(["M", "S", "N"].contains(&strength), "{row}: {strength}");
        assert!(!rule.is_empty(), "{row} says nothing");
        let said = !documented.is_empty();
        let elsewhere = !is_here && OF_THE_APPLICATION.contains(&row);
        let enough = tests.contains_key(row) || (said && strength == "S") || elsewhere;
        if PARTS.contains(&row.chars().next().unwrap()) && !enough {
            missing.push(format!("{row}: {rule}"));
        }
        if said {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(documented);
            let text = fs::read_to_string(&path).expect(documented);
            assert!(text.contains(&format!("<!-- {row} -->")), "{documented} does not mark {row}");
        }
    }
    assert!(missing.is_empty(), "rows without a test:\n{}", missing.join("\n"));
    let strangers: Vec<_> = tests.iter().filter(|(row, _)| !known.contains(&***row)).collect();
    assert!(strangers.is_empty(), "tests named after no row: {strangers:?}");
}

/// The tests that are named after a row, by row.
fn tests() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests/it")];
    folders.extend(Some(root.join(APPLICATION)).filter(|folder| folder.exists()));
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for name in test_names(&text) {
                    for row in rows_of(name) {
                        tests.entry(row.to_owned()).or_default().push(name.to_owned());
                    }
                }
            }
        }
    }
    assert!(!tests.is_empty(), "the sources were found");
    tests
}

/// The functions that stand directly below a test attribute, and those of which a macro makes a
/// test on each database.
fn test_names(text: &str) -> impl Iterator<Item = &str> {
    below_attributes(text).chain(in_macros(text))
}

fn below_attributes(text: &str) -> impl Iterator<Item = &str> {
    let mut below = false;
    text.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            below = true;
            return None;
        }
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if function.is_none() && line.starts_with("#[") {
            return None;
        }
        let test = std::mem::take(&mut below);
        function.filter(|_| test)?.split(['(', '<']).next()
    })
}

/// `on_each_database!(one, two);` at the beginning of a line.
fn in_macros(text: &str) -> impl Iterator<Item = &str> {
    let calls = text.split("\non_").skip(1).filter_map(|rest| {
        let (name, arguments) = rest.split_once("!(")?;
        let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        arguments.split_once(");").filter(|_| is_name)
    });
    calls.flat_map(|(names, _)| names.split(',').map(str::trim).filter(|name| !name.is_empty()))
}

/// `e38` and `e39` of `e38_e39_of_two_updates_at_once_the_newest_wins_whole`.
fn rows_of(name: &str) -> Vec<&str> {
    let is_row = |part: &&str| {
        let number = part.strip_prefix(['a', 'b', 'c', 'd', 'e', 'g']).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    let rows: Vec<_> = name.split('_').take_while(is_row).collect();
    if rows.len() == name.split('_').count() { Vec::new() } else { rows }
}

#[test]
fn tests_are_told_from_other_functions() {
    let text = "#[test]\nfn a1_x() {}\nfn a2_x() {}\n#[tokio::test(start_paused = true)]\n#[x]\n    async fn b3_y() {}\n#[test]\nfn plain() {}";
    assert_eq!(test_names(text).collect::<Vec<_>>(), ["a1_x", "b3_y", "plain"]);
    let text =
        "use x;\n\non_each_database!(\n    e1_x,\n    y,\n);\nfn e2_x() {}\non_both!(e3_z);\n";
    assert_eq!(test_names(text).collect::<Vec<_>>(), ["e1_x", "y", "e3_z"]);
    assert_eq!(rows_of("a13_crit_is_enforced"), ["a13"]);
    assert_eq!(rows_of("e38_e39_of_2_e40_at_once"), ["e38", "e39"]);
    for other in ["a_token", "a13", "f1_x", "ab1_x", "a1b_x", "both_keys", "e1_e2"] {
        assert!(rows_of(other).is_empty(), "{other}");
    }
}
