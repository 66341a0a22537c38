//! How a verifier is configured: strict by default, every setting judged once, here.

use std::sync::Arc;
use std::time::Duration;

use super::policy::{AudiencePolicy, AuthorizedPartyPolicy, Policy};
use super::{Instance, Instances, Verifier};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};
use crate::session::cache::TokenCache;
use crate::session::keys::KeySource;

impl Verifier {
    /// A verifier for tokens whose `iss` is exactly `issuer`, by keys from `keys`.
    pub fn builder(issuer: impl Into<String>, keys: impl KeySource) -> VerifierBuilder {
        VerifierBuilder {
            keys: Box::new(keys),
            clock: Arc::new(SystemClock::new()),
            policy: Policy::new(issuer.into()),
            cache_bytes: CACHE_BYTES,
        }
    }

    /// A verifier for the instance of a publishable key: its issuer, and the keys that its
    /// Frontend API publishes. They are fetched when the first token needs them.
    ///
    /// # Errors
    ///
    /// A system without usable root certificates.
    #[cfg(feature = "reqwest")]
    pub fn for_instance(key: &crate::PublishableKey) -> Result<VerifierBuilder, ConfigError> {
        let keys = crate::session::keys::RemoteKeys::from_url(&key.jwks_url())?;
        Ok(Self::builder(key.issuer(), keys))
    }
}

/// Configures a [`Verifier`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct VerifierBuilder {
    keys: Box<dyn KeySource>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    cache_bytes: u64,
}

impl VerifierBuilder {
    /// The origins that a token may have been made for, such as `https://app.example.com`: `azp`
    /// must be one of them, to the letter, and a token without `azp` is refused.
    ///
    /// Without this setting `azp` is not looked at.
    pub fn authorized_parties<I, P>(mut self, parties: I) -> Self
    where
        I: IntoIterator<Item = P>,
        P: Into<String>,
    {
        self.policy.authorized_parties = Some(parties.into_iter().map(Into::into).collect());
        self
    }

    /// What a missing or wrong `azp` means: refused, unless this says otherwise. Has no effect
    /// without [`authorized_parties`](Self::authorized_parties).
    pub fn authorized_party_policy(mut self, policy: AuthorizedPartyPolicy) -> Self {
        self.policy.authorized_party_policy = policy;
        self
    }

    /// Which audiences a token may have been made for; `aud` is not looked at by default.
    pub fn audience(mut self, policy: AudiencePolicy) -> Self {
        self.policy.audience = policy;
        self
    }

    /// Accepts tokens of another issuer too, by the same keys: a satellite domain's or a proxy's.
    pub fn also_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.policy.issuers.push(issuer.into());
        self
    }

    /// Lets a pending session count as one. Whether it is pending, the claims say.
    pub fn allow_pending_sessions(mut self) -> Self {
        self.policy.pending_allowed = true;
        self
    }

    /// Refuses sessions in which somebody else acts for the user (`act`).
    pub fn deny_impersonation(mut self) -> Self {
        self.policy.impersonation_denied = true;
        self
    }

    /// How far Clerk's clock and this machine's may lie apart: 5 s by default, at most 5 minutes.
    pub fn skew(mut self, skew: Duration) -> Self {
        self.policy.skew = skew;
        self
    }

    /// How many bytes the cache of verified tokens may take, about: 32 MiB by default, some
    /// twenty-five thousand tokens.
    #[cfg(feature = "moka")]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Verifies each token anew, each time it comes.
    ///
    /// With the cache a token is accepted for no longer and by no other key than without it.
    #[cfg(feature = "moka")]
    pub fn without_cache(self) -> Self {
        self.cache_bytes(0)
    }

    /// What time it is.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The verifier.
    ///
    /// # Errors
    ///
    /// - an issuer that is not `https://<host>` (`http://` on a loopback address), or has a slash
    ///   at its end: no token could match it;
    /// - authorized parties that are none, or one that is not an origin;
    /// - an audience policy without an audience, or with an empty one;
    /// - a skew above five minutes.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        let Self { keys, clock, policy, cache_bytes } = self;
        policy.issuers.iter().try_for_each(|issuer| check_issuer(issuer))?;
        policy.authorized_parties.iter().try_for_each(|list| check_authorized_parties(list))?;
        if let AudiencePolicy::Required(list) | AudiencePolicy::IfPresent(list) = &policy.audience
            && (list.is_empty() || list.iter().any(String::is_empty))
        {
            let problem = "must be one or more texts, none of them empty";
            return Err(ConfigError::new("audience", problem));
        }
        if policy.skew > MAX_SKEW {
            return Err(ConfigError::new("skew", "must be at most five minutes"));
        }
        let cache = TokenCache::new(cache_bytes);
        let instance = Instance { cache, keys, policy, clock };
        Ok(Verifier { instances: Instances::One(Arc::new(instance)) })
    }
}

/// `https://host[:port][/path]`, as Clerk writes it: with a proxy the issuer has a path.
pub(crate) fn check_issuer(issuer: &str) -> Result<(), ConfigError> {
    let problem = |text| Err(ConfigError::new("issuer", text));
    let rest = match split_scheme(issuer) {
        Some(("https", rest)) => rest,
        Some(("http", rest)) if is_loopback(rest) => rest,
        Some(("http", _)) => {
            return problem("must be `https:`; `http:` only on a loopback address");
        }
        _ => return problem("must be `https://` and the Frontend API's host"),
    };
    if issuer.ends_with('/') {
        return problem("must not end in a slash: tokens name the issuer without one");
    }
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '*');
    if rest.is_empty() || rest.starts_with('/') || !rest.chars().all(plain) {
        return problem(
            "must be `https://` and the Frontend API's host, without query or fragment",
        );
    }
    Ok(())
}

/// One origin or more.
pub(crate) fn check_authorized_parties(parties: &[String]) -> Result<(), ConfigError> {
    if parties.is_empty() {
        return Err(ConfigError::new(
            "authorized parties",
            "are an empty list, which would refuse everybody; leave the setting out to check \
             nothing",
        ));
    }
    parties.iter().try_for_each(|party| check_origin(party))
}

/// `scheme://host[:port]`, as browsers write an origin: an entry that cannot match is a mistake.
fn check_origin(origin: &str) -> Result<(), ConfigError> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '?' | '#' | '@' | '*' | ',');
    match split_scheme(origin) {
        // Mobile and desktop shells have schemes of their own.
        Some((scheme, host))
            if !scheme.is_empty()
                && !host.is_empty()
                && host.chars().all(plain)
                && !origin.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            Ok(())
        }
        _ => Err(ConfigError::new(
            "authorized parties",
            "must be origins such as `https://app.example.com`: lower case, with a scheme, \
             without path, slash at the end or wildcard",
        )),
    }
}

fn split_scheme(url: &str) -> Option<(&str, &str)> {
    url.split_once("://")
}

fn is_loopback(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const CACHE_BYTES: u64 = 32 * 1024 * 1024;

const MAX_SKEW: Duration = Duration::from_secs(300);
