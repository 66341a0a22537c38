//! Which callers a layer accepts beside sessions, and the way from a token to a caller.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use super::inquiries::{Introspection, Known, hash};
use super::jwt;
use super::principal::{Found, MachineKind, Principal};
use super::shape;
use crate::session::error::{AuthError, AuthErrorKind};
use crate::session::parse::TokenKind;
use crate::session::verify::{AudiencePolicy, Verifier};

/// The callers beside sessions whom a [`ClerkAuthLayer`](crate::session::ClerkAuthLayer) accepts; none, until
/// they are named.
///
/// ```
/// use tower_clerk::secret::SecretKey;
/// use tower_clerk::session::machine::{BackendApiIntrospect, MachineTokens};
/// use tower_clerk::session::{ClerkAuthLayer, Verifier};
///
/// # fn layer(verifier: Verifier, key: &SecretKey) -> Result<ClerkAuthLayer, tower_clerk::ConfigError> {
/// let introspection = BackendApiIntrospect::new("https://api.clerk.com")?.secret_key(key)?.build();
/// let machines = MachineTokens::new(&introspection).accept_api_keys().accept_m2m();
/// Ok(ClerkAuthLayer::new(verifier).machines(machines))
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until a layer has it"]
pub struct MachineTokens {
    introspection: Option<Introspection>,
    kinds: Vec<MachineKind>,
    audience: AudiencePolicy,
    client_ids: Option<Vec<String>>,
    id: u64,
}

impl MachineTokens {
    /// Returns settings that accept nobody. Opaque tokens are asked about by `introspection`, which several
    /// layers may share.
    pub fn new(introspection: &Introspection) -> Self {
        Self { introspection: Some(introspection.clone()), ..Self::jwts_only() }
    }

    /// Returns settings that accept nobody, and never opaque tokens: JWTs are verified with the keys of
    /// sessions.
    pub fn jwts_only() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            introspection: None,
            kinds: Vec::new(),
            audience: AudiencePolicy::Off,
            client_ids: None,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Accepts API keys, `ak_…`.
    pub fn accept_api_keys(self) -> Self {
        self.accept(MachineKind::ApiKey)
    }

    /// Accepts machines' tokens (M2M), `mt_…` and JWTs. A JWT cannot be revoked before it ends.
    pub fn accept_m2m(self) -> Self {
        self.accept(MachineKind::M2m)
    }

    /// Accepts OAuth access tokens, `oat_…` and JWTs. A JWT cannot be revoked before it ends.
    pub fn accept_oauth(self) -> Self {
        self.accept(MachineKind::OAuth)
    }

    /// Accepts the tokens of a kind.
    pub fn accept(mut self, kind: MachineKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Sets the audiences of OAuth JWTs, as a rule the resource of a
    /// [`ProtectedResource`](super::ProtectedResource); default: `aud` is not checked. Opaque tokens have none.
    pub fn audience(self, policy: AudiencePolicy) -> Self {
        Self { audience: policy, ..self }
    }

    /// Accepts OAuth tokens of these applications alone; default: of all applications of the instance, which
    /// are many where applications may register themselves.
    pub fn client_ids<I, C>(self, client_ids: I) -> Self
    where
        I: IntoIterator<Item = C>,
        C: Into<String>,
    {
        Self { client_ids: Some(client_ids.into_iter().map(Into::into).collect()), ..self }
    }

    /// Judges a bearer token if it is one of an accepted machine; `None` for all others, sessions' among them.
    pub(in crate::session) fn judge(&self, token: &[u8], verifier: &Verifier) -> Option<Judging> {
        let token = str::from_utf8(token).ok()?;
        if let Some(kind) = shape::kind(token) {
            let introspection = self.introspection.as_ref().filter(|_| self.accepts(kind))?;
            if !shape::is_whole(token, kind) {
                return Some(Judging::Done(Err(AuthErrorKind::Malformed.into())));
            }
            return Some(self.judge_opaque(kind, token, introspection, verifier));
        }
        let kind = verifier.machine_kind(token)?;
        let of = match kind {
            TokenKind::Machine => MachineKind::M2m,
            TokenKind::OAuth => MachineKind::OAuth,
            TokenKind::Session => return None,
        };
        if !self.accepts(of) {
            return None;
        }
        let (this, token, verifier) = (self.clone(), token.to_owned(), verifier.clone());
        Some(Judging::begin(Box::pin(async move {
            let verified = verifier.verify_machine(&token, kind, &this.audience).await?;
            let caller = jwt::caller(of, &verified.payload).ok_or(AuthErrorKind::InvalidClaims)?;
            this.check_client(&caller)?;
            #[cfg(feature = "lockouts")]
            if let Some(kind) = locked_out(&verifier, &caller, verified.issued_at).await {
                return Err(kind.into());
            }
            Ok(this.found(caller))
        })))
    }

    fn judge_opaque(
        &self,
        kind: MachineKind,
        token: &str,
        introspection: &Introspection,
        verifier: &Verifier,
    ) -> Judging {
        if let Some(Err(error)) = introspection.known(&hash(token)) {
            return Judging::Done(Err(error));
        }
        let (this, introspection) = (self.clone(), introspection.clone());
        let (token, _verifier) = (token.to_owned(), verifier.clone());
        Judging::begin(Box::pin(async move {
            let hash = hash(&token);
            let known = match introspection.known(&hash).transpose()? {
                #[cfg(feature = "lockouts")]
                Some(known) if known.is_locked_out(&_verifier).await => {
                    // Clerk knows better what holds since then.
                    introspection.forget(&hash);
                    introspection.ask(kind, token).await?
                }
                Some(known) => known,
                None => introspection.ask(kind, token).await?,
            };
            this.check_client(&known.principal)?;
            Ok(this.found(known.principal.clone()))
        }))
    }

    fn accepts(&self, kind: MachineKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Checks that an OAuth token is one of an accepted application.
    fn check_client(&self, caller: &Principal) -> Result<(), AuthErrorKind> {
        match (caller, &self.client_ids) {
            (Principal::OAuth(token), Some(accepted)) => {
                let known = |id: &str| accepted.iter().any(|own| own == id);
                match token.client_id().is_some_and(known) {
                    true => Ok(()),
                    false => Err(AuthErrorKind::ClientMismatch),
                }
            }
            _ => Ok(()),
        }
    }

    fn found(&self, principal: Principal) -> Found {
        Found { principal, by: self.id }
    }

    /// Returns whether these settings, or a clone of them, accepted a caller.
    pub(in crate::session) fn has_accepted(&self, found: &Found) -> bool {
        found.by == self.id
    }
}

impl Known {
    /// Returns whether the caller was locked out after the answer was given.
    #[cfg(feature = "lockouts")]
    async fn is_locked_out(&self, verifier: &Verifier) -> bool {
        locked_out(verifier, &self.principal, self.answered_at).await.is_some()
    }
}

/// Returns why a caller who acts for a user, or for an organization, is refused by the lock-outs, if the token
/// is from this time, in milliseconds since 1970.
#[cfg(feature = "lockouts")]
async fn locked_out(
    verifier: &Verifier,
    caller: &Principal,
    issued_at: Option<i64>,
) -> Option<AuthErrorKind> {
    use crate::lockout::{Bearer, Reason, Standing};

    let lockouts = verifier.lockouts()?;
    let organization_id = match caller {
        Principal::ApiKey(key) => key.organization_id(),
        _ => None,
    };
    if caller.user_id().is_none() && organization_id.is_none() {
        return None;
    }
    let user_id = caller.user_id().unwrap_or_default();
    let bearer = Bearer { session_id: None, user_id, organization_id, issued_at };
    let unseen = AtomicU64::new(u64::MAX);
    let standing = match lockouts.judge(&unseen, || bearer) {
        Standing::Unknown(look) => {
            look.await;
            lockouts.standing(bearer)
        }
        known => known,
    };
    match standing {
        Standing::Barred(Reason::SessionEnded) => Some(AuthErrorKind::SessionEnded),
        Standing::Barred(Reason::MembershipEnded) => Some(AuthErrorKind::MembershipEnded),
        Standing::Good | Standing::Unknown(_) => None,
    }
}

/// The judgement of a machine's token as far as it got without waiting.
pub(in crate::session) enum Judging {
    Done(Result<Found, AuthError>),
    Pending(PendingCaller),
}

pub(in crate::session) type PendingCaller =
    Pin<Box<dyn Future<Output = Result<Found, AuthError>> + Send>>;

impl Judging {
    /// Goes as far as possible without waiting.
    fn begin(mut pending: PendingCaller) -> Self {
        match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(verdict) => Self::Done(verdict),
            Poll::Pending => Self::Pending(pending),
        }
    }

    /// Returns a verdict that needs no waiting, for a layer that refuses nothing.
    pub(in crate::session) fn at_once(self) -> Self {
        match self {
            Self::Done(Err(error))
                if matches!(
                    error.kind(),
                    AuthErrorKind::KeysUnavailable | AuthErrorKind::IntrospectionUnavailable
                ) =>
            {
                Self::Done(Err(error.into_not_judged()))
            }
            Self::Done(verdict) => Self::Done(verdict),
            Self::Pending(_) => Self::Done(Err(AuthErrorKind::NotJudged.into())),
        }
    }
}

impl fmt::Debug for MachineTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineTokens").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}
