//! The three signed headers, judged before the body is read. Nothing is verified here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::error::{DeliveryError, DeliveryErrorKind};

/// Id, timestamp and signatures of a delivery: present once each, and well formed.
#[derive(Debug)]
pub(crate) struct SignedHeaders {
    id: String,
    timestamp: u64,
    filtered: HeaderMap,
}

impl SignedHeaders {
    /// Reads `svix-id`, `svix-timestamp` and `svix-signature`, or the same three with `webhook-`
    /// as the Standard Webhooks specification names them. The families are never mixed.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, DeliveryError> {
        let family =
            if SVIX.names().any(|name| headers.contains_key(name)) { &SVIX } else { &UNBRANDED };
        let id = only(headers, &family.id)?;
        let timestamp = only(headers, &family.timestamp)?;
        let signature = only(headers, &family.signature)?;
        if !is_delivery_id(id.text) {
            return Err(invalid("the delivery's id holds characters that no id has"));
        }
        let seconds = decimal(timestamp.text)
            .ok_or_else(|| invalid("the timestamp is not a plain decimal number of seconds"))?;

        let mut filtered = HeaderMap::with_capacity(3);
        for (name, value) in SVIX.names().zip([id, timestamp, signature]) {
            filtered.insert(name, value.trimmed()?);
        }
        Ok(Self { id: id.text.into(), timestamp: seconds, filtered })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Seconds since 1970.
    pub(crate) fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// The timestamp as a time; `None` beyond what the platform can say.
    pub(crate) fn sent_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.timestamp))
    }

    /// The three headers and nothing else, under Svix's names.
    pub(crate) fn filtered(&self) -> &HeaderMap {
        &self.filtered
    }
}

struct Family {
    id: HeaderName,
    timestamp: HeaderName,
    signature: HeaderName,
}

impl Family {
    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.id, &self.timestamp, &self.signature].into_iter()
    }
}

/// The header's one value, trimmed; refused when it is missing, repeated, blank or not ASCII.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Only<'a>, DeliveryError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| invalid("a signed header is missing"))?;
    if values.next().is_some() {
        return Err(invalid("a signed header is repeated"));
    }
    let text = value.to_str().map_err(|_| invalid("a signed header is not ASCII"))?;
    match text.trim_ascii() {
        "" => Err(invalid("a signed header is empty")),
        text => Ok(Only { value, text }),
    }
}

/// A header's one value, and its text without the space around it.
#[derive(Clone, Copy)]
struct Only<'a> {
    value: &'a HeaderValue,
    text: &'a str,
}

impl Only<'_> {
    /// The text as a value: mostly the value itself, which a clone shares.
    fn trimmed(self) -> Result<HeaderValue, DeliveryError> {
        if self.text.len() == self.value.len() {
            return Ok(self.value.clone());
        }
        HeaderValue::from_str(self.text)
            .map_err(|_| invalid("a signed header holds characters that no header has"))
    }
}

/// A period is what separates id, timestamp and body in the signed text: an id that holds one
/// could move that border.
fn is_delivery_id(id: &str) -> bool {
    id.len() <= MAX_ID_LENGTH
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Exactly the text that the number is written as again when the signature is checked: no sign,
/// no leading zero, no fraction.
fn decimal(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // Svix signs an i64.
    if canonical {
        text.parse().ok().filter(|seconds| i64::try_from(*seconds).is_ok())
    } else {
        None
    }
}

fn invalid(problem: &'static str) -> DeliveryError {
    DeliveryError::new(DeliveryErrorKind::InvalidHeaders, problem)
}

const MAX_ID_LENGTH: usize = 256;

static SVIX: Family = Family {
    id: HeaderName::from_static("svix-id"),
    timestamp: HeaderName::from_static("svix-timestamp"),
    signature: HeaderName::from_static("svix-signature"),
};

static UNBRANDED: Family = Family {
    id: HeaderName::from_static("webhook-id"),
    timestamp: HeaderName::from_static("webhook-timestamp"),
    signature: HeaderName::from_static("webhook-signature"),
};
