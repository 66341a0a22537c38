//! Clerk's decision which of its cookies count: those with the suffix of the instance's publishable
//! key, or those without. There is one for all names.
//!
//! Tokens are read without verification, for this decision only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The values of Clerk's cookies in a request; an empty one counts as absent.
#[derive(Default)]
pub(super) struct Values<'v> {
    pub(super) session: Option<&'v [u8]>,
    pub(super) suffixed_session: Option<&'v [u8]>,
    pub(super) client_uat: Option<&'v [u8]>,
    pub(super) suffixed_client_uat: Option<&'v [u8]>,
}

/// What the decision has to know of the instance.
pub(super) struct Instance {
    /// The host of the Frontend API, with its port if it has one.
    pub(super) host: Box<str>,
    pub(super) is_live: bool,
}

impl Values<'_> {
    /// Returns whether the cookies with the suffix count. The first of eight rules that applies
    /// decides.
    pub(super) fn suffixed_count(&self, instance: &Instance, now_seconds: i64) -> bool {
        let session = self.session.map(Unverified::read);
        match &session {
            // 1. A session cookie that is none.
            Some(None) => return false,
            Some(Some(session)) if !session.has_issuer() => return false,
            // 2. One of another instance on the same domain.
            Some(Some(session)) if !session.is_of(&instance.host) => return true,
            Some(Some(_)) | None => {}
        }
        // 3. Nothing with the suffix.
        if self.suffixed_client_uat.is_none() && self.suffixed_session.is_none() {
            return false;
        }
        let suffixed_session = self.suffixed_session.and_then(Unverified::read);
        let issued_at = |token: Option<&Unverified>| token.map_or(0.0, Unverified::issued_at);
        let newer = issued_at(session.flatten().as_ref()) > issued_at(suffixed_session.as_ref());
        let signed_out = self.client_uat == Some(b"0");
        let suffixed_signed_out = self.suffixed_client_uat == Some(b"0");
        // 4. Both say that somebody is signed in, and the one without the suffix is newer.
        if !suffixed_signed_out && !signed_out && newer {
            return false;
        }
        // 5. Only the one with the suffix says that nobody is signed in.
        if suffixed_signed_out && !signed_out {
            return false;
        }
        // 6. Only the one without the suffix says so, and the other session is over.
        let is_over = suffixed_session.is_some_and(|session| session.is_over(now_seconds));
        if !instance.is_live && !suffixed_signed_out && signed_out && is_over {
            return false;
        }
        // 7. A session with the suffix without the time of the sign-in; 8. anything else.
        !(self.suffixed_client_uat.is_none() && self.suffixed_session.is_some())
    }
}

/// The payload of a token whose signature nobody has looked at.
pub(super) struct Unverified(Map<String, Value>);

impl Unverified {
    /// Reads a token; returns `None` if it does not decode.
    pub(super) fn read(token: &[u8]) -> Option<Self> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let [header, payload, signature] = [parts.next()?, parts.next()?, parts.next()?];
        if parts.next().is_some() {
            return None;
        }
        let _header = object(header)?;
        let _signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        object(payload).map(Self)
    }

    /// Returns the time at which the token was issued, or 0 without one.
    fn issued_at(&self) -> f64 {
        self.number("iat").unwrap_or_default()
    }

    /// Returns whether the token says that it was issued before a time.
    pub(super) fn is_from_before(&self, seconds: i64) -> bool {
        self.number("iat").is_some_and(|iat| iat < in_f64(seconds))
    }

    fn is_over(&self, now_seconds: i64) -> bool {
        self.number("exp").is_some_and(|exp| exp <= in_f64(now_seconds))
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }

    /// Returns whether there is an `iss` that JavaScript takes for true.
    fn has_issuer(&self) -> bool {
        match self.0.get("iss") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(iss)) => !iss.is_empty(),
            Some(Value::Number(iss)) => iss.as_f64() != Some(0.0),
            Some(Value::Bool(true) | Value::Array(_) | Value::Object(_)) => true,
        }
    }

    /// Returns whether `iss`, without any `https://` and `http://` in it, is the host.
    fn is_of(&self, host: &str) -> bool {
        let Some(Value::String(iss)) = self.0.get("iss") else { return false };
        let mut rest = &**iss;
        let mut without_schemes = String::with_capacity(iss.len());
        while let Some(first) = rest.chars().next() {
            let scheme = ["https://", "http://"].into_iter().find(|scheme| {
                rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            });
            if scheme.is_none() {
                without_schemes.push(first);
            }
            rest = rest.get(scheme.map_or(first.len_utf8(), str::len)..).unwrap_or_default();
        }
        without_schemes == host
    }
}

/// Returns the integer that a value starts with, as JavaScript's `parseInt` does, or 0.
pub(super) fn leading_integer(value: &[u8]) -> i64 {
    let (sign, digits) = match value.trim_ascii_start() {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    sign * number
}

/// Decodes a JSON object in base64url; of duplicates the last counts. Bytes that are no UTF-8 are
/// replaced, and a byte order mark is left out.
fn object(part: &[u8]) -> Option<Map<String, Value>> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    let json = String::from_utf8_lossy(&json);
    serde_json::from_str(json.strip_prefix('\u{feff}').unwrap_or(&json)).ok()
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
fn in_f64(seconds: i64) -> f64 {
    seconds as f64
}

/// The length of the longest token that is decoded: no browser keeps a longer cookie.
const MAX_BYTES: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "clerk.clerk.dev";
    const NOW: i64 = 1_800_000_000;

    fn token(payload: &str) -> String {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(payload))
    }

    /// A token of the instance's, issued `age` seconds ago, for a minute.
    fn own(age: i64) -> String {
        let (iat, exp) = (NOW - age, NOW - age + 60);
        token(&format!(r#"{{"iss":"https://{HOST}","iat":{iat},"exp":{exp}}}"#))
    }

    /// The cookies in the order `S`, `Ss`, `U`, `Us`; `-` for none.
    fn suffixed(is_live: bool, cookies: [&str; 4]) -> bool {
        let [session, suffixed_session, client_uat, suffixed_client_uat] =
            cookies.map(|value| (value != "-").then_some(value.as_bytes()));
        let values = Values { session, suffixed_session, client_uat, suffixed_client_uat };
        values.suffixed_count(&Instance { host: HOST.into(), is_live }, NOW)
    }

    #[test]
    fn rule_1_a_session_cookie_that_is_no_token_or_names_no_issuer_is_taken_as_it_is() {
        let suffixed_is_newer = own(0);
        let broken = ["x", "a.b", "a.b.c.d", "e30.e30.=", "e30.bnVsbA.c2ln", "W10.e30.c2ln"];
        for bad in broken.map(str::to_owned).into_iter().chain(
            [r"{}", r#"{"iss":""}"#, r#"{"iss":null}"#, r#"{"iss":0}"#, r#"{"iss":false}"#]
                .map(token),
        ) {
            assert!(!suffixed(true, [&bad, &suffixed_is_newer, "0", "1"]), "{bad}");
        }
        let long = "x".repeat(MAX_BYTES + 1);
        assert!(!suffixed(true, [&long, &suffixed_is_newer, "0", "1"]));
    }

    #[test]
    fn rule_2_a_session_cookie_of_another_instance_makes_the_suffixed_count_even_if_there_are_none()
    {
        for iss in [
            r#""https://other.clerk.dev""#,
            r#""https://clerk.clerk.dev/""#,
            r#""https://CLERK.clerk.dev""#,
            r#""ftp://clerk.clerk.dev""#,
            "1",
            "true",
            "[]",
            "{}",
        ] {
            let other = token(&format!(r#"{{"iss":{iss}}}"#));
            for rest in [["-", "-", "-"], ["-", "1", "0"]] {
                assert!(suffixed(true, [&other, rest[0], rest[1], rest[2]]), "{iss} {rest:?}");
            }
        }
        for iss in [
            "https://clerk.clerk.dev",
            "HTTP://clerk.clerk.dev",
            "clerk.clerk.dev",
            "http://clerk.https://clerk.dev",
        ] {
            let own = token(&format!(r#"{{"iss":"{iss}"}}"#));
            assert!(!suffixed(true, [&own, "-", "-", "-"]), "{iss}");
        }
        // Of duplicates the last counts.
        let twice = token(r#"{"iss":"https://other.dev","iss":"https://clerk.clerk.dev"}"#);
        assert!(!suffixed(true, [&twice, "-", "-", "-"]));
    }

    #[test]
    fn rule_3_without_a_suffixed_cookie_the_others_count() {
        for cookies in [["-", "-", "-", "-"], ["-", "-", "0", "-"], ["-", "-", "1", "-"]] {
            assert!(!suffixed(true, cookies), "{cookies:?}");
        }
        assert!(!suffixed(true, [&own(0), "-", "1", "-"]));
        assert!(suffixed(true, ["-", "-", "-", "1"]));
    }

    #[test]
    fn rule_4_of_two_that_are_signed_in_the_newer_counts() {
        let (old, new) = (own(30), own(10));
        assert!(!suffixed(true, [&new, &old, "1", "1"]));
        assert!(!suffixed(true, [&new, &old, "-", "1"]));
        assert!(!suffixed(true, [&new, "x", "1", "1"]));
        assert!(!suffixed(true, [&new, "-", "1", "1"]));
        assert!(suffixed(true, [&old, &new, "1", "1"]));
        assert!(suffixed(true, [&old, &old, "1", "1"]));
        assert!(suffixed(true, [&new, &old, "0", "1"]));
        assert!(suffixed(true, ["-", "-", "1", "1"]));
        // A time of another type is none.
        let text = token(&format!(r#"{{"iss":"https://{HOST}","iat":"1"}}"#));
        assert!(suffixed(true, [&text, &old, "1", "1"]));
    }

    #[test]
    fn rule_5_a_suffixed_sign_out_does_not_count_where_the_other_says_signed_in() {
        let (old, new) = (own(30), own(10));
        assert!(!suffixed(true, [&old, &new, "1", "0"]));
        assert!(!suffixed(true, [&old, &new, "-", "0"]));
        assert!(!suffixed(true, ["-", "-", "1", "0"]));
        assert!(suffixed(true, [&old, &new, "0", "0"]));
        // Only `0` itself is a sign-out here.
        assert!(suffixed(true, [&old, &new, "1", "00"]));
    }

    #[test]
    fn rule_6_a_development_instance_forgets_a_suffixed_session_that_is_over() {
        let (over, at_its_end, running) = (own(90), own(60), own(59));
        assert!(!suffixed(false, ["-", &over, "0", "1"]));
        assert!(!suffixed(false, ["-", &at_its_end, "0", "1"]));
        assert!(suffixed(false, ["-", &running, "0", "1"]));
        assert!(suffixed(true, ["-", &over, "0", "1"]));
        assert!(suffixed(false, ["-", &over, "1", "1"]));
        assert!(suffixed(false, ["-", &over, "0", "0"]));
        assert!(suffixed(false, ["-", "x", "0", "1"]));
        let endless = token(&format!(r#"{{"iss":"https://{HOST}","iat":1}}"#));
        assert!(suffixed(false, ["-", &endless, "0", "1"]));
    }

    #[test]
    fn rules_7_and_8_a_suffixed_session_needs_its_client_uat() {
        let session = own(10);
        assert!(!suffixed(true, ["-", &session, "-", "-"]));
        assert!(!suffixed(true, ["-", &session, "0", "-"]));
        assert!(!suffixed(true, [&session, &session, "1", "-"]));
        assert!(suffixed(true, ["-", &session, "-", "1"]));
        assert!(suffixed(true, [&session, &session, "1", "1"]));
        assert!(suffixed(true, ["-", "-", "0", "1"]));
    }

    #[test]
    fn an_integer_is_read_as_javascript_reads_it() {
        for (value, integer) in [
            ("12", 12),
            ("12abc", 12),
            (" 12", 12),
            ("-5", -5),
            ("+5", 5),
            ("", 0),
            ("abc", 0),
            ("0x10", 0),
            ("1.9", 1),
            ("00", 0),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(leading_integer(value.as_bytes()), integer, "{value}");
        }
    }
}
