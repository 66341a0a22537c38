//! Header members that demand something, stand twice, or say that this is another sort of token.

use serde_json::{Value, json};
use tower_clerk::session::AuthErrorKind;

use super::target::{Target, claims_of, encoded, parts, signed_as_is, text};

#[tokio::test]
async fn a13_crit_is_enforced() {
    let target = Target::new();
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!(["absent"]),
        json!(["http://example.com/unknown"]),
        json!(["kid", "kid"]),
        json!("exp"),
        json!(null),
        json!(1),
        json!(true),
        json!({ "exp": 1 }),
        json!([1]),
        json!([null]),
        json!([["exp"]]),
    ] {
        let token = target.token().header("crit", crit.clone()).header("exp", 1).mint();
        target.refuses(text(&crit), &token, AuthErrorKind::CriticalHeader).await;
    }
}

#[tokio::test]
async fn a14_crit_that_names_nothing_or_a_standard_member_is_refused_too() {
    let target = Target::new();
    for crit in [json!([]), json!(["alg"]), json!(["kid"]), json!(["typ", "alg"])] {
        let token = target.token().header("crit", crit.clone()).mint();
        target.refuses(text(&crit), &token, AuthErrorKind::CriticalHeader).await;
    }
}

#[tokio::test]
async fn a15_an_unencoded_or_detached_payload_is_refused() {
    let target = Target::new();
    for b64 in [json!(false), json!(true), json!(null), json!("false"), json!(0)] {
        let token = target.token().header("b64", b64.clone()).mint();
        target.refuses(text(&b64), &token, AuthErrorKind::CriticalHeader).await;
        let token = target.token().header("b64", b64.clone()).header("crit", json!(["b64"])).mint();
        target.refuses(text(&b64), &token, AuthErrorKind::CriticalHeader).await;
    }
    // The payload itself in the middle, as RFC 7797 would have it, and signed that way.
    let good = target.token().mint();
    let claims = claims_of(&good).replace('.', "");
    for header in [
        json!({ "alg": "RS256", "kid": "ins_1" }),
        json!({ "alg": "RS256", "kid": "ins_1", "b64": false, "crit": ["b64"] }),
    ] {
        let token = signed_as_is(&target.issuer, &encoded(header.to_string()), &claims);
        target.refuses_somehow(text(&header), &token).await;
    }
    let [header, payload, signature] = parts(&good);
    let detached = format!("{header}..{signature}");
    target.refuses("detached", &detached, AuthErrorKind::BadSignature).await;
    let of_nothing = signed_as_is(&target.issuer, header, "");
    target.refuses("empty", &of_nothing, AuthErrorKind::InvalidClaims).await;
    let swapped = format!("{header}.{payload}.");
    target.refuses("no signature", &swapped, AuthErrorKind::BadSignature).await;
}

/// The good header and claims, each with something put before all other members.
fn doubled(target: &Target, header: &str, claims: &str) -> String {
    let good_header = r#""alg":"RS256","kid":"ins_1","typ":"JWT"}"#;
    let good_claims = claims_of(&target.token().mint());
    let header = format!("{{{header}{good_header}");
    let claims = format!("{{{claims}{}", &good_claims[1..]);
    target.issuer.mint_raw(header.as_bytes(), claims.as_bytes())
}

/// The good header and claims, each with something put after all other members.
fn doubled_behind(target: &Target, header: &str, claims: &str) -> String {
    let good_claims = claims_of(&target.token().mint());
    let header = format!(r#"{{"alg":"RS256","kid":"ins_1","typ":"JWT"{header}}}"#);
    let claims = format!("{}{claims}}}", &good_claims[..good_claims.len() - 1]);
    target.issuer.mint_raw(header.as_bytes(), claims.as_bytes())
}

#[tokio::test]
async fn a16_a_member_that_stands_twice_and_is_bad_the_second_time_is_refused() {
    let target = Target::new();
    target.accepts("nothing twice", &doubled_behind(&target, "", "")).await;
    for header in [
        r#","alg":"none""#,
        r#","alg":"HS256""#,
        r#","kid":"ins_2""#,
        r#","typ":"at+jwt""#,
        r#","cat":"cl_B7d4PD111AAA","cat":"cl_B7d4PD222AAA""#,
    ] {
        let token = doubled_behind(&target, header, "");
        target.refuses(header, &token, AuthErrorKind::Malformed).await;
    }
    for claims in [
        r#","sub":"""#,
        r#","sub":null"#,
        r#","iss":"https://evil.example.com""#,
        r#","exp":1"#,
        r#","nbf":99999999999"#,
        r#","iat":99999999999"#,
        r#","sts":"pending""#,
        r#","azp":"https://a.example","azp":"https://b.example""#,
        r#","aud":"a","aud":"b""#,
    ] {
        let token = doubled_behind(&target, "", claims);
        target.refuses(claims, &token, AuthErrorKind::InvalidClaims).await;
    }
}

/// A duplicate is refused even when both values, or the last, are good: no reader of the token can
/// then see another value than the one that was judged.
#[tokio::test]
async fn a17_a_member_that_stands_twice_is_refused_though_its_last_value_is_good() {
    let target = Target::new();
    for header in [
        r#""alg":"none","#,
        r#""alg":"RS256","#,
        r#""kid":"ins_2","#,
        r#""\u0061lg":"none","#,
        r#""k\u0069d":"ins_2","#,
    ] {
        let token = doubled(&target, header, "");
        target.refuses(header, &token, AuthErrorKind::Malformed).await;
    }
    for claims in [
        r#""sub":"user_2","#,
        r#""sub":"user_1","#,
        r#""s\u0075b":"user_2","#,
        r#""\u0069ss":"https://evil.example.com","#,
        r#""e\u0078p":1,"#,
    ] {
        let token = doubled(&target, "", claims);
        target.refuses(claims, &token, AuthErrorKind::InvalidClaims).await;
    }
    // A claim that is read by nobody but the handler: as its JSON parser has it, the last.
    let token = doubled(&target, "", r#""plan":"gold","plan":"free","#);
    let session = target.verifier.verify(&token).await.unwrap();
    let custom: &Value = session.claims().custom().unwrap();
    assert_eq!(custom["plan"], "free");
}

#[tokio::test]
async fn a31_a_token_of_another_class_is_refused_though_the_same_key_signed_it() {
    let target = Target::new();
    for cat in ["cl_B7d4PD222AAA", "cl_B7d4PD333AAA"] {
        let token = target.token().header("cat", cat).mint();
        target.refuses(cat, &token, AuthErrorKind::WrongTokenType).await;
    }
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        let token = target.token().header("typ", typ).mint();
        target.refuses(typ, &token, AuthErrorKind::WrongTokenType).await;
    }
    for cat in ["cl_B7d4PD111AAA", "cl_I7d4PD111III"] {
        target.accepts(cat, &target.token().header("cat", cat).mint()).await;
    }
    target.accepts("no cat", &target.token().without_header("cat").mint()).await;
    target.accepts("no typ", &target.token().without_header("typ").mint()).await;
}

#[tokio::test]
async fn a32_a_class_that_nobody_knows_and_a_machines_subject_are_refused() {
    let target = Target::new();
    for cat in ["", "cl_B7d4PD444AAA", "cl_b7d4pd111aaa", "cl_B7d4PD111AAA ", "session"] {
        let token = target.token().header("cat", cat).mint();
        target.refuses(cat, &token, AuthErrorKind::WrongTokenType).await;
    }
    for typ in ["", "jwt", "Jwt", "JWT ", "JOSE", "secevent+jwt", "logout+jwt", "application/jwt"] {
        let token = target.token().header("typ", typ).mint();
        target.refuses(typ, &token, AuthErrorKind::WrongTokenType).await;
    }
    for member in ["cat", "typ"] {
        for value in [json!(null), json!(1), json!(["JWT"]), json!({})] {
            let token = target.token().header(member, value.clone()).mint();
            target.refuses((member, text(&value)), &token, AuthErrorKind::Malformed).await;
        }
    }
    for sub in ["mch_1", "mch_"] {
        let token = target.token().claim("sub", sub).mint();
        target.refuses(sub, &token, AuthErrorKind::WrongTokenType).await;
    }
}

#[tokio::test]
async fn a34_nested_serialised_and_encrypted_tokens_are_refused() {
    let target = Target::new();
    let good = target.token().mint();
    let [header, payload, signature] = parts(&good);
    // A token in a token, as text and as JSON text, genuinely signed.
    for inner in [good.clone(), format!("\"{good}\"")] {
        let outer = br#"{"alg":"RS256","kid":"ins_1","cty":"JWT"}"#;
        let token = target.issuer.mint_raw(outer, inner.as_bytes());
        target.refuses("nested", &token, AuthErrorKind::InvalidClaims).await;
    }
    let flattened = json!({ "protected": header, "payload": payload, "signature": signature });
    let general = json!({
        "payload": payload, "signatures": [{ "protected": header, "signature": signature }],
    });
    for json in [flattened.to_string(), general.to_string()] {
        target.refuses(&json, &json, AuthErrorKind::Malformed).await;
        target.refuses("encoded", &encoded(&json), AuthErrorKind::Malformed).await;
        // With two periods in it, so that it is split into three after all.
        let padded = json.replacen('{', r#"{"x":"..","#, 1);
        target.refuses_somehow(&padded, &padded).await;
    }
    for jwe in [
        json!({ "alg": "RSA-OAEP", "enc": "A256GCM" }),
        json!({ "alg": "RSA1_5", "enc": "A128CBC-HS256" }),
        json!({ "alg": "dir", "enc": "A256GCM" }),
        json!({ "alg": "RS256", "enc": "A256GCM", "kid": "ins_1" }),
    ] {
        let jwe_header = encoded(jwe.to_string());
        let five = format!("{jwe_header}.AAAA.AAAA.AAAA.AAAA");
        target.refuses_somehow(text(&jwe), &five).await;
        let three = format!("{jwe_header}.{payload}.{signature}");
        target.refuses_somehow(text(&jwe), &three).await;
    }
}
