//! The lock-outs that a verifier asks about a token that is in order. Without the feature `lockouts` it has
//! the same methods and bars nobody.

#[cfg(feature = "lockouts")]
pub(super) use with::{Bar, Place, Wait};
#[cfg(not(feature = "lockouts"))]
pub(super) use without::{Bar, Place, Wait};

use super::error::AuthErrorKind;

/// What a bar says about a session.
#[cfg_attr(not(feature = "lockouts"), expect(dead_code, reason = "only lock-outs refuse"))]
pub(super) enum Ruling {
    Passes,
    Refused(AuthErrorKind),
    /// It will be known shortly.
    Waits(Wait),
}

#[cfg(feature = "lockouts")]
mod with {
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::AtomicU64;

    use super::Ruling;
    use crate::lockout::{Bearer, Lockouts, PendingLook, Reason, Standing};
    use crate::session::claims::Claims;
    use crate::session::error::AuthErrorKind;

    /// A verifier's lock-outs, if it has any.
    #[derive(Clone, Debug, Default)]
    pub(in crate::session) struct Bar(pub(in crate::session) Option<Lockouts>);

    pub(in crate::session) type Wait = PendingLook;

    /// A session's place before the bar: which lock-outs it has passed.
    pub(in crate::session) struct Place {
        seen: AtomicU64,
        /// Not the session's data, so it does not matter whether a panic leaves it in order.
        bar: AssertUnwindSafe<Bar>,
    }

    impl Bar {
        /// Returns the place of a session that has passed no lock-outs yet.
        pub(in crate::session) fn place(&self) -> Place {
            Place { seen: AtomicU64::new(u64::MAX), bar: AssertUnwindSafe(self.clone()) }
        }
    }

    impl Place {
        /// Judges a session by the lock-outs of now.
        pub(in crate::session) fn judge(&self, claims: &Claims) -> Ruling {
            match &self.bar.0.0 {
                None => Ruling::Passes,
                Some(lockouts) => ruling(lockouts.judge(&self.seen, || bearer(claims))),
            }
        }

        /// Judges a session by the lock-outs that are known, however old they are.
        pub(in crate::session) fn judge_at_once(&self, claims: &Claims) -> Ruling {
            match &self.bar.0.0 {
                None => Ruling::Passes,
                Some(lockouts) => ruling(lockouts.standing(bearer(claims))),
            }
        }

        /// Waits until the session is locked out.
        pub(in crate::session) async fn locked_out(&self, claims: &Claims) {
            match &self.bar.0.0 {
                None => std::future::pending().await,
                Some(lockouts) => lockouts.bars(bearer(claims)).await,
            }
        }
    }

    fn ruling(standing: Standing) -> Ruling {
        match standing {
            Standing::Good => Ruling::Passes,
            Standing::Barred(Reason::SessionEnded) => Ruling::Refused(AuthErrorKind::SessionEnded),
            Standing::Barred(Reason::MembershipEnded) => {
                Ruling::Refused(AuthErrorKind::MembershipEnded)
            }
            Standing::Unknown(look) => Ruling::Waits(look),
        }
    }

    fn bearer(claims: &Claims) -> Bearer<'_> {
        Bearer {
            session_id: claims.session_id(),
            user_id: claims.user_id(),
            organization_id: claims.organization().map(|organization| organization.id()),
            issued_at: claims.issued_at_milliseconds(),
        }
    }
}

#[cfg(not(feature = "lockouts"))]
mod without {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::Ruling;
    use crate::session::claims::Claims;

    #[derive(Clone, Debug, Default)]
    pub(in crate::session) struct Bar {}

    pub(in crate::session) struct Place;

    /// There is nothing to wait for.
    pub(in crate::session) struct Wait(Infallible);

    impl Bar {
        pub(in crate::session) fn place(&self) -> Place {
            Place
        }
    }

    impl Place {
        pub(in crate::session) fn judge(&self, _claims: &Claims) -> Ruling {
            Ruling::Passes
        }

        pub(in crate::session) fn judge_at_once(&self, _claims: &Claims) -> Ruling {
            Ruling::Passes
        }

        #[cfg(feature = "remote")]
        pub(in crate::session) async fn locked_out(&self, _claims: &Claims) {
            std::future::pending().await
        }
    }

    impl Future for Wait {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            match self.0 {}
        }
    }
}
