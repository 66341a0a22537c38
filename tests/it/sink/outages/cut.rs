//! The connection is cut: at the commit, on either side of it, and at every packet of a delivery.

use std::time::Duration;

use serde_json::Value;
use tower_clerk::test_util::user_deleted;

use super::{
    Known, clear, created, fresh_service, is_empty, is_recorded, known, post, put_off, service,
    taken_in, updated,
};
use crate::support::database::{Place, count, on_each_server};
use crate::support::proxy::{At, Cut, Proxy, Through};

on_each_server!(
    e43_e46_a_commit_that_does_not_arrive_leaves_nothing_and_the_retry_applies,
    e43_e44_a_cut_at_any_packet_leaves_all_or_nothing_and_the_retry_applies_once,
    e44_e46_after_a_commit_whose_answer_was_lost_the_retry_changes_nothing,
);

const DEADLINE: Duration = Duration::from_secs(10);

async fn e43_e46_a_commit_that_does_not_arrive_leaves_nothing_and_the_retry_applies(place: Place) {
    for through in [Through::Nothing, Through::Half] {
        let db = place.pool(2).await;
        let proxy = Proxy::start(&place).await;
        let service = fresh_service(&proxy.place.pool(1).await, DEADLINE).await;

        proxy.cut(Cut { at: At::Commit, what: through });
        put_off(&service, "msg_1", &created("user_1")).await;
        assert!(proxy.was_cut());
        is_empty(&db).await;

        taken_in(&service, "msg_1", &created("user_1")).await;
        assert_eq!(known(&db, "user_1").await, Known::Version(0));
        assert_eq!(count(&db, "clerk_deliveries").await, 1);
        clear(&db).await;
    }
}

async fn e44_e46_after_a_commit_whose_answer_was_lost_the_retry_changes_nothing(place: Place) {
    let db = place.pool(2).await;
    let proxy = Proxy::start(&place).await;
    let service = fresh_service(&proxy.place.pool(1).await, DEADLINE).await;
    taken_in(&service, "msg_1", &created("user_1")).await;

    for (id, body, state) in [
        ("msg_2", updated("user_1", 1), Known::Version(1)),
        ("msg_3", user_deleted("user_1"), Known::Deleted),
        ("msg_4", created("user_2"), Known::Version(0)),
    ] {
        proxy.cut(Cut { at: At::Commit, what: Through::Request });
        put_off(&service, id, &body).await;
        assert!(proxy.was_cut());
        // The server has committed; nobody told the sink.
        let user = body["data"]["id"].as_str().unwrap();
        assert_eq!(known(&db, user).await, state, "{id}");
        let recorded = count(&db, "clerk_deliveries").await;
        assert!(is_recorded(&db, id).await);

        taken_in(&service, id, &body).await;
        assert_eq!(known(&db, user).await, state, "{id}");
        assert_eq!(count(&db, "clerk_deliveries").await, recorded);
    }
}

async fn e43_e44_a_cut_at_any_packet_leaves_all_or_nothing_and_the_retry_applies_once(
    place: Place,
) {
    let db = place.pool(2).await;
    let direct = fresh_service(&db, DEADLINE).await;
    let proxy = Proxy::start(&place).await;
    // Short, since the pool goes on trying until then when a connection is cut as it opens.
    let brief = Duration::from_secs(2);
    let pool = proxy.place.pool_with(|options| options.max_connections(1).acquire_timeout(brief));
    let service = service(&pool.await, DEADLINE);

    for (name, body, before, after) in [
        ("created", created as fn(&str) -> Value, Known::Nothing, Known::Version(0)),
        ("updated", |user| updated(user, 1), Known::Version(0), Known::Version(1)),
        ("deleted", user_deleted, Known::Version(0), Known::Deleted),
    ] {
        for through in [Through::Nothing, Through::Half, Through::Request] {
            let mut packet = 1;
            loop {
                let user = format!("user_{name}_{through:?}_{packet}");
                let (first, id) = (format!("msg_first_{user}"), format!("msg_{user}"));
                if before != Known::Nothing {
                    taken_in(&direct, &first, &created(&user)).await;
                }
                proxy.cut(Cut { at: At::Packet(packet), what: through });
                let answer = post(&service, &id, &body(&user)).await;
                let cut = proxy.was_cut();
                let recorded = is_recorded(&db, &id).await;
                let state = if recorded { after } else { before };
                assert_eq!(known(&db, &user).await, state, "{user}, {}", answer.status());
                match answer.status() {
                    204 => assert!(recorded, "{user}: acknowledged and not there"),
                    status => assert_eq!((status, cut), (503, true), "{user}"),
                }

                taken_in(&service, &id, &body(&user)).await;
                assert_eq!(known(&db, &user).await, after, "{user}");
                assert!(is_recorded(&db, &id).await, "{user}");
                if !cut {
                    break;
                }
                packet += 1;
            }
            // A statement each to begin, record, raise, write and commit, at the very least.
            assert!(packet > 5, "{name}: {packet} packets");
        }
    }
}
