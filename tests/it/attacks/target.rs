//! What the attacks are aimed at: a layer with one instance's keys, asked over its whole answer.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_clerk::session::{
    AuthError, AuthErrorKind, ClerkAuthLayer, KeySource, Session, StaticKeys, Verifier,
    VerifierBuilder,
};
use tower_clerk::test_util::{Issuer, ManualClock, TokenBuilder};

use crate::support::servers::{ISS, issuer};

pub(crate) type Verdict = Result<String, AuthErrorKind>;

/// A guarded service and the instance whose tokens it accepts, at a moment that stands still.
pub(crate) struct Target {
    pub(crate) issuer: Issuer,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) verifier: Verifier,
}

impl Target {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With settings of its own.
    pub(crate) fn with(settings: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let issuer = issuer();
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Self::by_keys(issuer, keys, settings)
    }

    /// With another source of keys than the issuer's own document.
    pub(crate) fn by_keys(
        issuer: Issuer,
        keys: impl KeySource,
        settings: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::new());
        clock.set_wall(whole_second(tower_clerk::clock::Clock::now(&*clock)));
        let verifier = settings(Verifier::builder(ISS, keys).clock(clock.clone())).build().unwrap();
        Self { issuer, clock, verifier }
    }

    /// Seconds since 1970 at which this takes place.
    pub(crate) fn now(&self) -> i64 {
        let now = tower_clerk::clock::Clock::now(&*self.clock);
        i64::try_from(now.duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
    }

    /// A good token, to be bent.
    pub(crate) fn token(&self) -> TokenBuilder {
        self.issuer.token("user_1").issued_at(tower_clerk::clock::Clock::now(&*self.clock))
    }

    /// The user that a request with this token is taken for, or why it is refused. The whole answer
    /// is looked at: what the client is told must be what is told for any bad token.
    pub(crate) async fn verdict(&self, token: &str) -> Verdict {
        let header = format!("Bearer {token}");
        let Ok(request) = Request::builder().header("authorization", header).body(()) else {
            // What no header can hold may still come by way of `verify`.
            return self.verify(token).await;
        };
        let verdict = answer(&ClerkAuthLayer::new(self.verifier.clone()), request).await;
        assert_eq!(verdict.is_ok(), self.verify(token).await.is_ok(), "the layer and its verifier");
        verdict
    }

    async fn verify(&self, token: &str) -> Verdict {
        let session = self.verifier.verify(token).await.map_err(|error| error.kind())?;
        Ok(session.user_id().to_owned())
    }

    pub(crate) async fn accepts(&self, label: impl Debug, token: &str) {
        assert_eq!(self.verdict(token).await, Ok("user_1".into()), "{label:?}");
    }

    pub(crate) async fn refuses(&self, label: impl Debug, token: &str, kind: AuthErrorKind) {
        assert_eq!(self.verdict(token).await, Err(kind), "{label:?}");
    }

    /// Whatever the reason.
    pub(crate) async fn refuses_somehow(&self, label: impl Debug, token: &str) {
        assert!(self.verdict(token).await.is_err(), "{label:?}");
    }
}

/// What a layer answers to a request, judged as a whole.
pub(crate) async fn answer(layer: &ClerkAuthLayer, request: Request<()>) -> Verdict {
    let whoami = service_fn(|request: Request<()>| async move {
        let session = request.extensions().get::<Session>();
        let user = session.map_or("anonymous".to_owned(), |session| session.user_id().to_owned());
        Ok::<_, Infallible>(Response::new(user))
    });
    let (parts, body) = layer.layer(whoami).oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    if parts.status == StatusCode::OK {
        return Ok(body);
    }
    let kind = parts.extensions.get::<AuthError>().expect("the reason of a refusal").kind();
    let (challenge, detail) = match kind {
        AuthErrorKind::MissingCredentials | AuthErrorKind::PendingSession => {
            ("Bearer", "Not authenticated")
        }
        AuthErrorKind::Expired => (r#"Bearer error="invalid_token""#, "Token expired"),
        _ => (r#"Bearer error="invalid_token""#, "Invalid token"),
    };
    assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
    assert_eq!(parts.headers["www-authenticate"], challenge);
    assert_eq!(parts.headers["content-type"], "application/json");
    assert_eq!(parts.headers["cache-control"], "no-store");
    assert_eq!(body, format!(r#"{{"detail":"{detail}"}}"#));
    Err(kind)
}

/// A token with another signature.
pub(crate) fn with_signature(token: &str, signature: &[u8]) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token's three parts.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// A part's bytes.
pub(crate) fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token's claims as JSON text.
pub(crate) fn claims_of(token: &str) -> String {
    String::from_utf8(decoded(parts(token)[1])).unwrap()
}

/// The issuer's signature over these very texts as the first two parts, base64url or not.
pub(crate) fn signed_as_is(issuer: &Issuer, header: &str, payload: &str) -> String {
    let signed = format!("{header}.{payload}");
    let signature = encoded(issuer.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A number of the issuer's public key: its modulus `n` or exponent `e`, big-endian.
pub(crate) fn key_number(issuer: &Issuer, name: &str) -> Vec<u8> {
    decoded(issuer.jwk()[name].as_str().unwrap())
}

/// The JSON of a value, for labels.
pub(crate) fn text(value: &Value) -> String {
    value.to_string()
}

fn whole_second(time: SystemTime) -> SystemTime {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds)
}
