//! Regression tests of faults, by their numbers.

use std::fs::{self, File};
use std::io::{PipeReader, Write as _, pipe};
use std::process::{Command, Stdio};

use dev_clerk::{DevClerk, Place, StartError, variables_of};
use serde_json::json;

use crate::support::{Api, Program, free_port, until};

#[tokio::test]
async fn fault_c9_two_stand_ins_never_share_a_file() {
    let program = Program::new();
    let mut first = program.running().await;
    let backend = first.backend();
    let before = backend.sign_up("before@example.com").await;

    let (code, told) = program.refused().await;
    assert_eq!(code, 2, "{told}");
    let expected = "DEV_CLERK_FILE (--file): users.json is in use by another dev Clerk that still \
                    runs";
    assert!(
        told.contains(expected) && told.contains("stop the other one, or choose another file"),
        "{told}"
    );
    // Another program that embeds the stand-in does not start either.
    let place = Place::new(0, program.path("users.json"));
    let third = DevClerk::start(&place, None).await;
    assert!(matches!(third, Err(StartError::FileInUse(_))), "{third:?}");
    // A stand-in that names the file differently does not start either.
    std::os::unix::fs::symlink("users.json", program.path("link.json")).unwrap();
    let link = DevClerk::start(&Place::new(0, program.path("link.json")), None).await;
    assert!(matches!(link, Err(StartError::FileInUse(_))), "{link:?}");
    // Reading needs no lock.
    let port = first.variable("CLERK_API_URL").rsplit_once(':').unwrap().1.parse().unwrap();
    let variables = variables_of(&Place::new(port, program.path("users.json"))).unwrap();
    let exports = variables.iter().map(|(name, value)| format!("export {name}={value}\n"));
    assert_eq!(exports.collect::<String>(), first.out);

    // The file has been replaced by then: the lock must not be on the previous file.
    let after = backend.sign_up("after@example.com").await;
    assert_eq!(program.refused().await.0, 2);
    first.process.kill();

    let again = program.running().await;
    let users = again.backend().get("/v1/users?order_by=%2Bcreated_at").await.json();
    assert_eq!([&users[0]["id"], &users[1]["id"]], [&json!(before), &json!(after)]);
    drop(again);
    let inside = DevClerk::start(&place, None).await.unwrap();
    assert_eq!(program.refused().await.0, 2);
    drop(inside);
    program.running().await;
}

/// A place that a process cannot write to. A stalled reader stays open while this is kept.
struct Unwritable {
    name: &'static str,
    stdio: Stdio,
    _reader: Option<PipeReader>,
}

impl Unwritable {
    fn full_disk() -> Self {
        let file = File::options().write(true).open("/dev/full").unwrap();
        Self { name: "a full disk", stdio: file.into(), _reader: None }
    }

    fn closed_pipe() -> Self {
        let (_, writer) = pipe().unwrap();
        Self { name: "a closed pipe", stdio: writer.into(), _reader: None }
    }

    fn stalled_reader() -> Self {
        let (reader, mut writer) = pipe().unwrap();
        // As much as fits into a pipe on Linux: the next byte would block.
        writer.write_all(&[b'x'; 64 * 1024]).unwrap();
        Self { name: "a stalled reader", stdio: writer.into(), _reader: Some(reader) }
    }

    fn all() -> [Self; 3] {
        [Self::full_disk(), Self::closed_pipe(), Self::stalled_reader()]
    }
}

/// Returns a stand-in whose webhooks fail, so that each new user adds lines to the log.
fn talkative() -> (Program, Api) {
    let port = free_port();
    let program = Program::new()
        .with("DEV_CLERK_PORT", &port.to_string())
        .with("DEV_CLERK_WEBHOOK_URL", &format!("http://127.0.0.1:{}/", free_port()))
        .with("RUST_LOG", "trace");
    (program, Api::new(&format!("http://127.0.0.1:{port}")))
}

async fn works_as_ever(program: &Program, open: &Api, name: &str) {
    until("it listens", async || open.try_get("/dev").await).await;
    let records = fs::read(program.path("users.json")).unwrap();
    let records: serde_json::Value = serde_json::from_slice(&records).unwrap();
    let backend = open.with_key(records["secret_key"].as_str().unwrap());
    for n in 0..100 {
        backend.sign_up(&format!("u{n}@example.com")).await;
    }
    let count = backend.get("/v1/users/count").await.json();
    assert_eq!(count["total_count"], 100, "{name}");
}

#[tokio::test]
async fn fault_c14_a_log_that_cannot_be_written_changes_nothing() {
    for log in Unwritable::all() {
        let (program, open) = talkative();
        let mut process = program.start(Stdio::null(), Some(log.stdio));
        works_as_ever(&program, &open, log.name).await;
        process.signal("-TERM");
        assert_eq!(process.exit_code().await, 0, "{}", log.name);
    }
}

#[tokio::test]
async fn fault_c14_variables_that_nobody_reads_are_logged_and_change_nothing() {
    for out in Unwritable::all() {
        let (program, open) = talkative();
        let mut process = program.start(out.stdio, None);
        works_as_ever(&program, &open, out.name).await;
        if out.name != "a stalled reader" {
            until("it is said in the log", async || {
                process.err().contains("export CLERK_SECRET_KEY=sk_test_").then_some(())
            })
            .await;
        }
        process.signal("-TERM");
        assert_eq!(process.exit_code().await, 0, "{}", out.name);
        assert!(!process.err().contains("panic"), "{}", process.err());
    }
}

#[tokio::test]
async fn fault_c14_it_starts_without_standard_output_and_standard_error() {
    let (program, open) = talkative();
    let script = format!("exec {} >&- 2>&-", env!("CARGO_BIN_EXE_dev-clerk"));
    let mut shell = Command::new("/bin/sh");
    let mut process = program.start_by(shell.args(["-c", &script]), Stdio::null(), None);
    works_as_ever(&program, &open, "closed").await;
    process.signal("-TERM");
    assert_eq!(process.exit_code().await, 0);
}

#[tokio::test]
async fn fault_c14_a_refused_setting_is_exit_code_2_whoever_reads_why() {
    for log in Unwritable::all() {
        let program = Program::new().with("DEV_CLERK_PORT", "none");
        let mut process = program.start(Stdio::null(), Some(log.stdio));
        assert_eq!(process.exit_code().await, 2, "{}", log.name);
    }
}
