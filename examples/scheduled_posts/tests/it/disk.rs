//! The database's disk and its files: full, read-only, deleted, replaced, and nobody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::support::{
    Answer, Api, Backend, Clerk, PROGRAM, Process, World, on_every_backend, until,
};

const UNWRITABLE: &str = "Database cannot be written to";

async fn is_not_ready(api: &Api, server: &Process) {
    until("the server is not ready", async || {
        (api.get("/readyz").await.status == 503).then_some(())
    })
    .await;
    api.get("/readyz").await.is_error(503, UNWRITABLE);
    assert_eq!(api.get("/healthz").await.status, 200, "{}", server.err());
}

async fn is_ready(api: &Api) {
    until("the server is ready again", async || {
        (api.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}

async fn write(api: &Api) -> Answer {
    api.post("/api/x-accounts", &json!({ "handle": "@written" })).await
}

/// Writes until nothing more fits on the disk of this file.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    let block = [b'x'; 4096];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
}

#[tokio::test]
async fn fault_c15_a_server_on_a_full_disk_gets_no_requests() {
    World::run(Backend::Sqlite, async |world: World| {
        let may_mount = Command::new("unshare").args(["-rm", "true"]).status();
        if !may_mount.is_ok_and(|status| status.success()) {
            eprintln!("skipped: this user cannot mount a small disk");
            return;
        }
        fs::create_dir(world.folder().join("data")).unwrap();
        let script = format!("mount -t tmpfs -o size=8m none data && exec '{PROGRAM}' serve");
        let mut command = Command::new("unshare");
        command.args(["-rm", "--", "sh", "-c", &script]);
        let data = [
            ("DATABASE_URL".to_owned(), "sqlite://data/posts.db?mode=rwc".to_owned()),
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
        ];
        let env = [world.env(), data.to_vec()].concat();
        let mut server = Process::start_by(command, world.folder(), "serve", &[], &env);
        server.ready(&world.api()).await;
        let disk = Path::new("/proc").join(server.id().to_string()).join("root");
        let disk = disk.join(world.folder().join("data").strip_prefix("/").unwrap());
        let backend = Clerk::new(
            format!("http://127.0.0.1:{}", world.clerk_port),
            disk.join("posts.dev-clerk.json"),
        );
        let (_, api) = backend.user(&world.api(), "full@example.com").await;
        assert_eq!(write(&api).await.status, 201);

        let ballast = disk.join("ballast");
        fill(&ballast);
        is_not_ready(&api, &server).await;
        // The last bytes may have room in what is there.
        until("writes are refused", async || (write(&api).await.status == 503).then_some(())).await;
        is_not_ready(&api, &server).await;
        assert!(server.err().contains("the disk of the database is full"), "{}", server.err());
        assert!(!server.err().contains("check that DATABASE_URL's server runs"));

        fs::remove_file(ballast).unwrap();
        is_ready(&api).await;
        assert_eq!(write(&api).await.status, 201);
    })
    .await;
}

/// As after a failover to a server that only reads.
#[tokio::test]
async fn fault_c15_a_server_on_a_read_only_database_gets_no_requests() {
    World::run(Backend::Postgres, async |world: World| {
        let server = world.serve().await;
        let (_, api) = world.clerk().user(&world.api(), "reads@example.com").await;
        assert_eq!(write(&api).await.status, 201);
        let (base, name) = world.database_url.rsplit_once('/').unwrap();
        let admin = sea_orm::Database::connect(format!("{base}/postgres")).await.unwrap();
        for (read_only, sound) in [(true, false), (false, true)] {
            let alter = "SET default_transaction_read_only =";
            let alter = format!("ALTER DATABASE {name} {alter} {read_only}");
            admin.execute_unprepared(&alter).await.unwrap();
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
            admin.execute_unprepared(&format!("{end}'{name}'")).await.unwrap();
            if sound {
                is_ready(&api).await;
                assert_eq!(write(&api).await.status, 201);
            } else {
                until("the new connections only read", async || {
                    let answer = api.get("/readyz").await;
                    (answer.json()["detail"] == UNWRITABLE).then_some(())
                })
                .await;
                assert_eq!(write(&api).await.status, 503);
                assert!(server.err().contains("the database is read-only"), "{}", server.err());
            }
        }
        assert_eq!(world.count("users").await, 1, "the trials leave nothing");
    })
    .await;
}

/// Whatever the reason is.
async fn fault_c15_a_server_whose_writes_are_refused_gets_no_requests(world: World) {
    let server = world.serve().await;
    let db = world.database().await;
    for (change, status) in [
        ("ALTER TABLE users RENAME TO users_elsewhere", 503),
        ("ALTER TABLE users_elsewhere RENAME TO users", 200),
    ] {
        db.execute_unprepared(change).await.unwrap();
        match status {
            200 => is_ready(&world.api()).await,
            _ => is_not_ready(&world.api(), &server).await,
        }
    }
    assert!(server.err().contains("not ready: the database refuses to write"), "{}", server.err());
    assert_eq!(world.count("users").await, 0, "the trials leave nothing");
}

on_every_backend!(fault_c15_a_server_whose_writes_are_refused_gets_no_requests);

async fn gone(change: fn(&Path)) {
    World::run(Backend::Sqlite, async move |world: World| {
        let server = world.serve().await;
        let (_, api) = world.clerk().user(&world.api(), "gone@example.com").await;
        let account = write(&api).await;
        assert_eq!(account.status, 201, "{account:?}");
        change(&world.folder().join("posts.db"));
        is_not_ready(&api, &server).await;
        for refused in [
            write(&api).await,
            api.delete("/api/x-accounts/0b9bcb3e-3ed0-4d0c-9f3e-0f5a6a6b9f55").await,
            api.post("/api/webhooks/clerk", &json!({})).await,
        ] {
            refused.is_error(503, "Database unavailable");
        }
        assert_eq!(api.get("/").await.status, 200);
        let told = server.err();
        assert!(told.contains("was deleted or replaced while the server has it open"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn fault_c16_a_server_whose_file_was_deleted_says_so_and_writes_nothing() {
    gone(|file| fs::remove_file(file).unwrap()).await;
}

#[tokio::test]
async fn fault_c16_a_server_whose_file_was_replaced_says_so_and_writes_nothing() {
    gone(|file| {
        let copy = file.with_extension("copy");
        fs::copy(file, &copy).unwrap();
        fs::rename(copy, file).unwrap();
    })
    .await;
}

#[tokio::test]
async fn fault_c17_nobody_else_may_read_the_files_of_sqlite() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        world.clerk().user(&world.api(), "private@example.com").await;
        let folder = world.folder();
        let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode();
        for name in ["posts.db", "posts.db-wal", "posts.db-shm", "posts.dev-clerk.json"] {
            assert_eq!(mode(name) & 0o777, 0o600, "{name}");
        }
        let doctor = async |name: &str| {
            let mut doctor = Process::start(folder, name, &["doctor"], &world.env());
            doctor.exit_code().await;
            doctor.out()
        };
        let told = doctor("private").await;
        assert!(told.contains("database file") && !told.contains("chmod"), "{told}");
        let wider = fs::Permissions::from_mode(0o640);
        fs::set_permissions(folder.join("posts.db"), wider).unwrap();
        let told = doctor("open").await;
        assert!(told.contains("chmod 600") && told.contains("posts.db"), "{told}");
        drop(server);
    })
    .await;
}

/// A slim container, in which nobody installed any.
#[tokio::test]
async fn fault_c4_root_certificates_are_needed_for_https_only() {
    World::run(Backend::Sqlite, async |world: World| {
        let none = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
        let none = none.map(|name| (name.to_owned(), "/nowhere".to_owned()));
        let ai = [
            ("OPENAI_BASE_URL".to_owned(), "http://127.0.0.1:1/v1".to_owned()),
            ("OPENAI_API_KEY".to_owned(), "any".to_owned()),
            ("OPENAI_MODEL".to_owned(), "any".to_owned()),
        ];
        let mut server = world.serve_also(&[none.to_vec(), ai.to_vec()].concat()).await;
        let (_, api) = world.clerk().user(&world.api(), "local@example.com").await;
        assert_eq!(api.get("/api/me").await.status, 200);
        server.terminate();
        server.exit_code().await;

        let key = "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k";
        let real = ("CLERK_PUBLISHABLE_KEY".to_owned(), key.to_owned());
        let env = [world.env(), none.to_vec(), vec![real]].concat();
        let mut real = Process::start(world.folder(), "real", &["serve"], &env);
        assert_eq!(real.exit_code().await, 1);
        assert!(real.err().contains("root certificates"), "{}", real.err());
    })
    .await;
}
