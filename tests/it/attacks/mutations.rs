//! Tokens bent in every way that came to mind, for the property tests: how they are made.

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tower_clerk::test_util::Issuer;

use super::target::encoded;
use crate::support::servers::ISS;

/// A token on paper: what is done to a good one, and who signs it.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    header: Vec<Edit>,
    claims: Vec<Edit>,
    header_bytes: Option<ByteEdit>,
    claims_bytes: Option<ByteEdit>,
    shape: Shape,
    text: Option<ByteEdit>,
}

#[derive(Clone, Debug)]
enum Edit {
    Set(&'static str, Literal),
    Remove(&'static str),
    Double(&'static str, Literal),
}

/// JSON text, or a time so many seconds from now with something behind it.
#[derive(Clone, Debug)]
enum Literal {
    Raw(&'static str),
    Time(i64, &'static str),
}

#[derive(Clone, Debug)]
enum ByteEdit {
    Insert(usize, u8),
    Remove(usize),
    Replace(usize, u8),
    Cut(usize),
}

/// Who signs, and over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Genuine,
    ByAnotherKey,
    Unsigned,
    OldSignature,
    ClaimsAsArray,
    LongFiller,
}

/// A token, and whether the genuine key signed exactly it.
#[derive(Clone, Debug)]
pub(crate) struct Bent {
    pub(crate) token: String,
    pub(crate) genuine: bool,
}

impl Recipe {
    pub(crate) fn prepare(&self, issuer: &Issuer, other: &Issuer, now: i64) -> Bent {
        let header = [
            ("alg", r#""RS256""#.into()),
            ("typ", r#""JWT""#.into()),
            ("kid", r#""ins_1""#.into()),
        ];
        let claims = [
            ("iss", format!("\"{ISS}\"")),
            ("sub", r#""user_1""#.into()),
            ("sid", r#""sess_1""#.into()),
            ("iat", now.to_string()),
            ("nbf", (now - 10).to_string()),
            ("exp", (now + 60).to_string()),
        ];
        let plain = json(&claims, &[], now);
        let header = bytes(json(&header, &self.header, now), self.header_bytes.as_ref());
        let claims = match self.shape {
            // In the order in which a derived type would have its members.
            Shape::ClaimsAsArray => {
                format!("[{},{},\"user_1\",\"{ISS}\",null]", now + 60, now - 10).into_bytes()
            }
            _ => bytes(json(&claims, &self.claims, now), self.claims_bytes.as_ref()),
        };
        let mut token = match self.shape {
            Shape::ByAnotherKey => other.mint_raw(&header, &claims),
            Shape::Unsigned => format!("{}.{}.", encoded(&header), encoded(&claims)),
            Shape::OldSignature => {
                let old = issuer.mint_raw(&header, plain.as_bytes());
                let (_, signature) = old.rsplit_once('.').unwrap();
                format!("{}.{}.{signature}", encoded(&header), encoded(&claims))
            }
            Shape::LongFiller => {
                let filler = [
                    &b"{\"filler\":\""[..],
                    &[b'x'; 7000],
                    b"\",",
                    claims.get(1..).unwrap_or_default(),
                ]
                .concat();
                issuer.mint_raw(&header, &filler)
            }
            Shape::Genuine | Shape::ClaimsAsArray => issuer.mint_raw(&header, &claims),
        };
        let mut genuine = match self.shape {
            Shape::ByAnotherKey | Shape::Unsigned => false,
            Shape::OldSignature => claims == plain.as_bytes(),
            Shape::Genuine | Shape::ClaimsAsArray | Shape::LongFiller => true,
        };
        if let Some(edit) = &self.text {
            let bent = bytes(token.clone(), Some(edit));
            let bent = String::from_utf8_lossy(&bent).into_owned();
            genuine &= bent == token;
            token = bent;
        }
        Bent { token, genuine }
    }
}

/// An object of these members, edited.
fn json(members: &[(&str, String)], edits: &[Edit], now: i64) -> String {
    let mut members: Vec<(&str, String)> = members.to_vec();
    for edit in edits {
        match edit {
            Edit::Set(name, literal) => {
                let literal = literal.text(now);
                match members.iter_mut().find(|(other, _)| other == name) {
                    Some((_, old)) => *old = literal,
                    None => members.push((name, literal)),
                }
            }
            Edit::Remove(name) => members.retain(|(other, _)| other != name),
            Edit::Double(name, literal) => {
                let literal = literal.text(now);
                members.insert(0, (name, literal.clone()));
                members.push((name, literal));
            }
        }
    }
    let members: Vec<_> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

impl Literal {
    fn text(&self, now: i64) -> String {
        match self {
            Self::Raw(text) => (*text).to_owned(),
            Self::Time(offset, tail) => format!("{}{tail}", now + offset),
        }
    }
}

/// A text's bytes, with one edit; places wrap around.
fn bytes(text: String, edit: Option<&ByteEdit>) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    let (length, place) = (bytes.len(), |at: usize| at % bytes.len().max(1));
    match *edit.unwrap_or(&ByteEdit::Cut(usize::MAX)) {
        ByteEdit::Insert(at, byte) => bytes.insert(place(at), byte),
        ByteEdit::Remove(at) => drop(bytes.remove(place(at))),
        ByteEdit::Replace(at, byte) => {
            let at = place(at);
            bytes[at] = byte;
        }
        ByteEdit::Cut(at) => bytes.truncate(if at == usize::MAX { length } else { at % length }),
    }
    bytes
}

const HEADER: [&str; 15] = [
    "alg", "alg", "kid", "kid", "typ", "cat", "crit", "b64", "jwk", "jku", "x5c", "zip", "enc",
    "oiat", "nonce",
];

const HEADER_VALUES: [&str; 24] = [
    r#""RS256""#,
    r#""RS384""#,
    r#""HS256""#,
    r#""none""#,
    r#""rs256""#,
    r#""\u0052S256""#,
    r#""ins_1""#,
    r#""ins_2""#,
    r#""""#,
    r#""JWT""#,
    r#""jwt""#,
    r#""at+jwt""#,
    r#""cl_B7d4PD111AAA""#,
    r#""cl_B7d4PD222AAA""#,
    r#""cl_I7d4PD111III""#,
    r#"["exp"]"#,
    "[]",
    "{}",
    "null",
    "true",
    "false",
    "7",
    r#""\ud800""#,
    r#"{"kty":"oct","k":"c2VjcmV0"}"#,
];

const CLAIMS: [&str; 20] = [
    "iss", "iss", "sub", "sub", "aud", "azp", "sts", "act", "sid", "v", "o", "fea", "org_id", "x",
    "jti", "exp", "exp", "nbf", "iat", "iat",
];

const TIMES: [&str; 5] = ["exp", "exp", "nbf", "iat", "iat"];

const CLAIM_VALUES: [&str; 35] = [
    r#""https://clerk.example.com""#,
    r#""https://clerk.example.com/""#,
    r#""https://evil.example""#,
    r#"["https://clerk.example.com"]"#,
    r#""https:\/\/clerk.example.com""#,
    r#""user_1""#,
    r#""user_2""#,
    r#""mch_1""#,
    r#""""#,
    r#""pending""#,
    r#""active""#,
    r#"["api","web"]"#,
    "[]",
    "{}",
    "null",
    "true",
    "0",
    "-1",
    "-0.5",
    "1e3",
    "9E9",
    "1e20",
    "1e308",
    "1e999",
    "253402300799",
    "253402300800",
    "18446744073709551615",
    "18446744073709551616",
    "-1e20",
    r#""1900000000""#,
    r#""\ud800""#,
    "NaN",
    "+1",
    r#"{"id":"org_1"}"#,
    "[[[[]]]]",
];

/// Values that fit their claim, for the differences that chance alone seldom finds.
const FITTING: [(&str, &str); 14] = [
    ("sts", r#""pending""#),
    ("sub", r#""""#),
    ("sub", r#""mch_1""#),
    ("iss", r#"["https://clerk.example.com"]"#),
    ("iss", r#"["https://clerk.example.com",7]"#),
    ("aud", r#""api""#),
    ("aud", r#"["api"]"#),
    ("azp", r#""https://anywhere.example""#),
    ("exp", "253402300800"),
    ("exp", "18446744073709551615"),
    ("nbf", "-1"),
    ("nbf", "1e3"),
    ("iat", "null"),
    ("x", r#""\udc00""#),
];

/// Far from the boundaries, at which the two clocks of two verifiers could differ, and on them.
const OFFSETS: [i64; 12] =
    [-1_000_000, -3600, -60, -10, -5, 0, 5, 12, 60, 3600, 1_000_000, 10_000_000_000];

fn literal(raw: &'static [&'static str]) -> impl Strategy<Value = Literal> {
    select(raw).prop_map(Literal::Raw)
}

fn edit(
    names: &'static [&'static str],
    values: &'static [&'static str],
) -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => (select(names), literal(values)).prop_map(|(name, value)| Edit::Set(name, value)),
        2 => select(names).prop_map(Edit::Remove),
        1 => (select(names), literal(values)).prop_map(|(name, value)| Edit::Double(name, value)),
    ]
}

fn time_edit() -> impl Strategy<Value = Edit> {
    let tail = select(&["", "", ".0", ".5", ".9", "e0"][..]);
    (select(&TIMES[..]), select(&OFFSETS[..]), tail)
        .prop_map(|(name, offset, tail)| Edit::Set(name, Literal::Time(offset, tail)))
}

fn byte_edit(places: Range<usize>) -> impl Strategy<Value = ByteEdit> {
    let byte = select(&b"\"{}[]:,.\\ \t0129-eEaZ_=+/\0\xff\xc3"[..]);
    prop_oneof![
        (places.clone(), byte.clone()).prop_map(|(at, byte)| ByteEdit::Insert(at, byte)),
        places.clone().prop_map(ByteEdit::Remove),
        (places.clone(), byte).prop_map(|(at, byte)| ByteEdit::Replace(at, byte)),
        places.prop_map(ByteEdit::Cut),
    ]
}

/// Tokens bent by members, by bytes before signing, by who signs, or by bytes after it.
pub(crate) fn recipes() -> impl Strategy<Value = Recipe> {
    let header = prop::collection::vec(edit(&HEADER, &HEADER_VALUES), 0..=2);
    let fitting = select(&FITTING[..]).prop_map(|(name, raw)| Edit::Set(name, Literal::Raw(raw)));
    let claim = prop_oneof![4 => edit(&CLAIMS, &CLAIM_VALUES), 2 => time_edit(), 1 => fitting];
    let shape = prop_oneof![
        20 => Just(Shape::Genuine),
        1 => select(&[Shape::ByAnotherKey, Shape::Unsigned, Shape::OldSignature][..]),
        1 => select(&[Shape::ClaimsAsArray, Shape::LongFiller][..]),
    ];
    (
        header,
        prop::collection::vec(claim, 0..=2),
        prop::option::weighted(0.1, byte_edit(0..60)),
        prop::option::weighted(0.1, byte_edit(0..200)),
        shape,
        prop::option::weighted(0.1, byte_edit(0..600)),
    )
        .prop_map(|(header, claims, header_bytes, claims_bytes, shape, text)| Recipe {
            header,
            claims,
            header_bytes,
            claims_bytes,
            shape,
            text,
        })
}

/// So many cases, the same in each run; `PROPTEST_CASES` asks for another number of them.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config =
        Config { cases: asked.unwrap_or(cases), failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
