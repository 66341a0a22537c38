//! Which headers and shapes are taken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

fn header(json: &str) -> Result<Option<String>, AuthErrorKind> {
    let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(json));
    UnverifiedToken::parse(&token).map(|token| token.kid.map(Into::into))
}

fn header_with(member: &str, value: Value) -> Result<Option<String>, AuthErrorKind> {
    let mut members = json!({ "alg": "RS256", "kid": "ins_1", "typ": "JWT" });
    members[member] = value;
    header(&members.to_string())
}

#[test]
fn a_header_as_clerk_writes_it_passes_and_names_its_key() {
    for json in [
        r#"{"alg":"RS256","cat":"cl_B7d4PD111AAA","kid":"ins_1","typ":"JWT"}"#,
        r#"{"alg":"RS256","cat":"cl_I7d4PD111III","kid":"ins_1","typ":"JWT","oiat":1}"#,
        " {\"kid\" : \"ins\\u005f1\",\n\"alg\":\"RS256\",\"x\":{\"alg\":\"none\"}} ",
    ] {
        assert_eq!(header(json), Ok(Some("ins_1".into())), "{json}");
    }
    assert_eq!(header(r#"{"alg":"RS256"}"#), Ok(None));
}

#[test]
fn only_rs256_is_an_algorithm() {
    for alg in ["none", "None", "HS256", "RS384", "PS256", "ES256", "rs256", "RS256 ", "RS256\0"] {
        assert_eq!(
            header_with("alg", json!(alg)),
            Err(AuthErrorKind::UnsupportedAlgorithm),
            "{alg:?}"
        );
    }
    for alg in [json!(null), json!(1), json!(["RS256"]), json!({})] {
        assert_eq!(header_with("alg", alg), Err(AuthErrorKind::Malformed));
    }
    assert_eq!(header(r#"{"kid":"ins_1"}"#), Err(AuthErrorKind::Malformed));
}

#[test]
fn a_critical_extension_is_refused_because_none_is_implemented() {
    for value in [json!(["exp"]), json!([]), json!(null), json!("exp")] {
        assert_eq!(header_with("crit", value), Err(AuthErrorKind::CriticalHeader));
    }
    for value in [json!(false), json!(true), json!(null)] {
        assert_eq!(header_with("b64", value), Err(AuthErrorKind::CriticalHeader));
    }
}

#[test]
fn a_token_of_another_category_is_refused() {
    for cat in ["cl_B7d4PD222AAA", "cl_B7d4PD333AAA", "", "CL_B7D4PD111AAA"] {
        assert_eq!(header_with("cat", json!(cat)), Err(AuthErrorKind::WrongTokenType), "{cat:?}");
    }
    for typ in ["at+jwt", "application/at+jwt", "jwt", "", "JWT "] {
        assert_eq!(header_with("typ", json!(typ)), Err(AuthErrorKind::WrongTokenType), "{typ:?}");
    }
    for member in ["cat", "typ", "kid"] {
        for value in [json!(null), json!(7), json!(["JWT"])] {
            assert_eq!(header_with(member, value), Err(AuthErrorKind::Malformed), "{member}");
        }
    }
}

#[test]
fn a_member_that_stands_twice_is_refused_whatever_it_says() {
    for json in [
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"none","alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":"a","k\u0069d":"b"}"#,
    ] {
        assert_eq!(header(json), Err(AuthErrorKind::Malformed), "{json}");
    }
}

#[test]
fn a_token_is_three_parts_of_strict_base64url() {
    let part = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        part.clone(),
        format!("{part}.e30"),
        format!("{part}.e30.c2ln.c2ln"),
        format!("{part}=.e30.c2ln"),
        format!("{part}.e30=.c2ln"),
        format!("{part}.e30.c2ln "),
        format!("{part}.e3 0.c2ln"),
        format!("{part}.e3+0.c2ln"),
        format!("{part}.e31.c2ln"),
        "mt_0123456789abcdef".into(),
        "null".into(),
    ] {
        let kind = UnverifiedToken::parse(&token).map(|_| ()).unwrap_err();
        assert_eq!(kind, AuthErrorKind::Malformed, "{token:?}");
    }
}

#[test]
fn a_header_that_is_not_one_json_object_is_refused() {
    for json in
        ["", "null", "[]", "1", "{", "{}{}", "{\"alg\":\"RS256\"}x", "\u{feff}{\"alg\":\"RS256\"}"]
    {
        assert!(header(json).is_err(), "{json:?}");
    }
    let token =
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(b"{\"alg\":\"RS256\",\"x\":\"\xff\"}"));
    assert!(UnverifiedToken::parse(&token).is_err());
}

#[test]
fn deep_nesting_and_endless_dots_cost_nothing() {
    let deep = format!(r#"{{"alg":"RS256","x":{}{}}}"#, "[".repeat(2000), "]".repeat(2000));
    assert!(header(&deep).is_ok());
    assert_eq!(UnverifiedToken::parse(&".".repeat(1_000_000)).err(), Some(AuthErrorKind::TooLarge));
    assert_eq!(UnverifiedToken::parse(&".".repeat(8192)).err(), Some(AuthErrorKind::Malformed));
}
