//! The layer at the level of `poll_ready` and `call`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{
    AuthBody, AuthError, AuthErrorKind, ClerkAuthLayer, KeySource, Session, StaticKeys, Verifier,
};
use tower_clerk::test_util::Issuer;

use crate::support::servers::{Answer, ISS, JwksServer, at_once, eventually, issuer};

/// Panics when it is called without having been polled ready; a clone of it is not ready.
#[derive(Debug, Default)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being polled ready");
        let user = request.extensions().get::<Session>().map(|s| s.user_id().to_owned());
        ready(Ok(Response::new(user.unwrap_or_else(|| "anonymous".into()))))
    }
}

fn layer(keys: impl KeySource) -> ClerkAuthLayer {
    ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap())
}

fn static_layer(issuer: &Issuer) -> ClerkAuthLayer {
    layer(StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap())
}

fn with_token(token: &str) -> Request<()> {
    Request::builder().header("authorization", format!("Bearer {token}")).body(()).unwrap()
}

async fn text(response: Response<AuthBody<String>>) -> String {
    use http_body_util::BodyExt;
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_service_that_was_polled_ready_is_the_one_called() {
    let issuer = issuer();
    let mut service = static_layer(&issuer).layer(Strict::default());
    for _ in 0..3 {
        let request = with_token(&issuer.token("user_1").mint());
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(text(response).await, "user_1");
    }
}

#[tokio::test]
async fn the_service_that_was_polled_ready_is_the_one_called_also_after_a_wait_for_keys() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer).held()).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    let mut service = layer(keys).layer(Strict::default());
    let token = issuer.token("user_1").mint();
    let first = tokio::spawn(service.ready().await.unwrap().call(with_token(&token)));
    let second = tokio::spawn(service.ready().await.unwrap().call(with_token(&token)));
    server.saw(1).await;
    server.release();
    for waiting in [first, second] {
        assert_eq!(text(waiting.await.unwrap().unwrap()).await, "user_1");
    }
    let response = service.ready().await.unwrap().call(with_token(&token)).await.unwrap();
    assert_eq!(text(response).await, "user_1");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_refusal_tells_the_server_why_and_the_client_not() {
    let issuer = issuer();
    let service = static_layer(&issuer).layer(Strict::default());
    for (token, kind) in [
        (issuer.rotated("ins_1").token("user_1").mint(), AuthErrorKind::BadSignature),
        (issuer.token("user_1").header("kid", "ins_2").mint(), AuthErrorKind::UnknownKey),
        ("garbage".into(), AuthErrorKind::Malformed),
        ("x".repeat(9000), AuthErrorKind::TooLarge),
    ] {
        let response = service.clone().oneshot(with_token(&token)).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.extensions().get::<AuthError>().map(AuthError::kind), Some(kind));
        assert_eq!(response.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(text(response).await, r#"{"detail":"Invalid token"}"#);
    }
}

#[tokio::test]
async fn no_credentials_and_an_expired_token_have_words_of_their_own() {
    let issuer = issuer();
    let service = static_layer(&issuer).layer(Strict::default());
    let anonymous = service.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(anonymous.headers()["www-authenticate"], "Bearer");
    assert_eq!(text(anonymous).await, r#"{"detail":"Not authenticated"}"#);

    let old = issuer.token("user_1").claim("exp", 1_600_000_000).mint();
    let expired = service.clone().oneshot(with_token(&old)).await.unwrap();
    assert_eq!(expired.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(expired.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
    assert_eq!(text(expired).await, r#"{"detail":"Token expired"}"#);

    let pending = issuer.token("user_1").claim("sts", "pending").mint();
    let pending = service.oneshot(with_token(&pending)).await.unwrap();
    assert_eq!(pending.headers()["www-authenticate"], "Bearer");
    assert_eq!(text(pending).await, r#"{"detail":"Not authenticated"}"#);
}

#[tokio::test]
async fn an_optional_layer_lets_the_anonymous_and_pending_sessions_pass() {
    let issuer = issuer();
    let service = static_layer(&issuer).optional().layer(Strict::default());
    let anonymous = service.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(text(anonymous).await, "anonymous");
    let pending = issuer.token("user_1").claim("sts", "pending").mint();
    let pending = service.oneshot(with_token(&pending)).await.unwrap();
    assert_eq!(text(pending).await, "anonymous");
}

#[tokio::test]
async fn a_report_only_layer_lets_everything_pass_and_says_who_would_be_refused() {
    let issuer = issuer();
    let seen = tower::service_fn(|request: Request<()>| async move {
        let extensions = request.extensions();
        let user = extensions.get::<Session>().map(|s| s.user_id().to_owned());
        let kind = extensions.get::<AuthError>().map(AuthError::kind);
        Ok::<_, Infallible>(Response::new(format!("{user:?} {kind:?}")))
    });
    let service = static_layer(&issuer).report_only().layer(seen);
    for (request, expected) in [
        (with_token(&issuer.token("user_1").mint()), r#"Some("user_1") None"#),
        (with_token("garbage"), "None Some(Malformed)"),
        (Request::new(()), "None Some(MissingCredentials)"),
        (
            with_token(&issuer.token("user_1").claim("exp", 1_600_000_000).mint()),
            "None Some(Expired)",
        ),
    ] {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!((response.status(), &*text(response).await), (StatusCode::OK, expected));
    }
}

#[tokio::test]
async fn a_report_only_layer_does_not_report_what_would_pass_anyway() {
    let seen = tower::service_fn(|request: Request<()>| async move {
        let reported = request.extensions().get::<AuthError>().map(AuthError::kind);
        Ok::<_, Infallible>(Response::new(format!("{reported:?}")))
    });
    let layer = static_layer(&issuer());
    let preflight = || {
        Request::builder()
            .method("OPTIONS")
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "POST")
            .body(())
            .unwrap()
    };
    let cases = [
        (layer.clone().optional().report_only(), Request::new(()), "None"),
        (layer.clone().report_only().optional(), Request::new(()), "None"),
        (layer.clone().optional().report_only(), with_token("x"), "Some(Malformed)"),
        (layer.clone().allow_preflights().report_only(), preflight(), "None"),
        (layer.report_only(), preflight(), "Some(MissingCredentials)"),
    ];
    for (layer, request, expected) in cases {
        let response = layer.clone().layer(seen).oneshot(request).await.unwrap();
        assert_eq!(text(response).await, expected, "{layer:?}");
    }
}

#[tokio::test]
async fn only_a_genuine_preflight_passes_and_only_where_that_was_asked_for() {
    let issuer = issuer();
    let preflight = |also: Option<(&'static str, &'static str)>| {
        let mut builder = Request::builder()
            .method("OPTIONS")
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "POST");
        if let Some((name, value)) = also {
            builder = builder.header(name, value);
        }
        builder.body(()).unwrap()
    };
    let status = |layer: ClerkAuthLayer, request| {
        let service = layer.layer(Strict::default());
        async move { service.oneshot(request).await.unwrap().status() }
    };
    let strict = static_layer(&issuer);
    let lenient = strict.clone().allow_preflights();
    assert_eq!(status(strict, preflight(None)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(lenient.clone(), preflight(None)).await, StatusCode::OK);
    let with_credentials = preflight(Some(("authorization", "Bearer garbage")));
    let mut without_origin = preflight(None);
    without_origin.headers_mut().remove("origin");
    let mut post = preflight(None);
    *post.method_mut() = http::Method::POST;
    for request in [with_credentials, without_origin, post] {
        assert_eq!(status(lenient.clone(), request).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_session_of_an_outer_layer_is_not_vouched_for_by_an_inner_one() {
    let (outer, inner) = (issuer(), issuer());
    let service = static_layer(&outer).layer(static_layer(&inner).layer(Strict::default()));
    let refused = service.oneshot(with_token(&outer.token("user_1").mint())).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let mut request = with_token("");
    request.headers_mut().remove("authorization");
    let issuer = issuer();
    let seen = static_layer(&issuer).optional().layer(Strict::default());
    let session = Verifier::builder(ISS, StaticKeys::from_jwks(&outer.jwks().to_string()).unwrap())
        .build()
        .unwrap()
        .verify(&outer.token("user_1").mint())
        .await
        .unwrap();
    request.extensions_mut().insert(session);
    assert_eq!(text(seen.oneshot(request).await.unwrap()).await, "anonymous");
}

#[tokio::test]
async fn refusals_come_as_a_problem_document_as_nothing_or_as_one_likes() {
    use bytes::Bytes;
    use tower_clerk::session::{EmptyResponder, ProblemResponder, Refusal, Responder};

    #[derive(Debug)]
    struct Own;

    impl Responder for Own {
        fn respond(&self, error: &AuthError, request: &http::request::Parts) -> Response<Bytes> {
            let text = format!("{} at {}", Refusal::of(error).detail(), request.uri);
            Refusal::of(error).response(Bytes::from(text))
        }
    }

    let layer = static_layer(&issuer());
    let refused = |layer: ClerkAuthLayer| {
        let service = layer.layer(Strict::default());
        async move { service.oneshot(with_token("garbage")).await.unwrap() }
    };
    let problem = refused(layer.clone().respond_with(ProblemResponder::new())).await;
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    assert_eq!(problem.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
    let expected = r#"{"title":"Unauthorized","status":401,"detail":"Invalid token"}"#;
    assert_eq!(text(problem).await, expected);

    let empty = refused(layer.clone().respond_with(EmptyResponder::new())).await;
    assert_eq!(empty.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(empty.headers()["cache-control"], "no-store");
    assert_eq!(text(empty).await, "");

    let own = refused(layer.respond_with(Own)).await;
    assert_eq!(text(own).await, "Invalid token at /");
}

#[tokio::test]
async fn fault_k14_a_closure_answers_for_the_layer_and_remembers_what_it_captures() {
    use bytes::Bytes;
    use http::request::Parts;
    use tower_clerk::session::Refusal;

    let sign_in = String::from("https://app.example.com/sign-in");
    let layer = static_layer(&issuer()).respond_with(move |error: &AuthError, _: &Parts| {
        Refusal::of(error).response(Bytes::from(format!("go to {sign_in}")))
    });
    let refused = layer.layer(Strict::default()).oneshot(with_token("x")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["cache-control"], "no-store");
    assert_eq!(text(refused).await, "go to https://app.example.com/sign-in");
}

#[test]
fn fault_a8_a_refusal_has_a_code_that_stays_the_same() {
    use tower_clerk::session::Refusal;

    let of = |kind: AuthErrorKind| {
        let refusal = Refusal::of(&kind.into());
        (refusal.status().as_u16(), refusal.code())
    };
    for (kind, expected) in [
        (AuthErrorKind::MissingCredentials, (401, "not_authenticated")),
        (AuthErrorKind::PendingSession, (401, "not_authenticated")),
        (AuthErrorKind::Expired, (401, "token_expired")),
        (AuthErrorKind::Impersonation, (403, "not_allowed")),
        (AuthErrorKind::RequirementNotMet, (403, "not_allowed")),
        (AuthErrorKind::OtherOrganization, (403, "other_organization")),
        // Which verification is required is not in the kind.
        (AuthErrorKind::ReverificationRequired, (403, "not_allowed")),
        (AuthErrorKind::KeysUnavailable, (503, "keys_unavailable")),
        (AuthErrorKind::BadSignature, (401, "invalid_token")),
        (AuthErrorKind::UnknownKey, (401, "invalid_token")),
        (AuthErrorKind::NotYetValid, (401, "invalid_token")),
    ] {
        assert_eq!(of(kind), expected, "{kind:?}");
    }
}

#[tokio::test]
async fn impersonation_is_visible_and_can_be_denied_with_403() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let token = issuer.token("user_1").claim("act", serde_json::json!({ "sub": "user_admin" }));
    let token = token.mint();

    let open = Verifier::builder(ISS, keys.clone()).build().unwrap();
    let session = open.verify(&token).await.unwrap();
    assert_eq!(session.user_id(), "user_1");
    assert_eq!(&*session.actor().unwrap().user_id, "user_admin");

    let strict = Verifier::builder(ISS, keys).deny_impersonation().build().unwrap();
    let service = ClerkAuthLayer::new(strict).layer(Strict::default());
    let refused = service.oneshot(with_token(&token)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(!refused.headers().contains_key("www-authenticate"));
    assert_eq!(text(refused).await, r#"{"detail":"Not allowed"}"#);
}

/// Tells which session and which reported error reach the handler.
async fn seen(request: Request<()>) -> Result<Response<String>, Infallible> {
    let extensions = request.extensions();
    let user = extensions.get::<Session>().map(|session| session.user_id().to_owned());
    let kind = extensions.get::<AuthError>().map(AuthError::kind);
    Ok(Response::new(match (user, kind) {
        (Some(user), None) => user,
        (None, None) => "anonymous".to_owned(),
        (None, Some(kind)) => kind.as_str().to_owned(),
        (Some(user), Some(kind)) => format!("{user} and {}", kind.as_str()),
    }))
}

/// Takes the credentials away between two layers.
#[derive(Clone)]
struct Stripped<S>(S);

impl<S: Service<Request<()>>> Service<Request<()>> for Stripped<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<()>) -> S::Future {
        request.headers_mut().remove("authorization");
        self.0.call(request)
    }
}

#[tokio::test]
async fn fault_k7_each_pair_of_modes_of_one_verifier_and_of_two() {
    let issuer = issuer();
    let verifier = || {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(ISS, keys).build().unwrap()
    };
    let (one, other) = (verifier(), verifier());
    type Mode = fn(ClerkAuthLayer) -> ClerkAuthLayer;
    let modes: [(&str, Mode); 3] = [
        ("required", |layer| layer),
        ("optional", ClerkAuthLayer::optional),
        ("report", ClerkAuthLayer::report_only),
    ];
    // What reaches the handler if both layers see the token; if only the outer one does, with one
    // verifier and with two; and if neither does. `401` is a refusal.
    let table = [
        ("required", "required", "user_1", "401", "401", "401"),
        ("required", "optional", "user_1", "user_1", "anonymous", "401"),
        ("required", "report", "user_1", "user_1", "missing_credentials", "401"),
        ("optional", "required", "user_1", "401", "401", "401"),
        ("optional", "optional", "user_1", "user_1", "anonymous", "anonymous"),
        ("optional", "report", "user_1", "user_1", "missing_credentials", "missing_credentials"),
        ("report", "required", "user_1", "401", "401", "401"),
        ("report", "optional", "user_1", "user_1", "anonymous", "anonymous"),
        ("report", "report", "user_1", "user_1", "missing_credentials", "missing_credentials"),
    ];
    let mode = |name: &str| modes.iter().find(|(known, _)| *known == name).unwrap().1;
    for (outer, inner, both, only_outer, of_another, neither) in table {
        let outside = |verifier: &Verifier| mode(outer)(ClerkAuthLayer::new(verifier.clone()));
        let inside = |verifier: &Verifier| mode(inner)(ClerkAuthLayer::new(verifier.clone()));
        let told = async |response: Response<AuthBody<AuthBody<String>>>| {
            use http_body_util::BodyExt;
            if response.status() == StatusCode::UNAUTHORIZED {
                return "401".to_owned();
            }
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let token = issuer.token("user_1").mint();
        for (case, within, request, expected) in [
            ("both see it", &one, with_token(&token), both),
            ("both see it, two verifiers", &other, with_token(&token), both),
            ("neither", &one, Request::new(()), neither),
        ] {
            let handler = tower::service_fn(seen);
            let service = outside(&one).layer(inside(within).layer(handler));
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(told(response).await, expected, "{outer} outside {inner}: {case}");
        }
        for (within, expected) in [(&one, only_outer), (&other, of_another)] {
            let handler = inside(within).layer(tower::service_fn(seen));
            let service = outside(&one).layer(Stripped(handler));
            let response = service.oneshot(with_token(&token)).await.unwrap();
            assert_eq!(told(response).await, expected, "{outer} outside {inner}, stripped");
        }
    }
}

#[tokio::test]
async fn fault_k9_a_report_only_layer_never_waits_and_reports_nothing_that_it_could_not_judge() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer).held()).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    let reports = layer(keys).report_only().layer(tower::service_fn(seen));
    let ask = async |token: &str| {
        text(at_once(reports.clone().oneshot(with_token(token))).unwrap()).await
    };
    let token = issuer.token("user_1").mint();
    assert_eq!(ask(&token).await, "not_judged");
    assert_eq!(ask("garbage").await, "malformed", "which needs no key");
    server.saw(1).await;
    server.release();
    eventually(async || ask(&token).await == "user_1").await;
    assert_eq!(server.requests(), 1, "the first request began the fetch");
    // A key that is being looked for is no reason to wait either.
    server.answer(Answer::jwks(&issuer).held());
    assert_eq!(ask(&issuer.rotated("ins_2").token("user_1").mint()).await, "not_judged");

    // While there are none to be had it is the same, and the extractor's refusal says when to retry.
    let scripted = tower_clerk::test_util::ScriptedKeys::new();
    scripted.unavailable(std::time::Duration::from_secs(7));
    let reports = layer(scripted).report_only().layer(tower::service_fn(seen));
    let response = reports.oneshot(with_token(&token)).await.unwrap();
    assert_eq!(text(response).await, "not_judged");
}

#[tokio::test]
async fn fault_k3_a_refusal_is_grpc_shaped_only_where_that_was_asked_for() {
    let issuer = issuer();
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc-web"] {
        let call = |layer: ClerkAuthLayer| {
            let mut request = Request::new(());
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
            layer.layer(Strict::default()).oneshot(request)
        };
        // What a proxy asks, to which 2xx means that the request may pass.
        let plain = call(static_layer(&issuer)).await.unwrap();
        assert_eq!(plain.status(), StatusCode::UNAUTHORIZED, "{content_type}");
        assert_eq!(plain.headers()["content-type"], "application/json");
        assert!(!plain.headers().contains_key("grpc-status"));

        let grpc = call(static_layer(&issuer).grpc()).await.unwrap();
        assert_eq!(grpc.status(), StatusCode::OK);
        assert_eq!(grpc.headers()["grpc-status"], "16");
        assert_eq!(grpc.headers()["content-type"], content_type);
    }
}
