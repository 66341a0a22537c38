//! A key source without a network, which a test controls.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::Issuer;
use crate::session::KeySource;
use crate::session::keys::{Candidates, Lookup, MissingKey, PemKey};

/// A key source that a test controls: its keys can be published, withdrawn, unavailable or pending.
///
/// Clones are the same source: pass one to the verifier, and keep one to control it.
///
/// ```
/// use std::time::Duration;
///
/// use tower_clerk::session::{AuthErrorKind, Verifier};
/// use tower_clerk::test_util::{Issuer, ScriptedKeys};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new("https://clerk.example.com", "ins_1");
/// let keys = ScriptedKeys::of(&issuer);
/// let verifier = Verifier::builder(issuer.iss(), keys.clone()).build()?;
/// let token = issuer.token("user_1").mint();
/// assert!(verifier.verify(&token).await.is_ok());
///
/// keys.withdraw(issuer.kid());
/// let refused = verifier.verify(&token).await.unwrap_err();
/// assert_eq!(refused.kind(), AuthErrorKind::UnknownKey);
///
/// keys.unavailable(Duration::from_secs(7));
/// let refused = verifier.verify(&token).await.unwrap_err();
/// assert_eq!(refused.kind(), AuthErrorKind::KeysUnavailable);
/// assert_eq!(refused.retry_after(), Some(Duration::from_secs(7)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScriptedKeys {
    shared: Arc<ScriptedState>,
}

#[derive(Debug, Default)]
struct ScriptedState {
    script: Mutex<Script>,
    lookups: AtomicUsize,
    failed_signatures: AtomicUsize,
}

#[derive(Debug, Default)]
struct Script {
    keys: Vec<(Box<str>, Candidates)>,
    reach: Reach,
    waiting: Vec<Waker>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Reach {
    #[default]
    Available,
    Pending,
    Unavailable(Duration),
}

impl ScriptedKeys {
    /// Creates a source without keys: every `kid` is unknown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a source with the key of `issuer`.
    #[must_use]
    pub fn of(issuer: &Issuer) -> Self {
        let keys = Self::new();
        keys.publish(issuer);
        keys
    }

    /// Publishes the key of `issuer`. It replaces a key with the same `kid`.
    ///
    /// # Panics
    ///
    /// Panics if memory is exhausted.
    #[expect(clippy::expect_used, reason = "an issuer's PEM is one")]
    pub fn publish(&self, issuer: &Issuer) {
        let key = PemKey::parse(&issuer.pem()).expect("an RSA key").candidates();
        let mut script = self.script();
        script.keys.retain(|(kid, _)| **kid != *issuer.kid());
        script.keys.push((issuer.kid().into(), key));
    }

    /// Withdraws the key with this `kid`.
    pub fn withdraw(&self, kid: &str) {
        self.script().keys.retain(|(published, _)| **published != *kid);
    }

    /// Makes the published keys available, which is the initial state, and answers pending lookups.
    pub fn available(&self) {
        self.reach(Reach::Available);
    }

    /// Makes all keys unavailable, with a retry after `retry_after`, as when the instance is down,
    /// and answers pending lookups.
    pub fn unavailable(&self, retry_after: Duration) {
        self.reach(Reach::Unavailable(retry_after));
    }

    /// Makes each lookup wait until [`available`](Self::available) or
    /// [`unavailable`](Self::unavailable) is called, as when the keys are being fetched.
    pub fn pending(&self) {
        self.reach(Reach::Pending);
    }

    /// Returns the number of lookups: one for each token, and a second for a cached token that is
    /// no longer valid.
    #[must_use]
    pub fn lookups(&self) -> usize {
        self.shared.lookups.load(Ordering::Relaxed)
    }

    /// Returns the number of tokens that had the `kid` of a published key, but not its signature.
    #[must_use]
    pub fn failed_signatures(&self) -> usize {
        self.shared.failed_signatures.load(Ordering::Relaxed)
    }

    fn answer(&self, kid: Option<&str>, tried: Option<&Candidates>) -> Lookup {
        if let Some(answer) = self.script().answer(kid, tried) {
            return answer.into();
        }
        let (keys, kid, tried) = (self.clone(), kid.map(str::to_owned), tried.cloned());
        Lookup::Pending(Box::pin(poll_fn(move |cx| {
            let mut script = keys.script();
            match script.answer(kid.as_deref(), tried.as_ref()) {
                Some(answer) => Poll::Ready(answer),
                None => {
                    script.waiting.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })))
    }

    fn reach(&self, reach: Reach) {
        let waiting = {
            let mut script = self.script();
            script.reach = reach;
            match reach {
                Reach::Pending => return,
                Reach::Available | Reach::Unavailable(_) => std::mem::take(&mut script.waiting),
            }
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.shared.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// Returns the answer to a lookup; `None` while it is pending.
    fn answer(
        &self,
        kid: Option<&str>,
        tried: Option<&Candidates>,
    ) -> Option<Result<Candidates, MissingKey>> {
        match self.reach {
            Reach::Pending => None,
            Reach::Unavailable(retry_after) => Some(Err(MissingKey::Unavailable { retry_after })),
            Reach::Available => {
                let known = self.keys.iter().find(|(published, _)| Some(&**published) == kid);
                let new = |keys: &Candidates| tried.is_none_or(|tried| tried.lack_one_of(keys));
                let found = known.map(|(_, keys)| keys.clone()).filter(new);
                Some(found.ok_or(MissingKey::Unknown))
            }
        }
    }
}

impl KeySource for ScriptedKeys {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        self.shared.lookups.fetch_add(1, Ordering::Relaxed);
        self.answer(kid, None)
    }

    fn lookup_again(&self, kid: Option<&str>, tried: &Candidates) -> Lookup {
        self.shared.failed_signatures.fetch_add(1, Ordering::Relaxed);
        self.answer(kid, Some(tried))
    }
}
