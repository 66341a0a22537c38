//! ④ A token → a session: the one place where the steps stand in order. No http types.

mod builder;
mod policy;
mod rules;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use self::policy::Policy;
use super::claims::Session;
use super::claims::wire::Wire;
use super::error::{AuthError, AuthErrorKind};
use super::keys::{KeySource, Lookup, MissingKey, PendingKey, PublicKey};
use super::parse::UnverifiedToken;
use crate::clock::Clock;
use crate::trace::event;

pub use builder::VerifierBuilder;
pub use policy::{AudiencePolicy, AuthorizedPartyPolicy};

/// Turns session tokens into sessions, by the keys and the rules of one instance.
///
/// Cheap to clone; clones share their keys.
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
    inner: Arc<Inner>,
}

struct Inner {
    keys: Box<dyn KeySource>,
    policy: Policy,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// A verifier for tokens whose `iss` is exactly `issuer`, by keys from `keys`.
    pub fn builder(issuer: impl Into<String>, keys: impl KeySource) -> VerifierBuilder {
        VerifierBuilder::new(issuer.into(), Box::new(keys))
    }

    /// A verifier for the instance of a publishable key: its issuer, and the keys that its
    /// Frontend API publishes. They are fetched when the first token needs them.
    ///
    /// # Errors
    ///
    /// A system without usable root certificates.
    #[cfg(feature = "reqwest")]
    pub fn for_instance(
        key: &crate::PublishableKey,
    ) -> Result<VerifierBuilder, crate::ConfigError> {
        let keys = super::keys::RemoteKeys::from_url(&key.jwks_url())?;
        Ok(Self::builder(key.issuer(), keys))
    }

    /// Verifies a token, waiting for its key when it has to be fetched.
    ///
    /// # Errors
    ///
    /// The token is not a session of this instance now, or no keys could be had: see
    /// [`AuthErrorKind`].
    pub async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        match self.start(token) {
            Progress::Done(result) => result,
            Progress::Waiting(mut parked) => poll_fn(|cx| parked.poll(cx)).await,
        }
    }

    /// Verifies a token as far as that goes without waiting.
    pub(super) fn start(&self, token: &str) -> Progress {
        // 1. Shape, size and header, so that no hopeless token reaches the keys.
        let token = match UnverifiedToken::parse(token) {
            Ok(parsed) => parsed,
            Err(kind) => return Progress::Done(Err(kind.into())),
        };
        // 2. The key.
        match self.inner.keys.lookup(token.kid.as_deref()) {
            Lookup::Known(key) => Progress::Done(self.finish(&token, &key)),
            Lookup::Missing(missing) => Progress::Done(Err(no_key(missing))),
            Lookup::Pending(key) => {
                Progress::Waiting(Parked { verifier: self.clone(), token: token.into_owned(), key })
            }
        }
    }

    fn finish(&self, token: &UnverifiedToken<'_>, key: &PublicKey) -> Result<Session, AuthError> {
        // 3. The signature; nothing is read from the claims before it.
        if !key.verifies(token.signed.as_bytes(), &token.signature) {
            return Err(AuthErrorKind::BadSignature.into());
        }
        // 4. The rules, by the time of this moment.
        let wire = Wire::parse(&token.payload).ok_or(AuthErrorKind::InvalidClaims)?;
        let reported = rules::check(&wire, &self.inner.policy, self.inner.clock.now())?;
        if let Some(_kind) = reported {
            event!(warn, reason = _kind.as_str(), "a token passes that its policy only reports");
        }
        // 5. The claims, typed.
        let claims =
            wire.into_claims(&token.payload, reported).ok_or(AuthErrorKind::InvalidClaims)?;
        Ok(Session::new(claims))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("policy", &self.inner.policy)
            .field("keys", &self.inner.keys)
            .finish_non_exhaustive()
    }
}

/// How far a verification came without waiting.
pub(super) enum Progress {
    Done(Result<Session, AuthError>),
    Waiting(Parked),
}

/// A verification that waits for its key. It owns what it needs: the request goes its own way.
pub(super) struct Parked {
    verifier: Verifier,
    token: UnverifiedToken<'static>,
    key: PendingKey,
}

impl Parked {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Session, AuthError>> {
        let key: Pin<&mut (dyn Future<Output = _> + Send)> = self.key.as_mut();
        Poll::Ready(match ready!(key.poll(cx)) {
            Ok(key) => self.verifier.finish(&self.token, &key),
            Err(missing) => Err(no_key(missing)),
        })
    }
}

fn no_key(missing: MissingKey) -> AuthError {
    match missing {
        MissingKey::Unknown => AuthErrorKind::UnknownKey.into(),
        MissingKey::Unavailable { retry_after } => {
            event!(debug, "a token could not be judged: no session keys are at hand");
            AuthError::keys_unavailable(retry_after)
        }
    }
}
