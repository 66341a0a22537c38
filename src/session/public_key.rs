//! Verification of RSA signatures. The only file that verifies by the crypto crate; knows bytes, not
//! tokens.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents,
};

use crate::ConfigError;

/// An RSA public key, parsed once, that verifies RS256: RSASSA-PKCS1-v1_5 with SHA-256.
///
/// It uses no process-wide crypto provider: the implementation is fixed when this crate is
/// compiled.
pub struct PublicKey {
    parsed: ParsedPublicKey,
}

impl PublicKey {
    /// Returns the key with this big-endian modulus and exponent (RFC 7518 6.3.1).
    ///
    /// Returns `None` for a key that must not be used: a modulus outside 2048 to 8192 bits (RFC
    /// 7518 3.3 and the library's limit) or even; an exponent that is even, below 3 or above 33
    /// bits.
    pub(crate) fn from_components(n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        let usable_modulus = (2048..=8192).contains(&bits(n)) && odd(n);
        let usable_exponent = (2..=33).contains(&bits(e)) && odd(e);
        if !usable_modulus || !usable_exponent {
            return None;
        }
        let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(ALGORITHM).ok()?;
        Some(Self { parsed })
    }

    /// Parses a key in DER, SubjectPublicKeyInfo (RFC 5280) or PKCS#1 (RFC 8017 A.1.1).
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, ConfigError> {
        let problem = |text| ConfigError::new("JWT key", text);
        let parsed = ParsedPublicKey::new(ALGORITHM, der)
            .map_err(|_| problem("is not an RSA public key; copy the whole key again"))?;
        let key = Self { parsed };
        // The library checks the size only when it verifies a signature; check it at startup
        // instead.
        let pkcs1 = RsaParameters::public_modulus_len(der).ok().map(|bits| bits as usize);
        let spki = || PublicEncryptingKey::from_der(der).ok().map(|key| key.key_size_bits());
        if !pkcs1.or_else(spki).is_some_and(|bits| (2048..=8192).contains(&bits)) {
            return Err(problem("must have 2048 to 8192 bits"));
        }
        Ok(key)
    }

    /// Returns whether `signature` is this key's signature over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

/// The library's key does not implement these traits, but verifying changes nothing in it.
impl UnwindSafe for PublicKey {}
impl RefUnwindSafe for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(RS256)")
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Returns the number of bits of a number without leading zeros.
fn bits(number: &[u8]) -> usize {
    let top = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() * 8).saturating_sub(top)
}

static ALGORITHM: &RsaParameters = &RSA_PKCS1_2048_8192_SHA256;

#[cfg(test)]
mod tests;
