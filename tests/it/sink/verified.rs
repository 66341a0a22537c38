//! Whether a user's primary e-mail address was verified.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};
use tower_clerk::sea_orm::{Schema, migrate};
use tower_clerk::test_util::user_updated;

use crate::sink::schema::row;
use crate::support::database::on_each_database;
use crate::support::sink_service::Server;

on_each_database!(
    fault_s21_whether_the_address_was_verified_is_kept_where_a_column_is_named_for_it,
    fault_s21_a_table_without_the_column_is_told_the_statement_that_adds_it,
);

const T: i64 = 1_649_360_000_000;

/// A user with an address in this state of verification, and a second one that is verified.
fn with_verification(verification: Value) -> Value {
    let mut body = user_updated("user_1", Some("ann@example.com"), T);
    let other = json!({
        "id": "idn_2", "email_address": "other@example.com",
        "verification": { "status": "verified" },
    });
    body["data"]["email_addresses"][0]["verification"] = verification;
    body["data"]["email_addresses"].as_array_mut().unwrap().push(other);
    body
}

async fn fault_s21_whether_the_address_was_verified_is_kept_where_a_column_is_named_for_it(
    db: DatabaseConnection,
) {
    let schema = Schema::new().email_verified_column("email_verified");
    let server = Server::start_with(db.clone(), schema.clone()).await;
    schema.check(&db).await.unwrap();
    server.sink.ensure_user("user_1").await.unwrap();
    let status = |status: &str| json!({ "status": status, "strategy": "email_code" });
    let mut cases = vec![
        (with_verification(status("verified")), Some(true)),
        (with_verification(status("unverified")), Some(false)),
        (with_verification(status("expired")), Some(false)),
        (with_verification(status("Verified")), Some(false)),
        (with_verification(json!({})), None),
        (with_verification(status("verified")), Some(true)),
        (with_verification(Value::Null), None),
        (with_verification(json!("verified")), None),
    ];
    let mut none = with_verification(status("verified"));
    none["data"]["primary_email_address_id"] = Value::Null;
    cases.push((none, None));
    let mut unknown = with_verification(status("verified"));
    unknown["data"]["primary_email_address_id"] = json!("idn_9");
    cases.push((unknown, None));
    for (n, (mut body, verified)) in (1..).zip(cases) {
        body["data"]["updated_at"] = json!(T + n);
        server.post_new(&body).await;
        let row = row(&db, "SELECT email_verified FROM users").await;
        let found: Option<bool> = row.try_get_by_index(0).unwrap();
        assert_eq!(found, verified, "{body}");
    }
}

async fn fault_s21_a_table_without_the_column_is_told_the_statement_that_adds_it(
    db: DatabaseConnection,
) {
    migrate(&db).await.unwrap();
    let schema = Schema::new().email_verified_column("email_verified");
    let refusal = schema.migrate(&db).await.unwrap_err().to_string();
    let lines: Vec<&str> = refusal.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(lines.len(), 1, "{refusal}");
    let (what, remedy) = lines[0].split_once(": ").unwrap();
    assert_eq!(what.trim(), "`email_verified` is missing");
    db.execute_unprepared(remedy).await.unwrap();
    let server = Server::start_with(db.clone(), schema.clone()).await;
    schema.check(&db).await.unwrap();
    server.post_new(&with_verification(json!({ "status": "verified" }))).await;
    let row = row(&db, "SELECT email_verified FROM users").await;
    assert_eq!(row.try_get_by_index::<Option<bool>>(0).unwrap(), Some(true));
}
