//! What becomes of requests and deliveries by a pooler before PostgreSQL, after a failover, and after a
//! migration that changes the type of a column.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::database::{Backend, Place, execute, with_database};
use crate::support::pooler::{Mode, Pooler};
use crate::support::proxy::Proxy;
use crate::support::server::OwnServer;
use crate::support::{Api, Process, State, Webhook, World, free_port, states, until};

const CLIENTS: usize = 24;
/// Of each client's user; 600 in all, and as many reads of each kind.
const DELIVERIES: i64 = 25;

#[tokio::test]
async fn fault_s19_a_pooler_in_session_mode_is_in_nobodys_way() {
    World::run(Backend::Postgres, |world| by_a_pooler(world, Mode::Session, 40)).await;
}

#[tokio::test]
async fn fault_s19_a_pooler_in_transaction_mode_is_noticed_and_is_in_nobodys_way() {
    World::run(Backend::Postgres, |world| by_a_pooler(world, Mode::Transaction, 2)).await;
}

async fn by_a_pooler(world: World, mode: Mode, connections: u32) {
    let name = "fault_s19";
    let pooler = Pooler::start(&world.database_url, mode, connections, name);
    let Some(pooler) = pooler else { return };
    let mut variables = Webhook::variables();
    variables.push(("DATABASE_URL".to_owned(), pooler.url.clone()));
    let server = world.serve_with(&variables).await;
    let is_noticed = server.err().contains("every statement is a transaction");
    assert_eq!(is_noticed, mode == Mode::Transaction, "{}", server.err());
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let client = Client::new(&world.api(), n);
        clients.spawn_local(async move {
            for version in 0..DELIVERIES {
                client.round(version).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let db = world.database().await;
    let states = states(&db).await;
    assert_eq!(states.len(), CLIENTS);
    assert!(states.values().all(|state| *state == State::Version(DELIVERIES - 1)), "{states:?}");
    assert_eq!(world.count("x_accounts").await, i64::try_from(CLIENTS).unwrap());
}

#[tokio::test]
async fn fault_s24_the_type_of_a_column_may_change_while_the_server_runs() {
    World::run(Backend::Postgres, changed_types).await;
}

async fn changed_types(world: World) {
    let _server = world.serve_with(&Webhook::variables()).await;
    let (rounds, stop) = (Rc::new(Cell::new([0; 8])), Rc::new(Cell::new(false)));
    let mut clients = JoinSet::new();
    for n in 0..8 {
        let client = Client::new(&world.api(), n);
        let (rounds, stop) = (Rc::clone(&rounds), Rc::clone(&stop));
        clients.spawn_local(async move {
            for version in 0.. {
                client.round(version).await;
                let mut all = rounds.get();
                all[n] = version;
                rounds.set(all);
                if stop.get() {
                    return;
                }
            }
        });
    }
    let everybody_goes_on = async || {
        let before = rounds.get();
        until("everybody is served", async || {
            let now = rounds.get();
            now.iter().zip(before).all(|(now, then)| *now > then + 3).then_some(())
        })
        .await;
    };
    let db: DatabaseConnection = world.database().await;
    for change in [
        "ALTER TABLE users ALTER COLUMN email TYPE varchar(300)",
        "ALTER TABLE x_accounts ALTER COLUMN handle TYPE varchar(300)",
        "ALTER TABLE scheduled_posts ALTER COLUMN status TYPE varchar(300)",
        "ALTER TABLE users ALTER COLUMN email TYPE text, ALTER COLUMN username TYPE varchar(300)",
    ] {
        // Every connection has statements of before.
        everybody_goes_on().await;
        db.execute_unprepared(change).await.unwrap();
    }
    everybody_goes_on().await;
    stop.set(true);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

/// A user of the server, whose data name the user.
struct Client {
    user: String,
    api: Api,
    public: Api,
    account: tokio::sync::OnceCell<String>,
}

impl Client {
    fn new(api: &Api, n: usize) -> Self {
        let user = format!("user_{n}");
        let own = api.with_token(&Webhook::token(&user));
        Self { user, api: own, public: api.clone(), account: tokio::sync::OnceCell::new() }
    }

    /// A delivery about the user, and requests of the user's: all are answered with the user's own.
    async fn round(&self, version: i64) {
        let webhook = Webhook { user: self.user.clone(), state: State::Version(version) };
        let answer = webhook.post(&self.public).await.unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
        let handle = format!("@{}", self.user);
        let account = self.account.get_or_init(|| self.api.account(&handle)).await;
        self.api.scheduled(account, &self.user, "2030-01-01T10:00:00Z").await;

        let me = self.read("/api/me").await;
        assert_eq!((&me["user_id"], &me["user"]["id"]), (&json!(self.user), &json!(self.user)));
        assert_eq!(me["user"]["email"], json!(format!("v{version}@example.com")));
        let accounts = self.read("/api/x-accounts").await;
        let handles: Vec<_> = accounts["accounts"].as_array().unwrap().iter().collect();
        assert!(handles.len() == 1 && handles[0]["handle"] == handle[..], "{accounts}");
        let posts = self.read("/api/scheduled-posts").await;
        let posts = posts["posts"].as_array().unwrap();
        assert_eq!(posts.len(), usize::try_from(version).unwrap() + 1);
        assert!(posts.iter().all(|post| post["content"] == self.user[..]), "{posts:?}");
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.api.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

#[tokio::test]
async fn fault_s20_after_a_failover_the_server_writes_again_within_seconds() {
    World::run(Backend::Postgres, failover).await;
}

async fn failover(world: World) {
    let Some(old_server) = OwnServer::start(Backend::Postgres, "fault_s20") else { return };
    let new = Place { backend: Backend::Postgres, url: world.database_url.clone() };
    let (_, name) = new.url.rsplit_once('/').unwrap();
    execute(&old_server.url, &format!("CREATE DATABASE {name}")).await;
    let old = Place { backend: Backend::Postgres, url: with_database(&old_server.url, name) };
    let proxy = Proxy::start(&old).await;

    // What is written before is on both.
    let webhook = Webhook { user: "user_0".to_owned(), state: State::Version(0) };
    let (mut replica, api) = world.instance("replica", free_port(), &Webhook::variables());
    replica.ready(&api).await;
    assert_eq!(webhook.post(&api).await.unwrap().status, 204);
    replica.kill();
    let mut variables = Webhook::variables();
    variables.push(("DATABASE_URL".to_owned(), proxy.place.url.clone()));
    let server: Process = world.serve_with(&variables).await;
    let (public, api) = (world.api(), world.api().with_token(&Webhook::token("user_0")));
    assert_eq!(webhook.post(&public).await.unwrap().status, 204);
    // So that the pool has several connections.
    let mut readers = JoinSet::new();
    for _ in 0..16 {
        let api = api.clone();
        readers.spawn_local(async move {
            for _ in 0..8 {
                assert_eq!(api.get("/api/me").await.status, 200);
            }
        });
    }
    readers.join_all().await;

    let read_only = "ALTER SYSTEM SET default_transaction_read_only = on";
    execute(&old_server.url, read_only).await;
    execute(&old_server.url, "SELECT pg_reload_conf()").await;
    let not_ready = async || {
        let answer = public.get("/readyz").await;
        (answer.status == 503).then(|| {
            answer.is_error(503, "Database cannot be written to");
        })
    };
    until("the database is read-only", not_ready).await;
    let refused = Webhook { user: "user_0".to_owned(), state: State::Version(1) };
    assert_eq!(refused.post(&public).await.unwrap().status, 503);
    let account = json!({ "handle": "@ada" });
    assert_eq!(api.post("/api/x-accounts", &account).await.status, 503);

    proxy.lead_to(&new);
    let written = until("the server writes again", async || {
        assert_eq!(api.get("/api/me").await.status, 200);
        let connected = api.post("/api/x-accounts", &account).await.status;
        assert!([201, 503].contains(&connected), "{connected}");
        let applied = refused.post(&public).await.unwrap().status;
        assert!([204, 503].contains(&applied), "{applied}");
        let ready = public.get("/readyz").await.status;
        ((connected, applied, ready) == (201, 204, 200)).then_some(())
    });
    tokio::time::timeout(Duration::from_secs(15), written).await.expect("within 15 s");
    assert_eq!(states(&world.database().await).await["user_0"], State::Version(1));
    assert!(server.err().contains("out of date"), "{}", server.err());
}
