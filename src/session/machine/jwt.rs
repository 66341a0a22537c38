//! What the claims of a machine's JWT and of an OAuth access token say, by the rules of Clerk's SDK.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::principal::{Details, MachineKind, Principal, principal};
use crate::session::json::json_object;

/// Returns the caller that a verified payload names; `None` if it lacks an id or a subject.
pub(super) fn caller(kind: MachineKind, payload: &[u8]) -> Option<Principal> {
    let claims: Claims<'_> = json_object(payload)?;
    let scopes = match kind {
        MachineKind::M2m => match text(claims.scopes) {
            Some(scopes) => words(&scopes),
            None => one_or_many(claims.aud),
        },
        MachineKind::OAuth | MachineKind::ApiKey => match list(claims.scp) {
            Some(scopes) => scopes,
            None => text(claims.scope).map(|scopes| words(&scopes)).unwrap_or_default(),
        },
    };
    let details = Details {
        id: text(claims.jti).filter(|id| !id.is_empty())?,
        subject: text(claims.sub)?,
        scopes,
        name: None,
        client_id: text(claims.client_id),
        claims: own_claims(payload),
    };
    Some(principal(kind, details))
}

/// Returns the claims that are not registered ones, if there are any.
fn own_claims(payload: &[u8]) -> Option<String> {
    let mut claims: Map<String, Value> = serde_json::from_slice(payload).ok()?;
    claims.retain(|name, _| !REGISTERED.contains(&name.as_str()));
    (!claims.is_empty()).then(|| Value::Object(claims).to_string())
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

fn list(raw: Option<&RawValue>) -> Option<Vec<String>> {
    serde_json::from_str(raw?.get()).ok()
}

fn one_or_many(raw: Option<&RawValue>) -> Vec<String> {
    text(raw).map(|one| vec![one]).or_else(|| list(raw)).unwrap_or_default()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The claims that are read, whatever their types are.
#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow, default)]
    jti: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sub: Option<&'a RawValue>,
    #[serde(borrow, default)]
    aud: Option<&'a RawValue>,
    #[serde(borrow, default)]
    client_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scopes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scope: Option<&'a RawValue>,
}

const REGISTERED: [&str; 6] = ["iss", "sub", "exp", "nbf", "iat", "jti"];

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(kind: MachineKind, claims: &str) -> Vec<String> {
        let payload = format!(r#"{{"jti":"t_1","sub":"mch_1"{claims}}}"#);
        match caller(kind, payload.as_bytes()) {
            Some(Principal::M2m(token)) => token.scopes().to_vec(),
            Some(Principal::OAuth(token)) => token.scopes().to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scopes_are_where_clerks_sdk_looks_for_them() {
        let (m2m, oauth) = (MachineKind::M2m, MachineKind::OAuth);
        for (kind, claims, expected) in [
            (m2m, "", vec![]),
            (m2m, r#","scopes":"mch_2 mch_3""#, vec!["mch_2", "mch_3"]),
            (m2m, r#","scopes":"","aud":"mch_4""#, vec![]),
            (m2m, r#","aud":["mch_4","mch_5"]"#, vec!["mch_4", "mch_5"]),
            (m2m, r#","aud":"mch_4""#, vec!["mch_4"]),
            (m2m, r#","scopes":7,"aud":8"#, vec![]),
            (m2m, r#","scope":"a""#, vec![]),
            (oauth, r#","scope":"a b""#, vec!["a", "b"]),
            (oauth, r#","scp":["c"],"scope":"a b""#, vec!["c"]),
            (oauth, r#","scp":"c","scope":"a""#, vec!["a"]),
            (oauth, r#","scopes":"a""#, vec![]),
        ] {
            assert_eq!(scopes(kind, claims), expected, "{kind:?} {claims}");
        }
    }

    #[test]
    fn a_caller_has_an_id_and_a_subject_and_only_its_own_claims() {
        for lacking in
            ["{}", r#"{"jti":"a"}"#, r#"{"sub":"mch_1"}"#, r#"{"jti":"","sub":"mch_1"}"#, "[]"]
        {
            assert!(caller(MachineKind::M2m, lacking.as_bytes()).is_none(), "{lacking}");
        }
        let payload =
            br#"{"jti":"t_1","sub":"mch_1","exp":1,"iat":1,"nbf":1,"iss":"x","plan":"free"}"#;
        let Some(Principal::M2m(token)) = caller(MachineKind::M2m, payload) else { panic!() };
        let claims: Value = token.claims().unwrap().unwrap();
        assert_eq!(claims, serde_json::json!({ "plan": "free" }));
        let Some(Principal::M2m(plain)) = caller(MachineKind::M2m, br#"{"jti":"t","sub":"mch_1"}"#)
        else {
            panic!()
        };
        assert!(plain.claims::<Value>().is_none());
        assert_eq!((token.id(), token.machine_id()), ("t_1", "mch_1"));
    }
}
