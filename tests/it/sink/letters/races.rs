//! Several servers at once.

use super::*;
use tower_clerk::sea_orm::Retried;

on_each_database!(
    fault_s12_two_tries_at_once_are_one_letter,
    fault_s12_a_user_deleted_meanwhile_leaves_no_letter,
    fault_s12_two_retries_at_once_apply_once,
);

async fn fault_s12_two_tries_at_once_are_one_letter(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    for race in 0..10 {
        let id = format!("msg_{race}");
        let tries: Vec<_> = (0..4)
            .map(|_| {
                let (service, now, id) = (desk.service.clone(), desk.clock.now(), id.clone());
                let body = unusable()[usize::from(race % 2 == 0)].to_string();
                tokio::spawn(async move {
                    let delivery = SignedDelivery::new(&secret(), &id, now, body);
                    send(&service, delivery.into_request()).await.status()
                })
            })
            .collect();
        for answer in tries {
            assert_eq!(answer.await.unwrap(), 204, "race {race}");
        }
    }
    assert_eq!(desk.letters().await.len(), 10);
}

async fn fault_s12_a_user_deleted_meanwhile_leaves_no_letter(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    for race in 0..20 {
        let user = format!("user_{race}");
        let mut bad = unusable().remove(0);
        bad["data"]["public_user_data"]["user_id"] = json!(user);
        let both = [bad, user_deleted(&user)].into_iter().enumerate().map(|(n, body)| {
            let (service, now) = (desk.service.clone(), desk.clock.now());
            let id = format!("msg_{race}_{n}");
            tokio::spawn(async move {
                let delivery = SignedDelivery::new(&secret(), &id, now, body.to_string());
                send(&service, delivery.into_request()).await.status()
            })
        });
        for answer in both.collect::<Vec<_>>() {
            assert_eq!(answer.await.unwrap(), 204, "race {race}");
        }
    }
    assert_eq!(desk.letters().await, []);
}

async fn fault_s12_two_retries_at_once_apply_once(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    desk.refuse_equal_addresses().await;
    assert_eq!(desk.post("msg_0", &user_created("user_0", Some("a@x.y"), T)).await.status(), 204);
    let body = user_created("user_1", Some("a@x.y"), T);
    assert_eq!(desk.post("msg_1", &body).await.status(), 500);
    desk.accept_equal_addresses().await;
    let retries: Vec<_> = (0..4)
        .map(|_| {
            let sink = desk.sink.clone();
            tokio::spawn(async move { sink.retry("msg_1").await.unwrap() })
        })
        .collect();
    let mut applied = 0;
    for retry in retries {
        match retry.await.unwrap() {
            Retried::Taken(Outcome::Applied(_)) => applied += 1,
            Retried::Taken(Outcome::Duplicate) | Retried::Unknown => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(applied, 1);
    assert_eq!(desk.letters().await, []);
}
