//! Shapes and encodings: what is no token is refused before anybody is asked for a key.

use tower_clerk::session::AuthErrorKind;

use super::a_keys::CountingKeys;
use super::target::{Target, claims_of, decoded, encoded, parts, signed_as_is};
use crate::support::log::Log;
use crate::support::servers::issuer;

pub(crate) const HEADER: &[u8] = br#"{"alg":"RS256","kid":"ins_1"}"#;

pub(crate) fn counting() -> (Target, CountingKeys) {
    let issuer = issuer();
    let keys = CountingKeys::of(&issuer);
    (Target::by_keys(issuer, keys.clone(), |builder| builder), keys)
}

#[tokio::test]
async fn b1_what_is_not_three_base64url_parts_is_refused_without_a_look_at_the_keys() {
    let (target, keys) = counting();
    let token = target.token().mint();
    let [header, payload, signature] = parts(&token);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        header.into(),
        format!("{header}."),
        format!("{header}.{payload}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{token}.{payload}.{signature}"),
        format!("{payload}.{header}.{signature}"),
        format!("{signature}.{payload}.{header}"),
        format!("{token}{token}"),
        format!("{token}.{token}"),
        token.replace('.', "%2E"),
        token.replace('.', "%2e"),
        token.replace('.', ":"),
        token.replace('.', "。"),
        format!("\"{token}\""),
        format!("'{token}'"),
        format!("Bearer {token}"),
        "null".into(),
        "undefined".into(),
        "[object Object]".into(),
        "${token}".into(),
        "{{token}}".into(),
        "true".into(),
        "é.é.é".into(),
    ] {
        target.refuses(&bad, &bad, AuthErrorKind::Malformed).await;
    }
    // Base64url and three parts, but no header that could pass.
    for header in
        ["", "null", "{}", "[]", "[\"RS256\"]", "\"RS256\"", "{\"alg\":\"RS256\"", "\u{0}"]
    {
        let bad = format!("{}.{payload}.{signature}", encoded(header));
        target.refuses(header, &bad, AuthErrorKind::Malformed).await;
    }
    assert_eq!(keys.lookups(), 0);
}

#[tokio::test]
async fn b2_secrets_and_opaque_tokens_are_refused_and_logged_by_nobody() {
    let log = Log::start();
    let (target, keys) = counting();
    for prefix in ["mt_", "oat_", "ak_", "sk_test_", "sk_live_", "pk_test_", "dvb_", "whsec_"] {
        let bad = format!("{prefix}canary0123456789");
        target.refuses(prefix, &bad, AuthErrorKind::Malformed).await;
        let error = target.verifier.verify(&bad).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    // A token of three parts is not logged either, whatever is wrong with it.
    let canary = target.token().header("kid", "canary").claim("canary", "canary").mint();
    target.refuses("canary", &canary, AuthErrorKind::UnknownKey).await;
    let text = log.text();
    assert!(text.contains("malformed"), "the refusals were logged: {text}");
    for part in ["canary"].into_iter().chain(parts(&canary)) {
        assert!(!text.contains(part), "{text}");
    }
    assert_eq!(keys.lookups(), 2, "for the last one, by layer and verifier");
}

#[tokio::test]
async fn b3_what_is_not_of_the_base64url_alphabet_is_refused_also_when_signed_that_way() {
    let target = Target::new();
    let good = target.token().claim("x", "???>>>~~~").mint();
    let [header, payload, signature] = parts(&good);
    let odd =
        ["=", "==", "+", "/", " ", "\t", "\r\n", "\n", "\0", "?", "\u{200b}", "\u{feff}", "%20"];
    for odd in odd {
        for place in [0, 1, 2] {
            let inserted = |part: &str, at: usize| {
                let at = at.min(part.len());
                format!("{}{odd}{}", &part[..at], &part[at..])
            };
            for at in [0, 4, usize::MAX] {
                let bad = match place {
                    0 => signed_as_is(&target.issuer, &inserted(header, at), payload),
                    1 => signed_as_is(&target.issuer, header, &inserted(payload, at)),
                    _ => format!("{header}.{payload}.{}", inserted(signature, at)),
                };
                let verdict = target.verifier.verify(&bad).await.unwrap_err().kind();
                assert_eq!(verdict, AuthErrorKind::Malformed, "{odd:?} in part {place} at {at}");
            }
        }
    }
    // The standard alphabet for the same bytes.
    let standard = payload.replace('-', "+").replace('_', "/");
    assert_ne!(standard, payload, "the payload has bytes that the alphabets write differently");
    let bad = signed_as_is(&target.issuer, header, &standard);
    target.refuses("standard alphabet", &bad, AuthErrorKind::Malformed).await;
}

/// The last character of a part has bits to spare. A token whose spare bits are set is another
/// text for the same bytes, which would make two of one.
#[tokio::test]
async fn b4_each_token_has_one_spelling() {
    let target = Target::new();
    let good = target.token().mint();
    let [header, payload, signature] = parts(&good);
    assert_eq!(decoded(signature).len() % 3, 1, "four spare bits");
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(signature.chars().last().unwrap()).unwrap();
    assert_eq!(last % 16, 0);
    for spare in 1..16 {
        let other = alphabet.chars().nth(last + spare).unwrap();
        let bad = format!("{header}.{payload}.{}{other}", &signature[..signature.len() - 1]);
        target.refuses(spare, &bad, AuthErrorKind::Malformed).await;
    }
    for (header, payload) in [("eyJhbGciOiJSUzI1NiIsImtpZCI6Imluc18xIn1", payload), (header, "e31")]
    {
        let bad = signed_as_is(&target.issuer, header, payload);
        target.refuses("signed that way", &bad, AuthErrorKind::Malformed).await;
    }
}

#[tokio::test]
async fn b5_a_payload_that_is_not_one_json_object_is_refused_though_signed() {
    let target = Target::new();
    let claims = claims_of(&target.token().mint());
    let array = format!("[{claims}]");
    let utf16 = |units: Vec<u8>| units;
    let little = utf16(claims.encode_utf16().flat_map(u16::to_le_bytes).collect());
    let big = utf16(claims.encode_utf16().flat_map(u16::to_be_bytes).collect());
    for payload in [
        b"".to_vec(),
        b" ".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"user_1\"".to_vec(),
        b"1".to_vec(),
        array.into_bytes(),
        format!("{claims}x").into_bytes(),
        format!("{claims},").into_bytes(),
        format!("{claims}\0").into_bytes(),
        format!("{claims}{claims}").into_bytes(),
        format!("{claims}\n{{}}").into_bytes(),
        format!("/**/{claims}").into_bytes(),
        format!("{claims}//").into_bytes(),
        format!("{{/*x*/{}", &claims[1..]).into_bytes(),
        format!("{},}}", &claims[..claims.len() - 1]).into_bytes(),
        claims.replace('"', "'").into_bytes(),
        claims.as_bytes()[..claims.len() - 1].to_vec(),
        [b"\xff\xfe".to_vec(), little.clone()].concat(),
        little,
        [b"\xfe\xff".to_vec(), big.clone()].concat(),
        big,
    ] {
        let token = target.issuer.mint_raw(HEADER, &payload);
        target
            .refuses(String::from_utf8_lossy(&payload), &token, AuthErrorKind::InvalidClaims)
            .await;
    }
}

#[tokio::test]
async fn b6_what_is_not_utf_8_is_refused_in_header_and_payload() {
    let target = Target::new();
    let claims = claims_of(&target.token().mint());
    for bytes in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b"\xc3",
        b"\x80",
    ] {
        let member = [br#"{"x":""#, bytes, br#"","#].concat();
        let payload = [&member, &claims.as_bytes()[1..]].concat();
        let token = target.issuer.mint_raw(HEADER, &payload);
        target.refuses(bytes, &token, AuthErrorKind::InvalidClaims).await;
        let header = [&member, &HEADER[1..]].concat();
        let token = target.issuer.mint_raw(&header, claims.as_bytes());
        target.refuses(bytes, &token, AuthErrorKind::Malformed).await;
    }
    let bom = "\u{feff}".as_bytes();
    let token = target.issuer.mint_raw(HEADER, &[bom, claims.as_bytes()].concat());
    target.refuses("a byte order mark", &token, AuthErrorKind::InvalidClaims).await;
    let token = target.issuer.mint_raw(&[bom, HEADER].concat(), claims.as_bytes());
    target.refuses("a byte order mark", &token, AuthErrorKind::Malformed).await;
}
