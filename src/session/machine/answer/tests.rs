//! What each answer means.

use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_700_000_000_000;

fn good(kind: MachineKind) -> Value {
    let (object, subject) = match kind {
        MachineKind::ApiKey => ("api_key", "user_1"),
        MachineKind::M2m => ("machine_to_machine_token", "mch_1"),
        MachineKind::OAuth => ("clerk_idp_oauth_access_token", "user_1"),
    };
    json!({
        "object": object, "id": "ak_0123", "subject": subject, "scopes": ["posts:read"],
        "revoked": false, "expired": false, "expiration": null, "claims": { "plan": "free" },
        "name": "ci", "client_id": "app_1",
    })
}

/// One word for what an answer means.
fn word(kind: MachineKind, status: u16, body: &str) -> &'static str {
    match meaning(kind, &Answer::new(status, body.to_owned()), NOW) {
        Meaning::Good(..) => "good",
        Meaning::Bad => "bad",
        Meaning::Unknown(..) => "unknown",
    }
}

#[test]
fn a_200_is_good_only_if_it_says_that_the_token_is_in_force() {
    for kind in MachineKind::ALL {
        assert_eq!(word(kind, 200, &good(kind).to_string()), "good", "{kind:?}");
        assert_eq!(word(kind, 200, r#"{"active":false}"#), "bad", "{kind:?}");
        for (member, value) in [
            ("revoked", json!(true)),
            ("revoked", json!(null)),
            ("revoked", json!("false")),
            ("revoked", json!(0)),
            ("expired", json!(true)),
            ("expired", json!("no")),
            ("expiration", json!(NOW)),
            ("expiration", json!(NOW - 1)),
            ("expiration", json!(0)),
            ("expiration", json!("never")),
            ("expiration", json!(true)),
            ("object", json!("session")),
            ("object", json!(null)),
            ("id", json!("")),
            ("id", json!(7)),
            ("subject", json!("")),
            ("subject", json!("user_")),
            ("subject", json!("app_1")),
            ("subject", json!(["user_1"])),
            ("subject", json!(null)),
        ] {
            let mut body = good(kind);
            body[member] = value.clone();
            assert_eq!(word(kind, 200, &body.to_string()), "bad", "{kind:?} {member} {value}");
        }
        for member in ["object", "id", "subject", "revoked", "expired"] {
            let mut body = good(kind);
            body.as_object_mut().unwrap().remove(member);
            assert_eq!(word(kind, 200, &body.to_string()), "bad", "{kind:?} without {member}");
        }
        for other in MachineKind::ALL.into_iter().filter(|other| *other != kind) {
            assert_eq!(word(kind, 200, &good(other).to_string()), "bad", "{kind:?} {other:?}");
        }
    }
}

#[test]
fn a_token_that_ends_is_good_until_then() {
    let mut body = good(MachineKind::ApiKey);
    body["expiration"] = json!(NOW + 1);
    let answer = Answer::new(200, body.to_string());
    let Meaning::Good(_, ends_at) = meaning(MachineKind::ApiKey, &answer, NOW) else { panic!() };
    assert_eq!(ends_at, Some(NOW + 1));
}

#[test]
fn each_status_and_each_body_that_is_none_has_its_meaning() {
    let body = good(MachineKind::ApiKey).to_string();
    for (status, expected) in [
        (400, "bad"),
        (404, "bad"),
        (422, "bad"),
        (401, "unknown"),
        (403, "unknown"),
        (429, "unknown"),
        (500, "unknown"),
        (503, "unknown"),
        (201, "unknown"),
        (204, "unknown"),
        (302, "unknown"),
        (418, "unknown"),
    ] {
        assert_eq!(word(MachineKind::ApiKey, status, &body), expected, "{status}");
        assert_eq!(word(MachineKind::ApiKey, status, ""), expected, "{status} without a body");
    }
    let twice = body.replacen('{', r#"{"revoked":false,"#, 1);
    for none in ["", "null", "[]", "\"x\"", "true", "<html>", "{", "\u{0}", &twice] {
        assert_eq!(word(MachineKind::ApiKey, 200, none), "unknown", "{none}");
    }
}

#[test]
fn a_refused_key_of_ours_is_named_and_a_pause_is_kept_within_bounds() {
    for (kind, variable) in [
        (MachineKind::ApiKey, "CLERK_SECRET_KEY"),
        (MachineKind::OAuth, "CLERK_SECRET_KEY"),
        (MachineKind::M2m, "CLERK_MACHINE_SECRET_KEY"),
    ] {
        let Meaning::Unknown(error, _) = meaning(kind, &Answer::new(401, ""), NOW) else {
            panic!()
        };
        assert!(error.to_string().contains(variable), "{error}");
    }
    for (asked, expected) in [(None, 1), (Some(0), 1), (Some(7), 7), (Some(86_400), 60)] {
        let mut answer = Answer::new(429, "");
        answer.retry_after = asked.map(Duration::from_secs);
        let Meaning::Unknown(_, pause) = meaning(MachineKind::M2m, &answer, NOW) else { panic!() };
        assert_eq!(pause, Duration::from_secs(expected), "{asked:?}");
    }
}

#[test]
fn what_a_good_answer_says_reaches_the_handler() {
    let of = |kind: MachineKind| {
        let answer = Answer::new(200, good(kind).to_string());
        match meaning(kind, &answer, NOW) {
            Meaning::Good(principal, None) => principal,
            _ => panic!("{kind:?}"),
        }
    };
    let Principal::ApiKey(key) = of(MachineKind::ApiKey) else { panic!() };
    assert_eq!((key.id(), key.name(), key.subject()), ("ak_0123", Some("ci"), "user_1"));
    assert_eq!((key.user_id(), key.organization_id()), (Some("user_1"), None));
    assert_eq!(key.claims::<Value>().unwrap().unwrap(), json!({ "plan": "free" }));
    let Principal::M2m(token) = of(MachineKind::M2m) else { panic!() };
    assert_eq!((token.machine_id(), token.scopes()), ("mch_1", &["posts:read".to_owned()][..]));
    let Principal::OAuth(token) = of(MachineKind::OAuth) else { panic!() };
    assert_eq!((token.user_id(), token.client_id()), ("user_1", Some("app_1")));

    let mut body = good(MachineKind::ApiKey);
    (body["subject"], body["scopes"], body["claims"]) = (json!("org_1"), json!("all"), json!(null));
    let answer = Answer::new(200, body.to_string());
    let Meaning::Good(principal, _) = meaning(MachineKind::ApiKey, &answer, NOW) else { panic!() };
    assert_eq!((principal.user_id(), principal.has_scope("all")), (None, false));
    let Principal::ApiKey(key) = principal else { panic!() };
    assert_eq!(key.organization_id(), Some("org_1"));
    assert!(key.claims::<Value>().is_none());
}
