//! A log that cannot be written, and standard output without a reader: neither changes what the
//! server does.

use std::fs::File;
use std::io::{PipeReader, Write as _, pipe};
use std::process::Stdio;

use crate::support::{
    Backend, MadeCertificate, Process, State, TlsClient, Webhook, World, free_port,
    numbers::Numbers, until,
};

/// Where a process can write nothing. While it is kept, a reader that stalls has not gone.
struct Unwritable {
    name: &'static str,
    stdio: Stdio,
    _reader: Option<PipeReader>,
}

impl Unwritable {
    fn full_disk() -> Self {
        let file = File::options().write(true).open("/dev/full").unwrap();
        Self { name: "full-disk", stdio: file.into(), _reader: None }
    }

    fn closed_pipe() -> Self {
        let (_, writer) = pipe().unwrap();
        Self { name: "closed-pipe", stdio: writer.into(), _reader: None }
    }

    fn stalled_reader() -> Self {
        let (reader, mut writer) = pipe().unwrap();
        // As much as Linux keeps of a pipe: the next byte would wait.
        writer.write_all(&[b'x'; 64 * 1024]).unwrap();
        Self { name: "stalled-reader", stdio: writer.into(), _reader: Some(reader) }
    }

    fn all() -> [Self; 3] {
        [Self::full_disk(), Self::closed_pipe(), Self::stalled_reader()]
    }
}

#[tokio::test]
async fn fault_c14_a_log_that_cannot_be_written_changes_no_answer() {
    World::run(Backend::Sqlite, async |world: World| {
        for (number, log) in Unwritable::all().into_iter().enumerate() {
            let metrics_port = free_port();
            let more =
                [("RUST_LOG".to_owned(), "debug".to_owned()), Numbers::variable(metrics_port)];
            let env = [world.env(), Webhook::variables(), more.into()].concat();
            let out = File::create(world.folder().join(format!("{}.out", log.name))).unwrap();
            let mut server = Process::start_into(
                world.folder(),
                log.name,
                &["serve"],
                &env,
                out.into(),
                log.stdio,
            );
            let api = world.api();
            until("the server is ready", async || {
                assert!(!server.has_ended(), "{}", log.name);
                api.try_get("/readyz").await.filter(|answer| answer.status == 200)
            })
            .await;
            for _ in 0..200 {
                let unsigned = api.post("/api/webhooks/clerk", &serde_json::json!({})).await;
                assert_eq!(unsigned.status, 400, "{}", log.name);
            }
            let user = format!("user_{}", log.name.replace('-', ""));
            let delivery = Webhook { user, state: State::Version(0) };
            assert_eq!(delivery.post(&api).await.unwrap().status, 204, "{}", log.name);
            assert_eq!(world.count("users").await, i64::try_from(number).unwrap() + 1);
            api.get("/api/me").await.is_error(401, "Not authenticated");
            // Whoever watches the numbers sees that the log is blind.
            let lost = Numbers::new(metrics_port).sum("log_lines_lost_total", &[]).await;
            assert_eq!(lost > 0.0, log.name != "stalled-reader", "{}: {lost}", log.name);
            server.terminate();
            assert_eq!(server.exit_code().await, 0, "{}", log.name);
        }
    })
    .await;
}

#[tokio::test]
async fn fault_c14_a_renewed_certificate_is_taken_though_the_log_is_full() {
    World::run(Backend::Sqlite, async |world: World| {
        let (old, new) =
            (MadeCertificate::new(&["localhost"]), MadeCertificate::new(&["localhost"]));
        let env = [world.env(), old.write(world.folder())].concat();
        let out = File::create(world.folder().join("serve.out")).unwrap();
        let full = Unwritable::full_disk().stdio;
        let server = Process::start_into(world.folder(), "serve", &[], &env, out.into(), full);
        let takes = async |certificate: &MadeCertificate| {
            TlsClient::new(world.port).connect(certificate).await.is_ok()
        };
        until("the server listens", async || {
            server.out().contains("Scheduled posts on").then_some(())
        })
        .await;
        assert!(takes(&old).await);
        // Each of these is told, or would be.
        std::fs::write(world.folder().join("key.pem"), "half of a renewal").unwrap();
        for _ in 0..3 {
            server.signal("-HUP");
        }
        new.write(world.folder());
        server.signal("-HUP");
        until("the new certificate is used", async || takes(&new).await.then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn fault_c14_a_refused_configuration_is_exit_code_2_whoever_reads_why() {
    World::run(Backend::Sqlite, async |world: World| {
        let wrong = [("PORT".to_owned(), "none".to_owned())];
        for log in Unwritable::all() {
            let folder = world.folder();
            let mut process =
                Process::start_into(folder, log.name, &["serve"], &wrong, Stdio::null(), log.stdio);
            assert_eq!(process.exit_code().await, 2, "{}", log.name);
        }
    })
    .await;
}

#[tokio::test]
async fn fault_c8_an_answer_that_nobody_reads_is_an_ordinary_failure() {
    World::run(Backend::Sqlite, async |world: World| {
        for args in [&["openapi"][..], &["doctor"], &["doctor", "--json"]] {
            for (out, told) in [
                (Unwritable::closed_pipe(), ""),
                (Unwritable::full_disk(), "standard output cannot be written: "),
            ] {
                let (folder, name) = (world.folder(), out.name);
                let err = File::create(folder.join(format!("{name}.err"))).unwrap();
                let mut process =
                    Process::start_into(folder, name, args, &world.env(), out.stdio, err.into());
                assert_eq!(process.exit_code().await, 1, "{args:?} {name}");
                let text = process.err();
                assert!(text.starts_with(told) && !text.contains("panicked"), "{args:?} {text}");
                assert_eq!(text.is_empty(), told.is_empty(), "{args:?} {text}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn fault_c8_a_server_whose_announcement_nobody_reads_serves() {
    World::run(Backend::Sqlite, async |world: World| {
        for out in [Unwritable::closed_pipe(), Unwritable::full_disk()] {
            let folder = world.folder();
            let err = File::create(folder.join(format!("{}.err", out.name))).unwrap();
            let mut server =
                Process::start_into(folder, out.name, &[], &world.env(), out.stdio, err.into());
            server.ready(&world.api()).await;
            // What was to be said stands in the log instead.
            until("the log has it", async || {
                server.err().contains("Scheduled posts on").then_some(())
            })
            .await;
            server.terminate();
            assert_eq!(server.exit_code().await, 0, "{}", server.err());
        }
    })
    .await;
}
