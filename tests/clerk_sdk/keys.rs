//! Publishable keys: `parsePublishableKey` and `getCookieSuffix`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::Request;
use http::header::COOKIE;
use serde::Deserialize;
use tower_clerk::PublishableKey;
use tower_clerk::session::source::{SessionCookies, TokenSource as _};

use crate::tally::Way::{OtherValues, TheyAccept, WeAccept};
use crate::tally::{Class, Tally, Verdict};
use crate::theirs::ask;

#[derive(Deserialize)]
struct Input {
    key: String,
    theirs: Option<Parsed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Parsed {
    host: String,
    live: bool,
    suffix: String,
}

const CLASSES: &[Class<Input>] = &[
    Class {
        name: "no bare host with a port",
        way: TheyAccept(&["publishable key: does not name a host; copy the whole key again"]),
        reason: "A URL is built of it: they ask for a dot only, and anything may stand around it",
        holds: |key| key.theirs.as_ref().is_some_and(|theirs| !is_bare_host(&theirs.host)),
    },
    Class {
        name: "base64 with white space, spare bits or wrong padding",
        way: TheyAccept(&[
            "publishable key: the part after the prefix is not base64 text; copy the whole key again",
        ]),
        reason: "A key that was damaged on its way has another suffix than the front end's, so that no cookie is found",
        holds: |key| {
            let encoded = key.key.trim().get(PREFIX..).unwrap_or_default();
            key.theirs.as_ref().is_some_and(|theirs| {
                let padded = STANDARD.encode(format!("{}$", theirs.host));
                encoded != padded && encoded != padded.trim_end_matches('=')
            })
        },
    },
    Class {
        name: "half of the padding",
        way: WeAccept(&["no key"]),
        reason: "The host is whole, and tokens in headers need no more; a front end with such a key does not start",
        holds: |key| {
            let encoded = key.key.trim();
            encoded.ends_with('=')
                && !encoded.get(PREFIX..).unwrap_or_default().len().is_multiple_of(4)
        },
    },
    Class {
        name: "an IPv6 address",
        way: WeAccept(&["no key"]),
        reason: "They demand a dot, which such a host has not; on a developer's machine one may be meant",
        holds: |key| {
            let encoded = key.key.trim().get(PREFIX..).unwrap_or_default().trim_end_matches('=');
            STANDARD_NO_PAD.decode(encoded).is_ok_and(|host| host.starts_with(b"["))
        },
    },
    Class {
        name: "white space before the key",
        way: WeAccept(&["no key"]),
        reason: "It comes of a file or a variable, and is none of the key's",
        holds: |key| key.key.starts_with(' '),
    },
    Class {
        name: "white space after the key",
        way: OtherValues,
        reason: "They make the suffix of the line's end too, and then find no cookie of the front end",
        holds: |key| key.key.ends_with('\n'),
    },
];

/// The length of the prefix.
const PREFIX: usize = "pk_test_".len();

/// Returns whether a text is a host of letters, digits and hyphens, or an IPv6 address, with a port or
/// without.
fn is_bare_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<http::uri::Authority>() else { return false };
    let host = authority.host();
    let has_good_labels = host.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-')
    });
    let rest = text.strip_prefix(host);
    let has_good_port = match rest.map(|rest| rest.strip_prefix(':')) {
        Some(None) => rest == Some(""),
        Some(Some(port)) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => false,
    };
    has_good_port && (host.starts_with('[') || has_good_labels)
}

#[test]
fn each_publishable_key_names_the_instance_that_it_names_to_clerks_sdk() {
    let Some(theirs) = ask::<Input>("keys", 3_000) else { return };
    let mut tally = Tally::new(CLASSES);
    for input in theirs.inputs {
        let ours = ours(&input);
        let theirs = input.theirs.clone().ok_or_else(|| "no key".to_owned());
        tally.compare(&input, &ours, &theirs, || format!("{:?}", input.key));
    }
    tally.close("keys", 200);
}

/// Returns what we read, with their suffix if it is ours.
fn ours(input: &Input) -> Verdict<Parsed> {
    let key = PublishableKey::parse(&input.key).map_err(|error| error.to_string())?;
    let suffix = input.theirs.as_ref().map(|theirs| &*theirs.suffix).unwrap_or_default();
    let cookies = format!("__session_{suffix}=x; __client_uat_{suffix}=1");
    let request = Request::get("/").header(COOKIE, cookies).body(()).unwrap();
    let found = SessionCookies::new(&key).find((&request).into()).unwrap();
    Ok(Parsed {
        host: key.frontend_api().to_owned(),
        live: key.is_live(),
        suffix: if found.is_some() { suffix } else { "another" }.to_owned(),
    })
}
