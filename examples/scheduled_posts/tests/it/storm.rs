//! Three servers on one PostgreSQL, and the deliveries of a thousand users at once, twice each and
//! in random order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::task::JoinSet;

use crate::support::{Api, Backend, Random, State, Webhook, World, free_port, recorded, states};

const USERS: usize = 1000;
const INSTANCES: usize = 3;
/// Deliveries under way at the same time.
const SENDERS: usize = 48;

#[tokio::test]
async fn e31_e34_e35_e48_a_storm_on_three_servers_ends_in_the_newest_rows() {
    World::run(Backend::Postgres, storm).await;
}

async fn storm(world: World) {
    let mut servers = Vec::new();
    let mut apis = Vec::new();
    for n in 0..INSTANCES {
        // All at once: they make the tables together, too.
        let name = format!("server-{n}");
        let (server, api) = world.instance(&name, free_port(), &Webhook::variables());
        servers.push(server);
        apis.push(api);
    }
    for (server, api) in servers.iter_mut().zip(&apis) {
        server.ready(api).await;
    }

    let mut random = Random::new();
    let (newest, events) = history(&mut random);
    let mut deliveries = [events.clone(), events.clone()].concat();
    random.shuffle(&mut deliveries);
    let storm = Rc::new(RefCell::new((random, deliveries)));
    let apis: Rc<[Api]> = apis.into();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (storm, apis) = (Rc::clone(&storm), Rc::clone(&apis));
        senders.spawn_local(async move {
            loop {
                let (webhook, chosen, twice) = {
                    let (random, deliveries) = &mut *storm.borrow_mut();
                    let Some(webhook) = deliveries.pop() else { return };
                    (webhook, random.below(INSTANCES), random.below(8) == 0)
                };
                let other = &apis[(chosen + 1) % INSTANCES];
                if twice {
                    tokio::join!(taken_in(&webhook, &apis[chosen]), taken_in(&webhook, other));
                } else {
                    taken_in(&webhook, &apis[chosen]).await;
                }
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }

    let db = world.database().await;
    assert_eq!(states(&db).await, newest);
    assert_eq!(recorded(&db, events.iter().map(Webhook::id)).await.len(), events.len());
    assert_eq!(world.count("clerk_deliveries").await, i64::try_from(events.len()).unwrap());
    let deleted = newest.values().filter(|state| **state == State::Deleted).count();
    assert_eq!(world.count("users").await, i64::try_from(USERS - deleted).unwrap());
    for server in &servers {
        assert!(!server.err().contains(" ERROR "), "{}", server.err());
    }
}

/// What happens to everybody, and what it comes to.
fn history(random: &mut Random) -> (BTreeMap<String, State>, Vec<Webhook>) {
    let mut newest = BTreeMap::new();
    let mut events = Vec::new();
    for n in 0..USERS {
        let user = format!("user_{n}");
        let last = 2 + i64::try_from(random.below(4)).unwrap();
        let mut states: Vec<_> = (0..=last).map(State::Version).collect();
        if random.below(4) == 0 {
            states.push(State::Deleted);
        }
        newest.extend(states.last().map(|state| (user.clone(), *state)));
        events.extend(states.into_iter().map(|state| Webhook { user: user.clone(), state }));
    }
    (newest, events)
}

async fn taken_in(webhook: &Webhook, api: &Api) {
    let answer = webhook.post(api).await.expect("an answer");
    assert_eq!(answer.status, 204, "{webhook:?}: {answer:?}");
}
