//! The crate's own sink passes the checks that it offers for those of others.

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr};
use tower_clerk::sea_orm::{InTransaction, SeaOrmSink, UserStatus, migrate};
use tower_clerk::test_util::conformance::{self, SinkUnderTest, Stored};
use tower_clerk::webhook::{Delivery, Outcome};

use crate::support::database::{Place, on_each_place};

on_each_place!(
    the_sink_conforms_when_it_runs_to_completion,
    the_sink_conforms_when_a_hook_lets_it_be_cancelled_at_any_await,
);

/// The sink on one database, from two pools.
struct UnderTest {
    pools: [DatabaseConnection; 2],
    has_hook: bool,
}

/// Does nothing. With it a delivery is cancelled where it is dropped, instead of running to its end.
struct Quiet;

impl InTransaction for Quiet {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        Ok(())
    }
}

impl UnderTest {
    fn sink(&self, pool: usize) -> SeaOrmSink {
        let sink = SeaOrmSink::new(self.pools[pool].clone()).unwrap();
        if self.has_hook { sink.with_hook(Quiet) } else { sink }
    }

    async fn execute(&self, statement: &str) {
        self.pools[0].execute_unprepared(statement).await.unwrap();
    }
}

impl SinkUnderTest for UnderTest {
    type Sink = SeaOrmSink;

    async fn empty(&self) -> SeaOrmSink {
        for table in ["users", "clerk_user_versions", "clerk_deliveries", "clerk_backfills"] {
            self.execute(&format!("DELETE FROM {table}")).await;
        }
        self.sink(0)
    }

    async fn another(&self, _: &SeaOrmSink) -> Option<SeaOrmSink> {
        Some(self.sink(1))
    }

    async fn stored(&self, sink: &SeaOrmSink, user_id: &str) -> Stored {
        loop {
            match sink.user_status(user_id).await.unwrap() {
                UserStatus::Deleted => return Stored::Tombstone,
                UserStatus::Active => {
                    // If there is none, a deletion was committed between the two queries.
                    if let Some(user) = sink.find_user(user_id).await.unwrap() {
                        return Stored::Row(user.email);
                    }
                }
                _ => return Stored::Nothing,
            }
        }
    }

    async fn break_writes(&self, _: &SeaOrmSink) -> bool {
        self.execute("ALTER TABLE users RENAME TO users_away").await;
        true
    }

    async fn mend_writes(&self, _: &SeaOrmSink) {
        self.execute("ALTER TABLE users_away RENAME TO users").await;
    }
}

async fn conforms(place: Place, has_hook: bool) {
    let pools = [place.pool(8).await, place.pool(8).await];
    migrate(&pools[0]).await.unwrap();
    conformance::run_all(&UnderTest { pools, has_hook }).await.unwrap();
}

async fn the_sink_conforms_when_it_runs_to_completion(place: Place) {
    conforms(place, false).await;
}

async fn the_sink_conforms_when_a_hook_lets_it_be_cancelled_at_any_await(place: Place) {
    conforms(place, true).await;
}
