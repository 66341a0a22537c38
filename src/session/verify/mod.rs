//! The verification of tokens: the steps from a token to a session, in their order. Uses no HTTP
//! types: `gate` takes the token from its header line, and decides about the request afterwards.

mod builder;
mod check;
#[cfg(feature = "machines")]
mod machine;
mod policy;
mod rules;

use std::collections::HashSet;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use self::check::Checks;
use self::policy::Policy;
use self::rules::Accepted;
use super::bar::{Bar, Ruling, Wait};
use super::cache::TokenCache;
use super::claims::wire::Wire;
use super::error::{AuthError, AuthErrorKind, Cause};
use super::keys::{Candidates, KeySource, Lookup, MissingKey, PendingKey, PublicKey};
use super::parse::{TokenClass, TokenKind, UnverifiedToken};
use super::session::{Session, VerifierId};
use crate::ConfigError;
use crate::clock::Clock;
use crate::meter::count;
use crate::trace::event;

#[cfg(feature = "reqwest")]
pub(crate) use builder::{check_authorized_parties, check_issuer};

pub use builder::VerifierBuilder;
pub use check::Denied;
pub use policy::{AudiencePolicy, AuthorizedPartyPolicy};

/// A verifier of session tokens, with the keys and the rules of one instance, or of several with
/// [`any_of`](Self::any_of).
///
/// Cheap to clone; clones share their keys and their cache of verified tokens.
///
/// A session that was revoked at Clerk is accepted until its token expires, because Clerk is not asked
/// about each token: usually within a minute, but a token that the Backend API made with
/// `expires_in_seconds` lives for as long as that says. The cache does not lengthen it; a
/// [`max_lifetime`](VerifierBuilder::max_lifetime) limits it, and a [`check`](VerifierBuilder::check) of
/// your own can end it at once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = tower_clerk::test_util::Issuer::new("https://clerk.example.com", "ins_1");
/// # let (pem, token) = (issuer.pem(), issuer.token("user_1").mint());
/// use tower_clerk::session::{PemKey, Verifier};
///
/// let verifier = Verifier::builder("https://clerk.example.com", PemKey::parse(&pem)?).build()?;
/// let session = verifier.verify(&token).await?;
/// assert_eq!(session.user_id(), "user_1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Verifier {
    instances: Instances,
}

/// The instances of a verifier. With one, the usual case, the token is not parsed to find its
/// instance.
#[derive(Clone)]
enum Instances {
    One(Arc<Instance>),
    ByIssuer(Arc<[Arc<Instance>]>),
}

struct Instance {
    id: VerifierId,
    cache: TokenCache,
    keys: Box<dyn KeySource>,
    policy: Policy,
    bar: Bar,
    checks: Checks,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Returns a verifier for the tokens of several instances, each with its own keys and rules.
    /// The token's `iss` selects the instance that verifies it. Instances share nothing.
    ///
    /// # Errors
    ///
    /// There is no verifier, or two of them accept the same issuer.
    pub fn any_of(verifiers: impl IntoIterator<Item = Self>) -> Result<Self, ConfigError> {
        let problem = |text| ConfigError::new("verifiers", text);
        let instances: Vec<Arc<Instance>> = verifiers
            .into_iter()
            .flat_map(|verifier| match verifier.instances {
                Instances::One(instance) => vec![instance],
                Instances::ByIssuer(several) => several.to_vec(),
            })
            .collect();
        let mut issuers = HashSet::new();
        let mut accepted = instances.iter().flat_map(|instance| &instance.policy.issuers);
        if !accepted.all(|issuer| issuers.insert(issuer)) {
            return Err(problem(
                "two of them accept the same issuer; pass only one for each issuer",
            ));
        }
        if instances.is_empty() {
            return Err(problem("the list is empty; pass at least one"));
        }
        Ok(Self { instances: Instances::ByIssuer(instances.into()) })
    }

    /// Verifies a token, waiting for its key if it has to be fetched.
    ///
    /// # Errors
    ///
    /// The token is not a valid session token of this instance now, or no keys are available: see
    /// [`AuthErrorKind`].
    pub async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        match self.start(token.as_bytes()) {
            Verification::Done(result) => result,
            Verification::Parked(mut parked) => poll_fn(|cx| parked.poll(cx)).await,
        }
    }

    /// Fetches the keys of all instances unless they are known: for servers that should not start
    /// without them. Otherwise they are fetched when the first token needs them.
    ///
    /// # Errors
    ///
    /// The keys of an instance could not be fetched: [`source`](std::error::Error::source) names the
    /// issuer of each such instance, and why. The attempts continue on their own.
    pub async fn warm_up(&self) -> Result<(), AuthError> {
        let mut waiting: Vec<_> =
            self.instances().iter().map(|instance| (instance, instance.keys.warm_up())).collect();
        let mut failures = Vec::new();
        poll_fn(|cx| {
            waiting.retain_mut(|(instance, keys)| match keys.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(())) => false,
                Poll::Ready(Err(missing)) => {
                    failures.push((*instance, missing));
                    false
                }
            });
            if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        match failures.first() {
            None => Ok(()),
            Some((_, missing)) => {
                let failed = failures.iter().map(|(instance, _)| KeysFailure::of(instance));
                Err(no_key(*missing, Some(Arc::new(NoKeys(failed.collect())))))
            }
        }
    }

    /// Returns whether this verifier or a clone of it verified the session.
    pub(super) fn has_verified(&self, session: &Session) -> bool {
        self.instances().iter().any(|instance| instance.id == session.verifier())
    }

    fn instances(&self) -> &[Arc<Instance>] {
        match &self.instances {
            Instances::One(instance) => std::slice::from_ref(instance),
            Instances::ByIssuer(several) => several,
        }
    }

    /// Verifies a token as far as possible without waiting.
    pub(super) fn start(&self, token: &[u8]) -> Verification {
        match &self.instances {
            Instances::One(instance) => instance.start(token),
            Instances::ByIssuer(several) => {
                // The selected instance compares with its own maximum.
                let lengths = several.iter().map(|one| one.policy.max_token_bytes);
                let kind = match peek_issuer(token, lengths.max().unwrap_or_default()) {
                    Err(kind) => kind,
                    Ok(iss) => match several.iter().find(|one| one.policy.accepts_issuer(&iss)) {
                        Some(instance) => return instance.start(token),
                        None => AuthErrorKind::IssuerMismatch,
                    },
                };
                Verification::Done(Err(kind.into()))
            }
        }
    }
}

impl Instance {
    fn start(self: &Arc<Self>, token: &[u8]) -> Verification {
        // A token that was verified a moment ago, by a key that is still the instance's.
        if let Some(session) = self.remembered(token) {
            return self.verdict(session);
        }
        // Shape, size and header, so that a token that can never pass does not reach the keys.
        let token = match parse(token, self.policy.max_token_bytes) {
            Ok(parsed) => parsed,
            Err(kind) => return Verification::Done(Err(kind.into())),
        };
        if token.class == TokenClass::Template && !self.policy.templates_allowed {
            return Verification::Done(Err(AuthErrorKind::WrongTokenType.into()));
        }
        // The key.
        let lookup = self.keys.lookup(token.kid.as_deref());
        let mut search = KeySearch::default();
        match self.resume(&token, &mut search, lookup) {
            Step::Signed(signer) => self.finished(&token, signer),
            Step::Failed(error) => Verification::Done(Err(error)),
            Step::Wait(pending) => {
                let wait = WaitForKey { token: token.into_owned(), search, pending };
                self.parked(ParkedFor::Key(Box::new(wait)))
            }
        }
    }

    /// Returns what becomes of a session whose token is in order: the lock-outs, then the server's own checks,
    /// about each request, since what they look at may change.
    #[inline]
    fn verdict(self: &Arc<Self>, session: Session) -> Verification {
        match session.ruling() {
            Ruling::Passes => Verification::Done(self.checks.pass(session)),
            Ruling::Refused(kind) => Verification::Done(Err(kind.into())),
            Ruling::Waits(wait) => self.parked(ParkedFor::Lockouts(session, wait)),
        }
    }

    /// Returns what becomes of a session by a ruling, or by the lock-outs that are known if it has none.
    fn ruled(&self, ruling: &Ruling, session: Session) -> Result<Session, AuthError> {
        match ruling {
            Ruling::Refused(kind) => Err((*kind).into()),
            Ruling::Passes | Ruling::Waits(_) => self.checks.pass(session),
        }
    }

    fn parked(self: &Arc<Self>, waits: ParkedFor) -> Verification {
        Verification::Parked(Parked { instance: Arc::clone(self), waits })
    }

    /// Continues with the result of a lookup, as far as possible without waiting: looks again for
    /// keys that may have signed the token, as often as may help.
    fn resume(
        &self,
        token: &UnverifiedToken<'_>,
        search: &mut KeySearch,
        mut lookup: Lookup,
    ) -> Step {
        loop {
            let keys = match lookup {
                Lookup::Known(keys) => keys,
                Lookup::Missing(missing) => {
                    return Step::Failed(search.failed(missing, self.keys.last_failure()));
                }
                Lookup::Pending(pending) => return Step::Wait(pending),
            };
            if let Some(signer) = search.signer(token, &keys) {
                return Step::Signed(Arc::clone(signer));
            }
            if search.repeated == MOST_REPEATS {
                return Step::Failed(AuthErrorKind::BadSignature.into());
            }
            search.repeated += 1;
            lookup = self.keys.lookup_again(token.kid.as_deref(), &keys);
            search.tried = Some(keys);
        }
    }

    /// Returns the cached session if a fresh verification would give the same result: its key is
    /// still the one that the source returns for its `kid`, and the wall clock is in its window.
    fn remembered(&self, token: &[u8]) -> Option<Session> {
        let session = self.cache.get(token)?;
        if !self.keys.is_current(session.claims().key_id(), session.key())
            || !session.window().contains(self.clock.now())
        {
            self.cache.forget(token);
            return None;
        }
        count!("clerk_token_cache_hits_total",);
        Some(session)
    }

    /// Returns what becomes of a token that `signer` has signed.
    fn finished(
        self: &Arc<Self>,
        token: &UnverifiedToken<'_>,
        signer: Arc<PublicKey>,
    ) -> Verification {
        match self.finish(token, signer) {
            Ok(session) => self.verdict(session),
            Err(error) => Verification::Done(Err(error)),
        }
    }

    /// Applies the rules to a token that `signer` has signed.
    fn finish(
        &self,
        token: &UnverifiedToken<'_>,
        signer: Arc<PublicKey>,
    ) -> Result<Session, AuthError> {
        // The rules, at the current time.
        let now = self.clock.now();
        let wire = Wire::parse(&token.payload).ok_or(AuthErrorKind::InvalidClaims)?;
        let Accepted { valid_during, violation } =
            rules::check(&wire, token.class, &self.policy, now)?;
        if let Some(_kind) = violation {
            event!(
                warn,
                reason = _kind.as_str(),
                "a token with a missing or wrong azp passes: the policy only reports it",
            );
        }
        // The typed claims. Only a session that keeps every rule is cached.
        let claims = wire.into_claims(token.text().as_bytes(), token.kid.as_deref(), violation);
        let claims = claims.ok_or(AuthErrorKind::InvalidClaims)?;
        let session = Session::new(claims, signer, valid_during, self.id, &self.clock, &self.bar);
        self.cache.put(&session);
        Ok(session)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instances {
            Instances::One(instance) => instance.fmt(f),
            Instances::ByIssuer(several) => f.debug_list().entries(&**several).finish(),
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("policy", &self.policy)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// Returns the issuer that an unverified token names. It only selects the instance, which compares
/// `iss` again after the signature.
fn peek_issuer(token: &[u8], max_bytes: usize) -> Result<String, AuthErrorKind> {
    let token = parse(token, max_bytes)?;
    let wire = Wire::parse(&token.payload).ok_or(AuthErrorKind::Malformed)?;
    wire.iss.text().map(str::to_owned).ok_or(AuthErrorKind::IssuerMismatch)
}

fn parse(token: &[u8], max_bytes: usize) -> Result<UnverifiedToken<'_>, AuthErrorKind> {
    let token = str::from_utf8(token).map_err(|_| AuthErrorKind::Malformed)?;
    UnverifiedToken::parse(token, TokenKind::Session, max_bytes)
}

/// The state of a verification after all steps that need no waiting.
pub(super) enum Verification {
    Done(Result<Session, AuthError>),
    Parked(Parked),
}

/// A verification that waits. It owns its data, because the request is kept elsewhere.
pub(super) struct Parked {
    instance: Arc<Instance>,
    waits: ParkedFor,
}

/// What a verification waits for.
enum ParkedFor {
    Key(Box<WaitForKey>),
    /// For the first look for lock-outs after a while without one.
    Lockouts(Session, Wait),
}

struct WaitForKey {
    token: UnverifiedToken<'static>,
    search: KeySearch,
    pending: PendingKey,
}

impl Parked {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Session, AuthError>> {
        loop {
            let verification = match &mut self.waits {
                ParkedFor::Lockouts(session, wait) => {
                    ready!(Pin::new(wait).poll(cx));
                    let ruling = session.ruling_at_once();
                    return Poll::Ready(self.instance.ruled(&ruling, session.clone()));
                }
                ParkedFor::Key(waiting) => {
                    let WaitForKey { token, search, pending } = &mut **waiting;
                    let found = {
                        let pending: Pin<&mut (dyn Future<Output = _> + Send)> = pending.as_mut();
                        ready!(pending.poll(cx))
                    };
                    match self.instance.resume(token, search, found.into()) {
                        Step::Wait(next) => {
                            *pending = next;
                            continue;
                        }
                        Step::Signed(signer) => self.instance.finished(token, signer),
                        Step::Failed(error) => return Poll::Ready(Err(error)),
                    }
                }
            };
            match verification {
                Verification::Done(result) => return Poll::Ready(result),
                Verification::Parked(next) => *self = next,
            }
        }
    }

    /// Returns what is known without waiting: nothing without the key.
    pub(super) fn at_once(self) -> Result<Session, AuthError> {
        match self.waits {
            ParkedFor::Key(_) => Err(AuthErrorKind::NotJudged.into()),
            ParkedFor::Lockouts(session, _) => {
                self.instance.ruled(&session.ruling_at_once(), session)
            }
        }
    }
}

/// The search for the key that signed a token.
#[derive(Default)]
struct KeySearch {
    /// The keys that were tried last.
    tried: Option<Candidates>,
    /// How often keys were looked up again.
    repeated: u8,
}

/// The result of a search as far as it got without waiting.
enum Step {
    /// The key that signed the token.
    Signed(Arc<PublicKey>),
    Failed(AuthError),
    Wait(PendingKey),
}

/// The number of times that keys are looked up again for one token. The first may join a fetch that
/// began before the token came; the second then causes one that is certain to be recent enough.
const MOST_REPEATS: u8 = 2;

impl KeySearch {
    /// Returns the key that signed the token. No claim is trusted before there is one.
    fn signer<'k>(
        &self,
        token: &UnverifiedToken<'_>,
        keys: &'k Candidates,
    ) -> Option<&'k Arc<PublicKey>> {
        let is_new =
            |key: &&Arc<PublicKey>| self.tried.as_ref().is_none_or(|tried| !tried.contains(key));
        keys.iter().filter(is_new).find(|key| key.verifies(token.signed(), &token.signature))
    }

    /// Returns the error if there are no further keys, because of `cause` if they are unavailable.
    fn failed(&self, missing: MissingKey, cause: Option<Cause>) -> AuthError {
        match missing {
            MissingKey::Unknown if self.tried.is_some() => AuthErrorKind::BadSignature.into(),
            missing => no_key(missing, cause),
        }
    }
}

/// The keys that [`Verifier::warm_up`] could not fetch.
#[derive(Debug)]
struct NoKeys(Vec<KeysFailure>);

/// An instance without keys, by its issuer.
#[derive(Debug)]
struct KeysFailure {
    issuer: String,
    cause: Option<Cause>,
}

impl KeysFailure {
    fn of(instance: &Instance) -> Self {
        let issuer = instance.policy.issuers.first().cloned().unwrap_or_default();
        Self { issuer, cause: instance.keys.last_failure() }
    }
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, KeysFailure { issuer, cause }) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}the keys of {issuer} could not be fetched")?;
            let mut cause: Option<&dyn std::error::Error> =
                cause.as_deref().map(|cause| cause as _);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl std::error::Error for NoKeys {}

fn no_key(missing: MissingKey, cause: Option<Cause>) -> AuthError {
    match missing {
        MissingKey::Unknown => AuthErrorKind::UnknownKey.into(),
        MissingKey::Unavailable { retry_after } => {
            event!(debug, "a token could not be verified: no session keys are available");
            AuthError::keys_unavailable(retry_after, cause)
        }
    }
}
