//! Whoever waits for a delivery goes away, at every packet of it: nobody else's statements may find
//! themselves in the transaction that was left.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
};
use tower_clerk::sea_orm::{InTransaction, SeaOrmSink, migrate};
use tower_clerk::webhook::{Delivery, Outcome};

use super::{Known, clear, created, known, taken_in, updated};
use crate::support::database::{Place, count, on_each_server};
use crate::support::delivery::{builder, send, signed};
use crate::support::proxy::{At, Cut, Proxy, Through};
use crate::support::servers::{eventually, within};

on_each_server!(
    e43_a_delivery_left_at_any_packet_takes_no_statement_of_the_applications_with_it,
    a_request_left_at_any_packet_of_ensure_user_takes_none_with_it,
    a_migration_that_nobody_waits_for_goes_on_and_locks_nobody_out,
);

/// Leaves work at every packet until one run goes through; after each, looks at the pool, which
/// has one connection.
async fn left_at_every_packet<F>(
    place: &Place,
    proxy: &Proxy,
    pool: &DatabaseConnection,
    work: impl Fn(u32) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let direct = place.pool(1).await;
    direct.execute_unprepared("CREATE TABLE orders (n INTEGER)").await.unwrap();
    for packet in 1.. {
        proxy.cut(Cut { at: At::Packet(packet), what: Through::AnswerHeld });
        let mut waiting = tokio::spawn(work(packet));
        let ended = tokio::select! {
            () = proxy.holds() => None,
            ended = &mut waiting => Some(ended),
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                waiting.abort();
                waiting.await
            }
        };
        // It may have ended: nothing was held, or only what comes after the last answer.
        let was_left = ended.is_err_and(|error| error.is_cancelled() || panic!("{error}"));
        if !was_left {
            // First, so that nothing is held after it is released: a pool has words of its own.
            proxy.was_cut();
        }
        proxy.release();
        if !was_left {
            assert!(packet > 5, "{packet} packets are the whole of it?");
            return;
        }
        let insert = format!("INSERT INTO orders VALUES ({packet})");
        within(pool.execute_unprepared(&insert)).await.unwrap();
        assert_eq!(count(&direct, "orders").await, i64::from(packet), "packet {packet}");
        eventually(async || open_transactions(&direct).await == 0).await;
    }
}

async fn open_transactions(db: &DatabaseConnection) -> i64 {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::MySql => {
            "SELECT COUNT(*) FROM information_schema.innodb_trx JOIN information_schema.processlist \
             ON id = trx_mysql_thread_id WHERE db = DATABASE()"
        }
        _ => {
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        }
    };
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// With one, a delivery is broken off; without, it goes on alone.
struct Hook;

impl InTransaction for Hook {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        Ok(())
    }
}

async fn e43_a_delivery_left_at_any_packet_takes_no_statement_of_the_applications_with_it(
    place: Place,
) {
    let direct = place.pool(1).await;
    for hooked in [false, true] {
        let proxy = Proxy::start(&place).await;
        let pool = proxy.place.pool(1).await;
        migrate(&pool).await.unwrap();
        let sink = SeaOrmSink::new(pool.clone()).unwrap();
        let sink = if hooked { sink.with_hook(Hook) } else { sink };
        let service = builder(sink).build().unwrap();
        taken_in(&service, "msg_0", &created("user_1")).await;
        let posted = service.clone();
        left_at_every_packet(&place, &proxy, &pool, move |packet| {
            let (service, body) = (posted.clone(), updated("user_1", packet.into()));
            let delivery = signed(&format!("msg_{packet}"), &body);
            async move { assert_eq!(send(&service, delivery.into_request()).await.status(), 204) }
        })
        .await;
        taken_in(&service, "msg_last", &updated("user_1", 1000)).await;
        assert_eq!(known(&direct, "user_1").await, Known::Version(1000));
        clear(&direct).await;
        direct.execute_unprepared("DROP TABLE orders").await.unwrap();
    }
}

async fn a_request_left_at_any_packet_of_ensure_user_takes_none_with_it(place: Place) {
    let proxy = Proxy::start(&place).await;
    let pool = proxy.place.pool(1).await;
    migrate(&pool).await.unwrap();
    let sink = SeaOrmSink::new(pool.clone()).unwrap();
    left_at_every_packet(&place, &proxy, &pool, move |packet| {
        let (sink, user) = (sink.clone(), format!("user_{packet}"));
        async move {
            sink.ensure_user(&user).await.unwrap();
        }
    })
    .await;
}

async fn a_migration_that_nobody_waits_for_goes_on_and_locks_nobody_out(place: Place) {
    let proxy = Proxy::start(&place).await;
    let pool = proxy.place.pool(1).await;
    // Amid the statements that come after the lock.
    proxy.cut(Cut { at: At::Packet(12), what: Through::AnswerHeld });
    let left = tokio::spawn(async move { migrate(&pool).await });
    proxy.holds().await;
    left.abort();
    assert!(left.await.is_err());
    proxy.release();
    let other = place.pool(1).await;
    within(migrate(&other)).await.unwrap();
    assert_eq!(count(&other, "users").await, 0);
}
