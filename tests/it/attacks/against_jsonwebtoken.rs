//! The same tokens to us and to `jsonwebtoken` at its strictest: every difference has a name here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use proptest::test_runner::TestCaseError;
use serde_json::Value;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::session::{StaticKeys, Verifier};

use super::members::Members;
use super::mutations::{recipes, runner};
use crate::support::servers::{ISS, issuer};

/// `jsonwebtoken` with everything switched on that it has, and with the key chosen by `kid`.
struct Theirs {
    keys: JwkSet,
    validation: Validation,
}

impl Theirs {
    fn new(jwks: &str) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = 5;
        validation.validate_exp = true;
        validation.validate_nbf = true;
        validation.validate_aud = true;
        validation.set_issuer(&[ISS]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "sub"]);
        Self { keys: serde_json::from_str(jwks).unwrap(), validation }
    }

    fn accepts(&self, token: &str) -> bool {
        let key = decode_header(token)
            .ok()
            .and_then(|header| header.kid)
            .and_then(|kid| self.keys.find(&kid))
            .map(|jwk| DecodingKey::from_jwk(jwk).unwrap());
        key.is_some_and(|key| decode::<Value>(token, &key, &self.validation).is_ok())
    }
}

/// A token as the classes look at it.
struct View<'a> {
    token: &'a str,
    header: Members,
    claims: Members,
    claims_are_array: bool,
    now: f64,
}

impl<'a> View<'a> {
    fn of(token: &'a str, now: f64) -> Self {
        let mut parts = token.split('.').map(|part| {
            use base64::Engine as _;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap_or_default()
        });
        let mut members = || parts.next().unwrap_or_default();
        let (header, claims) = (members(), members());
        Self {
            token,
            header: serde_json::from_slice(&header).unwrap_or_default(),
            claims: serde_json::from_slice(&claims).unwrap_or_default(),
            claims_are_array: claims.trim_ascii_start().starts_with(b"["),
            now,
        }
    }

    fn beyond_calendars(&self, name: &str) -> bool {
        self.claims.number(name).is_some_and(|seconds| seconds > 253_402_300_799.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// They accept and we refuse.
    WeAreStricter,
    /// We accept and they refuse. All of these tokens are genuinely signed.
    TheyAreStricter,
    /// Either, by a hair's breadth.
    Either,
}

use Direction::{Either, TheyAreStricter, WeAreStricter};

/// A class of difference: its name, which way it goes, and how a token of it is told.
type Class = (&'static str, Direction, fn(&View<'_>) -> bool);

const CLASSES: &[Class] = &[
    // They reject what `crit` names, and take a null for a member that is not there; `b64` they do not
    // know.
    ("crit is null, or b64", WeAreStricter, |t| {
        t.header.has("b64") || t.header.all("crit").any(|crit| crit == "null")
    }),
    // They do not look at `typ`.
    ("typ is not JWT", WeAreStricter, |t| {
        t.header.has("typ") && t.header.text("typ").as_deref() != Some("JWT")
    }),
    // `cat` is Clerk's.
    ("cat of another class", WeAreStricter, |t| {
        let session = ["cl_B7d4PD111AAA", "cl_I7d4PD111III"];
        t.header.has("cat") && !t.header.text("cat").is_some_and(|cat| session.contains(&&*cat))
    }),
    // A member that they keep in a map may stand twice, and the last counts.
    ("a header member of ours twice", WeAreStricter, |t| t.header.doubled(&["cat", "b64"])),
    // A claim that they do not judge may stand twice.
    ("a claim of ours twice", WeAreStricter, |t| {
        let ours = ["azp", "iat", "sts", "sid", "v", "fva", "act", "o", "fea", "pla", "org_id"];
        t.claims.doubled(&ours)
    }),
    // Their types are derived, and take an array of the values in the order of the fields.
    ("claims as an array", WeAreStricter, |t| t.claims_are_array),
    // A list that holds the issuer is enough for them.
    ("iss is a list", WeAreStricter, |t| t.claims.all("iss").any(|iss| iss.starts_with('['))),
    // They ask for text, we for a user.
    ("sub is empty or a machine's", WeAreStricter, |t| {
        t.claims.text("sub").is_some_and(|sub| sub.is_empty() || sub.starts_with("mch_"))
    }),
    // They know no templates.
    ("neither a session's category nor a session", WeAreStricter, |t| {
        t.header.text("cat").as_deref() != Some("cl_B7d4PD111AAA")
            && t.claims.text("sid").is_none_or(|sid| sid.is_empty())
    }),
    // They do not look at `iat`.
    ("iat is in the future or no time", WeAreStricter, |t| {
        t.claims.has("iat")
            && (!t.claims.number("iat").is_some_and(|iat| iat < t.now + 4.0 && iat > -2.6e11))
    }),
    // They take seconds up to 2^64.
    ("exp or nbf after the year 9999", WeAreStricter, |t| {
        t.beyond_calendars("exp") || t.beyond_calendars("nbf")
    }),
    // A pending session is Clerk's.
    ("a pending session", WeAreStricter, |t| t.claims.text("sts").as_deref() == Some("pending")),
    // They have no limit.
    ("longer than 8 KiB", WeAreStricter, |t| t.token.len() > 8192),
    // Without an audience of their own they refuse every `aud`; Clerk's SDKs ignore it.
    ("aud that nobody configured", TheyAreStricter, |t| t.claims.has("aud")),
    // `nbf` may be left out, as by Clerk's rules; at their strictest they demand it.
    ("no nbf", TheyAreStricter, |t| !t.claims.has("nbf")),
    // A time before 1970 is a NumericDate; they have unsigned ones.
    ("nbf before 1970", TheyAreStricter, |t| t.claims.number("nbf").is_some_and(|nbf| nbf < 0.0)),
    // They parse header members that RFC 7515 defines and that are ignored here, as Clerk asks.
    ("a standard header member of a wrong type or twice", TheyAreStricter, |t| {
        let theirs = ["jwk", "jku", "x5c", "x5u", "zip", "enc", "cty", "url", "nonce"];
        t.header.doubled(&theirs)
            || theirs.iter().any(|name| {
                t.header.all(name).any(|raw| match *name {
                    "jwk" | "x5c" => raw != "null",
                    _ => !raw.starts_with('"') && raw != "null",
                })
            })
    }),
    // What nobody reads is skipped here; reading it as custom claims fails then.
    ("a value that no type holds", TheyAreStricter, |t| {
        t.header.unholdable() || t.claims.unholdable()
    }),
    // They count whole seconds, round fractions and let a token live through its last second; we
    // count milliseconds, cut fractions off and refuse at `exp` itself.
    ("within two seconds of a boundary", Either, |t| {
        let near = |name, boundary: f64| {
            t.claims.number(name).is_some_and(|time| (time - boundary).abs() <= 2.0)
        };
        near("exp", t.now - 5.0) || near("nbf", t.now + 5.0)
    }),
];

#[test]
fn every_difference_from_jsonwebtoken_is_one_that_is_explained() {
    let (genuine, other) = (issuer(), issuer());
    let jwks = genuine.jwks().to_string();
    let ours = Verifier::builder(ISS, StaticKeys::from_jwks(&jwks).unwrap()).build().unwrap();
    let theirs = Theirs::new(&jwks);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let counts: RefCell<BTreeMap<&str, usize>> = RefCell::default();
    let count = |name| *counts.borrow_mut().entry(name).or_default() += 1;

    let run = runner(6_000).run(&recipes(), |recipe| {
        let now = seconds(SystemClock::new().now());
        let bent = recipe.prepare(&genuine, &other, now as i64);
        let we = runtime.block_on(ours.verify(&bent.token)).is_ok();
        let they = theirs.accepts(&bent.token);
        if (we || they) && !bent.genuine {
            return Err(TestCaseError::fail(format!("a forgery passes: {}", bent.token)));
        }
        if we == they {
            count(if we { "= both accept" } else { "= both refuse" });
            return Ok(());
        }
        let direction = if we { TheyAreStricter } else { WeAreStricter };
        let view = View::of(&bent.token, now);
        let explained = CLASSES.iter().filter(|(_, way, _)| [direction, Either].contains(way));
        let explained: Vec<_> = explained.filter(|(_, _, holds)| holds(&view)).collect();
        if explained.is_empty() {
            let (header, claims) = (&view.header, &view.claims);
            let problem = format!("{direction:?} for no known reason: {header:?} {claims:?}");
            return Err(TestCaseError::fail(problem));
        }
        explained.iter().for_each(|(name, _, _)| count(name));
        Ok(())
    });
    run.unwrap();

    let counts = counts.into_inner();
    // Shown by `--nocapture`.
    println!("{counts:#?}");
    let unseen: Vec<_> =
        CLASSES.iter().map(|class| class.0).filter(|name| !counts.contains_key(name)).collect();
    assert!(unseen.is_empty(), "classes that no token was in: {unseen:?}");
    assert!(counts["= both accept"] > 300 && counts["= both refuse"] > 300, "{counts:?}");
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs() as f64
}
