//! Every row that must hold has a test of its name, and every test of such a name has a row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The parts whose tests are all here: an `M` row of theirs without a test fails.
const PARTS: &[char] = &['a', 'b', 'c', 'd', 'e', 'g'];

const ROWS: &str = include_str!("../../attack-rows.tsv");

#[test]
fn every_row_that_must_hold_has_a_test_of_its_name() {
    let tests = tests();
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
        let enough = tests.contains_key(row) || (said && strength == "S");
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
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for name in test_names(&text) {
                    if let Some(row) = row_of(name) {
                        tests.entry(row.to_owned()).or_default().push(name.to_owned());
                    }
                }
            }
        }
    }
    assert!(!tests.is_empty(), "the sources were found");
    tests
}

/// The functions that stand directly below a test attribute.
fn test_names(text: &str) -> impl Iterator<Item = &str> {
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

/// `a13` of `a13_crit_is_enforced`.
fn row_of(name: &str) -> Option<&str> {
    let (row, _) = name.split_once('_')?;
    let number = row.strip_prefix(['a', 'b', 'c', 'd', 'e', 'g'])?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(row)
}

#[test]
fn tests_are_told_from_other_functions() {
    let text = "#[test]\nfn a1_x() {}\nfn a2_x() {}\n#[tokio::test(start_paused = true)]\n#[x]\n    async fn b3_y() {}\n#[test]\nfn plain() {}";
    assert_eq!(test_names(text).collect::<Vec<_>>(), ["a1_x", "b3_y", "plain"]);
    assert_eq!(row_of("a13_crit_is_enforced"), Some("a13"));
    for other in ["a_token", "a13", "f1_x", "ab1_x", "a1b_x", "both_keys"] {
        assert_eq!(row_of(other), None, "{other}");
    }
}
