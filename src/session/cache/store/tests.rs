//! What the store promises of itself.

use super::*;

/// Who could tell where a token goes could send many that go to the same place.
#[test]
fn d11_no_two_stores_hash_alike_so_that_nobody_can_choose_tokens_that_collide() {
    let (a, b) = (seeded_hasher(), seeded_hasher());
    for token in ["", "a.b.c", "a.b.d"] {
        assert_ne!(a.hash_one(token), b.hash_one(token), "{token:?}");
        assert_eq!(a.hash_one(token), a.clone().hash_one(token), "{token:?}");
    }
}
