//! Lock-outs in a database: written with the events that cause them, and seen by every instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
};
use serde_json::{Value, json};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::lockout::Lockouts;
use tower_clerk::sea_orm::{InTransaction, Schema, SeaOrmSink};
use tower_clerk::session::{AuthErrorKind, StaticKeys, Verifier};
use tower_clerk::test_util::{Issuer, TokenBuilder, user_updated};
use tower_clerk::webhook::{Delivery, Outcome};

use crate::support::database::{count, on_each_database};
use crate::support::delivery::{send, signed};
use crate::support::servers::{ISS, issuer, within};
use crate::support::sink_service::Server;

on_each_database!(
    lockouts_of_each_event_reach_every_instance_and_a_newer_token_is_good,
    lockouts_are_seen_within_two_seconds_by_instances_that_did_not_take_the_delivery,
    lockouts_of_a_stale_event_count_and_those_of_a_repeated_one_are_written_once,
    lockouts_of_a_transaction_that_commits_late_are_not_lost,
    lockouts_are_noted_after_all_that_may_take_long,
    lockouts_of_a_delivery_that_a_hook_cut_short_are_written_when_it_is_sent_again,
    lockouts_that_cannot_be_read_refuse_nobody,
    lockouts_are_deleted_when_they_bar_no_token_any_more,
    lockouts_are_not_written_unless_they_are_on,
);

/// An instance of a server.
struct Instance {
    server: Server,
    lockouts: Lockouts,
    verifier: Verifier,
}

fn instance(db: &DatabaseConnection, issuer: &Issuer) -> Instance {
    let schema = Schema::new().with_organizations();
    let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap();
    let (sink, lockouts) = sink.with_lockouts();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys).lockouts(&lockouts).build().unwrap();
    Instance { server: Server::on(sink), lockouts, verifier }
}

async fn instances<const N: usize>(db: &DatabaseConnection, issuer: &Issuer) -> [Instance; N] {
    Schema::new().with_organizations().migrate(db).await.unwrap();
    std::array::from_fn(|_| instance(db, issuer))
}

impl Instance {
    async fn verdict(&self, token: &str) -> Option<AuthErrorKind> {
        within(self.verifier.verify(token)).await.err().map(|error| error.kind())
    }
}

fn now() -> i64 {
    let since = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn event(kind: &str, data: &Value, timestamp: i64) -> Value {
    json!({ "type": kind, "object": "event", "data": data, "timestamp": timestamp })
}

fn banned(user: &str, updated_at: i64, timestamp: i64) -> Value {
    let mut event = user_updated(user, None, updated_at);
    event["data"]["banned"] = json!(true);
    event["timestamp"] = json!(timestamp);
    event
}

fn left(organization: &str, user: &str) -> Value {
    json!({
        "object": "organization_membership", "id": format!("orgmem_{organization}_{user}"),
        "organization": { "object": "organization", "id": organization },
        "public_user_data": { "user_id": user },
    })
}

/// A token that was issued so many seconds ago.
fn issued(token: TokenBuilder, seconds: u64) -> String {
    token.issued_at(SystemClock::new().now() - Duration::from_secs(seconds)).mint()
}

fn in_organization(issuer: &Issuer, user: &str, organization: &str) -> TokenBuilder {
    issuer.token(user).organization(organization, "acme", "admin", &[])
}

async fn lockouts_of_each_event_reach_every_instance_and_a_newer_token_is_good(
    db: DatabaseConnection,
) {
    let issuer = issuer();
    let all: [Instance; 3] = instances(&db, &issuer).await;
    let ended = |id: &str| json!({ "object": "session", "id": id, "user_id": "user_1" });
    let gone = json!({ "object": "organization", "id": "org_gone", "deleted": true });
    let of_session = |id: &str| issuer.token("user_1").claim("sid", id);
    let time = now() - 5000;
    let (out, invalid) = (AuthErrorKind::SessionEnded, AuthErrorKind::MembershipEnded);
    // What happened, whose token it is, why it is refused, and whether a later one of the same is good.
    let rows = [
        (event("session.ended", &ended("sess_1"), time), of_session("sess_1"), out, false),
        (event("session.removed", &ended("sess_2"), time), of_session("sess_2"), out, false),
        (event("session.revoked", &ended("sess_3"), time), of_session("sess_3"), out, false),
        (banned("user_2", time, time), issuer.token("user_2"), out, true),
        (
            event("organizationMembership.deleted", &left("org_1", "user_3"), time),
            in_organization(&issuer, "user_3", "org_1"),
            invalid,
            true,
        ),
        (
            event("organization.deleted", &gone, time),
            in_organization(&issuer, "user_4", "org_gone"),
            invalid,
            true,
        ),
    ];
    for (event, token, kind, later_is_good) in rows {
        let name = event["type"].to_string();
        let (before, after) = (issued(token.clone(), 20), issued(token, 1));
        for instance in &all {
            assert_eq!(instance.verdict(&before).await, None, "{name}");
        }
        all[0].server.post_new(&event).await;
        assert_eq!(all[0].verdict(&before).await, Some(kind), "{name}");
        for instance in &all[1..] {
            instance.lockouts.look().await.unwrap();
            assert_eq!(instance.verdict(&before).await, Some(kind), "{name}");
        }
        let later = all[1].verdict(&after).await;
        assert_eq!(later, if later_is_good { None } else { Some(kind) }, "{name}");
    }
    // Nobody else is out, and a lock is none.
    let mut locked = user_updated("user_9", None, time);
    (locked["data"]["locked"], locked["timestamp"]) = (json!(true), json!(time));
    all[0].server.post_new(&locked).await;
    for token in [issuer.token("user_9"), in_organization(&issuer, "user_3", "org_2")] {
        assert_eq!(all[0].verdict(&issued(token, 20)).await, None);
    }
}

async fn lockouts_are_seen_within_two_seconds_by_instances_that_did_not_take_the_delivery(
    db: DatabaseConnection,
) {
    let issuer = issuer();
    let all: [Instance; 3] = instances(&db, &issuer).await;
    let token = issuer.token("user_1").claim("sid", "sess_1").mint();
    for instance in &all {
        assert_eq!(instance.verdict(&token).await, None);
    }
    let ended = json!({ "object": "session", "id": "sess_1" });
    all[0].server.post_new(&event("session.ended", &ended, now())).await;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let refused = async {
        for instance in &all {
            while instance.verdict(&token).await.is_none() {
                pace.tick().await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(2), refused).await.expect("within two seconds");
}

async fn lockouts_of_a_stale_event_count_and_those_of_a_repeated_one_are_written_once(
    db: DatabaseConnection,
) {
    let issuer = issuer();
    let [one, other] = instances(&db, &issuer).await;
    let time = now() - 5000;
    one.server.post_new(&user_updated("user_1", Some("ann@example.com"), 2000)).await;
    let late = banned("user_1", 1000, time);
    for _ in 0..2 {
        one.server.post("msg_late", &late).await;
    }
    assert_eq!(count(&db, "clerk_lockouts").await, 1);
    other.lockouts.look().await.unwrap();
    let token = issued(issuer.token("user_1"), 20);
    assert_eq!(other.verdict(&token).await, Some(AuthErrorKind::SessionEnded));
    let row = other.server.sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!(row.email.as_deref(), Some("ann@example.com"));
}

async fn lockouts_of_a_transaction_that_commits_late_are_not_lost(db: DatabaseConnection) {
    let issuer = issuer();
    let [one, other] = instances(&db, &issuer).await;
    other.lockouts.look().await.unwrap();
    let ended = json!({ "object": "session", "id": "sess_1" });
    one.server.post_new(&event("session.ended", &ended, now())).await;
    // As if it had been written 25 s before it was committed.
    db.execute_unprepared("UPDATE clerk_lockouts SET noted_at = noted_at - 25000").await.unwrap();
    other.lockouts.look().await.unwrap();
    let token = issuer.token("user_1").claim("sid", "sess_1").mint();
    assert_eq!(other.verdict(&token).await, Some(AuthErrorKind::SessionEnded));
}

/// Waits until the database's clock has moved on, or ends the transaction.
#[derive(Clone, Default)]
struct Hook {
    ended_at: Arc<AtomicI64>,
    commits: Arc<AtomicBool>,
}

impl InTransaction for Hook {
    async fn run(&self, tx: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        if self.commits.load(Ordering::SeqCst) {
            return tx.execute_unprepared("COMMIT").await.map(drop);
        }
        let clock = match tx.get_database_backend() {
            DbBackend::MySql => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS SIGNED)",
            DbBackend::Postgres => {
                "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)"
            }
            _ => "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
        };
        let now = async || {
            let clock = Statement::from_string(tx.get_database_backend(), clock);
            tx.query_one_raw(clock).await?.unwrap().try_get_by_index::<i64>(0)
        };
        let begin = now().await?;
        while now().await? < begin + 5 {}
        self.ended_at.store(now().await?, Ordering::SeqCst);
        Ok(())
    }
}

fn hooked(db: &DatabaseConnection, hook: &Hook) -> Server {
    let schema = Schema::new().with_organizations();
    let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap();
    let (sink, _lockouts) = sink.with_lockouts();
    Server::on(sink.with_hook(hook.clone()))
}

async fn lockouts_are_noted_after_all_that_may_take_long(db: DatabaseConnection) {
    Schema::new().with_organizations().migrate(&db).await.unwrap();
    let hook = Hook::default();
    let server = hooked(&db, &hook);
    server.post_new(&banned("user_1", 1000, now())).await;
    let ended_at = hook.ended_at.load(Ordering::SeqCst);
    assert!(ended_at > 0);
    assert_eq!(count(&db, &format!("clerk_lockouts WHERE noted_at >= {ended_at}")).await, 1);
}

async fn lockouts_of_a_delivery_that_a_hook_cut_short_are_written_when_it_is_sent_again(
    db: DatabaseConnection,
) {
    Schema::new().with_organizations().migrate(&db).await.unwrap();
    let hook = Hook::default();
    hook.commits.store(true, Ordering::SeqCst);
    let server = hooked(&db, &hook);
    let ban = banned("user_1", 1000, now());
    let answer = send(&server.service, signed("msg_1", &ban).into_request()).await;
    assert!(answer.status() >= 500);
    server.post("msg_1", &ban).await;
    assert_eq!(count(&db, "clerk_lockouts").await, 1);
}

async fn lockouts_that_cannot_be_read_refuse_nobody(db: DatabaseConnection) {
    let issuer = issuer();
    let [one] = instances(&db, &issuer).await;
    db.execute_unprepared("ALTER TABLE clerk_lockouts RENAME TO elsewhere").await.unwrap();
    let token = issuer.token("user_1").mint();
    assert_eq!(one.verdict(&token).await, None);
    assert!(one.lockouts.look().await.is_err());
    db.execute_unprepared("ALTER TABLE elsewhere RENAME TO clerk_lockouts").await.unwrap();
    one.lockouts.look().await.unwrap();
}

async fn lockouts_are_deleted_when_they_bar_no_token_any_more(db: DatabaseConnection) {
    let [one] = instances(&db, &issuer()).await;
    for n in 0..2 {
        let ended = json!({ "object": "session", "id": format!("sess_{n}") });
        one.server.post_new(&event("session.ended", &ended, now())).await;
    }
    let age = |minutes: i64| format!("SET noted_at = noted_at - {}", minutes * 60_000);
    let older = format!("UPDATE clerk_lockouts {} WHERE subject_id = 'sess_0'", age(71));
    db.execute_unprepared(&older).await.unwrap();
    let almost = format!("UPDATE clerk_lockouts {} WHERE subject_id = 'sess_1'", age(69));
    db.execute_unprepared(&almost).await.unwrap();
    let month = Duration::from_secs(30 * 24 * 3600);
    one.server.sink.forget_deliveries(month).await.unwrap();
    assert_eq!(count(&db, "clerk_lockouts").await, 1);
    assert_eq!(count(&db, "clerk_lockouts WHERE subject_id = 'sess_1'").await, 1);
}

async fn lockouts_are_not_written_unless_they_are_on(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    let ended = json!({ "object": "session", "id": "sess_1" });
    server.post_new(&event("session.ended", &ended, now())).await;
    server.post_new(&banned("user_1", 1, now())).await;
    assert_eq!(count(&db, "clerk_lockouts").await, 0);
    // Tables from before are brought up to date.
    db.execute_unprepared("DROP TABLE clerk_lockouts").await.unwrap();
    db.execute_unprepared("DELETE FROM clerk_migrations WHERE version LIKE '%clerk_lockouts'")
        .await
        .unwrap();
    Schema::new().migrate(&db).await.unwrap();
    assert_eq!(count(&db, "clerk_lockouts").await, 0);
}
