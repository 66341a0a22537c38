//! The checks. Each begins with a sink that has stored nothing, and returns the first thing that is wrong.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::bench::{Bench, T, Wrong, deliver, delivery, orders_of, row, states, wrong};
use super::subject::{SinkUnderTest, Stored};
use crate::test_util::delivery::{user_created, user_deleted, user_updated};
use crate::webhook::{Effect, Outcome, Sink};

/// Delivers four states of a user in every order; after each, the newest so far is stored. Then two that
/// nothing but their data tells apart, in both orders: the same one wins.
pub(super) async fn orders<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    for (n, order) in orders_of(4).into_iter().enumerate() {
        let user = format!("user_{n}");
        let states = states(&user);
        let mut newest: Option<usize> = None;
        for (state, event) in order.iter().map(|state| (*state, &states[*state])) {
            let id = format!("msg_{n}_{state}");
            match newest {
                Some(newest) if newest > state => bench.apply_in_vain(&id, event).await?,
                Some(_) => bench.apply(&id, event, Effect::Updated).await?,
                None => bench.apply(&id, event, Effect::Inserted).await?,
            }
            let now = newest.map_or(state, |newest| newest.max(state));
            newest = Some(now);
            bench.expect(&user, &row(now), &format!("after {id}, in the order {order:?}")).await?;
        }
    }

    let equals = ["one@example.com", "other@example.com"];
    let equals = equals.map(|email| user_updated("user_1", Some(email), T));
    let mut winners = Vec::new();
    for order in orders_of(2) {
        let bench = Bench::new(under_test).await;
        for state in order {
            bench.deliver(&format!("msg_{state}"), &equals[state]).await?;
        }
        winners.push(bench.stored("user_1").await);
    }
    if winners.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(());
    }
    Err(format!("of two updates of one time, the order of arrival decides: found {winners:?}"))
}

/// Delivers states and a deletion in every order, each twice; then all again, and all under other ids.
pub(super) async fn repetitions<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    for (n, order) in orders_of(4).into_iter().enumerate() {
        let user = format!("user_{n}");
        let mut events = states(&user);
        let goes = n % 2 == 0;
        if goes {
            events[0] = user_deleted(&user);
        }
        let end = if goes { Stored::Tombstone } else { row(3) };
        for state in &order {
            let id = format!("msg_{n}_{state}");
            bench.deliver(&id, &events[*state]).await?;
            let stored = bench.stored(&user).await;
            bench.apply_in_vain(&id, &events[*state]).await?;
            bench.expect(&user, &stored, &format!("after {id} came twice")).await?;
        }
        bench.expect(&user, &end, &format!("after the order {order:?}")).await?;
        for state in &order {
            bench.apply_in_vain(&format!("msg_{n}_{state}"), &events[*state]).await?;
        }
        for state in order.iter().rev() {
            bench.apply_in_vain(&format!("msg_{n}_{state}_again"), &events[*state]).await?;
        }
        bench.expect(&user, &end, "after all its deliveries came again").await?;
    }
    Ok(())
}

/// Delivers states and a deletion in every order: from the deletion on, nothing is applied.
pub(super) async fn deletions<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    for (n, order) in orders_of(4).into_iter().enumerate() {
        let user = format!("user_{n}");
        let mut events = states(&user);
        events[0] = user_deleted(&user);
        let mut deleted = false;
        for state in order {
            let id = format!("msg_{n}_{state}");
            if deleted {
                bench.apply_in_vain(&id, &events[state]).await?;
            } else if state == 0 {
                bench.apply(&id, &events[state], Effect::Deleted).await?;
                deleted = true;
            } else {
                bench.deliver(&id, &events[state]).await?;
            }
            if deleted {
                bench.expect(&user, &Stored::Tombstone, &format!("after {id}")).await?;
            }
        }
        bench.apply_in_vain(&format!("msg_{n}_again"), &events[0]).await?;
        bench.expect(&user, &Stored::Tombstone, "after a second deletion").await?;
    }
    Ok(())
}

/// Delivers all events of a user at once, each twice, to two sinks if there is another one.
pub(super) async fn races<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    let another = under_test.another(&bench.sink).await.map(Arc::new);
    let sinks = [Arc::clone(&bench.sink), another.unwrap_or_else(|| Arc::clone(&bench.sink))];
    for n in 0..RACES {
        let user = format!("user_{n}");
        let goes = n % 2 == 0;
        let mut events = states(&user).to_vec();
        events.extend(goes.then(|| user_deleted(&user)));
        let mut at_once = JoinSet::new();
        // Each race begins with another one.
        for turn in 0..events.len() {
            let state = (turn + n) % events.len();
            for sink in &sinks {
                let (sink, event) = (Arc::clone(sink), events[state].clone());
                let id = format!("msg_{n}_{state}");
                at_once.spawn(async move { deliver(&*sink, &id, &event).await });
            }
        }
        let mut inserted = 0;
        while let Some(ended) = at_once.join_next().await {
            let outcome = ended.map_err(|error| format!("a delivery ended early: {error}"))??;
            inserted += usize::from(outcome == Outcome::Applied(Effect::Inserted));
        }
        let end = if goes { Stored::Tombstone } else { row(3) };
        bench.expect(&user, &end, "after all its deliveries came at once").await?;
        if inserted > 1 {
            return Err(format!("{user} was inserted {inserted} times at once"));
        }
    }
    Ok(())
}

/// Delivers events that are about no user, or of a type that is not known.
pub(super) async fn strangers<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    let [_, update, ..] = states("user_1");
    bench.apply("msg_first", &update, Effect::Inserted).await?;
    let retyped = |kind: &str| {
        let mut event = user_updated("user_1", Some("novel@example.com"), T + 9);
        event["type"] = json!(kind);
        event
    };
    for (n, event) in [
        json!({ "type": "session.created", "data": { "id": "sess_1", "user_id": "user_1" } }),
        json!({ "type": "session.created", "data": null }),
        json!({ "type": "user.deleted", "data": { "object": "user", "deleted": true } }),
        retyped("user.novel"),
        retyped("novelty.created"),
    ]
    .into_iter()
    .enumerate()
    {
        let outcome = bench.deliver(&format!("msg_{n}"), &event).await?;
        if let Outcome::Applied(Effect::Inserted | Effect::Updated | Effect::Deleted) = outcome {
            return Err(wrong(&Outcome::Ignored, &outcome, &format!("as the outcome of {event}")));
        }
        bench.expect("user_1", &row(1), &format!("after {event}")).await?;
    }
    Ok(())
}

/// Delivers users whose values are absent, long or odd, or whose ids differ in one letter's case.
pub(super) async fn values<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    let [long, longer] = [300, 3000].map(|length| "x".repeat(length));
    let (shared, odd) = ("shared@example.com", "'\"\\;%_\u{7f}\u{a0}\u{1f600}@example.com");
    let nul = "nul\0@example.com";
    for (n, (user, email)) in [
        (&*"u".repeat(255), Some(shared)),
        ("user_a", Some(shared)),
        ("user_A", Some(odd)),
        ("USER_a", Some(nul)),
        ("1", None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = user_created(user, email, T);
        for (member, value) in [("first_name", &long), ("last_name", &long), ("username", &long)] {
            event["data"][member] = json!(value);
        }
        event["data"]["image_url"] = json!(format!("https://img.example.com/{longer}"));
        bench.apply(&format!("msg_{n}"), &event, Effect::Inserted).await?;
        let found = match bench.stored(user).await {
            // A store need not be able to hold U+0000.
            Stored::Row(email) => Stored::Row(email.map(|email| email.replace('\0', ""))),
            other => other,
        };
        let expected = Stored::Row(email.map(|email| email.replace('\0', "")));
        if found != expected {
            return Err(wrong(&expected, &found, &format!("stored about {user}")));
        }
    }

    let none = user_updated("user_a", None, T + 1);
    bench.apply("msg_none", &none, Effect::Updated).await?;
    bench.expect("user_a", &Stored::Row(None), "after the e-mail address was removed").await?;
    bench.apply("msg_deleted", &user_deleted("user_A"), Effect::Deleted).await?;
    bench.expect("user_a", &Stored::Row(None), "after user_A was deleted").await
}

/// Drops deliveries after every number of steps that they take, and delivers them again.
pub(super) async fn interruptions<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    for kind in ["insertion", "update", "deletion"] {
        for steps in 0..MOST_STEPS {
            let user = format!("user_{kind}_{steps}");
            let states = states(&user);
            let id = format!("msg_{kind}_{steps}");
            if kind != "insertion" {
                bench.apply(&format!("{id}_before"), &states[0], Effect::Inserted).await?;
            }
            let before = bench.stored(&user).await;
            let (event, after) = match kind {
                "deletion" => (user_deleted(&user), Stored::Tombstone),
                _ => (states[3].clone(), row(3)),
            };
            let has_ended = poll_times(steps, &*bench.sink, &id, &event).await;
            let stored = bench.stored(&user).await;
            if stored != before && stored != after {
                let what = format!("stored about {user} after {steps} steps of a delivery");
                return Err(wrong(&after, &stored, &what));
            }
            bench.deliver(&id, &event).await?;
            let when =
                format!("when the delivery {id} was dropped after {steps} steps and came again");
            bench.expect(&user, &after, &when).await?;
            if has_ended {
                break;
            }
        }
    }
    Ok(())
}

/// Polls a delivery so many times, and drops it. Returns whether it had ended by then.
async fn poll_times(times: usize, sink: &impl Sink, id: &str, event: &Value) -> bool {
    let delivery = delivery(id, event);
    let mut applying = pin!(sink.apply(&delivery));
    let mut left = times;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match applying.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            // The last step has been taken: nothing would wake it up again.
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Delivers while rows cannot be written, and again afterwards.
pub(super) async fn failures<U: SinkUnderTest>(under_test: &U) -> Result<(), Wrong> {
    let bench = Bench::new(under_test).await;
    for kind in ["insertion", "update", "deletion"] {
        let user = format!("user_{kind}");
        let states = states(&user);
        if kind != "insertion" {
            bench.apply(&format!("msg_{kind}_before"), &states[0], Effect::Inserted).await?;
        }
        let before = bench.stored(&user).await;
        let (event, effect, after) = match kind {
            "insertion" => (states[3].clone(), Effect::Inserted, row(3)),
            "update" => (states[3].clone(), Effect::Updated, row(3)),
            _ => (user_deleted(&user), Effect::Deleted, Stored::Tombstone),
        };
        let id = format!("msg_{kind}");
        if !under_test.break_writes(&bench.sink).await {
            return Ok(());
        }
        let outcome = bench.sink.apply(&delivery(&id, &event)).await;
        under_test.mend_writes(&bench.sink).await;
        if let Ok(outcome) = outcome {
            return Err(format!(
                "the {kind} of {user} ended with {outcome:?} and not with an error"
            ));
        }
        bench.expect(&user, &before, &format!("after its {kind} failed")).await?;
        bench.apply(&id, &event, effect).await?;
        bench.expect(&user, &after, &format!("after its {kind} came again")).await?;
    }
    Ok(())
}

const RACES: usize = 16;
/// More steps than a delivery takes.
const MOST_STEPS: usize = 200;
