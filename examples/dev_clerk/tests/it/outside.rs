//! The README's programs in other languages, unchanged, against the built program: with Clerk's own
//! SDKs, or with a shell only.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::readme;
use crate::support::until;

#[tokio::test]
async fn a_node_program_uses_it_through_clerks_own_sdk() {
    let Some(installed) = script("node") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = copy(&folder, "node/clerk.test.mjs");
    symlink(Path::new(&installed).join("node_modules"), folder.path().join("node_modules"))
        .unwrap();
    let node = ["node", "--test", "--test-reporter=tap", file.to_str().unwrap()];
    let said = run(&folder, &node).await;
    assert!(said.contains("\n# pass 2\n") && said.contains("\n# fail 0\n"), "{said}");
}

#[tokio::test]
async fn a_python_program_uses_it_through_clerks_own_sdk() {
    let Some(python) = script("python") else { return };
    let folder = tempfile::tempdir().unwrap();
    copy(&folder, "python/test_clerk.py");
    let said = run(&folder, &[&python, "-m", "unittest", "test_clerk"]).await;
    assert!(said.contains("\nRan 2 tests in ") && said.ends_with("\nOK\n"), "{said}");
}

#[tokio::test]
async fn a_shell_script_uses_it_by_curl() {
    if script("curl").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let said = run(&folder, &["bash", "-euc", &readme::block("bash")]).await;
    let said = said.lines().find(|line| line.contains("has the token")).expect(&said);
    let (user, token) = said.split_once(" has the token ").unwrap();
    assert!(user.starts_with("user_") && token.split('.').count() == 3, "{said}");
}

/// Copies a program to an empty folder outside the repository.
fn copy(folder: &TempDir, program: &str) -> PathBuf {
    let from = readme::in_package("outside").join(program);
    let to = folder.path().join(from.file_name().unwrap());
    fs::copy(from, &to).unwrap();
    to
}

/// Runs a command to its end with `dev-clerk` in the PATH, and returns its output.
async fn run(folder: &TempDir, command: &[&str]) -> String {
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_dev-clerk"), programs.join("dev-clerk")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let log = folder.path().join("said");
    let said = fs::File::create(&log).unwrap();
    let child = Command::new(command[0])
        .args(&command[1..])
        .current_dir(folder.path())
        // No proxy and no keys from the environment.
        .env_clear()
        .env("PATH", path)
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .process_group(0)
        .spawn();
    let mut group = Group(child.unwrap());
    let done = until("the program is done", async || group.0.try_wait().unwrap()).await;
    let said = fs::read_to_string(log).unwrap();
    assert!(done.success(), "{done}\n{said}");
    said
}

/// A program and its child processes, which end with the test.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Usually it has ended already.
        let group = format!("-{}", self.0.id());
        let kill = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
        assert!(kill.is_ok() || std::thread::panicking(), "{kill:?}");
        let _ = self.0.wait();
    }
}

/// Returns the output of `scripts/outside-programs`; `None` when it finds nothing and nothing is
/// required.
fn script(what: &str) -> Option<String> {
    let script = readme::in_package("../../scripts/outside-programs");
    let done = Command::new(&script).arg(what).stderr(Stdio::inherit()).output();
    let done = done.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    if done.status.success() {
        return Some(String::from_utf8(done.stdout).unwrap().trim().to_owned());
    }
    assert_eq!(done.status.code(), Some(MISSING), "scripts/outside-programs {what}");
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let required = ["CI", "TEST_REQUIRE_SERVERS"].into_iter().any(is_set);
    assert!(!required, "{what} is missing, and CI or TEST_REQUIRE_SERVERS is set");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("NOT RUN: {test}: scripts/outside-programs {what} finds nothing");
    None
}

/// The script's exit code when it finds nothing.
const MISSING: i32 = 3;
