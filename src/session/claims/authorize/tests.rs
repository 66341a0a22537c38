//! Clerk's tables for `has()`, row by row.
#![allow(clippy::needless_pass_by_value, reason = "the tables read better")]

mod any_tree;

use serde_json::{Value, json};

use super::super::wire::Wire;
use super::*;

fn claims(members: Value) -> Claims {
    let mut all = json!({ "iss": "https://clerk.example.com", "sub": "user_1", "exp": 1 });
    for (name, value) in members.as_object().unwrap() {
        all[name] = value.clone();
    }
    let payload = all.to_string();
    let wire = Wire::parse(payload.as_bytes()).unwrap();
    wire.into_claims(b"a.b.c", None, None).unwrap()
}

fn editor() -> Claims {
    claims(json!({
        "org_id": "org_1", "org_role": "org:editor", "org_permissions": ["org:posts:publish"],
        "fea": "o:export,u:themes,uo:chat", "pla": "o:pro,u:free", "fva": [5, 5],
    }))
}

/// Tests every combination of parts that hold with parts that do not, over all dimensions.
#[test]
fn a39_every_part_must_hold_and_one_that_does_not_is_enough_to_deny() {
    let editor = editor();
    let holds = [
        Authorization::role("editor"),
        Authorization::permission("posts:publish"),
        Authorization::feature("export"),
        Authorization::plan("pro"),
        Authorization::reverified(Reverification::STRICT_MFA),
    ];
    let fails = [
        Authorization::role("admin"),
        Authorization::permission("posts:delete"),
        Authorization::feature("import"),
        Authorization::plan("enterprise"),
        Authorization::reverified(Reverification::new(
            FactorLevel::First,
            Duration::from_secs(300),
        )),
    ];
    // Each dimension is left out, holds, or fails: 3^5 combinations except the empty one.
    for combination in 1..3_usize.pow(5) {
        let mut asked: Option<Authorization> = None;
        let mut expected = true;
        for (dimension, (good, bad)) in holds.iter().zip(&fails).enumerate() {
            let part = match combination / 3_usize.pow(dimension as u32) % 3 {
                0 => continue,
                1 => good.clone(),
                _ => {
                    expected = false;
                    bad.clone()
                }
            };
            asked = Some(match asked {
                None => part,
                Some(asked) => asked.and(part),
            });
        }
        let asked = asked.unwrap();
        assert_eq!(editor.has(&asked), expected, "{asked:?}");
    }
    for unknown in holds.iter().chain(&fails) {
        assert!(!claims(json!({})).has(unknown), "{unknown:?} of a token that says nothing");
    }
}

#[test]
fn a_role_is_the_active_organizations_whatever_prefixes_stand_before_it() {
    let version_2 = claims(json!({ "v": 2, "o": { "id": "org_1", "rol": "org:editor" } }));
    for session in [editor(), version_2] {
        for role in ["editor", "org:editor", "org:org:editor"] {
            assert!(session.has(&Authorization::role(role)), "{role}");
        }
        for role in ["", "org:", "Editor", "org:Editor", "editor ", "edit", "editors", "ORG:editor"]
        {
            assert!(!session.has(&Authorization::role(role)), "{role}");
        }
    }
    for members in [
        json!({ "org_role": "org:editor" }),
        json!({ "org_id": "", "org_role": "org:editor" }),
        json!({ "org_id": "org_1" }),
        json!({ "org_id": "org_1", "org_role": 7 }),
        json!({ "v": 2, "org_id": "org_1", "org_role": "org:editor" }),
        json!({ "v": 2, "o": { "id": "", "rol": "editor" } }),
    ] {
        assert!(!claims(members.clone()).has(&Authorization::role("editor")), "{members}");
    }
    let empty = claims(json!({ "org_id": "org_1", "org_role": "org:" }));
    for role in ["", "org:"] {
        assert!(!empty.has(&Authorization::role(role)), "an empty role is nobody's");
    }
}

#[test]
fn a_permission_is_asked_for_with_or_without_its_prefix_and_stored_with_it() {
    let has = |permissions: Value, asked: &str| {
        let members = json!({ "org_id": "org_1", "org_permissions": permissions });
        claims(members).has(&Authorization::permission(asked))
    };
    for asked in ["a:read", "org:a:read", "org:org:a:read"] {
        assert!(has(json!(["org:b:read", "org:a:read"]), asked), "{asked}");
        assert!(!has(json!(["a:read"]), asked), "stored without its prefix: {asked}");
        assert!(!has(json!(["org:org:a:read"]), asked), "stored with two: {asked}");
        assert!(!has(json!("org:a:read"), asked), "not a list: {asked}");
        assert!(!has(json!(["org:a:read", 7]), asked), "not a list of texts: {asked}");
    }
    for asked in ["", "org:", "a", "a:", "a:rea", "A:read", "a:read "] {
        assert!(!has(json!(["org:a:read", "org:"]), asked), "{asked:?}");
    }
}

#[test]
fn features_and_plans_are_asked_for_by_scope_or_without() {
    let editor = editor();
    let claim = |asked: &str, feature: bool, plan: bool| {
        assert_eq!(editor.has(&Authorization::feature(asked)), feature, "feature {asked:?}");
        assert_eq!(editor.has(&Authorization::plan(asked)), plan, "plan {asked:?}");
    };
    claim("export", true, false);
    claim("themes", true, false);
    claim("free", false, true);
    for scope in ["o", "org", "organization"] {
        claim(&format!("{scope}:export"), true, false);
        claim(&format!("{scope}:chat"), true, false);
        claim(&format!("{scope}:themes"), false, false);
        claim(&format!("{scope}:pro"), false, true);
        claim(&format!("{scope}:free"), false, false);
    }
    for scope in ["u", "user"] {
        claim(&format!("{scope}:themes"), true, false);
        claim(&format!("{scope}:chat"), true, false);
        claim(&format!("{scope}:export"), false, false);
        claim(&format!("{scope}:free"), false, true);
    }
    for scope in ["ou", "uo", "ORG", "User", "", " o"] {
        claim(&format!("{scope}:chat"), false, false);
        claim(&format!("{scope}:pro"), false, false);
    }
    for asked in ["", ":", "Export", "export ", " export", "expor"] {
        claim(asked, false, false);
    }
    claim("o:export:anything", true, false);
    claim("export:", true, false);
    let no_organization = claims(json!({ "pla": "u:free", "fea": "o:org,u:x:y" }));
    assert!(no_organization.has(&Authorization::plan("user:free")));
    assert!(no_organization.has(&Authorization::feature("org:")), "the feature named `org`");
    assert!(!no_organization.has(&Authorization::feature("u:x:y")), "a colon in a slug");
    for poisoned in ["o:export,", "o:export,themes", "export"] {
        let poisoned = claims(json!({ "fea": poisoned, "pla": poisoned }));
        assert!(!poisoned.has(&Authorization::feature("export")));
        assert!(!poisoned.has(&Authorization::plan("export")));
    }
}

#[test]
fn factors_must_be_fresher_than_asked_for_and_known() {
    use FactorLevel::{First, Multi, Second};
    let met = |fva: Value, level, minutes: f64| {
        let asked = Reverification::new(level, Duration::from_secs_f64(minutes * 60.0));
        claims(json!({ "fva": fva })).has(&Authorization::reverified(asked))
    };
    // The ages of both factors, and whether each level is met within ten minutes.
    for (fva, first, second, multi) in [
        (json!([9, 9]), true, true, true),
        (json!([10, 9]), false, true, false),
        (json!([9, 10]), true, false, false),
        (json!([10, 10]), false, false, false),
        (json!([9.99, 9.99]), true, true, true),
        (json!([10.01, 10.01]), false, false, false),
        (json!([0, 0]), true, true, true),
        // No second factor: the first counts instead.
        (json!([9, -1]), true, true, true),
        (json!([10, -1]), false, false, false),
        // No first factor.
        (json!([-1, 9]), false, true, false),
        (json!([-1, 10]), false, false, false),
        (json!([-1, -1]), false, false, false),
        // A claim that is not understood is not fresh.
        (json!(null), false, false, false),
        (json!([]), false, false, false),
        (json!([0]), false, false, false),
        (json!([0, 0, 0]), false, false, false),
        (json!(["0", "0"]), false, false, false),
        (json!([-2, 0]), false, false, false),
        (json!([-0.5, 0]), false, false, false),
        (json!({ "0": 0, "1": 0 }), false, false, false),
        (json!("0,0"), false, false, false),
    ] {
        assert_eq!(met(fva.clone(), First, 10.0), first, "first of {fva}");
        assert_eq!(met(fva.clone(), Second, 10.0), second, "second of {fva}");
        assert_eq!(met(fva.clone(), Multi, 10.0), multi, "both of {fva}");
    }
    for level in [First, Second, Multi] {
        assert!(!met(json!([0, 0]), level, 0.0), "nothing is less than no time ago");
        assert!(!met(json!([10.5, 10.5]), level, 10.2), "a fraction of a minute counts");
    }
    for (preset, level, minutes) in [
        (Reverification::STRICT_MFA, Multi, 10),
        (Reverification::STRICT, Second, 10),
        (Reverification::MODERATE, Second, 60),
        (Reverification::LAX, Second, 1440),
    ] {
        assert_eq!(preset, Reverification::new(level, Duration::from_secs(minutes * 60)));
    }
}

#[test]
fn the_front_end_is_told_what_to_ask_for() {
    let asked = Reverification::new(FactorLevel::Multi, Duration::from_secs(90));
    let body: Value = serde_json::from_str(&asked.clerk_error()).unwrap();
    let metadata = &body["clerk_error"]["metadata"]["reverification"];
    assert_eq!(metadata, &json!({ "level": "multi_factor", "afterMinutes": 1.5 }));
}
