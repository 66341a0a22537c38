//! Tokens with options: to `verifyToken`, and to `authenticateRequest` in a header.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use tower_clerk::session::{AudiencePolicy, Verifier};
use tower_clerk::test_util::ManualClock;

use crate::members::Members;
use crate::tally::{Class, Tally, Verdict, Way};
use crate::theirs::{ISS, Keys, ask};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    token: String,
    options: Options,
    now: u64,
    changes: Vec<String>,
    genuine: bool,
    verify_token: Answer,
    authenticate_request: Answer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(default)]
    jwt_key: bool,
    authorized_parties: Option<Vec<String>>,
    audience: Option<OneOrMany>,
    clock_skew_in_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    user: Option<String>,
    session: Option<Value>,
    reason: Option<String>,
}

/// Whose the token is, and the session that it names.
type Whose = (String, Option<String>);

impl Answer {
    fn verdict(&self) -> Verdict<Whose> {
        if !self.ok {
            return Err(self.reason.clone().unwrap_or_default());
        }
        // What is no text names no session.
        let session = self.session.as_ref().and_then(|session| session.as_str());
        Ok((self.user.clone().unwrap_or_default(), session.map(str::to_owned)))
    }
}

/// A token as the classes look at it.
struct View {
    input: Input,
    /// Asked by `verifyToken`, and not by a request.
    by_function: bool,
    header: Members,
    claims: Members,
    /// The header and the claims, decoded.
    parts: [Vec<u8>; 2],
}

impl View {
    fn of(input: Input) -> Self {
        let mut parts = input
            .token
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).unwrap_or_default());
        let parts = [(); 2].map(|()| parts.next().unwrap_or_default());
        let [header, claims] = parts.each_ref().map(|part| {
            let text = String::from_utf8_lossy(part);
            serde_json::from_str(text.trim_start_matches(MARK)).unwrap_or_default()
        });
        Self { input, by_function: true, header, claims, parts }
    }

    fn has_category(&self, categories: &[&str]) -> bool {
        self.header.text("cat").is_some_and(|cat| categories.contains(&&*cat))
    }

    fn audience(&self) -> Option<Value> {
        self.claims.all("aud").next().and_then(|aud| serde_json::from_str(aud).ok())
    }

    fn has_odd_audience(&self) -> bool {
        self.audience().is_some_and(|aud| match aud {
            Value::String(_) => false,
            Value::Array(list) => !list.iter().all(Value::is_string),
            _ => true,
        })
    }

    fn has_empty_audience(&self) -> bool {
        self.audience().is_some_and(|aud| match aud {
            Value::String(aud) => aud.is_empty(),
            Value::Array(list) => !list.is_empty() && list.iter().all(|aud| *aud == ""),
            _ => false,
        })
    }
}

use Way::TheyAccept;

const CLASSES: &[Class<View>] = &[
    Class {
        name: "another issuer, or none",
        way: TheyAccept(&["issuer_mismatch"]),
        reason: "They never compare `iss`, and rely on the key; one key may serve two issuers",
        holds: |t| t.claims.text("iss").as_deref() != Some(ISS),
    },
    Class {
        name: "crit or b64",
        way: TheyAccept(&["critical_header"]),
        reason: "RFC 7515 4.1.11: what is critical and not understood is to be refused",
        holds: |t| t.header.has("crit") || t.header.has("b64"),
    },
    Class {
        name: "a kid that is no text",
        way: TheyAccept(&["malformed"]),
        reason: "RFC 7515 4.1.4: it must be a string; with a PEM they do not look at it",
        holds: |t| t.input.options.jwt_key && t.header.has("kid") && t.header.text("kid").is_none(),
    },
    Class {
        name: "a category that is not a session's, to verifyToken",
        way: TheyAccept(&["wrong_token_type", "malformed"]),
        reason: "Only their `authenticateRequest` looks for it: another class of token, signed by the same key",
        holds: |t| t.by_function && t.header.has("cat") && !t.has_category(&[SESSION, ANY]),
    },
    Class {
        name: "neither a session's category nor a session",
        way: TheyAccept(&["wrong_token_type"]),
        reason: "Nothing says that it is a session's: a template's token has no `sid` and outlives the session",
        holds: |t| {
            !t.has_category(&[SESSION]) && t.claims.text("sid").is_none_or(|sid| sid.is_empty())
        },
    },
    Class {
        name: "an empty sub",
        way: TheyAccept(&["invalid_claims"]),
        reason: "An empty id decides whose data these are as little as none",
        holds: |t| t.claims.text("sub").as_deref() == Some(""),
    },
    Class {
        name: "a machine's sub, to verifyToken",
        way: TheyAccept(&["wrong_token_type"]),
        reason: "Only their `authenticateRequest` tells machines by it",
        holds: |t| t.by_function && t.claims.text("sub").is_some_and(|sub| sub.starts_with("mch_")),
    },
    Class {
        name: "a pending session, to verifyToken",
        way: TheyAccept(&["pending_session"]),
        reason: "Their auth object takes it for signed out too",
        holds: |t| t.by_function && t.claims.text("sts").as_deref() == Some("pending"),
    },
    Class {
        name: "an aud that is neither text nor a list of texts, with an audience",
        way: TheyAccept(&["audience_mismatch"]),
        reason: "RFC 7519 4.1.3: whoever cannot identify itself in it must refuse; they let it pass unread",
        holds: |t| t.input.options.audience.is_some() && t.has_odd_audience(),
    },
    Class {
        name: "an empty text as aud, with an audience",
        way: TheyAccept(&["audience_mismatch"]),
        reason: "It is an audience, and none that is configured; to them it is as good as none",
        holds: |t| t.input.options.audience.is_some() && t.has_empty_audience(),
    },
    Class {
        name: "a time after the year 9999, or as far before 1970",
        way: TheyAccept(&["invalid_claims"]),
        reason: "Their comparison with a date that does not exist is false, so that nothing ever expires",
        holds: |t| {
            ["exp", "nbf", "iat"].into_iter().any(|name| {
                t.claims.number(name).is_some_and(|time| time.abs() > 253_402_300_799.0)
            })
        },
    },
    Class {
        name: "padding",
        way: TheyAccept(&["malformed"]),
        reason: "RFC 7515 2: base64url without padding, so that each token has one spelling",
        holds: |t| t.input.token.contains('='),
    },
    Class {
        name: "bytes that are no UTF-8, or a byte order mark",
        way: TheyAccept(&["malformed", "invalid_claims"]),
        reason: "RFC 7515 5.2 and RFC 8259 8.1: JSON is UTF-8 without a mark; they replace what is none",
        holds: |t| {
            t.parts
                .iter()
                .any(|part| str::from_utf8(part).map_or(true, |text| text.starts_with(MARK)))
        },
    },
    Class {
        name: "a member that is read here, twice",
        way: TheyAccept(&["malformed", "invalid_claims"]),
        reason: "RFC 7515 4 and RFC 7519 4: names must be unique; which of two counts differs by parser",
        holds: |t| t.header.doubled(HEADER) || t.claims.doubled(CLAIMS),
    },
    Class {
        name: "longer than 8 KiB",
        way: TheyAccept(&["too_large"]),
        reason: "No session token is so long, and a cookie holds half of it; `max_token_bytes` is the setting",
        holds: |t| t.input.token.len() > 8 * 1024,
    },
];

const SESSION: &str = "cl_B7d4PD111AAA";

/// A category that says nothing of the class.
const ANY: &str = "cl_I7d4PD111III";

/// The members that are read here.
const HEADER: &[&str] = &["alg", "kid", "typ", "cat"];
const CLAIMS: &[&str] = &["iss", "sub", "aud", "azp", "exp", "nbf", "iat", "sts", "sid"];

#[test]
fn each_token_is_judged_as_by_clerks_sdk_or_for_a_reason_otherwise() {
    let Some(theirs) = ask::<Input>("tokens", 3_000) else { return };
    println!("@clerk/backend {}", theirs.keys.version);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut tally = Tally::new(CLASSES);
    let mut expired = 0;
    for input in theirs.inputs {
        let ours = runtime.block_on(ours(&theirs.keys, &input));
        assert!(ours.is_err() || input.genuine, "a forgery passes: {}", input.token);
        // The one reason that a client is told: it is to come again with a new token.
        if input.changes.len() == 1 && input.verify_token.reason.as_deref() == Some("token-expired")
        {
            assert_eq!(ours, Err("expired".to_owned()), "{}", input.token);
            expired += 1;
        }
        let told = |view: &View| {
            let [header, claims] = view.parts.each_ref().map(|part| String::from_utf8_lossy(part));
            let Input { token, options, now, changes, .. } = &view.input;
            format!(
                "{changes:?} {options:?} now {now} {header:.300} {claims:.600}\n  {token:.3000}"
            )
        };
        let mut view = View::of(input);
        let answers =
            [view.input.verify_token.verdict(), view.input.authenticate_request.verdict()];
        for (by_function, theirs) in [true, false].into_iter().zip(answers) {
            view.by_function = by_function;
            tally.compare(&view, &ours, &theirs, || told(&view));
        }
    }
    tally.close("tokens", 200);
    assert!(expired >= 5, "hardly a token that has expired and is good otherwise");
}

async fn ours(keys: &Keys, input: &Input) -> Verdict<Whose> {
    let options = &input.options;
    let mut builder = if options.jwt_key {
        Verifier::builder(ISS, keys.pem())
    } else {
        Verifier::builder(ISS, keys.jwks())
    };
    if let Some(parties) = &options.authorized_parties {
        builder = builder.authorized_parties(parties);
    }
    // As in the SDK a token without `aud` passes.
    if let Some(audience) = options.audience.clone() {
        builder = builder.audience(AudiencePolicy::IfPresent(match audience {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }));
    }
    if let Some(skew) = options.clock_skew_in_ms {
        builder = builder.skew(Duration::from_millis(skew));
    }
    let clock = ManualClock::new();
    clock.set_wall(UNIX_EPOCH + Duration::from_millis(input.now));
    let verifier = builder.without_cache().clock(Arc::new(clock)).build().unwrap();
    match verifier.verify(&input.token).await {
        Ok(session) => Ok((session.user_id().to_owned(), session.session_id().map(str::to_owned))),
        Err(error) => Err(error.kind().as_str().to_owned()),
    }
}

/// A byte order mark.
const MARK: char = '\u{feff}';
