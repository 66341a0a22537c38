//! The script, run on a real Redis.

use redis::AsyncCommands as _;
use uuid::Uuid;

use super::*;

#[expect(dead_code, reason = "no database is wanted here")]
#[expect(clippy::duplicate_mod, reason = "other unit tests want one of their own")]
#[path = "../../../../../tests/it/support/own_database.rs"]
mod own_database;
#[expect(dead_code, reason = "no Redis is stopped here")]
#[path = "../../../tests/it/support/redis.rs"]
mod redis_support;

/// A key of one test, and a separate connection.
struct Test {
    shared: Arc<Shared>,
    key: String,
    beside: MultiplexedConnection,
}

impl Test {
    async fn new() -> Option<Self> {
        let url = RedisUrl::parse(&redis_support::redis_url()?).unwrap();
        let beside = url.client().get_multiplexed_async_connection().await.unwrap();
        let key = Uuid::new_v4().to_string();
        Some(Self { shared: Shared::start(&url).await, key, beside })
    }

    async fn take(&self, requests: u32, per: Per) -> Result<(), Duration> {
        let rate = Rate::new(NonZeroU32::new(requests).unwrap(), per);
        self.shared.take("test", &self.key, rate).await.expect("Redis answers")
    }

    fn stored(&self) -> String {
        format!("{PREFIX}:test:{}", self.key)
    }
}

#[tokio::test]
async fn f20_redis_counts_as_the_process_does() {
    let Some(test) = Test::new().await else { return };
    for _ in 0..5 {
        assert_eq!(test.take(5, Per::Hour).await, Ok(()));
    }
    for _ in 0..3 {
        let wait = test.take(5, Per::Hour).await.unwrap_err();
        let whole = Duration::from_secs(720);
        assert!(wait <= whole && wait > whole - Duration::from_secs(60), "{wait:?}");
    }
}

#[tokio::test]
async fn f19_redis_forgets_whoever_may_make_as_many_requests_as_somebody_new() {
    let Some(mut test) = Test::new().await else { return };
    for n in 1..=5 {
        test.take(5, Per::Hour).await.unwrap();
        let millis: i64 = test.beside.pttl(test.stored()).await.unwrap();
        let whole = n * 720_000;
        assert!(millis <= whole && millis > whole - 60_000, "{millis}");
    }
    // A refusal does not extend the time.
    test.take(5, Per::Hour).await.unwrap_err();
    let millis: i64 = test.beside.pttl(test.stored()).await.unwrap();
    assert!(millis <= 3_600_000, "{millis}");
}

#[tokio::test]
async fn f20_neither_a_clock_that_was_set_back_nor_another_rate_locks_anybody_out() {
    let Some(mut test) = Test::new().await else { return };
    let far: u64 = 4_000_000_000_000_000;
    let _: () = test.beside.set(test.stored(), far).await.unwrap();
    let wait = test.take(5, Per::Hour).await.unwrap_err();
    assert!(wait <= Duration::from_secs(720), "{wait:?}");
    let wait = test.take(10, Per::Second).await.unwrap_err();
    assert!(wait <= Duration::from_millis(100), "{wait:?}");
    // A foreign value counts as nothing.
    let _: () = test.beside.set(test.stored(), "canary").await.unwrap();
    assert_eq!(test.take(5, Per::Hour).await, Ok(()));
}
