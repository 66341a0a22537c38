//! The verification of machines' JWTs and OAuth access tokens: by the keys of sessions, and by rules of their
//! own.

use std::sync::Arc;

use super::super::claims::wire::Wire;
use super::super::error::{AuthError, AuthErrorKind};
use super::super::parse::{TokenKind, UnverifiedToken, machine_kind};
use super::{AudiencePolicy, Instance, Instances, KeySearch, Step, Verifier, rules};

/// A verified token of a machine: what it says, for who reads its claims.
pub(in crate::session) struct VerifiedMachine {
    /// The second part, decoded: one JSON object.
    pub(in crate::session) payload: Vec<u8>,
    #[cfg_attr(not(feature = "lockouts"), expect(dead_code, reason = "only lock-outs compare it"))]
    pub(in crate::session) issued_at: Option<i64>,
}

impl Verifier {
    /// Returns which machine's kind an unverified token says it is; `None` for all others, and for one that
    /// the cache of sessions has.
    pub(in crate::session) fn machine_kind(&self, token: &str) -> Option<TokenKind> {
        let instances = self.instances();
        if instances.iter().any(|instance| instance.cache.get(token.as_bytes()).is_some()) {
            return None;
        }
        let longest = instances.iter().map(|instance| instance.policy.max_token_bytes).max();
        machine_kind(token, longest.unwrap_or_default())
    }

    /// Verifies a token of `kind`, waiting for its key if it has to be fetched.
    pub(in crate::session) async fn verify_machine(
        &self,
        token: &str,
        kind: TokenKind,
        audience: &AudiencePolicy,
    ) -> Result<VerifiedMachine, AuthError> {
        let (instance, token) = self.instance_of(token, kind)?;
        let mut lookup = instance.keys.lookup(token.kid.as_deref());
        let mut search = KeySearch::default();
        let signer = loop {
            match instance.resume(&token, &mut search, lookup) {
                Step::Signed(signer) => break signer,
                Step::Failed(error) => return Err(error),
                Step::Wait(pending) => lookup = pending.await.into(),
            }
        };
        // Its window is not kept: each request verifies the token anew.
        drop(signer);
        let now = instance.clock.now();
        let wire = Wire::parse(&token.payload).ok_or(AuthErrorKind::InvalidClaims)?;
        rules::check_machine(&wire, kind, audience, &instance.policy, now)?;
        let issued_at = wire.iat.map(|iat| iat.milliseconds());
        Ok(VerifiedMachine { payload: token.payload, issued_at })
    }

    /// Returns the instance that an unverified token names, and the token parsed.
    fn instance_of<'t>(
        &self,
        token: &'t str,
        kind: TokenKind,
    ) -> Result<(&Arc<Instance>, UnverifiedToken<'t>), AuthError> {
        let parse = |most| UnverifiedToken::parse(token, kind, most);
        match &self.instances {
            Instances::One(instance) => Ok((instance, parse(instance.policy.max_token_bytes)?)),
            Instances::ByIssuer(several) => {
                let lengths = several.iter().map(|one| one.policy.max_token_bytes);
                let parsed = parse(lengths.max().unwrap_or_default())?;
                let wire = Wire::parse(&parsed.payload).ok_or(AuthErrorKind::Malformed)?;
                let iss = wire.iss.text().ok_or(AuthErrorKind::IssuerMismatch)?;
                let instance = several.iter().find(|one| one.policy.accepts_issuer(iss));
                let instance = instance.ok_or(AuthErrorKind::IssuerMismatch)?;
                if token.len() > instance.policy.max_token_bytes {
                    return Err(AuthErrorKind::TooLarge.into());
                }
                drop(wire);
                Ok((instance, parsed))
            }
        }
    }

    /// Returns the lock-outs of the first instance that has some.
    #[cfg(feature = "lockouts")]
    pub(in crate::session) fn lockouts(&self) -> Option<&crate::lockout::Lockouts> {
        self.instances().iter().find_map(|instance| instance.bar.0.as_ref())
    }
}
