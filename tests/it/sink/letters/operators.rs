//! What operators do with what is parked: list, retry and drop.

use super::*;
use tower_clerk::sea_orm::{Retried, UserStatus};

on_each_database!(
    fault_s12_a_retry_applies_once_the_database_accepts_the_row,
    fault_s12_a_retry_obeys_versions_duplicates_and_tombstones,
    fault_s12_a_retry_that_cannot_be_taken_keeps_the_letter,
    fault_s12_letters_are_listed_in_pages_and_dropped,
    fault_s12_letters_live_in_the_schema_of_the_other_tables,
);

/// Parks an update of a user whose address another one has.
async fn parked(desk: &Desk, id: &str, user: &str, version: i64) {
    let body = user_updated(user, Some("a@x.y"), T + version);
    assert_eq!(desk.post(id, &body).await.status(), 500);
    desk.clock.advance(HOUR);
    assert_eq!(desk.post(id, &body).await.status(), 204);
}

async fn desk_of_one_address(db: &DatabaseConnection) -> Desk {
    let desk = Desk::open(db).await;
    desk.refuse_equal_addresses().await;
    assert_eq!(
        desk.post("msg_first", &user_created("user_1", Some("a@x.y"), T)).await.status(),
        204
    );
    desk
}

async fn email(desk: &Desk, user: &str) -> Option<String> {
    desk.sink.find_user(user).await.unwrap().and_then(|user| user.email)
}

async fn fault_s12_a_retry_applies_once_the_database_accepts_the_row(db: DatabaseConnection) {
    let desk = desk_of_one_address(&db).await;
    parked(&desk, "msg_1", "user_2", 5).await;
    let refused = desk.sink.retry("msg_1").await.unwrap();
    assert!(matches!(&refused, Retried::Refused(reason) if !reason.is_empty()), "{refused:?}");
    assert_eq!(desk.only().await.id, "msg_1");

    desk.accept_equal_addresses().await;
    assert!(matches!(desk.sink.retry("msg_1").await.unwrap(), Retried::Taken(Outcome::Applied(_))));
    assert_eq!(desk.letters().await, []);
    assert_eq!(email(&desk, "user_2").await.as_deref(), Some("a@x.y"));
    assert_eq!(desk.sink.retry("msg_1").await.unwrap(), Retried::Unknown);
    // The version is that of the event: an older one changes nothing any more.
    assert_eq!(
        desk.post("msg_2", &user_updated("user_2", Some("old@x.y"), T + 4)).await.status(),
        204
    );
    assert_eq!(email(&desk, "user_2").await.as_deref(), Some("a@x.y"));
}

async fn fault_s12_a_retry_obeys_versions_duplicates_and_tombstones(db: DatabaseConnection) {
    let desk = desk_of_one_address(&db).await;
    parked(&desk, "msg_1", "user_2", 5).await;
    parked(&desk, "msg_2", "user_3", 5).await;
    parked(&desk, "msg_3", "user_4", 5).await;
    desk.accept_equal_addresses().await;
    // A newer state has come meanwhile.
    assert_eq!(
        desk.post("msg_4", &user_updated("user_2", Some("new@x.y"), T + 6)).await.status(),
        204
    );
    assert_eq!(desk.sink.retry("msg_1").await.unwrap(), Retried::Taken(Outcome::Stale));
    assert_eq!(email(&desk, "user_2").await.as_deref(), Some("new@x.y"));
    // The user is deleted: what is parked is gone with the user. Here an older release left it.
    db.execute_unprepared("UPDATE clerk_dead_letters SET user_id = NULL").await.unwrap();
    assert_eq!(desk.post("msg_5", &user_deleted("user_3")).await.status(), 204);
    assert_eq!(desk.sink.retry("msg_2").await.unwrap(), Retried::Taken(Outcome::Stale));
    assert_eq!(desk.sink.user_status("user_3").await.unwrap(), UserStatus::Deleted);
    // The same delivery was applied before.
    let record = "INSERT INTO clerk_deliveries SELECT id, failed_at FROM clerk_dead_letters";
    db.execute_unprepared(record).await.unwrap();
    assert_eq!(desk.sink.retry("msg_3").await.unwrap(), Retried::Taken(Outcome::Duplicate));
    assert_eq!(email(&desk, "user_4").await, None);
    assert_eq!(desk.letters().await, []);
}

async fn fault_s12_a_retry_that_cannot_be_taken_keeps_the_letter(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    for (n, body) in unusable().iter().enumerate() {
        let id = format!("msg_{n}");
        assert_eq!(desk.post(&id, body).await.status(), 204);
        let retried = desk.sink.retry(&id).await.unwrap();
        assert!(matches!(retried, Retried::Refused(_)), "{body} {retried:?}");
    }
    let all = desk.letters().await;
    assert_eq!(all.len(), unusable().len());
    // A hook's error, and a database without the table, are errors and change nothing.
    db.execute_unprepared("ALTER TABLE users RENAME TO elsewhere").await.unwrap();
    let fine = user_created("user_9", None, T).to_string();
    let blob = match db.get_database_backend() {
        DbBackend::Postgres => format!("convert_to('{fine}', 'UTF8')"),
        _ => format!("'{fine}'"),
    };
    let sql = format!("UPDATE clerk_dead_letters SET body = {blob} WHERE id = 'msg_0'");
    db.execute_unprepared(&sql).await.unwrap();
    desk.sink.retry("msg_0").await.unwrap_err();
    assert_eq!(desk.letters().await, all);
    db.execute_unprepared("ALTER TABLE elsewhere RENAME TO users").await.unwrap();
    assert!(matches!(desk.sink.retry("msg_0").await.unwrap(), Retried::Taken(Outcome::Applied(_))));
    assert_eq!(desk.letters().await, all[1..]);
}

async fn fault_s12_letters_are_listed_in_pages_and_dropped(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    for n in 0..5 {
        assert_eq!(desk.post(&format!("msg_{n}"), &unusable()[1]).await.status(), 204);
    }
    let mut seen = Vec::new();
    loop {
        let after = seen.last().map(|letter: &DeadLetter| letter.id.clone());
        let page = desk.sink.parked(2, after.as_deref()).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, desk.letters().await);
    assert_eq!(desk.sink.count_parked().await.unwrap(), 5);
    assert!(desk.sink.drop_parked("msg_2").await.unwrap());
    assert!(!desk.sink.drop_parked("msg_2").await.unwrap());
    assert_eq!(desk.sink.parked_body("msg_2").await.unwrap(), None);
    assert_eq!(desk.sink.count_parked().await.unwrap(), 4);
}

async fn fault_s12_letters_live_in_the_schema_of_the_other_tables(db: DatabaseConnection) {
    let other = match db.get_database_backend() {
        DbBackend::Sqlite => "temp".to_owned(),
        _ => format!("letters_{}", std::process::id()),
    };
    if db.get_database_backend() != DbBackend::Sqlite {
        db.execute_unprepared(&format!("CREATE SCHEMA {other}")).await.unwrap();
    } else {
        // A schema of SQLite belongs to a connection: `two_schemas_in_one_database_share_nothing` has it.
        return;
    }
    let schema = Schema::new().in_schema(&*other);
    schema.migrate(&db).await.unwrap();
    let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap();
    let clock = clock();
    let service = WebhookService::builder([secret()], sink.clone().clock(clock.clone()));
    let service = service.clock(clock.clone()).build().unwrap();
    let body = json!({ "type": "user.updated", "data": {} }).to_string();
    let delivery = SignedDelivery::new(&secret(), "msg_1", clock.now(), body);
    assert_eq!(send(&service, delivery.into_request()).await.status(), 204);
    assert_eq!(count(&db, &format!("{other}.clerk_dead_letters")).await, 1);
    assert!(db.execute_unprepared("SELECT 1 FROM clerk_dead_letters").await.is_err());
    let cascade = if db.get_database_backend() == DbBackend::Postgres { " CASCADE" } else { "" };
    db.execute_unprepared(&format!("DROP SCHEMA {other}{cascade}")).await.unwrap();
}
