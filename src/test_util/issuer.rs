//! A test issuer, which mints session tokens and publishes its key.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::clock::{Clock, SystemClock};
use crate::session::{Session, StaticKeys, Verifier};

/// An issuer of session tokens, in place of a Clerk instance: an `iss`, a key id and a key.
#[derive(Clone)]
pub struct Issuer {
    key: Arc<KeyPair>,
    iss: Arc<str>,
    kid: Arc<str>,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    /// Creates an issuer with a new RSA-2048 key.
    ///
    /// # Panics
    ///
    /// Panics if the operating system provides no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without a key")]
    pub fn new(iss: &str, kid: &str) -> Self {
        Self::of(KeyPair::generate(KeySize::Rsa2048).expect("a new RSA key"), iss, kid)
    }

    /// Creates an issuer with a key from [`to_pkcs8`](Self::to_pkcs8); `None` if it is not a valid
    /// key.
    #[must_use]
    pub fn from_pkcs8(iss: &str, kid: &str, pkcs8: &[u8]) -> Option<Self> {
        KeyPair::from_pkcs8(pkcs8).ok().map(|key| Self::of(key, iss, kid))
    }

    fn of(key: KeyPair, iss: &str, kid: &str) -> Self {
        let clock = Arc::new(SystemClock::new());
        Self { key: Arc::new(key), iss: iss.into(), kid: kid.into(), clock }
    }

    /// Sets the clock by which tokens are issued, and which [`verifier`](Self::verifier) uses;
    /// default: the operating system's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Returns a verifier with this issuer's key, its clock, and no further rules.
    ///
    /// # Panics
    ///
    /// Panics if `iss` is no issuer's URL.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without a verifier")]
    pub fn verifier(&self) -> Verifier {
        let keys = StaticKeys::from_jwks(&self.jwks().to_string()).expect("its own JWKS");
        Verifier::builder(self.iss(), keys)
            .clock(Arc::clone(&self.clock))
            .build()
            .expect("an issuer such as https://clerk.example.com")
    }

    /// Returns a verified session of `user_id`, for tests of handlers and of what they call. For other
    /// claims, give a token of your own to [`verifier`](Self::verifier).
    ///
    /// # Panics
    ///
    /// Panics if `iss` is no issuer's URL.
    #[must_use]
    #[expect(clippy::panic, reason = "a test cannot go on without a session")]
    pub fn session(&self, user_id: &str) -> Session {
        let (verifier, token) = (self.verifier(), self.token(user_id).mint());
        let verification = pin!(verifier.verify(&token));
        match verification.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(session)) => session,
            Poll::Ready(Err(error)) => panic!("a token of its own is refused: {error}"),
            Poll::Pending => panic!("its key is at hand"),
        }
    }

    /// Returns the private key as PKCS#8 in DER.
    ///
    /// # Panics
    ///
    /// Panics if memory is exhausted.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without a key")]
    pub fn to_pkcs8(&self) -> Vec<u8> {
        self.key.as_der().expect("an RSA key has a PKCS#8 form").as_ref().to_vec()
    }

    /// Creates an issuer with the same `iss`, a new key and the key id `kid`, as after a rotation.
    #[must_use]
    pub fn rotated(&self, kid: &str) -> Self {
        Self::new(&self.iss, kid).with_clock(Arc::clone(&self.clock))
    }

    /// Returns the issuer: `iss` in its tokens.
    #[must_use]
    pub fn iss(&self) -> &str {
        &self.iss
    }

    /// Returns the key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the public key as an entry of a JWKS.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let (n, e) = self.components();
        json!({
            "use": "sig", "kty": "RSA", "kid": *self.kid, "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e),
        })
    }

    /// Returns the JWKS, the document that `/.well-known/jwks.json` serves.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// Returns the public key as PEM, as the Clerk Dashboard shows it (SubjectPublicKeyInfo).
    ///
    /// # Panics
    ///
    /// Panics if memory is exhausted.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without a key")]
    pub fn pem(&self) -> String {
        let der = self.key.public_key().as_der().expect("an RSA key has an SPKI form");
        let body = STANDARD.encode(der.as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem + "-----END PUBLIC KEY-----\n"
    }

    /// Starts building a session token of version 2 for `user_id`, valid for 60 s.
    #[must_use]
    pub fn token(&self, user_id: &str) -> TokenBuilder {
        let now = seconds(self.clock.now());
        let header = json!({
            "alg": "RS256", "typ": "JWT", "kid": *self.kid, "cat": SESSION_CATEGORY,
        });
        let claims = json!({
            "iss": *self.iss, "sub": user_id, "sid": format!("sess_{user_id}"),
            "iat": now, "nbf": now - 10, "exp": now + 60, "v": 2, "sts": "active",
        });
        TokenBuilder { issuer: self.clone(), header: object(header), claims: object(claims) }
    }

    /// Starts building a session token of version 1, which instances issued before April 2025 and
    /// some still issue.
    #[must_use]
    pub fn token_v1(&self, user_id: &str) -> TokenBuilder {
        self.token(user_id).without_claim("v").without_claim("sts")
    }

    /// Starts building a machine's JWT (M2M), valid for an hour.
    #[must_use]
    pub fn m2m_token(&self, machine_id: &str) -> TokenBuilder {
        let now = seconds(self.clock.now());
        let header = json!({
            "alg": "RS256", "typ": "JWT", "kid": *self.kid, "cat": MACHINE_CATEGORY,
        });
        let claims = json!({
            "iss": *self.iss, "sub": machine_id, "jti": format!("mt_{machine_id}"), "aud": [],
            "iat": now, "nbf": now, "exp": now + 3600, "scopes": "",
        });
        TokenBuilder { issuer: self.clone(), header: object(header), claims: object(claims) }
    }

    /// Starts building an OAuth access token of an application, a JWT, for a user and valid for ten minutes.
    #[must_use]
    pub fn oauth_token(&self, user_id: &str, client_id: &str) -> TokenBuilder {
        let now = seconds(self.clock.now());
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": *self.kid });
        let claims = json!({
            "iss": *self.iss, "sub": user_id, "client_id": client_id, "scope": "profile",
            "jti": format!("oat_{user_id}_{client_id}"), "iat": now, "nbf": now, "exp": now + 600,
        });
        TokenBuilder { issuer: self.clone(), header: object(header), claims: object(claims) }
    }

    /// Signs any bytes with this issuer's key: RSASSA-PKCS1-v1_5 with SHA-256.
    ///
    /// # Panics
    ///
    /// Panics if memory is exhausted.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without a signature")]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
        signature
    }

    fn components(&self) -> (Vec<u8>, Vec<u8>) {
        let public = self.key.public_key();
        (
            public.modulus().big_endian_without_leading_zero().to_vec(),
            public.exponent().big_endian_without_leading_zero().to_vec(),
        )
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("iss", &self.iss).field("kid", &self.kid).finish()
    }
}

/// A builder for tokens. Every member of the header and of the claims can be set or removed.
#[derive(Clone, Debug)]
pub struct TokenBuilder {
    issuer: Issuer,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TokenBuilder {
    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Removes a claim.
    #[must_use]
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets the session's active organization, in the format of the token's version.
    ///
    /// `role` and `permissions` are in the form that a handler sees: `org:admin`,
    /// `org:posts:manage`. Clerk's tokens never contain system permissions (`org:sys_…`).
    #[must_use]
    pub fn organization(self, id: &str, slug: &str, role: &str, permissions: &[&str]) -> Self {
        if self.claims.get("v").is_none_or(|version| version.as_f64() != Some(2.0)) {
            return self
                .claim("org_id", id)
                .claim("org_slug", slug)
                .claim("org_role", role)
                .claim("org_permissions", permissions);
        }
        // Version 2 lists features and actions once each; masks say which belong together.
        let (mut features, mut actions) = (Vec::<&str>::new(), Vec::<&str>::new());
        let mut masks = Vec::<Vec<bool>>::new();
        for permission in permissions {
            let pair = permission.strip_prefix("org:").unwrap_or(permission);
            let (feature, action) = pair.split_once(':').unwrap_or((pair, ""));
            let bit = place(&mut actions, action);
            let at = place(&mut features, feature);
            masks.resize(features.len(), Vec::new());
            if let Some(mask) = masks.get_mut(at) {
                mask.resize(mask.len().max(bit + 1), false);
                mask.iter_mut().skip(bit).take(1).for_each(|bit| *bit = true);
            }
        }
        let masks: Vec<_> = masks.iter().map(|mask| decimal(mask)).collect();
        let features: Vec<_> = features.iter().map(|feature| format!("o:{feature}")).collect();
        let role = role.strip_prefix("org:").unwrap_or(role);
        self.claim("fea", features.join(",")).claim(
            "o",
            json!({
                "id": id, "slg": slug, "rol": role,
                "per": actions.join(","), "fpm": masks.join(","),
            }),
        )
    }

    /// Sets a member of the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Removes a member of the header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Sets the token's times: issued at `now`, valid from 10 s before until 60 s after.
    #[must_use]
    pub fn issued_at(self, now: SystemTime) -> Self {
        let now = seconds(now);
        self.claim("iat", now).claim("nbf", now - 10).claim("exp", now + 60)
    }

    /// Sets the expiry to `lifetime` after the time of issue.
    #[must_use]
    pub fn expires_after(self, lifetime: Duration) -> Self {
        let iat = self.claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        self.claim("exp", iat.saturating_add(lifetime))
    }

    /// Signs the token and returns it.
    #[must_use]
    pub fn mint(&self) -> String {
        let header = Value::Object(self.header.clone()).to_string();
        let claims = Value::Object(self.claims.clone()).to_string();
        self.issuer.mint_raw(header.as_bytes(), claims.as_bytes())
    }
}

impl Issuer {
    /// Returns a token with exactly these bytes as header and payload, JSON or not, and a valid
    /// signature.
    #[must_use]
    pub fn mint_raw(&self, header: &[u8], payload: &[u8]) -> String {
        let mut token =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

fn seconds(time: SystemTime) -> i64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// Returns the index of `name` in the list; appends it if it is missing.
fn place<'a>(list: &mut Vec<&'a str>, name: &'a str) -> usize {
    list.iter().position(|known| *known == name).unwrap_or_else(|| {
        list.push(name);
        list.len() - 1
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

const MACHINE_CATEGORY: &str = "cl_B7d4PD333AAA";
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// Returns the number with these bits, the lowest first, in decimal: it may exceed all integer types.
fn decimal(bits: &[bool]) -> String {
    let mut digits = vec![0_u8];
    for bit in bits.iter().rev() {
        let mut carry = u8::from(*bit);
        for digit in &mut digits {
            let doubled = *digit * 2 + carry;
            (*digit, carry) = (doubled % 10, doubled / 10);
        }
        if carry > 0 {
            digits.push(carry);
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use crate::session::Verifier;
    use crate::test_util::{Issuer, ScriptedKeys};

    #[tokio::test]
    async fn an_organization_reads_the_same_from_either_version() {
        let issuer = Issuer::new("https://clerk.example.com", "ins_1");
        let verifier = Verifier::builder(issuer.iss(), ScriptedKeys::of(&issuer)).build().unwrap();
        let permissions = ["org:posts:read", "org:posts:manage", "org:media:manage"];
        for token in [issuer.token("user_1"), issuer.token_v1("user_1")] {
            let token = token.organization("org_1", "acme", "org:admin", &permissions).mint();
            let session = verifier.verify(&token).await.unwrap();
            let organization = session.organization().unwrap();
            assert_eq!(organization.id(), "org_1");
            assert_eq!(organization.slug(), Some("acme"));
            assert_eq!(organization.role(), Some("org:admin"));
            let mut held: Vec<_> = organization.permissions().collect();
            held.sort_unstable();
            assert_eq!(held, ["org:media:manage", "org:posts:manage", "org:posts:read"]);
        }
    }

    #[tokio::test]
    async fn fault_k18_any_number_of_permissions() {
        let names: Vec<String> =
            (0..150).map(|i| format!("org:feature_{}:action_{i}", i % 3)).collect();
        let permissions: Vec<&str> = names.iter().map(String::as_str).collect();
        let issuer = Issuer::new("https://clerk.example.com", "ins_1");
        let token = issuer.token("user_1").organization("org_1", "acme", "org:admin", &permissions);
        let verifier = Verifier::builder(issuer.iss(), ScriptedKeys::of(&issuer)).build().unwrap();
        let session = verifier.verify(&token.mint()).await.unwrap();
        let organization = session.organization().unwrap();
        let mut held: Vec<_> = organization.permissions().collect();
        held.sort_unstable();
        let mut expected = permissions;
        expected.sort_unstable();
        assert_eq!(held, expected);
    }
}
