//! The claims of version 1 and version 2 tokens, as handlers get them.
#![allow(clippy::needless_pass_by_value, reason = "the tables read better")]

mod masks;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn claims(members: Value) -> Claims {
    let mut all =
        json!({ "iss": "https://clerk.example.com", "sub": "user_1", "exp": 1_800_000_000 });
    for (name, value) in members.as_object().unwrap() {
        all[name] = value.clone();
    }
    let payload = all.to_string();
    let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(&payload));
    let wire = wire::Wire::parse(payload.as_bytes()).unwrap();
    wire.into_claims(token.as_bytes(), Some("ins_1"), None).unwrap()
}

fn permissions(members: Value) -> Vec<String> {
    let claims = claims(members);
    let organization = claims.organization().expect("an organization");
    organization.permissions().map(str::to_owned).collect()
}

/// Returns claims with an organization of version 2 with these permission names and masks.
fn v2(fea: &str, per: &str, fpm: &str) -> Value {
    json!({ "v": 2, "fea": fea, "o": { "id": "org_1", "rol": "admin", "slg": "acme", "per": per, "fpm": fpm } })
}

#[test]
fn a_version_1_organization_is_read_from_its_own_claims() {
    let claims = claims(json!({
        "org_id": "org_1", "org_slug": "acme", "org_role": "org:admin",
        "org_permissions": ["org:posts:read", "org:posts:publish"],
        "o": { "id": "org_2" },
    }));
    let organization = claims.organization().unwrap();
    assert_eq!(organization.id(), "org_1");
    assert_eq!(organization.slug(), Some("acme"));
    assert_eq!(organization.role(), Some("org:admin"));
    assert_eq!(
        organization.permissions().collect::<Vec<_>>(),
        ["org:posts:read", "org:posts:publish"]
    );
}

#[test]
fn a_version_1_organization_may_lack_everything_but_its_id() {
    let claims = claims(json!({ "org_id": "org_1", "org_permissions": "org:posts:read" }));
    let organization = claims.organization().unwrap();
    assert_eq!((organization.slug(), organization.role()), (None, None));
    assert_eq!(organization.permissions().count(), 0);
}

#[test]
fn version_2_is_the_number_2_and_then_only_o_counts() {
    let both = |v: Value| {
        let claims =
            claims(json!({ "v": v, "org_id": "org_1", "o": { "id": "org_2", "rol": "admin" } }));
        claims.organization().map(|organization| organization.id().to_owned())
    };
    assert_eq!(both(json!(2)).as_deref(), Some("org_2"));
    for v in [json!(1), json!(3), json!("2"), json!(null), json!([2])] {
        assert_eq!(both(v.clone()).as_deref(), Some("org_1"), "{v}");
    }
    assert_eq!(claims(json!({ "v": 2, "org_id": "org_1" })).organization(), None);
    let claims = claims(json!({ "v": 2, "o": { "id": "org_2", "rol": "admin" } }));
    assert_eq!(claims.organization().unwrap().role(), Some("org:admin"));
}

#[test]
fn masks_say_which_permissions_each_organization_feature_grants() {
    // 7 = 00111, 21 = 10101: bit 0 is the first name.
    let granted =
        permissions(v2("o:repositories,o:projects", "read,create,update,delete,revoke", "7,21"));
    assert_eq!(
        granted,
        [
            "org:repositories:read",
            "org:repositories:create",
            "org:repositories:update",
            "org:projects:read",
            "org:projects:update",
            "org:projects:revoke",
        ]
    );
    let granted =
        permissions(v2("o:repositories,o:impersonation,o:billing", "manage,read,update", "6,0,3"));
    assert_eq!(
        granted,
        [
            "org:repositories:read",
            "org:repositories:update",
            "org:billing:manage",
            "org:billing:read"
        ]
    );
}

#[test]
fn masks_are_counted_over_the_organizations_features_alone() {
    let fea = "o:reservations,u:dashboard,uo:support-chat,o:impersonation";
    assert_eq!(
        permissions(v2(fea, "read,manage", "2,3")),
        ["org:reservations:manage", "org:support-chat:read", "org:support-chat:manage"]
    );
}

#[test]
fn a_mask_may_be_longer_than_any_machine_word() {
    let names: Vec<String> = (0..140).map(|i| format!("p{i}")).collect();
    // 2^139 + 2^64 + 2^53
    let mask = "696898287454081973172991196020261297061888";
    let sum = add_decimal(mask, "18446744073709551616");
    let sum = add_decimal(&sum, "9007199254740992");
    let granted = permissions(v2("o:f", &names.join(","), &sum));
    assert_eq!(granted, ["org:f:p53", "org:f:p64", "org:f:p139"]);
    assert_eq!(permissions(v2("o:f", "a", &format!("000{}", "1"))), ["org:f:a"]);
}

fn add_decimal(a: &str, b: &str) -> String {
    let (mut digits, mut carry) = (Vec::new(), 0);
    let (mut a, mut b) = (a.bytes().rev(), b.bytes().rev());
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() && carry == 0 {
            break;
        }
        let sum = x.map_or(0, |d| d - b'0') + y.map_or(0, |d| d - b'0') + carry;
        digits.push(char::from(b'0' + sum % 10));
        carry = sum / 10;
    }
    digits.into_iter().rev().collect()
}

#[test]
fn a38_an_organization_claim_that_is_malformed_grants_nothing() {
    for (fea, per, fpm) in [
        ("o:f", "read", "-1"),
        ("o:f", "read", "1.5"),
        ("o:f", "read", "0x1"),
        ("o:f", "read", "+1"),
        ("o:f", "read", ""),
        ("o:f", "", "1"),
        ("f", "read", "1"),
        ("o:f,", "read", "1"),
        ("", "read", "1"),
        ("u:f", "read", "1"),
        ("O:f", "read", "1"),
    ] {
        assert!(permissions(v2(fea, per, fpm)).is_empty(), "{fea} {per} {fpm}");
    }
    assert_eq!(permissions(v2("o:f,o:g", "read", "x,1")), ["org:g:read"]);
    for o in [json!("org_1"), json!(7), json!([]), json!({}), json!({ "id": 7 })] {
        assert_eq!(claims(json!({ "v": 2, "o": o })).organization(), None, "{o}");
    }
}

#[test]
fn impersonation_names_the_impersonated_user_and_the_impersonator_apart() {
    let claims = claims(json!({ "act": { "sub": "user_admin", "sid": "sess_admin" } }));
    assert_eq!(claims.user_id(), "user_1");
    assert_eq!(&*claims.actor().unwrap().user_id, "user_admin");
}

#[test]
fn factor_ages_are_minutes_and_anything_odd_is_not_there() {
    let ages = |fva: Value| claims(json!({ "fva": fva })).factor_ages();
    let known = ages(json!([7, -1])).unwrap();
    assert_eq!((known.first, known.second), (Some(Duration::from_secs(420)), None));
    for fva in [
        json!([]),
        json!([1]),
        json!([1, 2, 3]),
        json!([-2, 0]),
        json!("7"),
        json!(null),
        json!([1e300, 0]),
    ] {
        assert_eq!(ages(fva.clone()), None, "{fva}");
    }
}

#[test]
fn features_and_plans_say_who_has_them() {
    let claims = claims(json!({ "fea": "u:a, uo:b,x:c", "pla": "o:pro" }));
    let features: Vec<_> =
        claims.features().iter().map(|f| (&*f.slug, f.of_user, f.of_organization)).collect();
    assert_eq!(features, [("a", true, false), ("b", true, true)]);
    assert!(claims.plans()[0].of_organization);
}

#[test]
fn custom_claims_come_as_a_type_of_the_callers() {
    #[derive(serde::Deserialize)]
    struct Custom {
        theme: String,
    }
    let claims = claims(json!({ "theme": "dark", "n": 1e2 }));
    assert_eq!(claims.custom::<Custom>().unwrap().theme, "dark");
    assert!(claims.custom::<Vec<String>>().is_err());
}

#[test]
fn fault_a9_claims_are_deserialized_once_for_each_type() {
    static TIMES: AtomicUsize = AtomicUsize::new(0);

    struct Counted;

    impl<'de> serde::Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            TIMES.fetch_add(1, Ordering::SeqCst);
            serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
        }
    }
    let claims = claims(json!({ "theme": "dark" }));
    for _ in 0..3 {
        let _counted: &Counted = claims.custom().unwrap();
        let value: &Value = claims.custom().unwrap();
        assert_eq!(value["theme"], "dark");
        assert!(claims.custom::<Vec<String>>().is_err(), "an error is not kept");
    }
    assert_eq!(TIMES.load(Ordering::SeqCst), 1);
}

#[test]
fn fault_a9_threads_that_ask_at_once_are_given_one_value() {
    let claims = claims(json!({ "theme": "dark" }));
    let ask = || {
        let value: *const Value = claims.custom().unwrap();
        let other: *const std::collections::BTreeMap<String, Value> = claims.custom().unwrap();
        (value as usize, other as usize)
    };
    let seen: std::collections::HashSet<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(seen.len(), 1);
}

#[test]
fn fault_a9_the_error_names_the_member_and_no_value() {
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only the error is of interest")]
    struct Custom {
        metadata: Metadata,
    }

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only the error is of interest")]
    struct Metadata {
        role: String,
        seats: u8,
        #[serde(default)]
        tags: Vec<String>,
    }
    for (members, member) in [
        (json!({}), Some("metadata")),
        (json!({ "metadata": "canary" }), Some("metadata")),
        (json!({ "metadata": { "role": "canary" } }), Some("metadata.seats")),
        (json!({ "metadata": { "role": 7, "seats": 1 } }), Some("metadata.role")),
        (json!({ "metadata": { "role": "r", "seats": "canary" } }), Some("metadata.seats")),
        (
            json!({ "metadata": { "role": "r", "seats": 1, "tags": ["a", 7] } }),
            Some("metadata.tags[1]"),
        ),
    ] {
        let error = claims(members).custom::<Custom>().unwrap_err();
        assert_eq!(error.member(), member);
        let text = format!("{error} {error:?}");
        assert!(text.contains(member.unwrap()) && !text.contains("canary"), "{text}");
    }
    assert_eq!(claims(json!({})).custom::<Vec<String>>().unwrap_err().member(), None);
}

#[test]
fn debug_shows_the_user_id_and_no_other_claim() {
    let text = format!("{:?}", claims(json!({ "email": "canary@example.com", "sid": "canary" })));
    assert!(text.contains("user_1") && !text.contains("canary"), "{text}");
}

#[test]
fn an_act_that_cannot_be_read_is_impersonation_all_the_same() {
    for act in [json!("user_admin"), json!({}), json!({ "sub": "user_admin", "sid": 5 })] {
        assert!(claims(json!({ "act": act })).is_impersonated(), "{act}");
    }
    assert!(!claims(json!({})).is_impersonated());
}

#[test]
fn permissions_that_a_mask_unfolds_to_weigh_what_they_take() {
    let names: Vec<String> = (0..60).map(|i| format!("p{i}")).collect();
    let features: Vec<String> = (0..40).map(|i| format!("o:f{i}")).collect();
    let masks = vec!["1152921504606846975"; 40].join(",");
    let full = claims(v2(&features.join(","), &names.join(","), &masks));
    assert!(full.approximate_bytes() > 2400 * 32);
}
