//! Every row that must hold has a test of its name, and every test of such a name has a row. There are
//! two registers: attacks, whose tests begin with `a13_`, and faults that were found, whose tests begin
//! with `fault_c14_`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A list of rows, and what the names of their tests begin with.
struct Register {
    rows: &'static str,
    prefix: &'static str,
    parts: &'static [char],
}

const ATTACKS: Register = Register {
    rows: include_str!("../../attack-rows.tsv"),
    prefix: "",
    parts: &['a', 'b', 'c', 'd', 'e', 'f', 'g'],
};
const FAULTS: Register = Register {
    rows: include_str!("../../fault-rows.tsv"),
    prefix: "fault_",
    parts: &['a', 'c', 'k', 's'],
};
/// Rows that only a whole process can show, or the layer among others. The published crate has no such
/// tests.
const OF_OTHER_PACKAGES: &[&str] = &["a1", "c8", "c9", "e45", "k8"];

#[test]
fn every_attack_that_must_fail_has_a_test_of_its_name() {
    every_row_has_a_test(&ATTACKS);
}

#[test]
fn every_fault_that_was_found_has_a_test_of_its_name() {
    every_row_has_a_test(&FAULTS);
}

fn every_row_has_a_test(register: &Register) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = tests(register);
    let is_whole = root.join("examples/scheduled_posts").exists();
    let mut known = BTreeSet::new();
    let mut missing = Vec::new();
    for (number, line) in register.rows.lines().enumerate().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [row, strength, rule, documented] = columns[..] else {
            panic!("line {} has not four columns: {line}", number + 1);
        };
        assert!(known.insert(row), "{row} stands twice");
        assert!(["M", "S", "N"].contains(&strength), "{row}: {strength}");
        assert!(!rule.is_empty(), "{row} says nothing");
        // A script is not in the published crate, and proves its row by itself.
        let is_script = documented.starts_with("scripts/");
        let said = !documented.is_empty() && !is_script;
        let elsewhere = !is_whole && (row.starts_with('f') || OF_OTHER_PACKAGES.contains(&row));
        let enough = tests.contains_key(row) || is_script || (said && strength == "S") || elsewhere;
        if !enough {
            missing.push(format!("{row}: {rule}"));
        }
        if said {
            let text = fs::read_to_string(root.join(documented)).expect(documented);
            assert!(text.contains(&format!("<!-- {row} -->")), "{documented} does not mark {row}");
        }
        assert!(!is_script || !is_whole || root.join(documented).exists(), "{documented}");
    }
    assert!(missing.is_empty(), "rows without a test:\n{}", missing.join("\n"));
    let strangers: Vec<_> = tests.iter().filter(|(row, _)| !known.contains(&***row)).collect();
    assert!(strangers.is_empty(), "tests named after no row: {strangers:?}");
}

/// The tests that are named after a row, by row.
fn tests(register: &Register) -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests/it"), root.join("tests/stacks")];
    let examples = fs::read_dir(root.join("examples")).into_iter().flatten();
    let packages = examples.map(|entry| entry.unwrap().path());
    folders.extend(packages.flat_map(|package| [package.join("src"), package.join("tests")]));
    folders.retain(|folder| folder.exists());
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources(folders) {
        let text = fs::read_to_string(&path).unwrap();
        for name in test_names(&text) {
            for row in rows_of(register, name) {
                tests.entry(row.to_owned()).or_default().push(name.to_owned());
            }
        }
    }
    assert!(!tests.is_empty(), "the sources were found");
    tests
}

/// The Rust files in these folders and below.
fn sources(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
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
fn rows_of<'a>(register: &Register, name: &'a str) -> Vec<&'a str> {
    let Some(name) = name.strip_prefix(register.prefix) else { return Vec::new() };
    let is_row = |part: &&str| {
        let number = part.strip_prefix(register.parts).unwrap_or_default();
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
    assert_eq!(rows_of(&ATTACKS, "a13_crit_is_enforced"), ["a13"]);
    assert_eq!(rows_of(&ATTACKS, "e38_e39_of_2_e40_at_once"), ["e38", "e39"]);
    for other in ["a_token", "a13", "h1_x", "ab1_x", "a1b_x", "both_keys", "e1_e2", "fault_a1_x"] {
        assert!(rows_of(&ATTACKS, other).is_empty(), "{other}");
    }
    assert_eq!(rows_of(&FAULTS, "fault_c8_c9_told_apart"), ["c8", "c9"]);
    for other in ["a13_x", "faults_c8_x", "fault_e1_x", "fault_c8", "default_c8_x"] {
        assert!(rows_of(&FAULTS, other).is_empty(), "{other}");
    }
}
