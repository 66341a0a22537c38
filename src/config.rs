//! Environment → configuration, all errors at once. Names the builders of the flows; no flow
//! names it.

use std::fmt;

use crate::http_client::secure_url;
use crate::secret::{SecretKey, SigningSecret};
use crate::session::keys::{PemKey, RemoteKeys};
use crate::session::{
    KeySource, Verifier, VerifierBuilder, check_authorized_parties, check_issuer,
};
use crate::{ConfigError, PublishableKey};

/// What the `CLERK_…` variables say, by the names that Clerk's own SDKs use.
///
/// | variable | meaning |
/// |---|---|
/// | `CLERK_PUBLISHABLE_KEY` or `NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY` | gives issuer and JWKS URL |
/// | `CLERK_ISSUER`, `CLERK_JWKS_URL` | override them, or stand without the key |
/// | `CLERK_JWT_KEY` | PEM public key: no network |
/// | `CLERK_AUTHORIZED_PARTIES` | origins separated by commas |
/// | `CLERK_SECRET_KEY`, `CLERK_API_URL` | the Backend API |
/// | `CLERK_WEBHOOK_SIGNING_SECRET` or `CLERK_WEBHOOK_SECRET` | several separated by spaces |
///
/// An empty variable counts as unset.
///
/// ```
/// use tower_clerk::config::ClerkConfig;
///
/// let vars = [("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k")];
/// let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
/// let config = ClerkConfig::from_vars(get)?;
/// assert_eq!(config.issuer(), "https://clerk.example.com");
/// let verifier = config.verifier()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClerkConfig {
    publishable_key: Option<PublishableKey>,
    secret_key: Option<SecretKey>,
    issuer: String,
    keys: Keys,
    authorized_parties: Vec<String>,
    signing_secrets: Vec<SigningSecret>,
    api_url: String,
}

#[derive(Clone, Debug)]
enum Keys {
    Pem(PemKey),
    Url(String),
}

impl ClerkConfig {
    /// Reads the variables of the process.
    ///
    /// # Errors
    ///
    /// See [`from_vars`](Self::from_vars).
    pub fn from_env() -> Result<Self, ConfigErrors> {
        // What is not UTF-8 is set, and nothing here takes its replacement characters for good.
        Self::from_vars(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once: variables that cannot be read, two names for one setting
    /// that say different things, and no source of keys (a publishable key, an issuer with a JWKS
    /// URL, or an issuer with a JWT key).
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut vars = Vars { get, errors: Vec::new() };
        let publishable_key = vars.parsed(&PUBLISHABLE_KEY, PublishableKey::parse);
        let secret_key = vars.parsed(&["CLERK_SECRET_KEY"], SecretKey::parse);
        let signing_secrets = vars
            .parsed(
                &["CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_WEBHOOK_SECRET"],
                SigningSecret::parse_list,
            )
            .unwrap_or_default();
        let pem = vars.parsed(&["CLERK_JWT_KEY"], PemKey::parse);
        let url = |text: &str| match secure_url(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(problem) => Err(ConfigError::new("URL", problem)),
        };
        let jwks_url = vars.parsed(&["CLERK_JWKS_URL"], url);
        let api_url = vars.parsed(&["CLERK_API_URL"], url).unwrap_or_else(|| API_URL.into());
        let issuer = vars.text(&["CLERK_ISSUER"]).map(|(_, text)| text);
        let authorized_parties: Vec<String> = vars
            .text(&["CLERK_AUTHORIZED_PARTIES"])
            .map(|(_, list)| list.split(',').map(|party| party.trim().to_owned()).collect())
            .unwrap_or_default();

        let errors = &mut vars.errors;
        if let Some(issuer) = &issuer {
            errors.extend(check_issuer(issuer).err().map(|error| error.named("CLERK_ISSUER")));
        }
        if !authorized_parties.is_empty() {
            let error = check_authorized_parties(&authorized_parties).err();
            errors.extend(error.map(|error| error.named("CLERK_AUTHORIZED_PARTIES")));
        }
        let issuer = issuer.or_else(|| publishable_key.as_ref().map(PublishableKey::issuer));
        let keys = match (pem, jwks_url, &publishable_key) {
            (Some(pem), _, _) => Some(Keys::Pem(pem)),
            (None, Some(url), _) => Some(Keys::Url(url)),
            (None, None, Some(key)) => Some(Keys::Url(key.jwks_url())),
            (None, None, None) => None,
        };
        // What is set and cannot be read is not missing as well.
        let unreadable = |names: &[&str]| errors.iter().any(|e| names.contains(&e.setting()));
        if keys.is_none() && !unreadable(&SOURCES_OF_KEYS) {
            errors.push(ConfigError::new(
                "CLERK_PUBLISHABLE_KEY",
                "is not set, so there is no source of verification keys; set it, or CLERK_ISSUER \
                 with CLERK_JWKS_URL, or CLERK_ISSUER with CLERK_JWT_KEY",
            ));
        } else if issuer.is_none() && !unreadable(&PUBLISHABLE_KEY) {
            errors.push(ConfigError::new(
                "CLERK_ISSUER",
                "is not set, and no CLERK_PUBLISHABLE_KEY gives it: whose tokens are accepted?",
            ));
        }
        match (issuer, keys) {
            (Some(issuer), Some(keys)) if errors.is_empty() => Ok(Self {
                publishable_key,
                secret_key,
                issuer,
                keys,
                authorized_parties,
                signing_secrets,
                api_url,
            }),
            _ => Err(ConfigErrors(vars.errors)),
        }
    }

    /// A verifier for this configuration. With a JWKS URL each call makes a source of keys of its
    /// own: call it once and clone the verifier.
    ///
    /// # Errors
    ///
    /// A system without usable root certificates.
    pub fn verifier(&self) -> Result<Verifier, ConfigError> {
        let builder = match &self.keys {
            Keys::Pem(pem) => self.builder(pem.clone()),
            Keys::Url(url) => {
                let keys = RemoteKeys::from_url(url).map_err(|e| e.named("CLERK_JWKS_URL"))?;
                self.builder(keys)
            }
        };
        builder.build()
    }

    fn builder(&self, keys: impl KeySource) -> VerifierBuilder {
        let builder = Verifier::builder(&*self.issuer, keys);
        if self.authorized_parties.is_empty() {
            builder
        } else {
            builder.authorized_parties(&self.authorized_parties)
        }
    }

    /// The publishable key, when it is set.
    #[must_use]
    pub fn publishable_key(&self) -> Option<&PublishableKey> {
        self.publishable_key.as_ref()
    }

    /// The secret key, when it is set.
    #[must_use]
    pub fn secret_key(&self) -> Option<&SecretKey> {
        self.secret_key.as_ref()
    }

    /// What `iss` must be.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the keys are fetched from; none with a JWT key, which needs no network.
    #[must_use]
    pub fn jwks_url(&self) -> Option<&str> {
        match &self.keys {
            Keys::Pem(_) => None,
            Keys::Url(url) => Some(url),
        }
    }

    /// The origins that `azp` must be one of; none when the variable is unset.
    #[must_use]
    pub fn authorized_parties(&self) -> &[String] {
        &self.authorized_parties
    }

    /// The webhook signing secrets; none when the variable is unset.
    #[must_use]
    pub fn signing_secrets(&self) -> &[SigningSecret] {
        &self.signing_secrets
    }

    /// Whether authorized parties are configured. Without them `azp` is not checked, of which a
    /// server should warn its operator once.
    #[must_use]
    pub fn has_authorized_parties(&self) -> bool {
        !self.authorized_parties.is_empty()
    }

    /// The Backend API's base, without a slash at its end.
    #[must_use]
    pub fn api_url(&self) -> &str {
        self.api_url.trim_end_matches('/')
    }
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The errors, in the order of the variables.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.iter();
        if let Some(first) = lines.next() {
            write!(f, "{first}")?;
        }
        lines.try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl std::error::Error for ConfigErrors {}

struct Vars<G> {
    get: G,
    errors: Vec<ConfigError>,
}

impl<G: Fn(&str) -> Option<String>> Vars<G> {
    /// The value under the first of several names that is set, and that name.
    fn text<'n>(&mut self, names: &[&'n str]) -> Option<(&'n str, String)> {
        let set = |name: &&'n str| {
            let value = (self.get)(name)?.trim().to_owned();
            (!value.is_empty()).then_some((*name, value))
        };
        let mut values = names.iter().filter_map(set);
        let first = values.next()?;
        if let Some(other) = values.find(|other| other.1 != first.1) {
            let problem = format!("says something else than {}; set only one of them", first.0);
            self.errors.push(ConfigError::new(other.0.to_owned(), problem));
        }
        Some(first)
    }

    fn parsed<T>(
        &mut self,
        names: &[&str],
        parse: impl FnOnce(&str) -> Result<T, ConfigError>,
    ) -> Option<T> {
        let (name, text) = self.text(names)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.push(error.named(name.to_owned()));
                None
            }
        }
    }
}

const PUBLISHABLE_KEY: [&str; 2] = ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"];

const SOURCES_OF_KEYS: [&str; 4] =
    [PUBLISHABLE_KEY[0], PUBLISHABLE_KEY[1], "CLERK_JWT_KEY", "CLERK_JWKS_URL"];

const API_URL: &str = "https://api.clerk.com";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<ClerkConfig, Vec<String>> {
        let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        ClerkConfig::from_vars(get)
            .map_err(|errors| errors.iter().map(|error| error.setting().to_owned()).collect())
    }

    const PK: (&str, &str) = ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k");

    #[test]
    fn a_publishable_key_is_enough() {
        let config = read(&[PK]).unwrap();
        assert_eq!(config.issuer(), "https://clerk.example.com");
        assert_eq!(config.api_url(), "https://api.clerk.com");
        assert_eq!(config.jwks_url(), Some("https://clerk.example.com/.well-known/jwks.json"));
        assert!(config.signing_secrets().is_empty() && !config.has_authorized_parties());
        let alias = read(&[("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", PK.1), ("CLERK_ISSUER", "")]);
        assert_eq!(alias.unwrap().issuer(), config.issuer());
    }

    #[test]
    fn without_a_source_of_keys_nothing_starts() {
        assert_eq!(read(&[]).unwrap_err(), ["CLERK_PUBLISHABLE_KEY"]);
        let issuer = ("CLERK_ISSUER", "https://clerk.example.com");
        assert_eq!(read(&[issuer]).unwrap_err(), ["CLERK_PUBLISHABLE_KEY"]);
        let url = ("CLERK_JWKS_URL", "https://clerk.example.com/jwks");
        assert_eq!(read(&[url]).unwrap_err(), ["CLERK_ISSUER"]);
        assert!(read(&[issuer, url]).is_ok());
        let bad = [("CLERK_SECRET_KEY", "bad"), ("CLERK_ISSUER", "bad")];
        let all = ["CLERK_SECRET_KEY", "CLERK_ISSUER", "CLERK_PUBLISHABLE_KEY"];
        assert_eq!(read(&bad).unwrap_err(), all);
        let bad = [("CLERK_ISSUER", "bad"), ("CLERK_PUBLISHABLE_KEY", "bad")];
        assert_eq!(read(&bad).unwrap_err(), ["CLERK_PUBLISHABLE_KEY", "CLERK_ISSUER"]);
    }

    #[test]
    fn everything_wrong_is_said_at_once_by_variable_and_without_values() {
        let vars = [
            ("CLERK_PUBLISHABLE_KEY", "pk_test_secretlooking"),
            ("CLERK_SECRET_KEY", "not-a-key-canary"),
            ("CLERK_WEBHOOK_SECRET", "whsec_canary"),
            ("CLERK_JWT_KEY", "canary"),
            ("CLERK_JWKS_URL", "http://canary.example.com"),
        ];
        let names: Vec<_> = vars.iter().map(|(name, _)| *name).collect();
        let mut errors = read(&vars).unwrap_err();
        errors.sort();
        let mut expected = names.clone();
        expected.sort_unstable();
        assert_eq!(errors, expected);
        let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        let text = ClerkConfig::from_vars(get).unwrap_err().to_string();
        assert!(!text.contains("canary") && !text.contains("secretlooking"), "{text}");
    }

    #[test]
    fn the_rules_of_the_verifier_are_told_by_variable() {
        assert_eq!(read(&[PK, ("CLERK_ISSUER", "clerk")]).unwrap_err(), ["CLERK_ISSUER"]);
        let parties = ("CLERK_AUTHORIZED_PARTIES", "https://a.example, app.example.com/");
        assert_eq!(read(&[PK, parties]).unwrap_err(), ["CLERK_AUTHORIZED_PARTIES"]);
        let parties = ("CLERK_AUTHORIZED_PARTIES", "https://a.example, http://localhost:3000");
        let config = read(&[PK, parties]).unwrap();
        assert!(config.has_authorized_parties());
        assert_eq!(config.authorized_parties(), ["https://a.example", "http://localhost:3000"]);
    }

    #[test]
    fn two_names_for_one_setting_must_agree() {
        let other = ("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuY2xlcmsuZGV2JA");
        assert_eq!(read(&[PK, other]).unwrap_err(), ["NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"]);
    }
}
