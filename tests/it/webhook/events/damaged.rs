//! Samples with members missing, null, of another type, and in excess; and any JSON at all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::samples::{TYPES, arrives, is_unknown, post, sample};

/// Where the ids stand that decide something.
fn deciding(name: &str) -> &'static [&'static str] {
    match name {
        "user" | "organization" => &["/id"],
        "membership" => &[
            "/id",
            "/organization",
            "/organization/id",
            "/public_user_data",
            "/public_user_data/user_id",
        ],
        _ => &[],
    }
}

/// The places in a value, its own not among them.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, member)| (format!("{at}/{name}"), member)).collect()
        }
        Value::Array(elements) => {
            let below = elements.iter().enumerate();
            below.map(|(index, element)| (format!("{at}/{index}"), element)).collect()
        }
        _ => Vec::new(),
    };
    for (at, value) in below {
        found.push(at.clone());
        places(value, &at, found);
    }
}

fn without(data: &Value, place: &str) -> Value {
    let mut data = data.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    match data.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(elements) => drop(elements.remove(name.parse().unwrap())),
        _ => unreachable!(),
    }
    data
}

fn with(data: &Value, place: &str, value: Value) -> Value {
    let mut data = data.clone();
    *data.pointer_mut(place).unwrap() = value;
    data
}

/// One type for each sample.
fn shapes() -> Vec<(&'static str, &'static str)> {
    let mut shapes = TYPES.to_vec();
    shapes.sort_by_key(|(_, name)| *name);
    shapes.dedup_by_key(|(_, name)| *name);
    shapes
}

#[tokio::test]
async fn e22_a_member_missing_null_or_of_another_type_sinks_no_event_unless_its_id_decides() {
    for (kind, name) in shapes() {
        let data = sample(name);
        let mut all = Vec::new();
        places(&data, "", &mut all);
        for place in all {
            let decides = deciding(name).contains(&place.as_str());
            let damaged = [json!(null), json!(true), json!(-7.5), json!([7, []]), json!({ "": 1 })]
                .map(|other| with(&data, &place, other));
            for damaged in damaged.iter().chain([&without(&data, &place)]) {
                // A deletion's id may be missing, and then means nothing.
                let odd = name.starts_with("deleted_")
                    && damaged.get("id").is_some_and(|id| !id.is_string() && !id.is_null());
                let (answer, delivery) = post(kind, damaged).await;
                if decides || odd {
                    assert_eq!(
                        (answer.status(), delivery.is_some()),
                        (400, false),
                        "{kind} {place}"
                    );
                } else {
                    assert_eq!(answer.status(), 204, "{kind} {place}");
                    assert!(!is_unknown(delivery.unwrap().event()), "{kind} {place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn e24_members_that_nobody_knows_change_nothing_and_are_kept_as_they_came() {
    for (kind, name) in TYPES {
        let mut data = sample(name);
        let event = arrives(kind, &data).await;
        data["novel_member"] = json!({ "deep": [1, { "deeper": null }] });
        let more = arrives(kind, &data).await;
        assert_eq!(more.data().parse::<Value>().unwrap(), data);
        // These keep the whole object, so there the two differ by that.
        if !["deleted_membership", "membership", "organization", "user"].contains(&name) {
            assert_eq!(more.event(), event.event(), "{kind}");
        }
    }
}

#[tokio::test]
async fn e24_an_empty_object_is_an_event_of_nothing_and_no_object_is_no_known_event() {
    for (kind, name) in TYPES {
        let decides = !deciding(name).is_empty();
        let (answer, delivery) = post(kind, &json!({})).await;
        assert_eq!((answer.status() == 400, delivery.is_none()), (decides, decides), "{kind}");
        for data in [json!(null), json!([]), json!("user_1"), json!(1), json!(false)] {
            let deleted = ["deleted_membership", "deleted_organization", "deleted_user"];
            let refused = decides || deleted.contains(&name);
            let (answer, delivery) = post(kind, &data).await;
            assert_eq!((answer.status() == 400, delivery.is_none()), (refused, refused), "{kind}");
            if let Some(delivery) = delivery {
                assert!(is_unknown(delivery.event()), "{kind} {data}");
                assert_eq!(delivery.event().kind(), kind);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["\\PC*", Just("user_1".to_owned()), Just("\0".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        let name = prop_oneof![
            "\\PC{0,4}",
            prop::sample::select(vec![
                "id",
                "user_id",
                "organization",
                "public_user_data",
                "email_addresses",
                "primary_email_address_id",
                "status",
                "user",
                "items",
                "updated_at",
                "verification",
            ])
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_json_is_an_event_or_a_refusal(kind in prop::sample::select(TYPES.to_vec()), data in any_json()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (answer, delivery) = runtime.block_on(post(kind.0, &data));
        match answer.status() {
            204 => prop_assert!(delivery.is_some_and(|delivery| delivery.event().kind() == kind.0)),
            400 => prop_assert!(delivery.is_none() && !deciding(kind.1).is_empty()
                || kind.1.starts_with("deleted_")),
            other => prop_assert!(false, "{}", other),
        }
    }
}
