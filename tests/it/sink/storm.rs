//! Three instances on one database, and the deliveries of many users at once, twice each and in no
//! order.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;
use tokio::task::JoinSet;
use tower_clerk::sea_orm::{SeaOrmSink, UserStatus, migrate};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};

use crate::support::database::{Place, count, on_each_place};
use crate::support::delivery::{builder, send, signed};

on_each_place!(e31_e34_e35_e48_a_storm_on_three_instances_ends_in_the_newest_rows);

const USERS: usize = 200;
const INSTANCES: usize = 3;
const T: i64 = 1_649_360_000_000;

async fn e31_e34_e35_e48_a_storm_on_three_instances_ends_in_the_newest_rows(place: Place) {
    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        let db = place.pool(6).await;
        migrate(&db).await.unwrap();
        instances.push(SeaOrmSink::new(db).unwrap());
    }
    let History { newest, events } = history();
    // Another order each time; a failing test shows which.
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    eprintln!("TEST_SEED={seed}");
    let mut deliveries: Vec<_> = (0..events.len() * 2).collect();
    deliveries.sort_by_key(|n| scatter(seed ^ *n as u64));

    let mut senders = JoinSet::new();
    let lanes = 24;
    for lane in 0..lanes {
        let own: Vec<_> = deliveries.iter().skip(lane).step_by(lanes).copied().collect();
        let own: Vec<_> = own.into_iter().map(|n| (n, events[n / 2].clone())).collect();
        let instances = instances.clone();
        senders.spawn(async move {
            for (n, (id, body)) in own {
                // Half of the pairs go to one instance, half to two.
                let service = builder(instances[(n + n / 4) % INSTANCES].clone()).build().unwrap();
                let status = send(&service, signed(&id, &body).into_request()).await.status();
                assert_eq!(status, 204, "{id}");
            }
        });
    }
    senders.join_all().await;

    let db = place.pool(1).await;
    assert_eq!(count(&db, "clerk_deliveries").await, i64::try_from(events.len()).unwrap());
    let sink = &instances[0];
    for (user, version) in newest {
        let row = sink.find_user(&user).await.unwrap();
        let found = row.map(|row| row.updated_at.timestamp_millis() - T);
        assert_eq!(found, version, "{user}");
        let status = version.map_or(UserStatus::Deleted, |_| UserStatus::Active);
        assert_eq!(sink.user_status(&user).await.unwrap(), status, "{user}");
    }
}

/// SplitMix64's last step.
fn scatter(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

struct History {
    /// What becomes of each user: a version, or nothing.
    newest: HashMap<String, Option<i64>>,
    /// Bodies, with the ids of their deliveries.
    events: Vec<(String, Value)>,
}

fn history() -> History {
    let mut newest = HashMap::new();
    let mut events = Vec::new();
    for n in 0..USERS {
        let user = format!("user_{n}");
        let last = 2 + i64::try_from(n % 4).unwrap();
        events.push((format!("msg_{user}_0"), user_created(&user, None, T)));
        for version in 1..=last {
            let body = user_updated(&user, None, T + version);
            events.push((format!("msg_{user}_{version}"), body));
        }
        let goes = n % 5 == 0;
        if goes {
            events.push((format!("msg_{user}_deleted"), user_deleted(&user)));
        }
        newest.insert(user, (!goes).then_some(last));
    }
    History { newest, events }
}
