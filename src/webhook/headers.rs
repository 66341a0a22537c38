//! The three signed headers, checked before the body is read. No signature is verified here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::error::{DeliveryError, DeliveryErrorKind};

/// The id, timestamp and signatures of a delivery: each present once and well formed.
#[derive(Debug)]
pub(crate) struct SignedHeaders {
    id: String,
    timestamp: u64,
    filtered: HeaderMap,
}

impl SignedHeaders {
    /// Reads `svix-id`, `svix-timestamp` and `svix-signature`, or the same three with the prefix
    /// `webhook-` of the Standard Webhooks specification. The two families are never mixed.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, DeliveryError> {
        let family =
            if SVIX.names().any(|name| headers.contains_key(name)) { &SVIX } else { &UNBRANDED };
        let id = only(headers, &family.id)?;
        let timestamp = only(headers, &family.timestamp)?;
        let signature = only(headers, &family.signature)?;
        if !is_delivery_id(id.text) {
            return Err(invalid(
                "the delivery's id is longer than 256 bytes, or has characters other than ASCII \
                 letters, digits, `_` and `-`",
            ));
        }
        let seconds = decimal(timestamp.text)
            .ok_or_else(|| invalid("the timestamp is not a plain decimal number of seconds"))?;

        let mut filtered = HeaderMap::with_capacity(3);
        for (name, value) in SVIX.names().zip([id, timestamp, signature]) {
            filtered.insert(name, value.trimmed()?);
        }
        Ok(Self { id: id.text.into(), timestamp: seconds, filtered })
    }

    /// Returns the delivery's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the timestamp, in seconds since 1970.
    pub(crate) fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Returns the timestamp as a time; `None` if the platform cannot represent it.
    pub(crate) fn sent_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.timestamp))
    }

    /// Returns the three headers alone, under Svix's names.
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

/// Returns the header's only value, trimmed. Refuses a missing, repeated, blank or non-ASCII one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Only<'a>, DeliveryError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| {
        invalid(
            "a signed header is missing (id, timestamp or signature, all `svix-…` or all \
             `webhook-…`): the request is no webhook delivery, or a proxy removes headers",
        )
    })?;
    if values.next().is_some() {
        return Err(invalid("a signed header is repeated"));
    }
    let text = value.to_str().map_err(|_| invalid("a signed header is not ASCII"))?;
    match text.trim_ascii() {
        "" => Err(invalid("a signed header is empty")),
        text => Ok(Only { value, text }),
    }
}

/// The only value of a header, and its text without surrounding whitespace.
#[derive(Clone, Copy)]
struct Only<'a> {
    value: &'a HeaderValue,
    text: &'a str,
}

impl Only<'_> {
    /// Returns the text as a value: usually a clone of the value itself, which shares its bytes.
    fn trimmed(self) -> Result<HeaderValue, DeliveryError> {
        if self.text.len() == self.value.len() {
            return Ok(self.value.clone());
        }
        HeaderValue::from_str(self.text)
            .map_err(|_| invalid("a signed header has characters that are not allowed in a header"))
    }
}

/// Returns whether the text is 256 bytes of ASCII letters, digits, `_` and `-` at most.
///
/// A period separates id, timestamp and body in the signed text: an id with a period could shift
/// that boundary.
fn is_delivery_id(id: &str) -> bool {
    id.len() <= MAX_ID_LENGTH
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Parses a number in canonical form: no sign, no leading zero, no fraction.
///
/// The number is formatted again when the signature is checked, and must give the same text.
fn decimal(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // Svix signs the timestamp as an i64.
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
