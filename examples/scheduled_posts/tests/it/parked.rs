//! Webhooks that can never be applied, and `parked`, which lists, retries and drops them.

use sea_orm::{ConnectionTrait as _, DbBackend};
use serde_json::{Value, json};
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::test_util::{user_created, user_deleted};

use crate::support::numbers::Numbers;
use crate::support::{Process, Webhook, World, free_port, on_every_backend};

on_every_backend!(
    fault_s12_what_cannot_be_read_is_parked_and_listed_without_its_body,
    fault_s12_a_refused_row_is_parked_after_an_hour_and_applied_by_a_retry,
    fault_s12_dead_letters_off_refuses_as_before,
    fault_s12_kills_at_any_moment_lose_no_parked_webhook,
    fault_s12_a_command_line_that_cannot_be_used_is_2,
);

/// Runs `parked` to its end, and returns its exit code, and what it said.
async fn parked(world: &World, args: &[&str]) -> (i32, String) {
    let args = [&["parked"], args].concat();
    let mut process = Process::start(world.folder(), "parked", &args, &world.env());
    let code = process.exit_code().await;
    (code, format!("{}{}", process.out(), process.err()))
}

async fn post(world: &World, id: &str, body: &Value) -> u16 {
    Webhook::post_body(&world.api(), id, body.to_string()).await.unwrap().status
}

fn unreadable() -> Value {
    let data = json!({ "object": "user", "id": "", "first_name": "canary@example.com" });
    json!({ "type": "user.updated", "object": "event", "instance_id": "ins_1", "data": data })
}

async fn fault_s12_what_cannot_be_read_is_parked_and_listed_without_its_body(world: World) {
    let server = world.serve_with(&Webhook::variables()).await;
    assert_eq!(post(&world, "msg_1", &unreadable()).await, 204);
    assert_eq!(post(&world, "msg_1", &unreadable()).await, 204);
    assert_eq!(post(&world, "msg_2", &json!({ "type": "user.deleted", "data": {} })).await, 204);

    let (code, said) = parked(&world, &["list"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("msg_1 user.updated, parked 2"), "{said}");
    assert!(said.contains("user unknown, instance ins_1"), "{said}");
    assert!(said.contains("the user has no usable id"), "{said}");
    assert!(said.contains("msg_2 user.deleted") && said.contains("2 parked, 0 noted"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    let (code, said) = parked(&world, &["list", "--body"]).await;
    assert_eq!((code, said.matches("canary@example.com").count()), (0, 1), "{said}");

    let (code, said) = parked(&world, &["retry", "msg_1"]).await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("msg_1: refused again: the user has no usable id"), "{said}");
    assert_eq!(parked(&world, &["retry", "msg_none"]).await.0, 1);
    assert_eq!(parked(&world, &["drop", "msg_none"]).await.0, 1);
    assert_eq!(parked(&world, &["drop", "msg_1"]).await.0, 0);
    let (code, said) = parked(&world, &["drop", "msg_1"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("msg_1: nothing of this id is parked"), "{said}");
    assert_eq!(parked(&world, &["drop", "--all"]).await.0, 0);
    let (code, said) = parked(&world, &["list"]).await;
    assert_eq!((code, said.contains("0 parked, 0 noted")), (0, true), "{said}");
    assert!(server.err().contains("Received Clerk webhook: user.updated"), "{}", server.err());
    assert!(!server.err().contains("canary"), "{}", server.err());
}

async fn fault_s12_a_refused_row_is_parked_after_an_hour_and_applied_by_a_retry(world: World) {
    let port = free_port();
    let variables = [Webhook::variables(), vec![Numbers::variable(port)]].concat();
    let server = world.serve_with(&variables).await;
    let numbers = Numbers::new(port);
    let db = world.database().await;
    let (create, drop, past) = match db.get_database_backend() {
        DbBackend::MySql => ("ON users (email(100))", "ON users", "%F %T"),
        DbBackend::Postgres => ("ON users (email)", "", "%F %TZ"),
        _ => ("ON users (email)", "", "%FT%T+00:00"),
    };
    db.execute_unprepared(&format!("CREATE UNIQUE INDEX one_address {create}")).await.unwrap();
    let of = |user| user_created(user, Some("canary@example.com"), 1_716_883_200_000);
    assert_eq!(post(&world, "msg_1", &of("user_1")).await, 204);
    assert_eq!(post(&world, "msg_2", &of("user_2")).await, 500);
    let (code, said) = parked(&world, &["list"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("msg_2 user.created, noted, and still sent again"), "{said}");
    assert!(said.contains("user user_2") && said.contains("0 parked, 1 noted"), "{said}");

    let past = (chrono::DateTime::<chrono::Utc>::from(SystemClock::new().now())
        - chrono::TimeDelta::hours(1))
    .format(past);
    let set = format!("UPDATE clerk_dead_letters SET failed_at = '{past}'");
    db.execute_unprepared(&set).await.unwrap();
    assert_eq!(post(&world, "msg_2", &of("user_2")).await, 204);
    assert_eq!(numbers.sum("clerk_webhook_parked_total", &[("event", "user.created")]).await, 1.0);
    assert_eq!(numbers.sum("clerk_webhook_dead_letters", &[]).await, 1.0);
    let outcomes = [("parked", 1.0), ("failed", 1.0), ("applied", 1.0)];
    for (outcome, count) in outcomes {
        let deliveries = numbers.sum("webhook_deliveries_total", &[("outcome", outcome)]).await;
        assert_eq!(deliveries, count, "{outcome}");
    }

    let (code, said) = parked(&world, &["retry", "msg_2"]).await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("msg_2: refused again: ") && !said.contains("canary"), "{said}");
    db.execute_unprepared(&format!("DROP INDEX one_address {drop}")).await.unwrap();
    let (code, said) = parked(&world, &["retry", "--all"]).await;
    assert_eq!((code, said.contains("msg_2: applied")), (0, true), "{said}");
    assert_eq!((world.count("users").await, world.count("clerk_dead_letters").await), (2, 0));
    // The server tells the address of whom it created; it never told that of the one it could not.
    assert_eq!(server.err().matches("canary@example.com").count(), 1, "{}", server.err());

    // What is parked of a user goes with the user.
    let bad = json!({ "type": "user.updated", "data": { "object": "user", "id": 7 } });
    assert_eq!(post(&world, "msg_3", &bad).await, 204);
    db.execute_unprepared("UPDATE clerk_dead_letters SET user_id = 'user_2'").await.unwrap();
    assert_eq!(post(&world, "msg_4", &user_deleted("user_2")).await, 204);
    assert_eq!(world.count("clerk_dead_letters").await, 0);
}

async fn fault_s12_dead_letters_off_refuses_as_before(world: World) {
    let off = vec![("DEAD_LETTERS".to_owned(), "off".to_owned())];
    let _server = world.serve_with(&[Webhook::variables(), off].concat()).await;
    assert_eq!(post(&world, "msg_1", &unreadable()).await, 400);
    assert_eq!(world.count("clerk_dead_letters").await, 0);
    let wrong = [world.env(), vec![("DEAD_LETTERS".to_owned(), "canary".to_owned())]].concat();
    let mut wrong = Process::start(world.folder(), "wrong", &["serve"], &wrong);
    assert_eq!(wrong.exit_code().await, 2);
    assert!(wrong.err().contains("  DEAD_LETTERS: must be on or off"), "{}", wrong.err());
}

async fn fault_s12_kills_at_any_moment_lose_no_parked_webhook(world: World) {
    let mut sent = 0;
    let mut acknowledged = Vec::new();
    for life in 1..=6 {
        let mut server = world.serve_with(&Webhook::variables()).await;
        let api = world.api();
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..4 {
            let (api, first) = (api.clone(), sent + sender * 1000);
            senders.spawn(async move {
                let mut taken = Vec::new();
                for n in first..first + 1000 {
                    let id = format!("msg_{n}");
                    match Webhook::post_body(&api, &id, unreadable().to_string()).await {
                        Some(answer) => {
                            assert_eq!(answer.status, 204, "{answer:?}");
                            taken.push(id);
                        }
                        None => break,
                    }
                }
                taken
            });
        }
        sent += 4000;
        // Under way, but not at the same place each time.
        let enough = i64::try_from(acknowledged.len()).unwrap() + life * 3;
        while world.count("clerk_dead_letters").await < enough {
            tokio::task::yield_now().await;
        }
        server.kill();
        while let Some(taken) = senders.join_next().await {
            acknowledged.extend(taken.unwrap());
        }
    }
    let (code, said) = parked(&world, &["list"]).await;
    assert_eq!(code, 0, "{said}");
    for id in &acknowledged {
        assert!(said.contains(&format!("{id} user.updated, parked")), "{id} is lost");
    }
    assert!(acknowledged.len() > 12, "{} acknowledged", acknowledged.len());
}

async fn fault_s12_a_command_line_that_cannot_be_used_is_2(world: World) {
    for args in [
        &[][..],
        &["retry"],
        &["drop"],
        &["retry", "--all", "msg_1"],
        &["list", "--canary"],
        &["forget"],
    ] {
        assert_eq!(parked(&world, args).await.0, 2, "{args:?}");
    }
    // Without tables nothing is created, and it is said what to do.
    let (code, said) = parked(&world, &["list"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("DATABASE_URL: "), "{said}");
    let wrong = [("DATABASE_URL".to_owned(), "canary://".to_owned())];
    let mut process = Process::start(world.folder(), "wrong", &["parked", "list"], &wrong);
    assert_eq!(process.exit_code().await, 2);
    let mut help = Process::start(world.folder(), "help", &["parked", "--help"], &[]);
    assert_eq!(help.exit_code().await, 0);
    assert!(help.out().contains("DATABASE_URL") && help.out().contains("Exit codes: 0 done"));
}
