//! A sink on the bench: it is given deliveries, and what it stores is compared with what it has to.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::subject::{SinkUnderTest, Stored};
use crate::secret::SigningSecret;
use crate::test_util::delivery::{SignedDelivery, user_created, user_updated};
use crate::webhook::{Delivery, Effect, Outcome, Sink, SinkError};

/// What a sink did wrong.
pub(super) type Wrong = String;

/// A sink with nothing in it.
pub(super) struct Bench<'t, U: SinkUnderTest> {
    under_test: &'t U,
    pub(super) sink: Arc<U::Sink>,
}

impl<'t, U: SinkUnderTest> Bench<'t, U> {
    pub(super) async fn new(under_test: &'t U) -> Self {
        Self { under_test, sink: Arc::new(under_test.empty().await) }
    }

    /// Delivers an event under an id, and returns the outcome.
    pub(super) async fn deliver(&self, id: &str, event: &Value) -> Result<Outcome, Wrong> {
        deliver(&*self.sink, id, event).await
    }

    /// Delivers an event that has to change something.
    pub(super) async fn apply(&self, id: &str, event: &Value, effect: Effect) -> Result<(), Wrong> {
        match self.deliver(id, event).await? {
            Outcome::Applied(told) if told == effect || told == Effect::Other => Ok(()),
            outcome => {
                Err(wrong(&Outcome::Applied(effect), &outcome, &format!("as the outcome of {id}")))
            }
        }
    }

    /// Delivers an event that may change nothing.
    pub(super) async fn apply_in_vain(&self, id: &str, event: &Value) -> Result<(), Wrong> {
        match self.deliver(id, event).await? {
            Outcome::Applied(effect) => {
                Err(format!("the outcome of {id}, which has nothing new, is Applied({effect:?})"))
            }
            _ => Ok(()),
        }
    }

    /// Compares what is stored about a user with what has to be.
    pub(super) async fn expect(
        &self,
        user: &str,
        stored: &Stored,
        when: &str,
    ) -> Result<(), Wrong> {
        let found = self.stored(user).await;
        if found == *stored {
            return Ok(());
        }
        Err(wrong(stored, &found, &format!("stored about {user} {when}")))
    }

    pub(super) async fn stored(&self, user: &str) -> Stored {
        self.under_test.stored(&self.sink, user).await
    }
}

/// Gives an event to a sink, and again after a transient error, as Svix does.
pub(super) async fn deliver(sink: &impl Sink, id: &str, event: &Value) -> Result<Outcome, Wrong> {
    let delivery = delivery(id, event);
    let mut error = None;
    for _ in 0..TRIES {
        match sink.apply(&delivery).await {
            Ok(outcome) => return Ok(outcome),
            Err(again) if again.retry_helps() => error = Some(again),
            Err(refusal) => return Err(format!("{id} was refused: {}", causes(&refusal))),
        }
        tokio::task::yield_now().await;
    }
    let causes = error.as_ref().map(causes).unwrap_or_default();
    Err(format!("{id} failed {TRIES} times: {causes}"))
}

/// Returns a delivery as a server receives it.
#[expect(clippy::expect_used, reason = "the events are those of this module")]
pub(super) fn delivery(id: &str, event: &Value) -> Delivery {
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    let sent_at = UNIX_EPOCH + Duration::from_millis(T.unsigned_abs()) + DAY;
    let signed = SignedDelivery::new(&secret, id, sent_at, event.to_string());
    signed.open(&secret).expect("an event that can be read")
}

/// Returns the causes of an error, for the person who runs the check.
fn causes(error: &SinkError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Says what was found instead of what had to be.
pub(super) fn wrong(expected: &impl Debug, found: &impl Debug, what: &str) -> Wrong {
    format!("found {found:?} and not {expected:?} {what}")
}

/// Returns the states of a user, from the oldest to the newest: a creation, an update in the same
/// millisecond, and two more in another one, of which only the time of the event tells the later.
pub(super) fn states(user: &str) -> [Value; 4] {
    let email = |n: usize| format!("{n}@example.com");
    let at = |mut event: Value, timestamp: i64| {
        event["timestamp"] = json!(timestamp);
        event
    };
    [
        at(user_created(user, Some(&email(0)), T), T),
        at(user_updated(user, Some(&email(1)), T), T),
        at(user_updated(user, Some(&email(2)), T + 1), T + 1),
        at(user_updated(user, Some(&email(3)), T + 1), T + 2),
    ]
}

/// Returns what is stored of one of the [`states`].
pub(super) fn row(state: usize) -> Stored {
    Stored::Row(Some(format!("{state}@example.com")))
}

/// Returns the numbers below `count` in every order.
pub(super) fn orders_of(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for shorter in orders_of(last) {
        for place in 0..count {
            let mut order = shorter.clone();
            order.insert(place, last);
            all.push(order);
        }
    }
    all
}

/// When the states were made, in milliseconds since 1970.
pub(super) const T: i64 = 1_716_883_200_000;
const DAY: Duration = Duration::from_hours(24);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// How often an event is delivered to a sink that says each time that a retry may help.
const TRIES: usize = 100;
