//! `kill -9` at any moment: no acknowledged request is lost, none is half applied, and one that was
//! not acknowledged is applied when it is sent again.

mod ledger;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel, TransactionTrait as _,
};
use tokio::task::JoinSet;

use self::ledger::{Death, Ledger};
use crate::support::{
    Api, Process, Webhook, World, free_port, on_every_backend, recorded, states, until,
};

on_every_backend!(e45_e46_of_200_kills_at_any_moment_none_loses_or_halves_a_delivery);

const KILLS: usize = 200;
const INSTANCES: usize = 3;
const SENDERS: usize = 8;

async fn e45_e46_of_200_kills_at_any_moment_none_loses_or_halves_a_delivery(world: World) {
    let mut migration = Process::start(world.folder(), "migrate", &["migrate"], &world.env());
    assert_eq!(migration.exit_code().await, 0, "{}", migration.err());
    let storm = Rc::new(Storm {
        db: world.database().await,
        world,
        ledger: RefCell::new(Ledger::new(KILLS)),
        instances: RefCell::default(),
    });

    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let storm = Rc::clone(&storm);
        senders.spawn_local(async move { storm.send().await });
    }
    let mut lives = JoinSet::new();
    for n in 0..INSTANCES {
        let storm = Rc::clone(&storm);
        lives.spawn_local(async move { storm.live_and_die(n).await });
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }

    // What was not acknowledged is sent again until it is.
    let (mut last, api) = storm.world.instance("last", free_port(), &Webhook::variables());
    last.ready(&api).await;
    storm.ledger.borrow_mut().finish();
    storm.instances.borrow_mut().insert(INSTANCES, api);
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    storm.check().await;
    let (states, deliveries) =
        (states(&storm.db).await, storm.world.count("clerk_deliveries").await);
    let ledger = storm.ledger.borrow();
    assert_eq!(states, ledger.newest());
    assert_eq!(deliveries, ledger.sent());
    assert!(ledger.interruptions() > KILLS, "only {} under way", ledger.interruptions());
}

/// Servers that are killed and started again, and those who send to them.
struct Storm {
    db: DatabaseConnection,
    world: World,
    ledger: RefCell<Ledger>,
    /// Those that are ready.
    instances: RefCell<BTreeMap<usize, Api>>,
}

impl Storm {
    /// Sends until everything is acknowledged and nothing comes after it.
    async fn send(&self) {
        loop {
            let Some(webhook) = self.ledger.borrow_mut().next() else { return };
            let api = until("an instance is up", async || self.any_instance()).await;
            self.post(&webhook, &api).await;
        }
    }

    fn any_instance(&self) -> Option<Api> {
        let instances = self.instances.borrow();
        let count = instances.len();
        let chosen = self.ledger.borrow_mut().random.below(count.max(1));
        instances.values().nth(chosen).cloned()
    }

    /// Whether it was acknowledged.
    async fn post(&self, webhook: &Webhook, api: &Api) -> bool {
        let status = webhook.post(api).await.map(|answer| answer.status);
        let mut ledger = self.ledger.borrow_mut();
        match status {
            Some(204) => ledger.acknowledged(webhook),
            Some(503) => ledger.put_off(webhook),
            None => ledger.interrupted(webhook),
            Some(status) => panic!("{status} for {webhook:?}"),
        }
        status == Some(204)
    }

    /// One server after the other, each killed at another moment of its life.
    async fn live_and_die(&self, n: usize) {
        loop {
            let Some((way, moment)) = self.ledger.borrow_mut().next_death() else { return };
            let name = format!("server-{n}");
            let (mut server, api) = self.world.instance(&name, free_port(), &Webhook::variables());
            match way {
                Death::WhileStarting => tokio::time::sleep(moment).await,
                Death::AtWork => {
                    server.ready(&api).await;
                    self.instances.borrow_mut().insert(n, api);
                    tokio::time::sleep(moment).await;
                }
                Death::AfterAnAnswer => {
                    server.ready(&api).await;
                    self.instances.borrow_mut().insert(n, api.clone());
                    let webhook = self.ledger.borrow_mut().next().expect("not at the end yet");
                    while !self.post(&webhook, &api).await {
                        assert!(!server.has_ended(), "{}", server.err());
                    }
                }
            }
            server.kill();
            self.instances.borrow_mut().remove(&n);
            self.check().await;
        }
    }

    /// Looks at everything at one moment of the database's.
    async fn check(&self) {
        // Before the look: what is acknowledged meanwhile need not be in it.
        let (acknowledged, open) = self.ledger.borrow().so_far();
        let tx = snapshot(&self.db).await;
        let states = states(&tx).await;
        for (user, least) in &acknowledged {
            let state = states.get(user);
            assert!(state >= Some(least), "{user}: {least:?} acknowledged, {state:?} found");
        }
        let current = self.ledger.borrow().watched(&states);
        let ids = current.iter().chain(&open).map(Webhook::id);
        let recorded = recorded(&tx, ids).await;
        tx.rollback().await.unwrap();
        for webhook in &current {
            assert!(recorded.contains(&webhook.id()), "applied and not recorded: {webhook:?}");
        }
        for webhook in open.iter().filter(|webhook| recorded.contains(&webhook.id())) {
            let state = states.get(&webhook.user);
            assert!(state >= Some(&webhook.state), "recorded and not applied: {webhook:?}");
        }
    }
}

async fn snapshot(db: &DatabaseConnection) -> DatabaseTransaction {
    // SQLite knows no other kind.
    let level = match db.get_database_backend() {
        DbBackend::Sqlite => None,
        _ => Some(IsolationLevel::RepeatableRead),
    };
    db.begin_with_config(level, None).await.unwrap()
}
