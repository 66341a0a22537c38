//! The store beneath: what it weighs and when it lets go. The only file that names moka.

use std::borrow::Borrow;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::time::Duration;

use ahash::RandomState;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::super::session::Session;

pub(super) type Tokens = Cache<ByToken, Session, RandomState>;

pub(super) fn tokens(bytes: u64) -> Tokens {
    Cache::<ByToken, Session>::builder()
        .max_capacity(bytes)
        .weigher(|_, session| weight(session))
        .time_to_live(LONGEST)
        // By use alone: how often a token was asked for says nothing about the one that follows it,
        // and a policy that counts would keep popular dead ones and turn new ones away.
        .eviction_policy(EvictionPolicy::lru())
        .build_with_hasher(seeded_at_random())
}

/// A session as what it is found by: the bytes of its token, which it has anyway.
pub(super) struct ByToken(pub(super) Session);

impl Borrow<[u8]> for ByToken {
    fn borrow(&self) -> &[u8] {
        self.0.claims().token()
    }
}

impl Hash for ByToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<[u8]>::borrow(self).hash(state);
    }
}

impl PartialEq for ByToken {
    fn eq(&self, other: &Self) -> bool {
        Borrow::<[u8]>::borrow(self) == Borrow::<[u8]>::borrow(other)
    }
}

impl Eq for ByToken {}

/// Who chooses tokens cannot choose which of them collide, nor learn from the time that a lookup
/// takes how much of a token is right: whole texts are compared only within a bucket.
///
/// The seeds come from the standard library's keys, which are the operating system's randomness;
/// without a feature that would cost another crate, ahash's own are the same in each process.
fn seeded_at_random() -> RandomState {
    let random = std::hash::RandomState::new();
    let seed = |n: u64| random.hash_one(n);
    RandomState::with_seeds(seed(0), seed(1), seed(2), seed(3))
}

/// About what an entry takes: the session with its token, and their surroundings.
fn weight(session: &Session) -> u32 {
    u32::try_from(session.approximate_bytes() + SURROUNDINGS).unwrap_or(u32::MAX)
}

/// Frees the memory of tokens some time after they are over: Clerk's live for a minute, and one that
/// lives longer is verified again now and then. No answer depends on it: moka's clock stands still while
/// a machine sleeps, and hits are judged by the wall clock.
const LONGEST: Duration = Duration::from_secs(75);

/// The cache's own bookkeeping, and what allocations take besides.
const SURROUNDINGS: usize = 384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_no_two_caches_hash_alike() {
        let hashes: std::collections::HashSet<u64> =
            (0..16).map(|_| seeded_at_random().hash_one("a token")).collect();
        assert_eq!(hashes.len(), 16);
    }
}
