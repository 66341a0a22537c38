//! Questions about opaque tokens: how they are asked, what is remembered, and how many there are.

use std::convert::Infallible;
use std::time::UNIX_EPOCH;

use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_clerk::clock::Clock;
use tower_clerk::secret::MachineSecretKey;
use tower_clerk::session::machine::{
    Answer, Introspect, IntrospectError, MachineTokens, Principal, Question,
};
use tower_clerk::session::{AuthError, AuthErrorKind, Session};

use super::*;
use crate::support::servers::issuer;

/// Sends a request with a bearer token through a layer, to a service that says who is calling.
async fn call(layer: &ClerkAuthLayer, token: &str) -> Response<String> {
    let who = service_fn(async |request: Request<()>| {
        let principal = Principal::of(request.extensions()).unwrap();
        let user = principal.user_id().unwrap_or("nobody").to_owned();
        assert_eq!(request.extensions().get::<Session>().is_some(), principal.kind() == "session");
        Ok::<_, Infallible>(Response::new(format!("{} {user}", principal.kind())))
    });
    let request = Request::builder().header("authorization", format!("Bearer {token}"));
    let response = layer.layer(who).oneshot(request.body(()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

async fn kind(layer: &ClerkAuthLayer, token: &str) -> Option<AuthErrorKind> {
    let response = call(layer, token).await;
    response.extensions().get::<AuthError>().map(AuthError::kind)
}

#[tokio::test]
async fn each_kind_is_asked_about_at_its_place_and_with_its_member_and_key() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let machine = MachineSecretKey::parse("ak_machine_0123456789").unwrap();
    let introspection = questions(&api).machine_secret_key(&machine).unwrap().build();
    let layer = layer(&issuer, &introspection);
    let tokens = [
        ("ak_", "api_key", "user_1"),
        ("oat_", "clerk_idp_oauth_access_token", "user_2"),
        ("mt_", "machine_to_machine_token", "mch_1"),
    ];
    for (prefix, object, subject) in tokens {
        api.answers(&secret(prefix, "good"), 200, &answer(object, subject));
    }
    for (prefix, expected) in
        [("ak_", "api_key user_1"), ("oat_", "oauth user_2"), ("mt_", "m2m nobody")]
    {
        let response = call(&layer, &secret(prefix, "good")).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, expected));
    }
    let asked = api.asked();
    let lines: Vec<_> = asked.iter().map(|it| (&*it.path, &*it.authorization)).collect();
    assert_eq!(
        lines,
        [
            ("/api_keys/verify", "Bearer sk_live_canary"),
            ("/oauth_applications/access_tokens/verify", "Bearer sk_live_canary"),
            ("/m2m_tokens/verify", "Bearer ak_machine_0123456789"),
        ]
    );
    assert_eq!(asked[0].body, json!({ "secret": secret("ak_", "good") }));
    assert_eq!(asked[1].body, json!({ "access_token": secret("oat_", "good") }));
    assert_eq!(asked[2].body, json!({ "token": secret("mt_", "good") }));
}

#[tokio::test]
async fn a_token_that_is_not_in_force_is_refused_although_clerk_answers_200() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let layer = layer(&issuer, &questions(&api).build());
    let mut bodies = vec![json!({ "active": false }), answer("session", "user_1"), json!({})];
    for (member, value) in
        [("revoked", json!(true)), ("expired", json!(true)), ("subject", json!(""))]
    {
        let mut body = api_key();
        body[member] = value;
        bodies.push(body);
    }
    for (n, body) in bodies.iter().enumerate() {
        let token = secret("ak_", &format!("bad{n}"));
        api.answers(&token, 200, body);
        let response = call(&layer, &token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{body}");
        assert_eq!(response.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
        assert_eq!(response.body(), r#"{"detail":"Invalid token"}"#);
    }
}

#[tokio::test]
async fn nobody_is_asked_about_a_token_of_another_shape_or_of_a_kind_that_is_not_accepted() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let introspection = questions(&api).build();
    let keys = ClerkAuthLayer::new(verifier(&issuer))
        .machines(MachineTokens::new(&introspection).accept_api_keys());
    let none = ClerkAuthLayer::new(verifier(&issuer));
    let jwts =
        ClerkAuthLayer::new(verifier(&issuer)).machines(MachineTokens::jwts_only().accept_m2m());
    for (layer, token) in [
        (&keys, "ak_short".to_owned()),
        (&keys, format!("ak_{}", "a".repeat(600))),
        (&keys, format!("ak_{}!", "a".repeat(20))),
        (&keys, secret("mt_", "good")),
        (&keys, secret("oat_", "good")),
        (&none, secret("ak_", "good")),
        (&jwts, secret("mt_", "good")),
    ] {
        let response = call(layer, &token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(response.body(), r#"{"detail":"Invalid token"}"#);
    }
    assert_eq!(api.count(), 0);
    // A session passes where machines are accepted too.
    let response = call(&keys, &issuer.token("user_9").mint()).await;
    assert_eq!(response.body(), "session user_9");
}

#[tokio::test]
async fn a_good_answer_counts_for_30_s_and_a_bad_one_for_10_s() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let (introspection, clock) = clocked(&api);
    let layer = layer(&issuer, &introspection);
    let (good, bad) = (secret("ak_", "good"), secret("ak_", "bad"));
    api.answers(&good, 200, &api_key());
    for (seconds, questions) in [(0, 2), (9, 2), (1, 3), (19, 4), (1, 5)] {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(call(&layer, &good).await.status(), StatusCode::OK);
        assert_eq!(kind(&layer, &bad).await, Some(AuthErrorKind::InactiveToken));
        assert_eq!(api.count(), questions, "after {seconds} s more");
    }
}

#[tokio::test]
async fn a_revoked_token_passes_for_30_s_at_most_and_not_at_all_where_nothing_is_remembered() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let (introspection, clock) = clocked(&api);
    let forgetful = questions(&api).into_builder().remember_for(Duration::ZERO).build();
    let (remembering, forgetful) = (layer(&issuer, &introspection), layer(&issuer, &forgetful));
    let token = secret("ak_", "good");
    api.answers(&token, 200, &api_key());
    assert_eq!(kind(&remembering, &token).await, None);
    assert_eq!(kind(&forgetful, &token).await, None);
    let mut revoked = api_key();
    revoked["revoked"] = json!(true);
    api.answers(&token, 200, &revoked);
    assert_eq!(kind(&forgetful, &token).await, Some(AuthErrorKind::InactiveToken));
    clock.advance(Duration::from_millis(29_999));
    assert_eq!(kind(&remembering, &token).await, None);
    clock.advance(Duration::from_millis(1));
    assert_eq!(kind(&remembering, &token).await, Some(AuthErrorKind::InactiveToken));
}

#[tokio::test]
async fn nothing_is_remembered_beyond_the_tokens_own_end() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let (introspection, clock) = clocked(&api);
    let layer = layer(&issuer, &introspection);
    let token = secret("ak_", "good");
    let mut body = api_key();
    let now = clock.now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    body["expiration"] = json!(u64::try_from(now).unwrap() + 4000);
    api.answers(&token, 200, &body);
    assert_eq!(kind(&layer, &token).await, None);
    clock.advance(Duration::from_millis(3999));
    assert_eq!((kind(&layer, &token).await, api.count()), (None, 1));
    clock.advance(Duration::from_millis(1));
    assert_eq!(kind(&layer, &token).await, Some(AuthErrorKind::InactiveToken));
    assert_eq!(api.count(), 2);
}

#[tokio::test]
async fn what_says_nothing_of_the_token_is_a_503_with_a_pause_and_is_not_remembered() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let layer = layer(&issuer, &questions(&api).build());
    let token = secret("ak_", "good");
    api.adds("retry-after", "7");
    for (status, body) in [
        (401, "{}"),
        (403, "{}"),
        (429, "{}"),
        (500, ""),
        (503, "{}"),
        (302, ""),
        (200, "<html>"),
        (200, "[]"),
    ] {
        api.says(&token, status, body);
        let response = call(&layer, &token).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{status} {body}");
        assert_eq!(response.headers()["retry-after"], "7");
        assert!(!response.headers().contains_key("www-authenticate"));
        let error = response.extensions().get::<AuthError>().unwrap();
        assert_eq!(error.kind(), AuthErrorKind::IntrospectionUnavailable);
        let cause = std::error::Error::source(error).unwrap().to_string();
        assert!(!cause.contains("AbC") && !cause.contains("sk_live"), "{cause}");
        assert_eq!(cause.contains("CLERK_SECRET_KEY"), matches!(status, 401 | 403), "{cause}");
    }
    api.answers(&token, 200, &api_key());
    assert_eq!(kind(&layer, &token).await, None);
}

#[tokio::test]
async fn nobody_to_ask_is_a_503() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let key = SecretKey::parse("sk_live_canary").unwrap();
    let away = BackendApiIntrospect::new(&url).unwrap().secret_key(&key).unwrap().build();
    let keyless = BackendApiIntrospect::new(&api.url()).unwrap().build();
    for introspection in [away, keyless] {
        let kind = kind(&layer(&issuer, &introspection), &secret("ak_", "good")).await;
        assert_eq!(kind, Some(AuthErrorKind::IntrospectionUnavailable));
    }
    assert_eq!(api.count(), 0, "without a key nobody is asked");
}

#[tokio::test]
async fn race_of_many_with_one_token_costs_one_question_and_a_client_who_leaves_ends_it_for_nobody()
{
    let (api, issuer) = (TokenApi::start().await, issuer());
    let layer = layer(&issuer, &questions(&api).build());
    let token = secret("ak_", "good");
    api.answers(&token, 200, &api_key());
    api.holds(true);
    let asking = |layer: ClerkAuthLayer, token: String| {
        tokio::spawn(async move { call(&layer, &token).await.status() })
    };
    let first = asking(layer.clone(), token.clone());
    api.saw(1).await;
    let others: Vec<_> = (0..20).map(|_| asking(layer.clone(), token.clone())).collect();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    api.holds(false);
    for other in others {
        assert_eq!(tokio::time::timeout(DEADLINE, other).await.unwrap().unwrap(), StatusCode::OK);
    }
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn a_flood_of_random_keys_costs_50_questions_a_second_and_hinders_no_session() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let (introspection, clock) = clocked(&api);
    let layer = layer(&issuer, &introspection);
    let session = issuer.token("user_1").mint();
    for second in 1..=3 {
        for n in 0..200 {
            let token = secret("ak_", &format!("flood{second}x{n}"));
            let expected = match n {
                0..50 => AuthErrorKind::InactiveToken,
                _ => AuthErrorKind::IntrospectionUnavailable,
            };
            assert_eq!(kind(&layer, &token).await, Some(expected), "{second} {n}");
            assert_eq!(kind(&layer, &session).await, None);
        }
        assert_eq!(api.count(), 50 * second);
        clock.advance(Duration::from_secs(1));
    }
    // A key that was good a moment ago is not asked about, and so passes in a flood too.
    let good = secret("ak_", "good");
    api.answers(&good, 200, &api_key());
    assert_eq!(kind(&layer, &good).await, None);
    for n in 0..60 {
        kind(&layer, &secret("ak_", &format!("more{n}"))).await;
        assert_eq!(kind(&layer, &good).await, None);
    }
}

#[tokio::test]
async fn sixteen_questions_are_under_way_and_5_a_second_with_a_test_key() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let live = layer(&issuer, &questions(&api).build());
    api.holds(true);
    let waiting: Vec<_> = (0..16)
        .map(|n| {
            let (layer, token) = (live.clone(), secret("ak_", &format!("held{n}")));
            tokio::spawn(async move { kind(&layer, &token).await })
        })
        .collect();
    api.saw(16).await;
    let more = call(&live, &secret("ak_", "one_more")).await;
    assert_eq!(more.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(more.headers()["retry-after"], "1");
    // A session is judged without any of them.
    assert_eq!(kind(&live, &issuer.token("user_1").mint()).await, None);
    api.holds(false);
    for one in waiting {
        let kind = tokio::time::timeout(DEADLINE, one).await.unwrap().unwrap();
        assert_eq!(kind, Some(AuthErrorKind::InactiveToken));
    }
    assert_eq!(api.count(), 16);

    let key = SecretKey::parse("sk_test_canary").unwrap();
    let test = BackendApiIntrospect::new(&api.url()).unwrap().secret_key(&key).unwrap();
    let test = layer(&issuer, &test.into_builder().clock(Arc::new(ManualClock::new())).build());
    for n in 0..9 {
        kind(&test, &secret("ak_", &format!("test{n}"))).await;
    }
    assert_eq!(api.count(), 16 + 5);
}

/// Panics, or never answers.
#[derive(Clone, Copy)]
enum Odd {
    Panics,
    Hangs,
}

impl Introspect for Odd {
    async fn ask(&self, _: Question<'_>) -> Result<Answer, IntrospectError> {
        match self {
            Self::Panics => panic!("on purpose"),
            Self::Hangs => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_asker_of_ones_own_that_panics_or_hangs_ends_in_503_and_blocks_nobody() {
    let issuer = issuer();
    for odd in [Odd::Panics, Odd::Hangs] {
        let introspection = Introspection::builder(odd).build();
        let layer = layer(&issuer, &introspection);
        let token = secret("ak_", "good");
        for _ in 0..20 {
            let kind = kind(&layer, &token).await;
            assert_eq!(kind, Some(AuthErrorKind::IntrospectionUnavailable));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test]
async fn a_layer_that_refuses_nothing_waits_for_no_answer() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let layer = layer(&issuer, &questions(&api).build()).report_only();
    let token = secret("ak_", "good");
    api.answers(&token, 200, &api_key());
    api.holds(true);
    let judged = async |request: Request<()>| {
        let kind = request.extensions().get::<AuthError>().map(AuthError::kind);
        let has_caller = Principal::of(request.extensions()).is_some();
        let said = http_body_util::Full::<bytes::Bytes>::from(format!("{kind:?} {has_caller}"));
        Ok::<_, Infallible>(Response::new(said))
    };
    let service = layer.layer(service_fn(judged));
    let ask = async || {
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let response = service.clone().oneshot(request.body(()).unwrap()).await.unwrap();
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    assert_eq!(ask().await, "Some(NotJudged) false");
    // The question goes on, and its answer counts from then on.
    api.holds(false);
    let passed = async {
        while ask().await != "None true" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, passed).await.unwrap();
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn of_two_layers_the_caller_of_the_inner_one_counts() {
    let (api, issuer) = (TokenApi::start().await, issuer());
    let machines = layer(&issuer, &questions(&api).build());
    let users = ClerkAuthLayer::new(verifier(&issuer));
    let (key, session) = (secret("ak_", "good"), issuer.token("user_9").mint());
    api.answers(&key, 200, &api_key());
    for (outer, inner, first, second, expected) in [
        (&machines, &users, &key, &session, "session"),
        (&users, &machines, &session, &key, "api_key"),
        (&machines, &machines, &key, &session, "session"),
    ] {
        let who = service_fn(async |request: Request<()>| {
            let kind = Principal::of(request.extensions()).unwrap().kind();
            let said = http_body_util::Full::<bytes::Bytes>::from(kind);
            Ok::<_, Infallible>(Response::new(said))
        });
        // Something between them gives the request another token.
        let bearer = format!("Bearer {second}").parse::<http::HeaderValue>().unwrap();
        let between =
            tower::util::MapRequest::new(inner.layer(who), move |mut request: Request<()>| {
                request.headers_mut().insert("authorization", bearer.clone());
                request
            });
        let request = Request::builder().header("authorization", format!("Bearer {first}"));
        let service = outer.layer(between);
        let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        assert_eq!(body, expected);
    }
}
