//! A key source without a network that does as it is told.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::Issuer;
use crate::session::KeySource;
use crate::session::keys::{Lookup, MissingKey, PemKey, PublicKey};

/// The keys of an instance as a test tells it: published, withdrawn, out of reach, on their way.
///
/// Clones are the same source: give one to the verifier and keep one to tell it what to do.
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
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Script>,
    lookups: AtomicUsize,
    failed_signatures: AtomicUsize,
}

#[derive(Debug, Default)]
struct Script {
    keys: Vec<(Box<str>, Arc<PublicKey>)>,
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
    /// A source that publishes no key yet: every `kid` is unknown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A source that publishes the key of `issuer`.
    #[must_use]
    pub fn of(issuer: &Issuer) -> Self {
        let keys = Self::new();
        keys.publish(issuer);
        keys
    }

    /// Publishes the key of `issuer`, in place of one with the same `kid`.
    ///
    /// # Panics
    ///
    /// When there is no memory left.
    #[expect(clippy::expect_used, reason = "an issuer's PEM is one")]
    pub fn publish(&self, issuer: &Issuer) {
        let key = PemKey::parse(&issuer.pem()).expect("an RSA key").public_key();
        let mut script = self.script();
        script.keys.retain(|(kid, _)| **kid != *issuer.kid());
        script.keys.push((issuer.kid().into(), key));
    }

    /// Takes the key with this `kid` back.
    pub fn withdraw(&self, kid: &str) {
        self.script().keys.retain(|(published, _)| **published != *kid);
    }

    /// What is published can be had, which is how a source starts. Lookups that wait are answered.
    pub fn available(&self) {
        self.reach(Reach::Available);
    }

    /// No key can be had, and asking again is worth it after `retry_after`: the instance is down.
    /// Lookups that wait are answered.
    pub fn unavailable(&self, retry_after: Duration) {
        self.reach(Reach::Unavailable(retry_after));
    }

    /// Each lookup waits until [`available`](Self::available) or
    /// [`unavailable`](Self::unavailable) is called: the keys are being fetched.
    pub fn pending(&self) {
        self.reach(Reach::Pending);
    }

    /// How many lookups there were: one a token, and a second for a token that was remembered and
    /// no longer holds.
    #[must_use]
    pub fn lookups(&self) -> usize {
        self.shared.lookups.load(Ordering::Relaxed)
    }

    /// How many tokens had a key that is published and a signature that is not its.
    #[must_use]
    pub fn failed_signatures(&self) -> usize {
        self.shared.failed_signatures.load(Ordering::Relaxed)
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
    /// `None` while it is not known.
    fn answer(&self, kid: Option<&str>) -> Option<Result<Arc<PublicKey>, MissingKey>> {
        match self.reach {
            Reach::Pending => None,
            Reach::Unavailable(retry_after) => Some(Err(MissingKey::Unavailable { retry_after })),
            Reach::Available => {
                let known = self.keys.iter().find(|(published, _)| Some(&**published) == kid);
                Some(known.map(|(_, key)| Arc::clone(key)).ok_or(MissingKey::Unknown))
            }
        }
    }
}

impl KeySource for ScriptedKeys {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        self.shared.lookups.fetch_add(1, Ordering::Relaxed);
        if let Some(answer) = self.script().answer(kid) {
            return answer.into();
        }
        let (keys, kid) = (self.clone(), kid.map(str::to_owned));
        Lookup::Pending(Box::pin(poll_fn(move |cx| {
            let mut script = keys.script();
            match script.answer(kid.as_deref()) {
                Some(answer) => Poll::Ready(answer),
                None => {
                    script.waiting.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })))
    }

    fn signature_failed(&self, _kid: Option<&str>) {
        self.shared.failed_signatures.fetch_add(1, Ordering::Relaxed);
    }
}
