//! A process that cannot start reports all reasons and opens nothing.

use sea_orm::ConnectionTrait as _;

use crate::support::{Process, World, free_port, on_every_backend};

async fn all_errors_are_told_at_once_and_nothing_listens(world: World) {
    std::fs::write(world.folder().join(".env"), "LOG_FORMAT=canary-file\nPORT=1\n").unwrap();
    let wrong = [
        ("PORT", "canary-port"),
        ("DATABASE_URL", "mysql://user:canary-password@host"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("AUTH_PHASE", "4"),
        ("CLERK_SECRET_KEY", "canary-secret"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "canary-whsec"),
    ];
    let env: Vec<_> =
        wrong.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let mut process = Process::start(world.folder(), "wrong", &["serve"], &env);
    assert_eq!(process.exit_code().await, 2);
    let told = process.err();
    for (name, _) in wrong.iter().chain(&[("LOG_FORMAT", "")]) {
        assert!(told.contains(&format!("  {name}: ")), "{name} in {told}");
    }
    assert!(!told.contains("canary"), "{told}");
    assert!(!world.folder().join("scheduled-posts.db").exists());
}

async fn a_database_that_cannot_be_reached_is_told_as_such(world: World) {
    for scheme in ["postgres", "mysql"] {
        let nobody = free_port();
        let url = format!("{scheme}://app:canary@127.0.0.1:{nobody}/app");
        let env = [world.env(), vec![("DATABASE_URL".to_owned(), url)]].concat();
        let mut process = Process::start(world.folder(), scheme, &["migrate"], &env);
        assert_eq!(process.exit_code().await, 1, "{scheme}");
        let told = process.err();
        assert!(told.contains("Connection refused"), "{told}");
        assert!(!told.contains("timed out") && !told.contains("canary"), "{told}");
    }
}

async fn a_stand_in_needs_loopback_and_an_empty_environment(world: World) {
    for (name, variables) in [
        ("open", [("HOST", "0.0.0.0")]),
        ("lonely", [("CLERK_SECRET_KEY", "sk_test_abc")]),
        ("parties", [("CLERK_AUTHORIZED_PARTIES", "http://localhost:3000")]),
    ] {
        let given = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let env = [world.env(), given.to_vec()].concat();
        let mut process = Process::start(world.folder(), name, &[], &env);
        assert_eq!(process.exit_code().await, 2, "{name}");
        assert!(process.err().contains("CLERK_PUBLISHABLE_KEY"), "{}", process.err());
    }
}

async fn without_a_signing_secret_there_is_no_webhook_route(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    let variables: Vec<_> =
        variables.into_iter().filter(|(name, _)| !name.contains("WEBHOOK")).collect();
    let server = world.serve_with(&variables).await;
    let answer = world.api().post("/api/webhooks/clerk", &serde_json::json!({})).await;
    assert_eq!((answer.status, answer.json()["detail"].is_string()), (404, true), "{answer:?}");
    let warnings = server.err().matches("CLERK_WEBHOOK_SIGNING_SECRET is unset").count();
    assert_eq!(warnings, 1);
    assert_eq!(server.err().matches("CLERK_AUTHORIZED_PARTIES is unset").count(), 1);
}

async fn several_instances_make_the_tables_at_once(world: World) {
    let start =
        |n: usize| Process::start(world.folder(), &n.to_string(), &["migrate"], &world.env());
    let mut instances: Vec<Process> = (0..4).map(start).collect();
    for instance in &mut instances {
        assert_eq!(instance.exit_code().await, 0, "{}", instance.err());
    }
    assert_eq!(world.count("scheduled_posts").await, 0);
    assert_eq!(world.count("seaql_migrations").await, 1);
}

/// MySQL has no transactions for tables: what a killed migration made is there, its record is not.
async fn a_migration_that_stopped_half_way_goes_on(world: World) {
    let db = world.database().await;
    for (name, undo) in [
        ("whole", "DELETE FROM seaql_migrations"),
        ("half", "DROP TABLE scheduled_posts"),
        ("rest", "DELETE FROM seaql_migrations"),
    ] {
        let mut process = Process::start(world.folder(), name, &["migrate"], &world.env());
        assert_eq!(process.exit_code().await, 0, "{}", process.err());
        db.execute_unprepared(undo).await.unwrap();
        db.execute_unprepared("DELETE FROM seaql_migrations").await.unwrap();
    }
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "on@example.com").await;
    let account = api.account("@on").await;
    api.scheduled(&account, "goes on", "2030-01-01T00:00:00Z").await;
}

async fn migrate_makes_the_tables_and_exits(world: World) {
    for name in ["first", "second"] {
        let mut process = Process::start(world.folder(), name, &["migrate"], &world.env());
        assert_eq!(process.exit_code().await, 0, "{}", process.err());
    }
    assert_eq!(world.count("scheduled_posts").await, 0);
    let mut help = Process::start(world.folder(), "help", &["--help"], &[]);
    assert_eq!(help.exit_code().await, 0);
    let text = help.out();
    for word in ["serve", "dev-clerk", "migrate", "DATABASE_URL", "CLERK_JWT_KEY", "DEV_CLERK_PORT"]
    {
        assert!(text.contains(word), "{word} in {text}");
    }
}

on_every_backend!(
    several_instances_make_the_tables_at_once,
    a_migration_that_stopped_half_way_goes_on,
    all_errors_are_told_at_once_and_nothing_listens,
    a_stand_in_needs_loopback_and_an_empty_environment,
    without_a_signing_secret_there_is_no_webhook_route,
    migrate_makes_the_tables_and_exits,
);

#[tokio::test]
async fn fault_c10_a_database_that_cannot_be_reached_is_told_as_such() {
    let backend = crate::support::Backend::Sqlite;
    World::run(backend, a_database_that_cannot_be_reached_is_told_as_such).await;
}
