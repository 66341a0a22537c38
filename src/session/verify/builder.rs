//! The builder of a verifier: strict by default; checks every setting once.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::check::{Checks, Denied};
use super::policy::{AudiencePolicy, AuthorizedPartyPolicy, Policy};
use super::{Instance, Instances, Verifier};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};
use crate::origin::{Origin, QUOTES, check_port, is_host, split_port};
use crate::session::bar::Bar;
use crate::session::cache::TokenCache;
use crate::session::keys::KeySource;
use crate::session::session::{Session, VerifierId};

impl Verifier {
    /// Returns a builder for a verifier of tokens whose `iss` is exactly `issuer`, with keys from
    /// `keys`.
    pub fn builder(issuer: impl Into<String>, keys: impl KeySource) -> VerifierBuilder {
        VerifierBuilder {
            keys: Box::new(keys),
            clock: Arc::new(SystemClock::new()),
            policy: Policy::new(issuer.into()),
            bar: Bar::default(),
            checks: Checks::default(),
            cache_bytes: CACHE_BYTES,
        }
    }

    /// Returns a builder for a verifier of a publishable key's instance: with its issuer, and with
    /// the keys that its Frontend API publishes. They are fetched when the first token needs them.
    ///
    /// # Errors
    ///
    /// The system has no usable root certificates.
    #[cfg(feature = "reqwest")]
    pub fn for_instance(key: &crate::PublishableKey) -> Result<VerifierBuilder, ConfigError> {
        let keys = crate::session::keys::RemoteKeys::from_url(&key.jwks_url())?;
        Ok(Self::builder(key.issuer(), keys))
    }
}

/// A builder for a [`Verifier`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct VerifierBuilder {
    keys: Box<dyn KeySource>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    bar: Bar,
    checks: Checks,
    cache_bytes: u64,
}

impl VerifierBuilder {
    /// Sets the origins that tokens may be issued for, such as `https://app.example.com`: `azp`
    /// must be exactly one of them, and a token without `azp` is refused. Default: `azp` is not
    /// checked.
    pub fn authorized_parties<I, P>(mut self, parties: I) -> Self
    where
        I: IntoIterator<Item = P>,
        P: Into<String>,
    {
        self.policy.authorized_parties = Some(parties.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the treatment of a missing or wrong `azp`; default: the token is refused. Has no effect
    /// without [`authorized_parties`](Self::authorized_parties).
    pub fn authorized_party_policy(mut self, policy: AuthorizedPartyPolicy) -> Self {
        self.policy.authorized_party_policy = policy;
        self
    }

    /// Sets the audiences that tokens may be issued for; default: `aud` is not checked.
    pub fn audience(mut self, policy: AudiencePolicy) -> Self {
        self.policy.audience = policy;
        self
    }

    /// Accepts tokens of another issuer too, with the same keys: for example while a proxy in front of
    /// Clerk's Frontend API, which changes the issuer, is introduced. A satellite domain needs none: its
    /// tokens have its primary domain's issuer.
    pub fn also_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.policy.issuers.push(issuer.into());
        self
    }

    /// Accepts pending sessions; default: they are refused.
    /// [`Claims::is_pending`](crate::session::Claims::is_pending) returns whether a session is
    /// pending.
    pub fn allow_pending_sessions(mut self) -> Self {
        self.policy.pending_allowed = true;
        self
    }

    /// Accepts the tokens of JWT templates too; default: they are refused.
    ///
    /// Such a token is signed by the same key as a session's and names its user, but no session: it
    /// lives as long as the template says, outlives a sign-out, and may have been handed to a third
    /// party. With this, whoever holds one is its user. Set an [`audience`](Self::audience) that only
    /// templates meant for this server have, and a [`max_lifetime`](Self::max_lifetime).
    pub fn accept_template_tokens(mut self) -> Self {
        self.policy.templates_allowed = true;
        self
    }

    /// Refuses sessions in which another person acts for the user (`act`); default: they are
    /// accepted.
    pub fn deny_impersonation(mut self) -> Self {
        self.policy.impersonation_denied = true;
        self
    }

    /// Adds a check of your own, which a session must pass after all rules: a list of blocked users,
    /// for example, or of revoked sessions. Several are asked in the order in which they were added.
    ///
    /// It is asked about each request, also about a token that is in the cache, so it may look at
    /// state that changes. It must not block: it runs on the task of the request. Ask a database ahead
    /// of time, or in a layer behind this one.
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use std::sync::{Arc, RwLock};
    ///
    /// use tower_clerk::session::{Denied, Session, VerifierBuilder};
    ///
    /// type Blocked = Arc<RwLock<HashSet<String>>>;
    ///
    /// fn without_blocked_users(verifier: VerifierBuilder, blocked: Blocked) -> VerifierBuilder {
    ///     verifier.check(move |session: &Session| {
    ///         match blocked.read() {
    ///             Ok(blocked) if !blocked.contains(session.user_id()) => Ok(()),
    ///             Ok(_) => Err(Denied::forbidden().because("the user is blocked")),
    ///             Err(_) => Err(Denied::forbidden().because("the list of blocked users is lost")),
    ///         }
    ///     })
    /// }
    /// ```
    pub fn check<F>(mut self, check: F) -> Self
    where
        F: Fn(&Session) -> Result<(), Denied> + Send + Sync + 'static,
    {
        self.checks.push(check);
        self
    }

    /// Refuses the tokens of those whom an event at Clerk has locked out, at once and although the tokens have
    /// not expired; default: they are accepted until then. While this is on, tokens that live longer than an
    /// hour are refused, or longer than a shorter [`max_lifetime`](Self::max_lifetime): that is how long a
    /// lock-out is kept.
    ///
    /// A request pays for it with one comparison, unless there is a lock-out that its token was not compared
    /// with yet.
    #[cfg(feature = "lockouts")]
    pub fn lockouts(mut self, lockouts: &crate::lockout::Lockouts) -> Self {
        self.bar = Bar(Some(lockouts.clone()));
        self
    }

    /// Sets how far Clerk's clock and this machine's may differ; default: 5 s, at most 5 minutes.
    pub fn skew(mut self, skew: Duration) -> Self {
        self.policy.skew = skew;
        self
    }

    /// Refuses tokens that are valid for longer than `lifetime`, from `iat` to `exp`, and tokens
    /// without `iat`; default: any lifetime. Clerk's session tokens live for a minute, or as long as
    /// the instance's settings or `expires_in_seconds` of the Backend API say. From 1 s to 10 years.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.policy.max_lifetime = Some(lifetime);
        self
    }

    /// Sets the length of the longest token that is read, in bytes; default: 8 KiB. From 1 KiB to
    /// 64 KiB. A longer one is refused before anything in it is decoded.
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.policy.max_token_bytes = bytes;
        self
    }

    /// Sets how many bytes the cache of verified tokens may take, approximately; default: 32 MiB,
    /// some twenty-five thousand tokens.
    #[cfg(feature = "moka")]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Turns the cache off, so that each token is verified each time.
    ///
    /// The cache does not make a token valid for longer or by another key.
    #[cfg(feature = "moka")]
    pub fn without_cache(self) -> Self {
        self.cache_bytes(0)
    }

    /// Sets the clock; default: the operating system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    ///
    /// - an issuer that is not `https://<host>` (`http://` on a loopback address), or ends in a
    ///   slash: no token could match it;
    /// - an empty list of authorized parties, or one that is not an origin;
    /// - an audience policy with no audience, or with an empty one;
    /// - a skew above five minutes, a lifetime or a length outside its bounds.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        let Self { keys, clock, policy, bar, checks, cache_bytes } = self;
        #[cfg(feature = "lockouts")]
        let policy = limited(policy, &bar);
        policy.issuers.iter().try_for_each(|issuer| check_issuer(issuer))?;
        policy.authorized_parties.iter().try_for_each(|list| check_authorized_parties(list))?;
        if let AudiencePolicy::Required(list) | AudiencePolicy::IfPresent(list) = &policy.audience
            && (list.is_empty() || list.iter().any(String::is_empty))
        {
            let problem = "must be one or more strings, none of them empty";
            return Err(ConfigError::new("audience", problem));
        }
        if policy.skew > MAX_SKEW {
            return Err(ConfigError::new("skew", "must be at most five minutes"));
        }
        if policy.max_lifetime.is_some_and(|most| !LIFETIMES.contains(&most)) {
            return Err(ConfigError::new("maximum lifetime", "must be from 1 s to 10 years"));
        }
        if !TOKEN_BYTES.contains(&policy.max_token_bytes) {
            let problem = "must be from 1024 to 65536 bytes";
            return Err(ConfigError::new("maximum token length", problem));
        }
        let cache = TokenCache::new(cache_bytes);
        let id = VerifierId::unique();
        let instance = Instance { id, cache, keys, policy, bar, checks, clock };
        Ok(Verifier { instances: Instances::One(Arc::new(instance)) })
    }
}

/// Returns the policy under which no token outlives the lock-outs.
#[cfg(feature = "lockouts")]
fn limited(policy: Policy, bar: &Bar) -> Policy {
    use crate::lockout::LONGEST_TOKEN;
    let most = |set: Option<Duration>| Some(set.unwrap_or(LONGEST_TOKEN).min(LONGEST_TOKEN));
    match bar.0 {
        Some(_) => Policy { max_lifetime: most(policy.max_lifetime), ..policy },
        None => policy,
    }
}

/// Checks that an issuer is `https://host[:port][/path]`, as Clerk writes it: with a proxy the
/// issuer has a path.
pub(crate) fn check_issuer(issuer: &str) -> Result<(), ConfigError> {
    let problem = |text| Err(ConfigError::new("issuer", text));
    if issuer.contains(['"', '\'']) {
        return problem(QUOTES);
    }
    if issuer.contains(',') {
        return problem("must be one issuer, without a comma; `also_issuer` adds another");
    }
    let (scheme, rest) = match split_scheme(issuer) {
        Some(("https", rest)) => ("https", rest),
        Some(("http", rest)) if is_loopback(rest) => ("http", rest),
        Some(("http", _)) => {
            return problem("must start with `https://`, or on a loopback address with `http://`");
        }
        _ => return problem("must be `https://` and the Frontend API's host"),
    };
    if issuer.ends_with('/') {
        return problem("must not end in a slash: tokens name the issuer without one");
    }
    if issuer.ends_with("/jwks.json") || issuer.ends_with("/v1/jwks") {
        return problem(
            "is the JWKS URL; the issuer is its part before `/.well-known/jwks.json`, and the URL is \
             a setting of its own",
        );
    }
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '*' | '%');
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || !rest.chars().all(plain) {
        return problem(
            "must be `https://` and the Frontend API's host, without query or fragment",
        );
    }
    match check_host(scheme, host) {
        Ok(()) => Ok(()),
        Err(text) => problem(text),
    }
}

/// Checks that a list has at least one entry, and only origins.
pub(crate) fn check_authorized_parties(parties: &[String]) -> Result<(), ConfigError> {
    if parties.is_empty() {
        return Err(ConfigError::new(
            "authorized parties",
            "the list is empty, so that every token would be refused; leave the setting out if \
             `azp` should not be checked",
        ));
    }
    let check = |party: &String| Origin::parse(party).map(drop);
    let checked = parties.iter().try_for_each(check);
    checked.map_err(|error| error.named("authorized parties"))
}

/// Checks `host[:port]` of an issuer as URLs are written after parsing (WHATWG URL). The error says
/// what was probably meant.
fn check_host(scheme: &str, authority: &str) -> Result<(), &'static str> {
    let (host, _) = split_port(authority);
    if !is_host(host) {
        return Err(
            "must have a host in lower case, such as `clerk.example.com`, or an address such as \
             `[::1]`",
        );
    }
    check_port(scheme, authority)
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

/// The maximum lifetimes that may be set. The longest is Clerk's for a JWT template.
const LIFETIMES: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// The maximum lengths of a token that may be set.
const TOKEN_BYTES: RangeInclusive<usize> = 1024..=64 * 1024;
