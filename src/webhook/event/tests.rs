//! The decoding of signed bodies.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;

const SENT: i64 = 1_716_883_260_000;
const LATEST: i64 = SENT + 300_000;

fn read(body: &Value) -> Result<Envelope, super::Undecodable> {
    decode(body.to_string().as_bytes(), SENT, LATEST)
}

fn user(data: &Value) -> User {
    match read(&json!({ "type": "user.updated", "data": data })).unwrap().event {
        Event::UserUpdated(user) => user,
        other => panic!("{other:?}"),
    }
}

#[test]
fn e25_the_primary_address_is_taken_and_never_another() {
    let addresses = json!([
        { "id": "idn_1", "email_address": "first@example.com" },
        { "id": "idn_2", "email_address": "primary@example.com" },
        { "email_address": "no-id@example.com" },
        null, 7,
    ]);
    for (primary, email) in [
        (json!("idn_2"), Some("primary@example.com")),
        (json!("idn_dangling"), None),
        (json!(null), None),
        (json!(2), None),
    ] {
        let data = json!({
            "id": "user_1", "primary_email_address_id": primary, "email_addresses": addresses,
        });
        assert_eq!(user(&data).email.as_deref(), email, "{primary}");
    }
    for addresses in [json!(null), json!({}), json!("idn_1"), json!([{ "id": "idn_1" }])] {
        let data = json!({
            "id": "user_1", "primary_email_address_id": "idn_1", "email_addresses": addresses,
        });
        assert_eq!(user(&data).email, None, "{addresses}");
    }
}

#[test]
fn names_of_another_type_are_none() {
    let user = user(&json!({
        "id": "user_1", "first_name": 1, "last_name": null, "username": ["x"], "image_url": {},
    }));
    assert_eq!(
        (user.first_name, user.last_name, user.username, user.image_url),
        Default::default()
    );
}

#[test]
fn a_state_from_the_far_future_is_no_newer_than_now_and_none_is_older_than_the_first() {
    let version =
        |updated_at: &Value| user(&json!({ "id": "user_1", "updated_at": updated_at })).updated_at;
    assert_eq!(version(&json!(1_716_883_500_000_i64)), 1_716_883_500_000);
    for far in [json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(LATEST + 1)] {
        assert_eq!(version(&far), LATEST, "{far}");
    }
    for early in [json!(i64::MIN), json!(-1), json!(0), json!(-1e300)] {
        assert_eq!(version(&early), 1, "{early}");
    }
}

#[test]
fn a_state_without_its_time_takes_the_events_then_its_creation_then_the_delivery() {
    let version = |body: &Value| match read(body).unwrap().event {
        Event::UserCreated(user) => (user.updated_at, user.created_at),
        other => panic!("{other:?}"),
    };
    let body = |timestamp: &Value, created_at: &Value| {
        json!({
            "type": "user.created", "timestamp": timestamp,
            "data": { "id": "user_1", "updated_at": null, "created_at": created_at },
        })
    };
    assert_eq!(
        version(&body(&json!(1_716_883_200), &json!(1_716_883_100_000_i64))),
        (1_716_883_200_000, 1_716_883_100_000)
    );
    assert_eq!(
        version(&body(&json!("soon"), &json!(1_716_883_100_000_i64))),
        (1_716_883_100_000, 1_716_883_100_000)
    );
    assert_eq!(version(&body(&json!(null), &json!(null))), (SENT, SENT));
}

#[test]
fn seconds_and_milliseconds_are_told_apart_in_the_envelope() {
    for timestamp in [json!(1_716_883_200), json!(1_716_883_200_000_i64)] {
        let envelope =
            read(&json!({ "type": "x.y", "timestamp": timestamp, "instance_id": "ins_1" }))
                .unwrap();
        assert_eq!(envelope.occurred_at, Some(UNIX_EPOCH + Duration::from_secs(1_716_883_200)));
        assert_eq!(envelope.instance_id.as_deref(), Some("ins_1"));
    }
}

#[test]
fn e22_a_user_without_a_usable_id_is_no_event() {
    let long = "u".repeat(256);
    for data in [
        json!(null),
        json!([]),
        json!("user_1"),
        json!({ "id": "" }),
        json!({ "id": 1 }),
        json!({ "id": {} }),
        json!({ "id": "user 1" }),
        json!({ "id": "user_1' OR '1'='1" }),
        json!({ "id": "user_1\0" }),
        json!({ "id": long }),
    ] {
        for kind in ["user.created", "user.updated", "user.deleted"] {
            assert!(read(&json!({ "type": kind, "data": data })).is_err(), "{kind} {data}");
        }
    }
    for kind in ["user.created", "user.updated"] {
        for data in [json!({}), json!({ "id": null })] {
            assert!(read(&json!({ "type": kind, "data": data })).is_err(), "{kind} {data}");
        }
    }
}

#[test]
fn e23_a_deletion_without_an_id_means_nobody() {
    for data in [json!({ "deleted": true }), json!({ "id": null })] {
        match read(&json!({ "type": "user.deleted", "data": data })).unwrap().event {
            Event::UserDeleted(user) => assert_eq!(user.id, None),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn e21_what_is_not_an_event_is_refused_and_an_unknown_one_is_kept_as_it_came() {
    let deep = "[".repeat(200_000);
    for body in ["", "null", "1", "\"x\"", "[]", "{}", r#"{"type":1}"#, "\u{feff}{}", "{", &deep] {
        assert!(decode(body.as_bytes(), SENT, LATEST).is_err());
    }
    assert!(decode(b"\xff\xfe{\0}\0", SENT, LATEST).is_err());

    let envelope = read(&json!({ "type": "role.created", "data": null })).unwrap();
    assert_eq!(envelope.event.kind(), "role.created");
    assert_eq!(envelope.data.as_str(), "null");
}

#[test]
fn what_serde_json_would_not_read_whole_sinks_no_event() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(
        r#"{{"type":"user.created","data":{{"id":"user_1","first_name":"\ud800","last_name":"Ek",
            "create_organizations_limit":1e999,"updated_at":1e999,"public_metadata":{deep}}}}}"#
    );
    let Event::UserCreated(user) = decode(body.as_bytes(), SENT, LATEST).unwrap().event else {
        panic!("another event");
    };
    assert_eq!((user.first_name, user.last_name.as_deref()), (None, Some("Ek")));
    assert_eq!((user.create_organizations_limit, user.updated_at), (None, SENT));
    let metadata = user.public_metadata.unwrap();
    assert_eq!(metadata.as_str(), deep);
    assert!(metadata.parse::<Value>().is_err());
}
