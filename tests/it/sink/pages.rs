//! Pages of a backfill among deliveries, in many orders: a comparison names exactly whom a page writes.

use std::time::{Duration, UNIX_EPOCH};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};
use tower_clerk::backfill::{Run, Target, UserPage};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};
use tower_clerk::webhook::User;

use crate::sink::mapping_same::{scatter, user_of};
use crate::support::database::on_each_database;
use crate::support::delivery::{send, signed};
use crate::support::sink_service::Server;

on_each_database!(fault_s3_in_every_order_a_comparison_names_exactly_whom_a_page_writes);

const T: i64 = 1_649_360_000_000;
const USERS: u64 = 4;
const SEEDS: u64 = 6;
const STEPS: u64 = 60;

/// What is random in a step.
struct Dice(u64);

impl Dice {
    fn roll(&self, shift: u32, of: u64) -> u64 {
        (self.0 >> shift) % of
    }

    /// One of few times, so that many are the same.
    fn time(&self, shift: u32) -> i64 {
        T + i64::try_from(self.roll(shift, 3)).unwrap()
    }

    fn email(&self, shift: u32) -> String {
        format!("v{}@example.com", self.roll(shift, 3))
    }
}

/// An event about somebody, with or without the time of the event.
fn event(dice: &Dice) -> Value {
    let id = format!("user_{}", dice.roll(8, USERS));
    let (email, at) = (dice.email(12), dice.time(16));
    let mut event = match dice.roll(20, 8) {
        0 => return user_deleted(&id),
        1 | 2 => user_created(&id, Some(&email), at),
        _ => user_updated(&id, Some(&email), at),
    };
    if dice.roll(24, 4) > 0 {
        event["timestamp"] = json!(dice.time(28));
    }
    event
}

/// Clerk's list of all users.
async fn list(seed: u64) -> Vec<User> {
    let mut users = Vec::new();
    for n in 0..USERS {
        let dice = Dice(scatter(seed.wrapping_mul(31).wrapping_add(n)));
        let state = user_updated(&format!("user_{n}"), Some(&dice.email(12)), dice.time(16));
        users.push(user_of(&state).await);
    }
    users
}

async fn fault_s3_in_every_order_a_comparison_names_exactly_whom_a_page_writes(
    db: DatabaseConnection,
) {
    let server = Server::start(db.clone()).await;
    let run = Run::new("ins_1");
    let mut written_at_all = 0;
    for seed in 0..SEEDS {
        for n in 0..STEPS {
            let dice = Dice(scatter(seed * 1_000_003 + n));
            match dice.roll(0, 8) {
                0 => {
                    let id = dice.roll(8, USERS);
                    let remove = format!("DELETE FROM users WHERE id = 'user_{id}'");
                    db.execute_unprepared(&remove).await.unwrap();
                }
                1..5 => {
                    let delivery = signed(&format!("msg_{seed}_{n}"), &event(&dice));
                    let answer = send(&server.service, delivery.into_request()).await;
                    assert_eq!(answer.status(), 204);
                }
                _ => {
                    let users = list(seed * 977 + n).await;
                    let mut page = UserPage::new(&users);
                    let listed_at = Duration::from_millis(dice.time(32).cast_unsigned());
                    page.listed_at = (dice.roll(36, 4) > 0).then(|| UNIX_EPOCH + listed_at);
                    let before = server.sink.compare(page).await.unwrap();
                    let written = server.sink.write(page, &run).await.unwrap();
                    let named = before.missing.len() + before.outdated.len();
                    let step = format!("seed {seed}, step {n}: {before:?}, {written:?}");
                    assert_eq!(written.written, u64::try_from(named).unwrap(), "{step}");
                    let after = server.sink.compare(page).await.unwrap();
                    assert!(after.missing.is_empty() && after.outdated.is_empty(), "{step}");
                    assert_eq!(after.deleted, before.deleted, "{step}");
                    written_at_all += written.written;
                }
            }
        }
        for table in ["users", "clerk_user_versions"] {
            db.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
        }
    }
    assert!(written_at_all > 50, "{written_at_all}");
}
