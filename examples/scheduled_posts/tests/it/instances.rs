//! Deliveries and records of other Clerk instances than the server's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use sea_orm::ConnectionTrait as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tower_clerk::test_util::user_created;

use crate::backfill::{variables_in_the_line, variables_of};
use crate::support::{Api, Backend, Listing, Webhook, World, on_every_backend, until};

#[tokio::test]
async fn fault_s2_the_deliveries_of_another_instance_than_the_set_one_change_nothing() {
    World::run(Backend::Sqlite, set_instance).await;
}

async fn set_instance(world: World) {
    let own = [("CLERK_INSTANCE_ID".to_owned(), "ins_own".to_owned())];
    let server = world.serve_with(&[Webhook::variables(), own.into()].concat()).await;
    let api = world.api();
    sends(&api, "user_other", Some("ins_other")).await;
    assert_eq!(world.count("users").await, 0);
    assert!(server.err().contains("another Clerk instance is acknowledged"), "{}", server.err());
    sends(&api, "user_own", Some("ins_own")).await;
    sends(&api, "user_of_none", None).await;
    assert_eq!(world.count("users").await, 2);
}

#[tokio::test]
async fn fault_s2_clerk_is_asked_for_the_instance_until_it_answers() {
    World::run(Backend::Sqlite, asked_instance).await;
}

async fn asked_instance(world: World) {
    let answers = Arc::new(AtomicBool::new(false));
    let app = Router::new().route("/v1/instance", get(instance)).with_state(Arc::clone(&answers));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut variables = Webhook::variables();
    variables.push(("CLERK_API_URL".to_owned(), url));
    variables.push(("CLERK_SECRET_KEY".to_owned(), "sk_test_some".to_owned()));

    let server = world.serve_with(&variables).await;
    until("it was asked in vain", async || {
        server.err().contains("cannot ask Clerk for the instance").then_some(())
    })
    .await;
    let api = world.api();
    sends(&api, "user_early", Some("ins_other")).await;
    assert_eq!(world.count("users").await, 1);

    answers.store(true, Ordering::SeqCst);
    let mut taken = 1;
    until("the deliveries of others are ignored", async || {
        let before = world.count("users").await;
        taken += 1;
        sends(&api, &format!("user_{taken}"), Some("ins_other")).await;
        (world.count("users").await == before).then_some(())
    })
    .await;
    sends(&api, "user_own", Some("ins_own")).await;
    let db = world.database().await;
    let own = "SELECT id FROM users WHERE id = 'user_own'";
    let own = sea_orm::Statement::from_string(db.get_database_backend(), own);
    assert!(db.query_one_raw(own).await.unwrap().is_some());
}

async fn instance(State(answers): State<Arc<AtomicBool>>) -> (StatusCode, &'static str) {
    match answers.load(Ordering::SeqCst) {
        true => (StatusCode::OK, r#"{"object":"instance","id":"ins_own"}"#),
        false => (StatusCode::SERVICE_UNAVAILABLE, "{}"),
    }
}

/// The Dashboard's example before the users, after them, and as a deletion.
async fn fault_s2_an_example_stands_in_the_way_of_no_backfill(world: World) {
    let server = world.serve().await;
    let clerk = world.clerk();
    let variables = variables_in_the_line(&server.out());
    let example = async |event: &str| {
        let own = format!("http://127.0.0.1:{}", world.clerk_port);
        let request = clerk.open.request("POST", "/dev/forms/example").header("origin", own);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let sent = crate::support::answer(request.body(format!("event={event}"))).await;
        assert_eq!(sent.status, 303, "{sent:?}");
        assert_eq!(clerk.delivered().await[0]["attempts"][0]["status"], 204);
    };
    example("created").await;
    clerk.user(&world.api(), "ada@example.com").await;
    example("updated").await;
    example("deleted").await;
    example("created").await;
    for (name, options) in [
        ("filled", &[][..]),
        ("compared", &["--dry-run"]),
        ("removed", &["--remove-gone", "--at-most", "5"]),
    ] {
        let (run, code) = world.backfill(name, options, &variables).await;
        assert_eq!(code, 0, "{}", run.err());
    }
    assert_eq!(world.count("users").await, 1);
    assert_eq!(world.count("clerk_user_versions").await, 1);
}

/// As an earlier version recorded it.
async fn fault_s2_an_instance_is_forgotten_by_an_option_that_the_error_names(world: World) {
    let listing = Listing::start(3, usize::MAX).await;
    let variables = variables_of(&listing);
    assert_eq!(world.backfill("fill", &[], &variables).await.1, 0);
    let db = world.database().await;
    db.execute_unprepared(
        "INSERT INTO clerk_backfills (instance_id, users, finished) VALUES ('ins_123', 0, FALSE)",
    )
    .await
    .unwrap();
    for options in [&[][..], &["--dry-run"], &["--remove-gone", "--at-most", "5"]] {
        let (run, code) = world.backfill("refused", options, &variables).await;
        assert_eq!(code, 1);
        for advice in ["--forget-instance ins_123", "no instance is called ins_123"] {
            assert!(run.err().contains(advice), "{advice} in {}", run.err());
        }
    }
    for (id, told) in [("ins_124", "knows no such instance"), ("canary!", "must be `ins_`")] {
        let (run, code) = world.backfill("other", &["--forget-instance", id], &variables).await;
        assert_eq!(code, 1);
        assert!(run.err().contains(told) && !run.err().contains("canary"), "{}", run.err());
    }
    let forget = ["--forget-instance", "ins_123"];
    let (run, code) = world.backfill("forget", &forget, &variables).await;
    assert_eq!(
        (code, run.out().starts_with("The instance was forgotten")),
        (0, true),
        "{}",
        run.err()
    );
    let (run, code) = world.backfill("again", &[], &variables).await;
    assert_eq!(code, 0, "{}", run.err());
}

/// Sends a user's creation in the name of an instance; it is acknowledged.
async fn sends(api: &Api, user: &str, instance: Option<&str>) {
    let mut body: Value = user_created(user, None, 1_716_883_200_000);
    match instance {
        Some(id) => body["instance_id"] = id.into(),
        None => drop(body.as_object_mut().unwrap().remove("instance_id")),
    }
    let answer = Webhook::post_body(api, &format!("msg_{user}"), body.to_string()).await.unwrap();
    assert_eq!(answer.status, 204, "{answer:?}");
}

on_every_backend!(
    fault_s2_an_example_stands_in_the_way_of_no_backfill,
    fault_s2_an_instance_is_forgotten_by_an_option_that_the_error_names,
);
