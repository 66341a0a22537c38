//! Types for secrets. They are parsed once, redacted in `Debug`, and neither displayed nor
//! serialised.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ConfigError;

/// A webhook signing secret: `whsec_` and the base64 of 24 to 64 bytes.
///
/// The Dashboard shows one for each webhook endpoint. The Standard Webhooks specification sets the
/// length.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    key: Box<[u8]>,
}

impl SigningSecret {
    /// Parses a secret as the Dashboard shows it.
    ///
    /// # Errors
    ///
    /// The text is not `whsec_` and the standard base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let problem = |text| ConfigError::new("webhook signing secret", text);
        // A file's line end.
        let encoded = text.trim().strip_prefix("whsec_").ok_or_else(|| {
            problem("must start with `whsec_`; copy it from the endpoint's page in the Dashboard")
        })?;
        let key = STANDARD.decode(encoded).map_err(|_| {
            problem("the part after `whsec_` is not base64; copy the whole secret again")
        })?;
        if !(24..=64).contains(&key.len()) {
            return Err(problem(
                "the part after `whsec_` must hold 24 to 64 bytes; copy the whole secret again",
            ));
        }
        Ok(Self { key: key.into() })
    }

    /// Parses one or several secrets separated by spaces. Several are valid while a secret is being
    /// rotated.
    ///
    /// # Errors
    ///
    /// There is no secret, or [`parse`](Self::parse) refuses one; the first error is returned.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, ConfigError> {
        let secrets =
            text.split_ascii_whitespace().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        if secrets.is_empty() {
            return Err(ConfigError::new(
                "webhook signing secret",
                "is empty; copy it from the endpoint's page in the Dashboard",
            ));
        }
        Ok(secrets)
    }

    #[cfg(feature = "webhook")]
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret([redacted])")
    }
}

/// An instance's secret key, `sk_test_…` or `sk_live_…`, which gives full access to the Backend
/// API.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey {
    text: Box<str>,
}

impl SecretKey {
    /// Parses a secret key as the Dashboard shows it.
    ///
    /// # Errors
    ///
    /// The text is not `sk_test_` or `sk_live_` followed by at least one more character, all of
    /// them printable ASCII, as the `Authorization` header demands.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // A file's line end.
        let text = text.trim();
        let rest = text.strip_prefix("sk_test_").or_else(|| text.strip_prefix("sk_live_"));
        match rest {
            Some(rest) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self { text: text.into() })
            }
            _ => Err(ConfigError::new(
                "secret key",
                "must be `sk_test_…` or `sk_live_…`, as the Dashboard shows it under API keys",
            )),
        }
    }

    /// Returns whether the key belongs to a production instance.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.text.starts_with("sk_live_")
    }

    /// Returns the key itself, for an `Authorization` header.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey([redacted])")
    }
}

/// The secret key of one machine, `ak_…`, with which it asks Clerk about machines' tokens. Clerk's API keys
/// begin so too: this one is a setting of the server, never a caller's.
#[cfg(feature = "machines")]
#[derive(Clone, PartialEq, Eq)]
pub struct MachineSecretKey {
    text: Box<str>,
}

#[cfg(feature = "machines")]
impl MachineSecretKey {
    /// Parses a key as the Dashboard shows it under Machines.
    ///
    /// # Errors
    ///
    /// The text is not `ak_` followed by at least 16 characters, all of them printable ASCII.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // A file's line end.
        let text = text.trim();
        match text.strip_prefix("ak_") {
            Some(rest) if rest.len() >= 16 && rest.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self { text: text.into() })
            }
            _ => Err(ConfigError::new(
                "machine secret key",
                "must be `ak_…`, as the Dashboard shows it under Machines",
            )),
        }
    }

    /// Returns the key itself, for an `Authorization` header.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

#[cfg(feature = "machines")]
impl fmt::Debug for MachineSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MachineSecretKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_signing_secret_is_taken_and_the_refusal_does_not_repeat_it() {
        let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(
            format!("{:?}", SigningSecret::parse(good).unwrap()),
            "SigningSecret([redacted])"
        );
        for bad in [
            "",
            "whsec_",
            "whsec_wronglength",
            "whsec_c2hvcnQ=",
            "whsec_not base64 at all, not at all, no",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
            "sk_test_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "pk_test_Y2xlcmsuY2xlcmsuZGV2JA",
        ] {
            let message = SigningSecret::parse(bad).unwrap_err().to_string();
            assert!(bad.len() < 8 || !message.contains(bad), "{message}");
        }
    }

    #[test]
    fn two_secrets_stand_side_by_side_during_a_rotation() {
        let a = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let b = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        assert_eq!(SigningSecret::parse_list(&format!(" {a}  {b}\n")).unwrap().len(), 2);
        assert!(SigningSecret::parse_list("  ").is_err());
        assert!(SigningSecret::parse_list(&format!("{a} whsec_")).is_err());
    }

    #[test]
    fn a_secret_key_says_its_environment_and_nothing_else() {
        let live = SecretKey::parse("sk_live_abc").unwrap();
        assert!(live.is_live());
        assert_eq!(format!("{live:?}"), "SecretKey([redacted])");
        for bad in ["", "sk_", "sk_test_", "sk_live_a b", "sk_live_a\nb", "pk_test_abc"] {
            assert!(SecretKey::parse(bad).is_err(), "{bad:?}");
        }
    }
}
