//! Values and sizes: what is odd and allowed passes, and what is endless costs nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tower_clerk::session::AuthErrorKind;

use super::b_parsing::{HEADER, counting};
use super::target::{Target, claims_of, encoded, text};
use crate::support::servers::within;

#[tokio::test]
async fn b7_a_time_is_any_number_that_json_can_write() {
    let target = Target::new();
    let now = target.now();
    for (claim, literal) in [
        ("exp", format!("{}.5", now + 60)),
        ("exp", format!("{}.0", now + 60)),
        ("exp", "9E9".into()),
        ("exp", "9e9".into()),
        ("exp", "9.0e+9".into()),
        ("exp", "90000000000e-1".into()),
        ("exp", "2147483648".into()),
        ("exp", "4294967296".into()),
        ("exp", "32472144000".into()),
        ("exp", "253402300799".into()),
        ("nbf", format!("{}.999", now - 1)),
        ("nbf", "1.6e9".into()),
        ("nbf", "0".into()),
        ("nbf", "-1".into()),
        ("iat", format!("{now}.75")),
        ("iat", "-0.5".into()),
    ] {
        let placed = target.token().claim(claim, "PLACE").mint();
        let claims = claims_of(&placed).replace("\"PLACE\"", &literal);
        let token = target.issuer.mint_raw(HEADER, claims.as_bytes());
        target.accepts((claim, literal), &token).await;
    }
}

#[tokio::test]
async fn b8_a_time_beyond_all_calendars_overflows_nothing() {
    let target = Target::new();
    let widest = Target::with(|builder| builder.skew(Duration::from_secs(300)));
    for literal in [
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775",
        "1e308",
        "-1e308",
        "1e-308",
        "253402300799",
        "253402300800",
        "-253402300799",
        "8640000000000",
    ] {
        for claim in ["exp", "nbf", "iat"] {
            for target in [&target, &widest] {
                let placed = target.token().claim(claim, "PLACE").mint();
                let claims = claims_of(&placed).replace("\"PLACE\"", literal);
                let token = target.issuer.mint_raw(HEADER, claims.as_bytes());
                // Twice, so that what is remembered is judged as well.
                let first = target.verdict(&token).await;
                assert_eq!(target.verdict(&token).await, first, "{claim} {literal}");
                if let Ok(session) = target.verifier.verify(&token).await {
                    let claims = session.claims();
                    let _shown = (claims.expires_at(), claims.issued_at());
                }
            }
        }
    }
}

#[tokio::test]
async fn b9_depth_and_number_of_members_cost_bounded_time_and_no_stack() {
    let target = Target::new();
    let claims = claims_of(&target.token().mint());
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep_object = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let many: String = (0..700).map(|i| format!(r#""m{i}":0,"#)).collect();
    let long_number = "9".repeat(4000);
    for value in [
        deep(100),
        deep(2000),
        deep(5000),
        deep_object(800),
        deep_object(20_000),
        long_number.clone(),
        format!("-{long_number}e{long_number}"),
        r#""\ud800""#.into(),
        r#""\udc00\ud800""#.into(),
    ] {
        for name in ["x", "act", "o", "aud", "fva", "v", "sub", "exp", "org_permissions", "azp"] {
            let member = format!(r#"{{"{name}":{value},"#);
            let payload = format!("{member}{}", &claims[1..]);
            let token = target.issuer.mint_raw(HEADER, payload.as_bytes());
            let verdict = within(target.verifier.verify(&token)).await;
            if let Ok(session) = verdict {
                let _bounded = session.claims().custom::<Value>();
                assert_eq!(session.user_id(), "user_1");
            }
        }
        for name in ["x", "kid", "crit", "alg"] {
            let header = format!(r#"{{"{name}":{value},"alg":"RS256","kid":"ins_1"}}"#);
            let token = target.issuer.mint_raw(header.as_bytes(), claims.as_bytes());
            let _any = within(target.verifier.verify(&token)).await;
        }
    }
    let payload = format!("{{{many}{}", &claims[1..]);
    let token = target.issuer.mint_raw(HEADER, payload.as_bytes());
    assert!(token.len() <= 8192 + 4096);
    let _any = within(target.verifier.verify(&token)).await;
    // Far above the cap, and refused for its length alone.
    for depth in [20_000, 1_000_000] {
        let header = encoded(format!(r#"{{"alg":"RS256","x":{}}}"#, deep(depth)));
        let unsigned = format!("{header}.e30.c2ln");
        target.refuses(depth, &unsigned, AuthErrorKind::TooLarge).await;
    }
}

#[tokio::test]
async fn b10_a_text_that_is_too_long_is_refused_before_it_is_split() {
    let (target, keys) = counting();
    for long in [
        ".".repeat(65_536),
        ".".repeat(1_000_000),
        "a.".repeat(150_000),
        "a".repeat(300_000),
        format!("{}.{}.{}", "a".repeat(300_000), "b", "c"),
        format!("a.{}.c", "b".repeat(300_000)),
        format!("a.b.{}", "c".repeat(300_000)),
    ] {
        target.refuses(long.len(), &long, AuthErrorKind::TooLarge).await;
    }
    target.refuses("short enough", &".".repeat(8192), AuthErrorKind::Malformed).await;
    assert_eq!(keys.lookups(), 0);
}

#[tokio::test]
async fn b11_nothing_is_inflated_decrypted_or_iterated() {
    let (target, keys) = counting();
    let payload = encoded(claims_of(&target.token().mint()));
    for header in [
        json!({ "alg": "PBES2-HS256+A128KW", "enc": "A128CBC-HS256", "p2c": 2_147_483_647, "p2s": "AAAA" }),
        json!({ "alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 4_294_967_295_u32, "p2s": "" }),
        json!({ "alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF" }),
        json!({ "alg": "dir", "enc": "A256GCM", "zip": "DEF" }),
        json!({ "alg": "ECDH-ES", "enc": "A256GCM", "epk": { "kty": "EC" } }),
    ] {
        let encoded_header = encoded(header.to_string());
        for token in [
            format!("{encoded_header}.AAAA.AAAA.{}.AAAA", "A".repeat(5000)),
            format!("{encoded_header}.{payload}.AAAA"),
        ] {
            target.refuses_somehow(text(&header), &token).await;
        }
    }
    assert_eq!(keys.lookups(), 0);
    // A genuine token that says it is compressed is read as it stands, and not inflated.
    target.accepts("zip", &target.token().header("zip", "DEF").mint()).await;
    let deflated = target.issuer.mint_raw(
        br#"{"alg":"RS256","kid":"ins_1","zip":"DEF"}"#,
        b"\xabV*.M\xb2R*-N-\x8a7T\xaa\x05\x00",
    );
    target.refuses("deflated", &deflated, AuthErrorKind::InvalidClaims).await;
}

#[tokio::test]
async fn b12_header_members_that_nobody_knows_are_ignored() {
    let target = Target::new();
    for (name, value) in [
        ("oiat", json!(1_700_000_000)),
        ("cty", json!("x")),
        ("nonce", json!(7)),
        ("x", json!({ "alg": "none", "crit": ["x"], "deep": [[[{}]]] })),
        ("Alg", json!("none")),
        ("CRIT", json!(["x"])),
        ("exp", json!(1)),
        ("", json!(null)),
    ] {
        target
            .accepts((name, text(&value)), &target.token().header(name, value.clone()).mint())
            .await;
    }
}

#[tokio::test]
async fn b13_json_may_be_written_in_any_way_that_json_allows() {
    let target = Target::new();
    let (exp, iat) = (target.now() + 60, target.now());
    let headers = [
        r#"{"kid":"ins_1","typ":"JWT","alg":"RS256"}"#,
        " {\n\t\"alg\" :\r\n \"RS256\" , \"kid\": \"ins_1\" } \n",
        r#"{"\u0061lg":"\u0052S256","kid":"ins\u005f1"}"#,
    ];
    let payloads = [
        format!(
            r#"{{"exp":{exp},"sub":"user_1","sid":"sess_1","iat":{iat},"iss":"https://clerk.example.com"}}"#
        ),
        format!(
            "\n{{ \"iss\" : \"https://clerk.example.com\",\t\"sub\":\"user_1\",\"sid\":\"sess_1\",\r\n\"exp\" :{exp} }} "
        ),
        format!(
            r#"{{"iss":"https:\/\/clerk.example.com","sub":"user\u005F1","s\u0069d":"sess_1","\u0065xp":{exp}}}"#
        ),
        format!(
            r#"{{"iss":"https://clerk.example.com","sub":"user_1","sid":"sess_1","exp":{exp},"name":"Zoë 😀 \ud83d\ude00","alg":"none","kid":"x","crit":["x"],"":0}}"#
        ),
    ];
    for header in headers {
        for payload in &payloads {
            let token = target.issuer.mint_raw(header.as_bytes(), payload.as_bytes());
            target.accepts((header, payload), &token).await;
        }
    }
}

#[tokio::test]
async fn b14_a_token_as_long_as_a_cookie_may_be_passes() {
    let target = Target::new();
    for filler in [1, 2000, 2700, 5000] {
        let token = target.token().claim("filler", "x".repeat(filler)).mint();
        if filler == 2700 {
            assert!((3500..=5000).contains(&token.len()), "{}", token.len());
        }
        target.accepts(token.len(), &token).await;
    }
}
