//! ⑤ The store beneath: what it weighs and when it lets go. The only file that names moka.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::RandomState;
use moka::Expiry;
use moka::sync::Cache;

use super::Entry;

pub(super) type Tokens = Cache<Box<[u8]>, Arc<Entry>, RandomState>;

pub(super) fn tokens(bytes: u64) -> Tokens {
    Cache::<Box<[u8]>, Arc<Entry>>::builder()
        .max_capacity(bytes)
        .weigher(weight)
        .expire_after(UntilExpired)
        .build_with_hasher(seeded_at_random())
}

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

/// About what an entry takes: the token, what was decoded from it, and their surroundings.
#[expect(clippy::borrowed_box, reason = "moka hands over what it stores")]
fn weight(token: &Box<[u8]>, entry: &Arc<Entry>) -> u32 {
    let bytes = token.len() + entry.session.claims().approximate_bytes() + SURROUNDINGS;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Frees the memory of tokens whose time is over. Whether it is, no answer depends on: this
/// clock stands still while a machine sleeps, and hits are judged by the wall clock.
struct UntilExpired;

impl Expiry<Box<[u8]>, Arc<Entry>> for UntilExpired {
    fn expire_after_create(
        &self,
        _token: &Box<[u8]>,
        entry: &Arc<Entry>,
        _created_at: Instant,
    ) -> Option<Duration> {
        Some(entry.remembered_for)
    }
}

/// Clerk's tokens live for a minute. One that lives longer is verified again now and then.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// Entry, keys and the cache's own bookkeeping.
const SURROUNDINGS: usize = 512;

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
