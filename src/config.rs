//! Configuration from environment variables. Reports all errors at once.

use std::fmt;

use crate::http_client::{base_url, is_loopback, secure_url};
use crate::ids::InstanceId;
#[cfg(feature = "machines")]
use crate::secret::MachineSecretKey;
use crate::secret::{SecretKey, SigningSecret};
use crate::session::keys::{PemKey, RemoteKeys};
#[cfg(feature = "machines")]
use crate::session::machine::{BackendApiIntrospect, IntrospectionBuilder};
use crate::session::{
    KeySource, Verifier, VerifierBuilder, check_authorized_parties, check_issuer,
};
use crate::{ConfigError, PublishableKey};

/// The configuration in the `CLERK_…` variables, which have the names that Clerk's own SDKs use.
///
/// | variable | meaning |
/// |---|---|
/// | `CLERK_PUBLISHABLE_KEY` or `NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY` | determines the issuer and the JWKS URL |
/// | `CLERK_PROXY_URL` | the URL under which the application itself proxies the Frontend API: issuer, and JWKS below it |
/// | `CLERK_ISSUER`, `CLERK_JWKS_URL` | override them, or replace the key; `/v1/jwks` of the Backend API, which is `CLERK_API_URL`'s or on a loopback address, is asked with the secret key |
/// | `CLERK_JWT_KEY` | the public key in PEM, which needs no network; not together with `CLERK_JWKS_URL` |
/// | `CLERK_AUTHORIZED_PARTIES` | the origins that tokens may be issued for, separated by commas |
/// | `CLERK_SECRET_KEY`, `CLERK_API_URL` | the key and the base URL of the Backend API |
/// | `CLERK_WEBHOOK_SIGNING_SECRET` or `CLERK_WEBHOOK_SECRET` | one or more signing secrets, separated by spaces |
/// | `CLERK_MACHINE_SECRET_KEY` | the secret key of this server's own machine, for questions about machines' tokens (feature `machines`) |
/// | `CLERK_INSTANCE_ID` | the instance's id, `ins_…`, for deliveries that name another |
///
/// An empty variable counts as unset. A satellite's variables, `CLERK_IS_SATELLITE` and
/// `CLERK_DOMAIN`, are refused without `CLERK_ISSUER`: a satellite's tokens have the issuer of its
/// primary domain.
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
    #[cfg(feature = "machines")]
    machine_secret_key: Option<MachineSecretKey>,
    issuer: String,
    keys: Keys,
    authorized_parties: Vec<String>,
    signing_secrets: Vec<SigningSecret>,
    instance_id: Option<InstanceId>,
    api_url: String,
}

#[derive(Clone, Debug)]
enum Keys {
    Pem(PemKey),
    Url(String),
    /// The Backend API's, with its base URL and the key to ask it with.
    BackendApi {
        url: String,
        base: String,
        secret_key: SecretKey,
    },
}

impl ClerkConfig {
    /// Reads the process's environment variables.
    ///
    /// # Errors
    ///
    /// See [`from_vars`](Self::from_vars).
    pub fn from_env() -> Result<Self, ConfigErrors> {
        // A value that is not UTF-8 counts as set. Its replacement characters pass no check in this
        // file.
        Self::from_vars(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    ///
    /// Returns all errors at once: variables that cannot be parsed, two names for one setting with
    /// different values, two explicit sources of keys, keys of a production and a development
    /// instance together, a satellite's variables without an issuer, and no source of keys (a
    /// publishable key, a proxy URL, an issuer with a JWKS URL, or an issuer with a JWT key).
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut vars = Vars { get, errors: Vec::new() };
        let publishable_key = vars.parsed(&PUBLISHABLE_KEY, PublishableKey::parse);
        let secret_key = vars.parsed(&[SECRET_KEY], SecretKey::parse);
        #[cfg(feature = "machines")]
        let machine_secret_key = vars.parsed(&[MACHINE_SECRET_KEY], MachineSecretKey::parse);
        let signing_secrets = vars
            .parsed(
                &["CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_WEBHOOK_SECRET"],
                SigningSecret::parse_list,
            )
            .unwrap_or_default();
        let instance_id = vars.parsed(&["CLERK_INSTANCE_ID"], |text| {
            InstanceId::parse(text).map_err(|_| ConfigError::new("instance id", NOT_AN_INSTANCE))
        });
        let pem = vars.parsed(&["CLERK_JWT_KEY"], PemKey::parse);
        let url = |text: &str| match secure_url(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(problem) => Err(ConfigError::new("URL", problem)),
        };
        let jwks_url = vars.parsed(&["CLERK_JWKS_URL"], url);
        let base = |text: &str| match base_url(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(problem) => Err(ConfigError::new("URL", problem)),
        };
        let api_url = vars.parsed(&["CLERK_API_URL"], base).unwrap_or_else(|| API_URL.into());
        let proxy_url = vars.parsed(&PROXY_URL, |text| {
            let base = text.trim_end_matches('/');
            url(base).and_then(|base| check_issuer(&base).map(|()| base))
        });
        let issuer = vars.text(&["CLERK_ISSUER"]).map(|(_, text)| text);
        let authorized_parties: Vec<String> = vars
            .text(&["CLERK_AUTHORIZED_PARTIES"])
            .map(|(_, list)| {
                let list = list.strip_suffix(',').unwrap_or(&list);
                list.split(',').map(|party| party.trim().to_owned()).collect()
            })
            .unwrap_or_default();
        let is_no = |value: &str| value == "0" || value.eq_ignore_ascii_case("false");
        let satellite = vars
            .text(&IS_SATELLITE)
            .filter(|(_, value)| !is_no(value))
            .or_else(|| vars.text(&DOMAIN))
            .map(|(name, _)| name);

        let errors = &mut vars.errors;
        if let (Some(publishable), Some(secret)) = (&publishable_key, &secret_key)
            && publishable.is_live() != secret.is_live()
        {
            errors.push(ConfigError::new(SECRET_KEY, ANOTHER_KIND));
        }
        if let (Some(name), None) = (satellite, &issuer) {
            errors.push(ConfigError::new(name, SATELLITE));
        }
        if pem.is_some() && jwks_url.is_some() {
            errors.push(ConfigError::new("CLERK_JWKS_URL", TWO_SOURCES));
        }
        if let Some(issuer) = &issuer {
            errors.extend(check_issuer(issuer).err().map(|error| error.named("CLERK_ISSUER")));
        }
        if !authorized_parties.is_empty() {
            let error = check_authorized_parties(&authorized_parties).err();
            errors.extend(error.map(|error| error.named("CLERK_AUTHORIZED_PARTIES")));
        }
        if let Some(key) = &publishable_key {
            // A key may name a host that no token can have as its issuer.
            errors.extend(
                check_issuer(&key.issuer()).err().map(|error| error.named(PUBLISHABLE_KEY[0])),
            );
        }
        let issuer = issuer
            .or_else(|| proxy_url.clone())
            .or_else(|| publishable_key.as_ref().map(PublishableKey::issuer));
        let published = proxy_url
            .map(|proxy| format!("{proxy}/.well-known/jwks.json"))
            .or_else(|| publishable_key.as_ref().map(PublishableKey::jwks_url));
        let mut secret_key_missing = false;
        let keys = match (pem, jwks_url) {
            (Some(pem), _) => Some(Keys::Pem(pem)),
            (None, Some(url)) => match backend_api(&url, &api_url) {
                Ok(None) => Some(Keys::Url(url)),
                Err(problem) => {
                    errors.push(ConfigError::new("CLERK_JWKS_URL", problem));
                    None
                }
                Ok(Some(base)) => {
                    let secret_key = secret_key.clone();
                    secret_key_missing = secret_key.is_none();
                    if secret_key_missing && !errors.iter().any(|e| e.setting() == SECRET_KEY) {
                        errors.push(ConfigError::new(SECRET_KEY, NO_SECRET_KEY));
                    }
                    secret_key.map(|secret_key| Keys::BackendApi { url, base, secret_key })
                }
            },
            (None, None) => published.map(Keys::Url),
        };
        // A variable that is set but cannot be parsed is not reported as missing too.
        let unreadable = |names: &[&str]| errors.iter().any(|e| names.contains(&e.setting()));
        if keys.is_none() && !secret_key_missing && !unreadable(&SOURCES_OF_KEYS) {
            errors.push(ConfigError::new(
                "CLERK_PUBLISHABLE_KEY",
                "is not set, so there is no source of verification keys; set it, or CLERK_ISSUER \
                 with CLERK_JWKS_URL, or CLERK_ISSUER with CLERK_JWT_KEY",
            ));
        } else if issuer.is_none() && !unreadable(&SOURCES_OF_ISSUERS) {
            errors.push(ConfigError::new(
                "CLERK_ISSUER",
                "is not set, and there is no CLERK_PUBLISHABLE_KEY to take it from; set either",
            ));
        }
        match (issuer, keys) {
            (Some(issuer), Some(keys)) if errors.is_empty() => Ok(Self {
                publishable_key,
                secret_key,
                #[cfg(feature = "machines")]
                machine_secret_key,
                issuer,
                keys,
                authorized_parties,
                signing_secrets,
                instance_id,
                api_url,
            }),
            _ => Err(ConfigErrors(vars.errors)),
        }
    }

    /// Builds a verifier for this configuration. With a JWKS URL each call creates its own source
    /// of keys: call it once and clone the verifier.
    ///
    /// # Errors
    ///
    /// The system has no usable root certificates.
    pub fn verifier(&self) -> Result<Verifier, ConfigError> {
        self.verifier_builder()?.build()
    }

    /// Returns a builder for the verifier of this configuration, for what no variable sets: the skew,
    /// policies, further issuers, limits, the cache and the clock. With a JWKS URL each call creates
    /// its own source of keys.
    ///
    /// # Errors
    ///
    /// The system has no usable root certificates.
    pub fn verifier_builder(&self) -> Result<VerifierBuilder, ConfigError> {
        match &self.keys {
            Keys::Pem(pem) => Ok(self.verifier_builder_with(pem.clone())),
            Keys::Url(_) | Keys::BackendApi { .. } => {
                self.remote_keys().map(|keys| self.verifier_builder_with(keys))
            }
        }
    }

    /// Returns a builder for a verifier with the issuer and the authorized parties of this
    /// configuration, and with other keys: [`remote_keys`](Self::remote_keys) with other
    /// [times](crate::session::keys::FetchTimes), for example.
    pub fn verifier_builder_with(&self, keys: impl KeySource) -> VerifierBuilder {
        let builder = Verifier::builder(&*self.issuer, keys);
        if self.authorized_parties.is_empty() {
            builder
        } else {
            builder.authorized_parties(&self.authorized_parties)
        }
    }

    /// Returns a new source of the keys that are fetched, to set its times or its clock.
    ///
    /// # Errors
    ///
    /// The keys are not fetched, because there is a JWT key; or the system has no usable root
    /// certificates.
    pub fn remote_keys(&self) -> Result<RemoteKeys, ConfigError> {
        let keys = match &self.keys {
            Keys::Pem(_) => {
                let problem = "is set, so that no keys are fetched; unset it to fetch them";
                return Err(ConfigError::new("CLERK_JWT_KEY", problem));
            }
            Keys::Url(url) => RemoteKeys::from_url(url),
            Keys::BackendApi { base, secret_key, .. } => {
                RemoteKeys::from_backend_api(base, secret_key)
            }
        };
        keys.map_err(|error| error.named("CLERK_JWKS_URL"))
    }

    /// Returns the publishable key, if it is set.
    #[must_use]
    pub fn publishable_key(&self) -> Option<&PublishableKey> {
        self.publishable_key.as_ref()
    }

    /// Returns the secret key, if it is set.
    #[must_use]
    pub fn secret_key(&self) -> Option<&SecretKey> {
        self.secret_key.as_ref()
    }

    /// Returns the secret key of this server's own machine, if it is set.
    #[cfg(feature = "machines")]
    #[must_use]
    pub fn machine_secret_key(&self) -> Option<&MachineSecretKey> {
        self.machine_secret_key.as_ref()
    }

    /// Returns a builder for the questions to the Backend API about opaque tokens. Call it once, and share
    /// what it builds between layers.
    ///
    /// # Errors
    ///
    /// Neither the instance's secret key nor that of a machine is set, or the system has no usable root
    /// certificates.
    #[cfg(feature = "machines")]
    pub fn introspection(&self) -> Result<IntrospectionBuilder, ConfigError> {
        let api = BackendApiIntrospect::new(self.api_url());
        let mut api = api.map_err(|error| error.named("CLERK_API_URL"))?;
        if self.secret_key.is_none() && self.machine_secret_key.is_none() {
            return Err(ConfigError::new(SECRET_KEY, NOBODY_TO_ASK));
        }
        if let Some(key) = &self.secret_key {
            api = api.secret_key(key).map_err(|error| error.named(SECRET_KEY))?;
        }
        if let Some(key) = &self.machine_secret_key {
            api = api.machine_secret_key(key).map_err(|error| error.named(MACHINE_SECRET_KEY))?;
        }
        Ok(api.into_builder())
    }

    /// Returns the `iss` that tokens must have.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the URL that keys are fetched from; `None` with a JWT key, which needs no network.
    #[must_use]
    pub fn jwks_url(&self) -> Option<&str> {
        match &self.keys {
            Keys::Pem(_) => None,
            Keys::Url(url) | Keys::BackendApi { url, .. } => Some(url),
        }
    }

    /// Returns the origins of which `azp` must be one; empty if the variable is unset.
    #[must_use]
    pub fn authorized_parties(&self) -> &[String] {
        &self.authorized_parties
    }

    /// Returns the webhook signing secrets; empty if the variable is unset.
    #[must_use]
    pub fn signing_secrets(&self) -> &[SigningSecret] {
        &self.signing_secrets
    }

    /// Returns the instance's id, if the variable is set: for
    /// [`WebhookServiceBuilder::instance_id`](crate::webhook::WebhookServiceBuilder::instance_id).
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        self.instance_id.as_deref()
    }

    /// Returns whether authorized parties are configured. Without them `azp` is not checked, and a
    /// server should warn its operator of that once.
    #[must_use]
    pub fn has_authorized_parties(&self) -> bool {
        !self.authorized_parties.is_empty()
    }

    /// Returns the Backend API's base URL, without a trailing slash.
    #[must_use]
    pub fn api_url(&self) -> &str {
        self.api_url.trim_end_matches('/')
    }
}

/// All errors of a configuration. `Display` writes one line for each, and so does `Debug`, for a `main`
/// that returns them.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Returns the errors, in the order in which the variables are checked.
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

impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigErrors {}

struct Vars<G> {
    get: G,
    errors: Vec<ConfigError>,
}

impl<G: Fn(&str) -> Option<String>> Vars<G> {
    /// Returns the first of several names that is set, with its value. Notes an error if another
    /// name is set to a different value.
    fn text<'n>(&mut self, names: &[&'n str]) -> Option<(&'n str, String)> {
        let set = |name: &&'n str| {
            let value = (self.get)(name)?.trim().to_owned();
            (!value.is_empty()).then_some((*name, value))
        };
        let mut values = names.iter().filter_map(set);
        let first = values.next()?;
        if let Some(other) = values.find(|other| other.1 != first.1) {
            let problem = format!("has another value than {}; set only one of them", first.0);
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

/// Returns the Backend API's base URL if `jwks_url` is its JWKS: `/v1/jwks` where `api_url` is, or on
/// a loopback address. The secret key is sent nowhere else.
fn backend_api(jwks_url: &str, api_url: &str) -> Result<Option<String>, &'static str> {
    let (Ok(jwks), Ok(api)) = (secure_url(jwks_url), secure_url(api_url)) else { return Ok(None) };
    let Some(path) = jwks.path().trim_end_matches('/').strip_suffix("/v1/jwks") else {
        return Ok(None);
    };
    if jwks.origin() != api.origin() && !is_loopback(&jwks) {
        return Ok(None);
    }
    if jwks.query().is_some() || jwks.fragment().is_some() {
        return Err("is the Backend API's, and must have no query (`?`) and no fragment (`#`)");
    }
    Ok(Some(format!("{}{path}", jwks.origin().ascii_serialization())))
}

const PROXY_URL: [&str; 2] = ["CLERK_PROXY_URL", "NEXT_PUBLIC_CLERK_PROXY_URL"];

const IS_SATELLITE: [&str; 2] = ["CLERK_IS_SATELLITE", "NEXT_PUBLIC_CLERK_IS_SATELLITE"];

const DOMAIN: [&str; 2] = ["CLERK_DOMAIN", "NEXT_PUBLIC_CLERK_DOMAIN"];

const PUBLISHABLE_KEY: [&str; 2] = ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"];

const SECRET_KEY: &str = "CLERK_SECRET_KEY";

const SOURCES_OF_KEYS: [&str; 6] = [
    PUBLISHABLE_KEY[0],
    PUBLISHABLE_KEY[1],
    "CLERK_JWT_KEY",
    "CLERK_JWKS_URL",
    PROXY_URL[0],
    PROXY_URL[1],
];

const SOURCES_OF_ISSUERS: [&str; 4] =
    [PUBLISHABLE_KEY[0], PUBLISHABLE_KEY[1], PROXY_URL[0], PROXY_URL[1]];

const ANOTHER_KIND: &str = "and CLERK_PUBLISHABLE_KEY belong to a production and a development \
                            instance; set both from one page of the Dashboard: pk_test_ with \
                            sk_test_, or pk_live_ with sk_live_";
const SATELLITE: &str = "is set, but a satellite's session tokens have the issuer of its primary \
                         domain; set CLERK_ISSUER to that, with CLERK_JWKS_URL or CLERK_JWT_KEY";
const TWO_SOURCES: &str =
    "is set, and so is CLERK_JWT_KEY, which needs no URL; set only one of them";
#[cfg(feature = "machines")]
const MACHINE_SECRET_KEY: &str = "CLERK_MACHINE_SECRET_KEY";
#[cfg(feature = "machines")]
const NOBODY_TO_ASK: &str = "is not set, so that Clerk cannot be asked about opaque tokens; set it, or \
    CLERK_MACHINE_SECRET_KEY for machines' tokens alone";
const NO_SECRET_KEY: &str = "is not set, but CLERK_JWKS_URL is the Backend API's, which requires it; \
                             set it, or use the Frontend API's JWKS URL";

const NOT_AN_INSTANCE: &str = "must be `ins_` and letters, digits or underscores, 255 bytes at most; \
                               unset it where the id is not known";

const API_URL: &str = "https://api.clerk.com";

#[cfg(test)]
mod tests;
